"""The same microdata, keys and table give the same frequencies as the Office for National Statistics' package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cell_key_perturbation.create_perturbed_table import create_perturbed_table
from cell_key_perturbation.utils.generate_test_data import generate_test_data
from cell_key_perturbation.utils.generate_test_ptable import generate_ptable_10_5_rule

from catalog.schema import ColumnType
from contracts.policy.terms import ColumnRole, ColumnTerm, DatasetTerm, Lane, Terms
from sandbox.disclosure import protect
from sandbox.disclosure.cell_key import tables
from sandbox.engines import generate
from sandbox.guard import check_sql
from tests.unit.guard_terms import OPEN

OURS = pd.read_parquet(tables.FOLDER / f"counts-{tables.VERSION}.parquet")
TABLES = [
    ["var1", "var5", "var8", "var10"],
    ["var2", "var3", "var9"],
    ["var1", "var5"],
    ["var2"],
    ["var10", "var4"],
]
BEYOND_THE_TABLE = [["var1", "var5"], ["var2"], ["var2", "var3", "var9"]]


def terms_of(data: pd.DataFrame, k: int) -> Terms:
    columns = [ColumnTerm("id", ColumnType.TEXT, ColumnRole.UNIT)]
    for name in (c for c in data.columns if c.startswith("var")):
        kind = ColumnType.TEXT if isinstance(data[name].iloc[0], str) else ColumnType.INTEGER
        domain = tuple(str(v) for v in sorted(data[name].unique()))
        columns.append(ColumnTerm(name, kind, ColumnRole.DIMENSION, domain))
    dataset = DatasetTerm("d-micro", "micro", tuple(columns), lane=Lane.PERTURBED)
    limits = replace(OPEN.disclosure, max_dimensions=4, max_cells=10**5, min_contributors=k)
    return replace(OPEN, datasets=(dataset,), joins=(), disclosure=limits)


def ours(data: pd.DataFrame, names: list[str], terms: Terms, folder: Path) -> pd.DataFrame:
    """Counts of rows through the generated SQL on a Parquet file, with the true number of contributors."""
    pq.write_table(pa.Table.from_pandas(data, preserve_index=False), folder / "micro.parquet")
    query = check_sql(
        f"select {', '.join(names)}, count(*) as ours from micro group by {', '.join(names)}", terms
    )
    with duckdb.connect() as engine:
        engine.read_parquet(str(folder / "micro.parquet")).create_view("micro")
        result = protect(engine.sql(generate(query, terms)).to_arrow_table(), query, terms)
    frame = result.table.to_pandas(types_mapper=pd.ArrowDtype)
    frame["units"] = result.evidence["contributors"].to_numpy()
    return frame


def theirs(data: pd.DataFrame, names: list[str], ptable: pd.DataFrame, threshold: int) -> pd.DataFrame:
    record = data.assign(record_key=(data["_record_key"] % np.uint64(256)).astype("int64"))
    frame = create_perturbed_table(record, ptable, [], names, "record_key", threshold=threshold)
    return frame.astype(dict.fromkeys(names, str))


def microdata(size: int) -> pd.DataFrame:
    data = generate_test_data(size).drop(columns="record_key")
    keys = np.random.default_rng(size).integers(0, 2**64, (size, 2), dtype=np.uint64)
    return data.assign(_unit=np.arange(size), id=keys[:, 0], _record_key=keys[:, 1])


@pytest.mark.parametrize("names", TABLES, ids=" ".join)
@pytest.mark.parametrize("ptable", ["ours", "their example"])
def test_frequencies_agree_cell_by_cell(
    names: list[str], ptable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, table = microdata(60_000), OURS
    if ptable == "their example":
        table = generate_ptable_10_5_rule()
        changes = table["pvalue"].to_numpy().reshape(750, 256)
        monkeypatch.setattr(tables, "_counts", lambda: changes)
    found = ours(data, names, terms_of(data, 1), tmp_path)
    merged = found.merge(theirs(data, names, table, 1), on=names, how="outer", indicator=True)
    missing = merged[merged["_merge"] != "both"]
    assert missing["count"].isna().all()  # they list only values that occur together with any other
    assert missing["ours"].isna().all()
    both = merged[merged["_merge"] == "both"]
    assert both["ours"].isna().equals(both["count"].isna())
    assert (both["ours"].dropna().astype("int64") == both["count"].dropna().astype("int64")).all()
    assert both["ours"].notna().sum() > 0.2 * len(found)
    assert (found["units"].max() > 750) == (names in BEYOND_THE_TABLE)


def test_with_a_threshold_we_show_what_they_show_where_there_are_enough_contributors(tmp_path: Path) -> None:
    names = TABLES[0]
    data = microdata(60_000)
    found = ours(data, names, terms_of(data, 10), tmp_path)
    merged = found.merge(theirs(data, names, OURS, 10), on=names)
    assert len(merged) == 9800
    enough = merged["units"] >= 10
    assert (merged["ours"].notna() == (enough & merged["count"].notna())).all()
    shown = merged[merged["ours"].notna()]
    assert (shown["ours"].astype("int64") == shown["count"].astype("int64")).all()
    assert len(shown) > 1000
    assert (~enough & merged["count"].notna()).sum() > 100, "they ask k of the perturbed count alone"


def test_large_counts_take_the_last_rows_of_the_table_in_turn() -> None:
    for count in (750, 751, 999, 1000, 1001, 1250, 123_456):
        row = count if count <= 750 else (count - 1) % 250 + 501
        expected = OURS[OURS["pcv"] == row].set_index("ckey")["pvalue"].to_dict()
        assert {key: tables.count_change(count, key) for key in range(256)} == expected
