"""What the protection costs the engine: the same question asked plainly, with the plain plan, and from a kept table.

`python benchmarks/disclosure.py`            5,000,000 rows, 993,000 units of 1 to 19 rows, 100 groups
`python benchmarks/disclosure.py --rows N`   as many; 50,000,000 and more are held against the larger bar of memory

Count and sum by group, groups that a unit meets at an event and groups that are the unit's own. Everything is asked
in this run, of the same file, with the same settings, in a new connection each time; the median of `--rounds`. Peak
memory is that of a process of its own. "first" makes the table and asks; "kept" asks. What is asked is the SQL of the
product: in the table lane also, shown apart, the outline that later answers are compared with; in the private lane the
capped and clamped sums, to which noise is added at no cost worth the name.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import duckdb  # noqa: E402 - the repository must be importable first

from catalog.schema import ColumnType  # noqa: E402
from contracts.policy.terms import (  # noqa: E402
    Aggregate,
    ColumnRole,
    ColumnTerm,
    DatasetTerm,
    DisclosureTerms,
    Lane,
    Level,
    PrivacyTerms,
    Terms,
)
from sandbox.engines import (  # noqa: E402
    Facts,
    Layout,
    generate,
    generate_from_kept,
    layout_of,
    outline_from_kept,
    overlap,
)
from sandbox.guard import check_sql  # noqa: E402
from sandbox.kept.build import build  # noqa: E402

ROWS = 5_000_000
UNITS_OF = 1_200_000 / 5_000_000  # units drawn for each row wanted: more than are needed
MANY = 50_000_000
CHUNK = 5_000_000
ROUNDS = 5
THREADS = 2
MEMORY = {False: "450MB", True: "1536MB"}  # of the engine, by whether there are MANY rows
PEAK = {False: 600, True: 4000}  # bar, MB
BARS = {  # kept, first: at most so many times raw
    ("table", "grp"): (2.5, 10.0),
    ("table", "home"): (1.0, 10.0),
    ("private", "grp"): (3.0, 20.0),
    ("private", "home"): (3.0, 20.0),
}
GROUPS = tuple(f"{n:02d}" for n in range(100))
QUESTION = "select {by}, count(*), sum(amount) from t group by {by}"
LIMITS = PrivacyTerms(max_groups=3, max_rows=2)
AGAIN = (sys.executable, __file__)
NOW = datetime(2025, 1, 1, tzinfo=UTC)


def write(target: Path, rows: int) -> None:
    """Chunk by chunk, so that memory does not grow with the rows; units in order, as in an extract."""
    with duckdb.connect(config={"threads": THREADS, "memory_limit": "2GB"}) as engine:
        engine.execute("SELECT setseed(0.5)")
        parts = []
        for number, start in enumerate(range(0, rows, CHUNK)):
            size = min(CHUNK, rows - start)
            first, units = number * 10_000_000, int(size * UNITS_OF)
            parts.append(target.with_suffix(f".{number}"))
            engine.execute(
                f"""COPY (SELECT * FROM (
                SELECT hash(unit + 77) AS person, {group("floor(100 * pow(random(), 1.6))")} AS grp,
                {group("hash(unit) % 100")} AS home, exp(random() * 6 + 1)::DECIMAL(18, 2) AS amount,
                unit::INTEGER AS _unit, hash(unit * 31 + k + 5) AS _record_key
                FROM (SELECT {first} + i AS unit, 1 + least(18, floor(-ln(1 - random()) * 4.6))::INTEGER AS many
                FROM range({units}) AS series(i)), unnest(range(many)) AS each(k) ORDER BY unit LIMIT {size}
                ) ORDER BY _unit, _record_key)
                TO '{parts[-1]}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"""
            )
        files = ", ".join(f"'{part}'" for part in parts)
        engine.execute(
            f"COPY (FROM read_parquet([{files}])) TO '{target}' "
            "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
        )
    for part in parts:
        part.unlink()


def group(number: str) -> str:
    return f"lpad(({number})::INTEGER::VARCHAR, 2, '0')"


def terms(lane: Lane) -> Terms:
    columns = (
        ColumnTerm("person", ColumnType.TEXT, ColumnRole.UNIT),
        ColumnTerm("grp", ColumnType.TEXT, ColumnRole.DIMENSION, GROUPS),
        ColumnTerm("home", ColumnType.TEXT, ColumnRole.DIMENSION, GROUPS, level=Level.UNIT),
        ColumnTerm(
            "amount",
            ColumnType.DECIMAL,
            ColumnRole.MEASURE,
            (),
            (Aggregate.SUM,),
            2,
            lane=lane,
            low=0,
            high=1000,
        ),
    )
    dataset = DatasetTerm("urn:uuid:2", "t", columns, lane)
    return Terms(("p",), "c", "public", "", (dataset,), (), DisclosureTerms(), 1, NOW, NOW, 1, LIMITS)


