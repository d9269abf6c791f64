"""The private lane beside other systems of differential privacy: the same rows, the same question, the same guarantee.

`python benchmarks/peers.py --install`   make each peer's own environment below var/peers, then measure
`python benchmarks/peers.py`             measure those that are there, and say which are not
`python benchmarks/peers.py --only=NAME` only systems whose names begin so

5,000,000 rows of 993,000 units, count and sum by 100 public groups. A unit counts in 3 groups, with 2 rows in each;
values lie in 0..1000; both statistics together cost rho = 0.02, which is epsilon = 1 at delta = 1e-7. Each system runs
in a process of its own, from opening the file to the finished answer, imports excluded, median of 3; it is stopped
after LIMIT seconds. The extract that we read has a price of its own, paid when it is published; peers read a file
with plainer types. What differs in meaning is printed below the table.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import duckdb  # noqa: E402 - the repository must be importable first
import numpy as np  # noqa: E402

from benchmarks.disclosure import GROUPS, ROWS, write  # noqa: E402

LIMIT = 300
RUNS = 3
BAR = 20.0
CALM = 1.5  # the load to wait for
REQUIREMENTS = {
    "opendp": ("opendp[polars]==0.16.0",),
    "smartnoise": ("smartnoise-sql==1.0.10", "pyarrow"),
    "tumult": ("tmlt.analytics==0.21.0",),
    "pipelinedp": ("pipeline-dp==0.3.1", "pyarrow"),
}
PLAIN = """COPY (SELECT _unit::BIGINT AS person, grp, amount::DOUBLE AS amount FROM '{source}')
TO '{target}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"""
TRUE = "SELECT grp, count(*), sum(amount) FROM '{source}' GROUP BY grp ORDER BY grp"
# What the caps leave on average over all choices of a unit's groups.
CAPPED = """WITH cells AS (SELECT person, grp, least(count(*), 2) AS n, least(sum(amount), 1000) AS s,
least(1, 3 / count(*) OVER (PARTITION BY person)) AS kept FROM '{source}' GROUP BY person, grp)
SELECT grp, sum(n * kept), sum(s * kept) FROM cells GROUP BY grp ORDER BY grp"""
NOTES = """
"CPU": seconds of all processors, of the system's processes; a busy machine changes them less.
Errors: medians over groups (and answers) in % of the true value. "true": of the answer against the true value, most of
it what the caps cut off, the same for all; "capped": against what the caps leave on average; "repeat": between two
answers to the same question, over the root of 2, so the noise, and the choice of groups where it is drawn each time.
Ours is drawn 20 times. We clamp a unit's sum in a group to 0..1000, as does PipelineDP; the others clamp each of its
two rows, so their sums need twice the noise.
OpenDP keeps two of the three groups it is asked for (a fault of this version), with noise for three.
SmartNoise caps rows per unit, at 3 over all groups, so that its noise is that of 3 rows, not of 6.
Tumult: the start of Spark is not in the seconds. Its choice of groups, OpenDP's and ours follow from the data.
SmartNoise and PipelineDP know no zCDP. "ε 1": epsilon 1 for the question, by Laplace noise; the translated guarantee,
but 25 such questions cost epsilon 25, ours 5.7. "ρ": the epsilon, 0.2, that keeps rho 0.02, our guarantee."""


@dataclass(frozen=True)
class System:
    name: str
    script: str
    environment: str = ""  # "": this one
    word: str = ""
    runs: int = RUNS


@dataclass
class Outcome:
    version: str = ""
    load: float = 0.0
    peak_mb: int = 0
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    answers: list[list[list[float]]] = field(default_factory=list)  # answer, group, count and sum
    failed: str = ""


