"""Command line. Exit code 0: whole, and all that was asked for holds; 1: the log is broken, and where; 2: something
cannot be read, or was asked wrongly; 3: whole in itself, but it contradicts what is known from outside.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from importlib import import_module
from pathlib import Path

from audit.verifier import known, terminal
from audit.verifier.check import check
from audit.verifier.known import Known
from audit.verifier.result import Report, Unreadable, Verdict


def main(arguments: list[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a character still gets the rest
    if given[:1] == ["mirror"]:
        # Only those who mirror need the network, and its module.
        return int(import_module("audit.verifier.mirror").main(given[1:]))
    options = _parser().parse_args(given)
    try:
        report = check(
            options.path,
            _known(options),
            fast=options.fast,
            openings=options.openings,
            state=options.state,
        )
        if options.report is not None:
            import_module("audit.verifier.report").write(report, options.report)
    except (OSError, Unreadable) as error:
        print(f"无法读取 · cannot read: {error}", file=sys.stderr)
        return int(Verdict.UNREADABLE)
    _print(report, options)
    return int(report.verdict)


def _print(report: Report, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(report.to_json(), ensure_ascii=False, indent=1))
        return
    for line in terminal.lines(report, options.lang):
        print(line)


def _known(options: argparse.Namespace) -> Known:
    return Known(
        keys=tuple(key for argument in options.key for key in known.keys_of(argument)),
        policy=None if options.policy is None else known.policy_of(options.policy),
        heads=frozenset(known.head_of(text) for text in options.head),
        checkpoints=tuple(known.noted(path) for path in options.checkpoint),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m audit.verifier",
        description="核验审计日志 · Verify the audit log: folder of tiles, one-file or scoped export, receipt",
        epilog="镜像 · to copy a log from its server and verify it: python -m audit.verifier mirror URL FOLDER",
    )
    add = parser.add_argument
    add("path", type=Path, help="导出的文件或文件夹 · the export")
    add(
        "--key",
        action="append",
        default=[],
        metavar="VKEY|FILE",
        help="受信的日志公钥 · a key of the log you trust",
    )
    add(
        "--policy",
        type=Path,
        metavar="FILE",
        help="策略：日志、见证人、法定数 · log, witnesses, quorum (tlog-policy)",
    )
    add(
        "--head", action="append", default=[], metavar="HEX", help="此前记下的链头哈希 · a head noted earlier"
    )
    add("--checkpoint", action="append", default=[], type=Path, metavar="FILE",
        help="别处见到的检查点 · a checkpoint seen elsewhere")  # fmt: skip
    add(
        "--state",
        type=Path,
        metavar="FILE",
        help="记住本次所见，下次比对 · remember this log, and compare next time",
    )
    add("--openings", type=Path, metavar="FILE", help="个人字段的开示文件 · openings of personal fields")
    add("--fast", action="store_true", help="只核对哈希 · hashes only, not what entries say")
    add("--lang", choices=terminal.LANGUAGES, default="both")
    add("--report", type=Path, metavar="FILE", help="另存为网页报告 · write the report as one HTML file")
    add("--json", action="store_true", help="以 JSON 输出 · print the report as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