class Asking:
    """One lane and one column to group by, over one file."""

    def __init__(self, lane: Lane, by: str, source: Path, *, many: bool) -> None:
        self.terms, self.source, self.many = terms(lane), source, many
        self.kept = source.with_name(f"kept-{lane}-{by}.parquet")
        self.query = check_sql(QUESTION.format(by=by), self.terms)
        layout = layout_of(self.query, self.terms, "0" * 64)
        assert layout is not None
        self.lane, self.by, self.layout = lane, by, layout
        self.facts = Facts(frozenset(), frozenset())

    def raw(self) -> list[tuple]:
        return self._ask(QUESTION.format(by=self.by), self.source)

    def plain(self) -> list[tuple]:
        return self._ask(generate(self.query, self.terms), self.source)

    def first(self) -> list[tuple]:
        self.make(self.layout)
        return self.again()

    def again(self) -> list[tuple]:
        return self._ask(generate_from_kept(self.query, self.terms, self.layout, self.facts), self.kept)

    def plain_outline(self) -> list[tuple]:
        return self._ask(overlap.outline(self.query, self.terms), self.source)

    def outline(self) -> list[tuple]:
        return self._ask(outline_from_kept(self.query, self.terms, self.layout, self.facts), self.kept)

    def make(self, layout: Layout) -> None:
        """As the worker does, the digest apart, which it takes of the finished file."""
        descriptor = os.open(self.source, os.O_RDONLY)
        try:
            self.facts = build(layout, descriptor, self.kept, threads=THREADS, keep_going=lambda: True)
        finally:
            os.close(descriptor)

    def _ask(self, sql: str, path: Path) -> list[tuple]:
        with duckdb.connect(config={"threads": THREADS, "memory_limit": MEMORY[self.many]}) as engine:
            engine.execute(f"CREATE VIEW t AS SELECT * FROM read_parquet('{path}')")
            return engine.execute(sql).fetchall()


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(source: Path, rounds: int, *, many: bool) -> bool:
    fits = True
    print(f"{'':<18}{'raw s':>8}{'plain':>9}{'first':>9}{'bar':>6}{'kept':>8}{'bar':>6}", end="")
    print(f"{'with outline':>15}{'plain':>9}{'table MB':>10}")
    for (lane, by), (bar_kept, bar_first) in BARS.items():
        asking = Asking(Lane(lane), by, source, many=many)
        asking.first()
        if not many:
            same_answers(asking)
        took = timed(asking, rounds, many=many)
        raw = statistics.median(took["raw"])
        times = {name: statistics.median(found or [float("nan")]) / raw for name, found in took.items()}
        print(
            f"{f'{lane} by {by}':<18}{raw:8.3f}{times['plain']:8.1f}x{times['first']:8.1f}x{bar_first:6.1f}"
            f"{times['again']:7.2f}x{bar_kept:6.1f}{_times(times['again'] + times['outline'], 15)}"
            f"{_times(times['plain'] + times['plain_outline'], 9)}{asking.kept.stat().st_size / 1e6:10.1f}",
            flush=True,
        )
        fits = fits and times["first"] <= bar_first and times["again"] <= bar_kept
        asking.kept.unlink()
    return fits


def _times(number: float, width: int) -> str:
    return " " * (width - 1) + "-" if math.isnan(number) else f"{number:{width - 1}.1f}x"


def same_answers(asking: Asking) -> None:
    assert sorted(asking.plain()) == sorted(asking.again()), "both plans give the same raw table"
    if asking.lane is Lane.TABLE:
        assert set(asking.plain_outline()) == set(asking.outline()), "and the same outline"


def timed(asking: Asking, rounds: int, *, many: bool) -> dict[str, list[float]]:
    """Seconds by what was asked; in turn, so that all meet the same weather on the machine."""
    took: dict[str, list[float]] = {
        name: [] for name in ("raw", "plain", "first", "again", "outline", "plain_outline")
    }
    for _ in range(rounds):
        for name, times in took.items():
            if (name.startswith("plain") and many) or (
                name.endswith("outline") and asking.lane is not Lane.TABLE
            ):
                continue
            times.append(seconds(getattr(asking, name)))
    return took


def peaks(source: Path, *, many: bool) -> bool:
    """Peak memory of a process that makes a table and asks of it, for an outline too."""
    fits = True
    for lane, by in BARS:
        command = [*AGAIN, "--peak", lane, by, str(source), *(["--many"] if many else [])]
        peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"peak memory {lane} by {by:<5} {peak:6d} MB   bar {PEAK[many]}", flush=True)
        fits = fits and peak <= PEAK[many]
    return fits


def own_peak() -> int:
    """Megabytes. Not `ru_maxrss`: a child begins with its parent's."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 // 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--keep", type=Path, help="folder for the file and the tables")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--many", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(options.write, options.rows)
        return 0
    if options.peak:
        lane, by, source = options.peak
        asking = Asking(Lane(lane), by, Path(source), many=options.many)
        asking.first()
        if asking.lane is Lane.TABLE:
            asking.outline()
        print(own_peak())
        return 0
    many = options.rows >= MANY
    with tempfile.TemporaryDirectory(dir=options.keep) as folder:
        source = Path(folder) / "t.parquet"
        subprocess.run([*AGAIN, "--write", str(source), "--rows", str(options.rows)], check=True)
        print(f"{options.rows} rows, {source.stat().st_size / 1e6:.0f} MB; times as multiples of raw DuckDB")
        fits = compare(source, options.rounds, many=many)
        return 0 if peaks(source, many=many) and fits else 1


if __name__ == "__main__":
    sys.exit(main())