SYSTEMS = (
    System("dataspace, kept", "private_lane", word="kept"),
    System("dataspace, first", "private_lane", word="first"),
    System("dataspace, plain plan", "private_lane", word="plain"),
    System("OpenDP on Polars", "opendp_polars", "opendp"),
    System("SmartNoise SQL, ε 1", "smartnoise_sql", "smartnoise"),
    System("SmartNoise SQL, ρ", "smartnoise_sql", "smartnoise", "rho", 2),
    System("Tumult Analytics", "tumult_analytics", "tumult"),
    System("PipelineDP, ε 1", "pipelinedp_local", "pipelinedp"),
    System("PipelineDP, ρ", "pipelinedp_local", "pipelinedp", "rho", 2),
)


def install(folder: Path) -> None:
    """One environment for each peer; none of them is the product's."""
    known = (shutil.which("uv"), Path.home() / ".local/bin/uv", ROOT / "var/uv/bin/uv")
    uv = next((str(path) for path in known if path and Path(path).exists()), None)
    if uv is None:
        sys.exit("uv is missing: `make demo` brings it.")
    settings = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    for name, requirements in REQUIREMENTS.items():
        home, start = folder / name, time.perf_counter()
        make = [uv, "venv", "--quiet", "--allow-existing", "--python", "3.11", str(home)]
        fill = [uv, "pip", "install", "--quiet", "--python", str(home / "bin/python"), *requirements]
        done = all(subprocess.run(c, env=settings, check=False).returncode == 0 for c in (make, fill))
        print(f"{name}: {'installed' if done else 'NOT installed'}, {time.perf_counter() - start:.0f} s")


def missing(system: System, python: Path) -> str:
    """Why the system cannot be asked, "" if it can."""
    if not python.exists():
        return "skipped: not installed (--install)"
    if system.environment == "tumult" and shutil.which("java") is None:
        return "skipped: Spark needs Java 17 (apt-get install openjdk-17-jre-headless)"
    return ""


def measured(system: System, python: Path, source: Path, patience: int) -> Outcome:
    outcome = Outcome(failed=missing(system, python))
    if outcome.failed:
        return outcome
    outcome.load = calm(patience)
    script = ROOT / "benchmarks/peers" / f"{system.script}.py"
    command = [str(python), str(script), str(source), str(system.runs), system.word]
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as errors:
        settings = {**os.environ, "PYSPARK_PYTHON": str(python)}
        child = subprocess.Popen(
            command, stdout=said, stderr=errors, env=settings, cwd=source.parent, start_new_session=True
        )
        try:
            child.wait(LIMIT)
        except subprocess.TimeoutExpired:
            outcome.failed = f"stopped after {LIMIT} s"
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)  # with what it started
                child.wait()
        said.seek(0)
        errors.seek(0)
        read(outcome, said.read())
        if child.returncode and not outcome.failed:
            outcome.failed = "failed: " + (errors.read().strip().splitlines() or ["no word"])[-1][:90]
    return outcome


def calm(patience: int) -> float:
    """The load at the start: ours of before must not slow what comes next."""
    until = time.monotonic() + patience
    while os.getloadavg()[0] > CALM and time.monotonic() < until:
        time.sleep(3)
    return os.getloadavg()[0]


def read(outcome: Outcome, said: str) -> None:
    for line in said.splitlines(keepends=True):
        if not line.endswith("\n"):
            break  # stopped while it spoke
        answer = json.loads(line)
        outcome.version, outcome.peak_mb = answer["version"], max(outcome.peak_mb, answer["peak_mb"])
        if "seconds" in answer:
            outcome.seconds.append(answer["seconds"])
            outcome.cpu.append(answer["cpu"])
        outcome.answers.append([answer["answer"][group] for group in GROUPS])


def by_group(sql: str) -> np.ndarray:
    return np.array([row[1:] for row in duckdb.execute(sql).fetchall()], float)


def errors_of(outcome: Outcome, true: np.ndarray, capped: np.ndarray) -> list[float]:
    """For count and sum each: true, capped, repeat."""
    answers = np.array(outcome.answers, float)
    pairs = [abs(a - b) / 2**0.5 for a, b in combinations(answers, 2)] or [np.full_like(true, np.nan)]
    found = [abs(answers - true) / true, abs(answers - capped) / true, np.array(pairs) / true]
    return [float(100 * np.median(error[:, :, part])) for part in (0, 1) for error in found]


