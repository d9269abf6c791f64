"""The stored perturbation tables: unbiased, bounded, of one variance, never below zero, and those on record."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.refusals import Refused
from sandbox.disclosure.cell_key import build, tables
from sandbox.disclosure.cell_key.change import change
from sandbox.disclosure.cell_key.tables import BOUND, COLLISION, DEVIATION, count_change, sum_part

KEYS = range(256)
CHANGES = np.array([[count_change(count, key) for key in KEYS] for count in range(1, 1300)])


def test_every_count_is_unbiased_and_has_the_stated_variance_exactly() -> None:
    assert not CHANGES.sum(axis=1).any()
    assert set((CHANGES**2).sum(axis=1)) == {256 * DEVIATION**2}


def test_no_change_is_larger_than_the_bound_and_none_leads_below_zero() -> None:
    assert (CHANGES.min(), CHANGES.max()) == (-BOUND, BOUND)
    assert (CHANGES + np.arange(1, 1300)[:, None]).min() == 0


def test_nobody_is_never_perturbed() -> None:
    assert {count_change(0, key) for key in KEYS} == {0}


def test_neighbouring_counts_draw_independently_from_the_same_key() -> None:
    same = (CHANGES[4:749] == CHANGES[5:750]).mean(axis=1)
    p = np.bincount(CHANGES[99] + BOUND, minlength=11) / 256
    assert abs(same.mean() - (p**2).sum()) < 0.005
    assert same.max() < 0.3


def test_the_distribution_has_the_greatest_entropy_for_its_mean_and_variance() -> None:
    """log p is a quadratic in the change: no other form of p maximizes entropy under these constraints."""
    for count in (1, 2, 3, 4, 5):
        changes, p = build.distribution(count)
        fitted = np.polyfit(changes, np.log(p), 2)
        assert np.abs(np.polyval(fitted, changes) - np.log(p)).max() < 1e-8
        found, keys = build.allocation(count)
        assert (found == changes).all()
        assert np.abs(keys - 256 * p).max() < 1.5


def test_the_stated_probability_of_a_collision_is_that_of_the_table() -> None:
    p = np.bincount(CHANGES[99] + BOUND, minlength=11) / 256
    assert (p[1:] * p[:-1]).sum() == pytest.approx(COLLISION, abs=0.0005)


def test_the_parts_of_sums_are_symmetric_and_uniform() -> None:
    assert sorted(sum_part(key) for key in KEYS) == list(range(-255, 256, 2))


def test_the_program_makes_the_stored_tables(tmp_path: Path) -> None:
    build.write(tmp_path)
    for name in tables.DIGESTS:
        file = f"{name}-{tables.VERSION}.parquet"
        assert pq.read_table(tmp_path / file).equals(pq.read_table(tables.FOLDER / file))


def test_the_stored_tables_are_those_on_record() -> None:
    for name, digest in tables.DIGESTS.items():
        content = (tables.FOLDER / f"{name}-{tables.VERSION}.parquet").read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
    assert (tables.VERSION, tables.BOUND, tables.DEVIATION**2) == (build.VERSION, build.BOUND, build.VARIANCE)


@pytest.mark.parametrize("name", ["counts", "sums"])
@pytest.mark.parametrize("missing", [False, True])
def test_a_table_with_one_flipped_bit_or_none_is_refused(
    name: str, *, missing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / f"{name}-{tables.VERSION}.parquet"
    if not missing:
        shutil.copyfile(tables.FOLDER / file.name, file)
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    monkeypatch.setattr(tables, "FOLDER", tmp_path)
    read = {"counts": tables._counts, "sums": tables._sums}[name].__wrapped__
    with pytest.raises(Refused) as refused:
        read()
    assert refused.value.code == "disclosure.table"


whole = st.integers(0, 10**30)


@given(st.integers(1, 10**24), whole, st.sampled_from(KEYS), st.integers(1, 100))
def test_a_large_contribution_is_masked_by_p_percent_at_least_and_twice_that_at_most(
    largest: int, others: int, key: int, percent: int
) -> None:
    found = change(largest + others, largest, key, percent)
    if percent * largest <= 100 * DEVIATION:
        assert found == count_change(largest + others, key)
    else:
        assert percent * largest <= 100 * abs(found) < 2 * percent * largest + 100


@given(st.integers(1, 10**24), whole, st.integers(1, 100))
def test_changes_are_unbiased_for_every_number(largest: int, others: int, percent: int) -> None:
    assert sum(change(largest + others, largest, key, percent) for key in KEYS) == 0


@given(st.integers(1, 10**24), st.integers(1, 100), st.sampled_from(KEYS))
def test_a_sum_that_passes_the_p_percent_rule_never_changes_its_sign(
    largest: int, percent: int, key: int
) -> None:
    rest = -(-percent * largest // 100)
    assert largest + rest + change(largest + rest, largest, key, percent) >= 0


def test_rows_of_the_form_of_the_official_table() -> None:
    frame = pd.read_parquet(tables.FOLDER / f"counts-{tables.VERSION}.parquet")
    assert list(frame.columns) == ["pcv", "ckey", "pvalue"]
    assert len(frame) == 750 * 256
