"""Publishing against DuckDB's own CSV → Parquet copy, in the same run.

`python benchmarks/publish.py`            420,768 rows of hourly air quality: ratio, median of 5, bar 3.0
`python benchmarks/publish.py --big`      a generated 2 GB CSV: peak memory, bar 1 GB
`--data FOLDER` holds beijing_air_quality_hourly.parquet; `--keep FOLDER` is where the big file and the extract go.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import duckdb  # noqa: E402 - the repository must be importable first

from catalog.ingest import build, infer_schema, open_source  # noqa: E402
from catalog.schema import Schema  # noqa: E402

KEY = bytes(range(32))
BAR_RATIO = 3.0
BAR_BYTES = 1_000_000_000
BIG_BYTES = 2_000_000_000
ROUNDS = 5


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _copy(source: Path, target: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT * FROM read_csv('{source}')) TO '{target}' (FORMAT parquet)")


def _publish(source: Path, schema: Schema, folder: Path) -> None:
    """Decode, validate, build and digest, under a schema already accepted."""
    opened = open_source(source, folder=folder / "work")
    build(opened, schema, out_dir=folder / "out", space_key=KEY)


def compare(data: Path) -> bool:
    """Alternate the two, so that both meet the same weather on the machine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "air.csv"
        duckdb.sql(f"COPY (FROM '{data / 'beijing_air_quality_hourly.parquet'}') TO '{source}' (HEADER)")
        schema = infer_schema(open_source(source, folder=folder), folder=folder)
        _publish(source, schema, folder)
        _copy(source, folder / "peer.parquet")
        ours, theirs = [], []
        for _ in range(ROUNDS):
            theirs.append(_seconds(lambda: _copy(source, folder / "peer.parquet")))
            ours.append(_seconds(lambda: _publish(source, schema, folder)))
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"DuckDB copy   {statistics.median(theirs):6.3f} s   {[round(s, 3) for s in theirs]}")
    print(f"publish       {statistics.median(ours):6.3f} s   {[round(s, 3) for s in ours]}")
    print(f"ratio         {ratio:6.2f}     bar {BAR_RATIO}")
    return ratio <= BAR_RATIO


def big(folder: Path) -> bool:
    """Write the file in another process, then publish it here and look at this process's own peak."""
    source = folder / "big.csv"
    subprocess.run([sys.executable, __file__, "--write", str(source)], check=True)
    print(f"file          {source.stat().st_size / 1e9:6.2f} GB")
    try:
        shares: list[str] = []
        start = time.perf_counter()
        opened = open_source(source, folder=folder / "work")
        schema = infer_schema(opened, folder=folder)
        print(f"decode, infer {time.perf_counter() - start:6.1f} s")
        start = time.perf_counter()
        extract = build(
            opened,
            schema,
            out_dir=folder / "out",
            space_key=KEY,
            progress=lambda step, _: shares.append(step),
        )
        print(f"build         {time.perf_counter() - start:6.1f} s   {len(shares)} reports of progress")
        print(f"extract       {extract.bytes / 1e9:6.2f} GB  {extract.rows} rows, {extract.units} units")
        extract.path.unlink()
    finally:
        source.unlink()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"peak memory   {peak / 1e6:6.0f} MB   bar {BAR_BYTES / 1e6:.0f}")
    return peak < BAR_BYTES


def write(target: Path) -> None:
    """Rows of a city's meter readings until BIG_BYTES."""
    rows = BIG_BYTES // 68
    duckdb.sql(
        f"""COPY (SELECT 'E' || lpad((hash(i) % 400000)::VARCHAR, 8, '0') AS enterprise_id,
        TIMESTAMP '2020-01-01' + INTERVAL (i % 2000000) MINUTE AS read_at,
        '区' || hash(i + 1) % 12 AS 区县, '行业' || hash(i + 2) % 90 AS 行业,
        (hash(i + 3) % 1000000) / 100 AS 用电量, (hash(i + 4) % 100000) / 10 AS 用水量,
        hash(i + 5) % 5000 AS persons, hash(i + 6) % 2 = 0 AS 规上
        FROM range({rows}) t(i)) TO '{target}' (HEADER)"""
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--big", action="store_true")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(options.write)
        return 0
    if options.big:
        with tempfile.TemporaryDirectory(dir=options.keep) as folder:
            return 0 if big(Path(folder)) else 1
    return 0 if compare(options.data) else 1


if __name__ == "__main__":
    sys.exit(main())