def line(system: System, outcome: Outcome, ours: dict[str, float], found: list[float]) -> str:
    middle = statistics.median(outcome.seconds)
    ratios = "".join(f"{middle / ours[w]:7.1f}x" if w in ours else f"{'-':>8}" for w in ("first", "kept"))
    runs = " ".join(f"{s:.2f}" for s in outcome.seconds)
    shares = "".join(f"{share:8.3f}" for share in found)
    return (
        f"{system.name:<23}{outcome.version:<9}{middle:8.2f}{statistics.median(outcome.cpu):8.2f}{ratios}{outcome.peak_mb:7d}{shares}"
        f"{outcome.load:6.1f}  {runs} {outcome.failed}"
    )


def table(
    folder: Path, source: Path, chosen: list[System], patience: int
) -> dict[str, tuple[float, list[float]]]:
    """Print a line for each system; return seconds and errors by name."""
    peers = source.with_name("peers.parquet")
    duckdb.execute(PLAIN.format(source=source, target=peers))
    true, capped = (by_group(sql.format(source=peers)) for sql in (TRUE, CAPPED))
    print(
        f"{'':<23}{'':<9}{'':>16}{'as many times':>16}{'peak':>7}{'error of count, %':>24}{'of sum, %':>24}"
    )
    print(
        f"{'system':<23}{'version':<9}{'seconds':>8}{'CPU':>8}{'first':>8}{'kept':>8}{'MB':>7}"
        + f"{'true':>8}{'capped':>8}{'repeat':>8}" * 2
        + "  load  runs"
    )
    results: dict[str, tuple[float, list[float]]] = {}
    ours: dict[str, float] = {}
    for system in chosen:
        python = folder / system.environment / "bin/python" if system.environment else Path(sys.executable)
        outcome = measured(system, python, peers if system.environment else source, patience)
        if not outcome.seconds:
            print(f"{system.name:<23}{outcome.failed or 'no answer'}", flush=True)
            continue
        seconds, found = statistics.median(outcome.seconds), errors_of(outcome, true, capped)
        results[system.name] = seconds, found
        if not system.environment:
            ours[system.word] = seconds
        print(line(system, outcome, ours, found), flush=True)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", help="how the name of a system begins; may be repeated")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--environments", type=Path, default=ROOT / "var/peers")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument(
        "--patience", type=int, default=60, help="seconds to wait for a low load, for each system"
    )
    options = parser.parse_args()
    folder = options.environments.resolve()
    if options.install:
        install(folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends too
    chosen = [s for s in SYSTEMS if s.name.startswith(tuple(options.only or [""]))]
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "t.parquet"
        write(source, options.rows)
        results = table(folder, source, chosen, options.patience)
    print(NOTES)
    return verdict(results)


def verdict(results: dict[str, tuple[float, list[float]]]) -> int:
    """Held against the bar: every peer by the kept table; errors against what the caps leave."""
    peers = {name: found for name, found in results.items() if not name.startswith("dataspace")}
    fits = True
    for ours in ("dataspace, kept", "dataspace, first", "dataspace, plain plan"):
        if ours not in results or not peers:
            return 0
        seconds, errors = results[ours]
        slow = [name for name, (took, _) in peers.items() if took < BAR * seconds]
        fits = fits and (not slow or ours != "dataspace, kept")
        print(f"\nLess than {BAR:.0f} times as long as {ours}: {', '.join(slow) or 'none'}")
        for part, place in (("count", 1), ("sum", 4)):
            better = [name for name, (_, found) in peers.items() if found[place] < errors[place]]
            print(f"A smaller error of {part} against what the caps leave: {', '.join(better) or 'none'}")
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
