"""How long it takes to audit how closely withheld cells can be squeezed, and the whole of `protect` around it.

A realistic table: districts x trades x years, most cells well filled, a tail of small ones, all totals over every set
of dimensions known. The audit alone is the one of the finished table: every cell that breaks a rule against
everything published. Beside it, in the same run, the exact check that a linear program replaces: whether a cell
follows to the digit, by the row space of the totals.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa

ROUNDS = 5
BAR_SECONDS = 3.0
SHAPES = {"two dimensions": (40, 50), "three dimensions": (20, 33, 3)}
SHARE = {"two dimensions": 0.16, "three dimensions": 0.075}  # small cells, so that about 300 are withheld


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = options.parse_args().rounds
    for name, shape in SHAPES.items():
        for text in ("count(*)", "sum(amount)"):
            report(f"{name}, {text}", *world(shape, SHARE[name], text), rounds)


def world(shape: tuple[int, ...], share: float, text: str):
    """Terms, the question, and its raw table."""
    from catalog.schema import ColumnType
    from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm, DatasetTerm
    from sandbox.engines import raw_schema
    from sandbox.guard import check_sql
    from tests.unit.guard_terms import TERMS

    dims = [
        ColumnTerm(f"d{i}", ColumnType.TEXT, ColumnRole.DIMENSION, tuple(f"{v:03}" for v in range(size)))
        for i, size in enumerate(shape)
    ]
    amount = ColumnTerm("amount", ColumnType.DECIMAL, ColumnRole.MEASURE, (), (Aggregate.SUM,), 2)
    firm = ColumnTerm("firm", ColumnType.TEXT, ColumnRole.UNIT)
    terms = replace(TERMS, datasets=(DatasetTerm("d-tax", "tax", (firm, *dims, amount)),), joins=())
    names = ", ".join(d.name for d in dims)
    query = check_sql(f"select {names}, {text} from tax group by {names}", terms)
    rng = np.random.default_rng(7)
    rows = [row(rng, key, share, summed=bool(query.measured)) for key in np.ndindex(*shape)]
    return terms, query, pa.Table.from_pylist(rows, schema=raw_schema(query, terms))


def row(rng: np.random.Generator, key: tuple[int, ...], share: float, *, summed: bool) -> dict[str, object]:
    """One cell: few contributors or some dozens, with incomes as skewed as incomes are."""
    units = int(rng.integers(1, 10) if rng.random() < share else rng.integers(20, 200))
    found: dict[str, object] = {f"d{i}": f"{place:03}" for i, place in enumerate(key)} | {
        "k": units,
        "n": units,
    }
    if summed:
        sizes = sorted((int(x) for x in rng.lognormal(10, 0.8, units)), reverse=True)
        found |= {
            "m0_k": units,
            "m0_n": units,
            "m0_sum": sum(sizes),
            "m0_abs": sum(sizes),
            "m0_top": sizes[:2],
        }
    return found


def report(name: str, terms, query, raw: pa.Table, rounds: int) -> None:
    from sandbox.disclosure import protect
    from sandbox.disclosure.intervals import audit

    unknowns, equations, targets = finished(terms, query, raw)
    whole, protected = timed(rounds, lambda: protect(raw, query, terms))
    alone, found = timed(rounds, lambda: audit(unknowns, equations, targets))
    exact, _ = timed(rounds, lambda: row_space(len(unknowns), equations))
    withheld = protected.evidence["outcome"].to_pylist().count("withheld")
    print(
        f"{name}: {raw.num_rows} cells, {withheld} withheld, {len(targets)} break a rule, {len(equations)} equations, "
        f"{sum(not f.enough for f in found)} known too closely; median of {rounds}"
    )
    print(f"  the audit alone                  {alone * 1000:9.1f} ms (bar {BAR_SECONDS * 1000:.0f})")
    print(f"  row space: told to the digit?    {exact * 1000:9.1f} ms; the audit takes {alone / exact:.1f} x")
    print(f"  the whole of protect             {whole * 1000:9.1f} ms")


def timed(rounds: int, act):
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        result = act()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), result


def finished(terms, query, raw: pa.Table):
    """The audit of the table as it is published: its unknowns, equations and targets."""
    from sandbox.disclosure.complementary import known_totals
    from sandbox.disclosure.grid import read_grids
    from sandbox.disclosure.intervals import Target
    from sandbox.disclosure.withholding import rules_for, withhold

    (measure,) = query.measures
    grid = read_grids(raw, query, terms)[measure.column]
    rules = rules_for(measure, terms.disclosure)
    levels, cells = rules.levels(grid), sorted(withhold(grid, measure, terms.disclosure).reasons)
    place = {key: i for i, key in enumerate(cells)}
    lines = {tuple(place[k] for k in total if k in place) for total in known_totals(grid, rules)} - {()}
    targets = [
        Target((place[key],), levels.demand(grid.cells[key]))
        for key in cells
        if rules.breaks(grid.cells[key])
    ]
    return [levels.unknown(grid.cells[key]) for key in cells], sorted(lines), targets


def row_space(columns: int, equations: list[tuple[int, ...]]) -> None:
    matrix = np.zeros((len(equations), columns))
    for i, row in enumerate(equations):
        matrix[i, list(row)] = 1.0
    np.linalg.svd(matrix, full_matrices=False)


if __name__ == "__main__":
    main()
