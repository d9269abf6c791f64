"""Command line of the mirror: a complete copy of a log under a URL, kept up to date and verified before it is believed.

Exit code 0: the copy is complete and fits the log's checkpoint; 1: what the server has does not fit its own checkpoint;
2: the server or the folder cannot be read; 3: the log went back, forked, or its signatures are not those to be trusted.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from audit.verifier import known
from audit.verifier.copying import Copied, copy
from audit.verifier.known import Known
from audit.verifier.replica import Replica
from audit.verifier.result import Unreadable, Verdict
from audit.verifier.source import Source, Unreachable
from audit.verifier.wording import notice

_ABOUT = """\
镜像并核验日志：首次完整下载，之后只取新增部分；全部核验无误后才更新本地检查点。
Copy a log and verify it: all of it the first time, then what is new; the copy moves on only when all of it fits.
"""
_NOTES = """\
日志倒退或分叉时以 3 退出，两个互相矛盾的检查点保存在 FOLDER/evidence/。
If the log went back or forked, the exit code is 3 and both checkpoints are kept in FOLDER/evidence/.
受信的公钥连同日志在其下宣布的新公钥记在 FOLDER/.mirror.json。
The keys you trust, and those the log announces under them, are remembered in FOLDER/.mirror.json.
镜像不逐条细查，请再运行 · the copy is not read entry by entry; do that with: python -m audit.verifier FOLDER
"""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return _rounds(options)
    except KeyboardInterrupt:
        return 130


def _rounds(options: argparse.Namespace) -> int:
    while True:
        try:
            code = _round(options)
        except (Unreachable, Unreadable, OSError, ValueError) as error:
            print(f"未完成 · not done: {error}", file=sys.stderr, flush=True)
            code = int(Verdict.UNREADABLE)
        if options.every is None or code == Verdict.CONTRADICTED:
            return code
        time.sleep(options.every)


def _round(options: argparse.Namespace) -> int:
    token = options.token.read_text(encoding="utf-8").strip() if options.token else ""
    trusted = Known(
        keys=tuple(key for argument in options.key for key in known.keys_of(argument)),
        policy=None if options.policy is None else known.policy_of(options.policy),
    )
    with closing(Source(options.url, token)) as source, closing(Replica(options.folder)) as replica:
        copied = copy(source, replica, trusted)
    for line in _lines(copied):
        print(line, flush=True)
    return int(copied.report.verdict)


def _lines(copied: Copied) -> Iterator[str]:
    report = copied.report
    if report.finding is not None:
        yield f"不通过，本地镜像未变 · REFUSED, the copy is as it was  [{report.finding.code}]"
        yield f"  {report.finding.zh}\n  {report.finding.en}"
        yield from (f"  证据 · evidence {path}" for path in copied.evidence)
        if report.verdict == Verdict.BROKEN:
            yield "  可再试一次；若仍如此，则是服务器上的文件有误"
            yield "  try again; if it stays so, the files on the server are wrong"
        return
    new = (report.size or 0) - copied.before
    yield f"已镜像 · MIRRORED  {report.size} 条 · entries (+{new}), {copied.fetched} 个文件 · files"
    yield f"日志 · log {report.origin}\n检查点 · checkpoint {report.size} {report.root}"
    yield from (f"签名 · signed by {signer.vkey} ({signer.algorithm})" for signer in report.signers)
    yield from (f"共签 · cosigned by {cosigner.name}" for cosigner in report.cosigners)
    notices = [*report.warnings, *([notice("hashes_only")] if copied.hashes_only else ())]
    for one in notices:
        yield f"! {one.zh}\n! {one.en}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m audit.verifier mirror",
        description=_ABOUT,
        epilog=_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("url", metavar="URL", help="日志的网址 · where the log is served, such as https://data.example/log")
    add("folder", type=Path, metavar="FOLDER", help="镜像目录 · the folder of the copy")
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
        "--token", type=Path, metavar="FILE",
        help="存有 API 令牌的文件；没有令牌只镜像哈希 · a file with an API token; without it only hashes are copied",
    )  # fmt: skip
    add("--every", type=float, metavar="SECONDS", help="每隔若干秒更新一次 · go on, once in so many seconds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
