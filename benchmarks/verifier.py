"""How fast a log is verified: one core, from the one-file export and from the folder, each in a process of its own.

Beside it, in the same run, what cannot be avoided: SHA-256 over every line of the file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ENTRIES = 1_000_000
ROUNDS = 3


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--entries", type=int, default=ENTRIES)
    options.add_argument("--measure", nargs=2, metavar=("WHAT", "PATH"))
    chosen = options.parse_args()
    if chosen.measure:
        print(json.dumps(measured(chosen.measure[0], Path(chosen.measure[1]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        lines, tiles = write(Path(folder), chosen.entries)
        report(chosen.entries, lines, tiles)


def write(folder: Path, entries: int) -> tuple[Path, Path]:
    """One log in both forms, signed."""
    from tests import log_world as world

    told = (world.opened_log() if seq == 0 else body(seq) for seq in range(entries))
    log = world.Log(tuple(world.seal(told)))
    lines = folder / "log.jsonl"
    with lines.open("wb") as file:
        file.writelines(world.jsonl(log))
    return lines, world.write(folder / "log", world.files(log))


def body(seq: int) -> dict[str, object]:
    """About 240 bytes once sealed, as most entries are."""
    from tests import log_world as world

    account = f"account:{seq % 9999}"
    return {
        "act": "account.login", "actor": account, "id": world.event_id(seq), "obj": account, "org": "org-1",
        "out": "ok", "t": world.START + seq, "v": 1,
    }  # fmt: skip


def measured(what: str, path: Path) -> dict[str, float]:
    """Seconds of processor time, the best of ROUNDS, and the peak of memory in MiB."""
    from audit.verifier.check import check
    from audit.verifier.known import Known
    from tests import log_world as world

    def digests() -> None:
        with path.open("rb") as file:
            for line in file:
                hashlib.sha256(line).digest()

    def verified() -> None:
        found = check(path, Known(keys=(world.ed25519().key,)), fast=what == "fast").finding
        assert found is None, found

    act = digests if what == "plain" else verified
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        act()
        best = min(best, time.process_time() - start)
    return {"seconds": best, "peak": peak()}


def peak() -> float:
    """MiB that this process held at most. `getrusage` would count what the process that started it held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def report(entries: int, lines: Path, tiles: Path) -> None:
    size = lines.stat().st_size / entries
    print(f"{entries:,} entries of {size:.0f} bytes, one core, best of {ROUNDS}")
    plain = 0.0
    for name, what, path in (
        ("SHA-256 of every line, nothing else", "plain", lines),
        ("file, fast pass: chain and root", "fast", lines),
        ("file, both passes", "both", lines),
        ("folder, fast pass: with every tile", "fast", tiles),
        ("folder, both passes", "both", tiles),
    ):
        command = [sys.executable, "-m", "benchmarks.verifier", "--measure", what, str(path)]
        told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        plain = plain or told["seconds"]
        rate = entries / told["seconds"]
        print(
            f"  {name:<40} {rate:>11,.0f} entries/s  {told['seconds'] / plain:>5.1f} x  {told['peak']:>6.0f} MiB"
        )


if __name__ == "__main__":
    main()
