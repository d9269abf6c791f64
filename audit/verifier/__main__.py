"""Command line: exit 0 if the log is whole, 1 if it is broken (the first broken entry is named), 2 if unreadable."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from audit.verifier.check import verify


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m audit.verifier",
        description="核验审计日志导出文件 · Verify an export of the audit log",
    )
    parser.add_argument("file", type=Path, help="导出文件 · the export")
    parser.add_argument(
        "--head", action="append", default=[], metavar="HEX", help="此前记下的链头哈希 · a head noted earlier"
    )
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    try:
        with options.file.open("rb") as lines:
            report = verify(lines, expected_heads=options.head)
    except OSError as error:
        print(f"无法读取 · cannot read: {error}", file=sys.stderr)
        return 2
    seconds = time.perf_counter() - start
    if report.finding:
        print(
            f"不通过 · BROKEN  第 {report.finding.seq} 条 · entry {report.finding.seq}  [{report.finding.code}]"
        )
        print(f"  {report.finding.zh}\n  {report.finding.en}")
        return 1
    print(f"通过 · OK  {report.entries} 条 · entries, {seconds:.2f} s")
    print(f"链头 · head {report.head}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
