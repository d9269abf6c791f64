"""What an asker gains who compares and averages answers of the perturbed lane: as much as stated, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from catalog.schema import ColumnType
from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm, DatasetTerm, Lane
from sandbox.disclosure.cell_key.tables import BOUND, COLLISION, DEVIATION, count_change
from tests.unit.guard_terms import OPEN
from tests.unit.perturbed_lane import answer

CELLS, SIZE = 4000, 40
VALUES = tuple(str(i) for i in range(CELLS))
DATASET = DatasetTerm(
    "d-many",
    "many",
    (
        ColumnTerm("person", ColumnType.TEXT, ColumnRole.UNIT),
        ColumnTerm("cell", ColumnType.INTEGER, ColumnRole.DIMENSION, VALUES),
        ColumnTerm(
            "income", ColumnType.INTEGER, ColumnRole.MEASURE, (), tuple(Aggregate)[2:], lane=Lane.PERTURBED
        ),
    ),
    lane=Lane.PERTURBED,
)
LIMITS = replace(OPEN.disclosure, max_cells=10**4, min_contributors=10, p_percent=10)
TERMS = replace(OPEN, datasets=(DATASET,), joins=(), disclosure=LIMITS)

# The distribution of one change, and of the difference of two independent ones: from -2 BOUND to 2 BOUND.
ONE = np.bincount([count_change(100, key) + BOUND for key in range(256)]) / 256
TWO = np.convolve(ONE, ONE)


def advantage(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """How much better than chance the best guess between two distributions is: their total variation."""
    return float(np.abs(a - b).sum() / 2)


def moved(by: int) -> NDArray[np.float64]:
    """The distribution of a published difference, from -20 to 20, of two cells that differ by so many."""
    return np.roll(np.pad(TWO, 20 - 2 * BOUND), by)


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    rows = CELLS * SIZE
    keys = rng.integers(0, 2**64, (rows, 2), dtype=np.uint64)
    return pd.DataFrame(
        {
            "_unit": np.arange(rows),
            "person": keys[:, 0],
            "_record_key": keys[:, 1],
            "cell": np.repeat(np.arange(CELLS), SIZE),
            "income": rng.integers(1000, 9000, rows),
        }
    )


def published(people: pd.DataFrame, measure: str) -> NDArray[np.int64]:
    table = pa.Table.from_pandas(people, preserve_index=False)
    result = answer(f"select cell, {measure} as x from many group by 1", {"many": table}, TERMS)
    return np.array([int(v) for v in result.table["x"].to_pylist()])


@pytest.fixture(scope="module")
def differences(people: pd.DataFrame) -> dict[int, NDArray[np.int64]]:
    """Published counts of all less those without the first one, or two, of each cell."""
    place = people.groupby("cell").cumcount()
    counts = [published(people[place >= gone], "count(*)") for gone in range(3)]
    return {gone: counts[0] - counts[gone] for gone in (1, 2)}


def test_the_difference_of_cells_that_differ_by_one_is_that_of_independent_changes(
    differences: dict[int, NDArray[np.int64]],
) -> None:
    for gone, found in differences.items():
        observed = np.bincount(found + 20, minlength=41) / CELLS
        assert advantage(observed, moved(gone)) < 0.05
        assert abs(found.mean() - gone) < 4 * DEVIATION * np.sqrt(2 / CELLS)
        assert abs(found.var() - 2 * DEVIATION**2) < 0.8


def test_whether_one_or_two_are_missing_is_guessed_as_rarely_as_stated(
    differences: dict[int, NDArray[np.int64]],
) -> None:
    """The best guess is right in 57 % of all cases, where chance is right in 50 %."""
    stated = advantage(moved(1), moved(2))
    assert stated == pytest.approx(0.139, abs=0.001)
    says_two = moved(2) > moved(1)
    right = (says_two[differences[2] + 20].mean() + 1 - says_two[differences[1] + 20].mean()) / 2
    assert abs(right - (1 + stated) / 2) < 4 * np.sqrt(0.25 / (2 * CELLS))


def test_that_two_sets_differ_is_told_as_often_as_stated(
    people: pd.DataFrame, differences: dict[int, NDArray[np.int64]]
) -> None:
    same = (differences[1] == 0).mean()
    assert abs(same - COLLISION) < 4 * np.sqrt(COLLISION / CELLS)
    counts = published(people, "count(*)")
    assert (counts == published(people.sample(frac=1, random_state=1), "count(*)")).all()


def test_units_and_sums_change_independently_of_rows_too(people: pd.DataFrame) -> None:
    place = people.groupby("cell").cumcount()
    rows = published(people, "count(*)") - SIZE
    units = published(people, "count(distinct person)") - SIZE
    truth = people.groupby("cell")["income"].sum().to_numpy()
    sums = published(people, "sum(income)") - truth
    rest = people[place >= 1]
    fewer = published(rest, "sum(income)") - rest.groupby("cell")["income"].sum().to_numpy()
    for a, b in ((rows, units), (rows, sums), (units, sums), (sums, fewer)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(CELLS)
    largest = people.groupby("cell")["income"].max().to_numpy()
    assert (10 * largest <= 100 * abs(sums)).all()
    assert (100 * abs(sums) <= 20 * largest + 100).all()
    assert abs(sums.mean()) < 4 * sums.std() / np.sqrt(CELLS)


def test_knowing_the_change_of_a_count_tells_nothing_of_the_change_of_a_sum(people: pd.DataFrame) -> None:
    rows = published(people, "count(*)") - SIZE
    sums = published(people, "sum(income)") - people.groupby("cell")["income"].sum().to_numpy()
    for value in range(-2, 3):
        up = (sums[rows == value] > 0).mean()
        assert abs(up - 0.5) < 4 * np.sqrt(0.25 / (rows == value).sum())


def test_the_largest_contribution_is_not_found_by_taking_all_others_off(people: pd.DataFrame) -> None:
    sums = published(people, "sum(income)")
    grouped = people.groupby("cell")["income"]
    largest = grouped.max().to_numpy()
    estimate = sums - (grouped.sum().to_numpy() - largest)
    assert (abs(estimate - largest) * 100 >= 10 * largest).all()


def test_averaging_over_overlapping_sets_tells_as_much_as_stated() -> None:
    """(X and B) less B for the unions B of nine other values: 511 estimates of X, which together tell it exactly."""
    rng = np.random.default_rng(3)
    errors = []
    for _ in range(300):
        sizes, keys = rng.integers(20, 300, 10), rng.integers(0, 256, 10)
        chosen = np.array([[m >> i & 1 for i in range(9)] for m in range(1, 512)])
        others, their_keys = chosen @ sizes[1:], chosen @ keys[1:] % 256

        def seen(counts: NDArray[np.int64], cell_keys: NDArray[np.int64]) -> NDArray[np.int64]:
            return counts + [count_change(int(c), int(k)) for c, k in zip(counts, cell_keys, strict=True)]

        union = seen(others + sizes[0], (their_keys + keys[0]) % 256)
        errors.append((union - seen(others, their_keys)).mean() - sizes[0])
    stated = DEVIATION * np.sqrt(2 / 511)
    assert np.std(errors) == pytest.approx(stated, rel=0.2)
    assert (np.rint(errors) == 0).mean() > 0.99
