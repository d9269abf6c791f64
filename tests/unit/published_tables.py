"""Published tables for the tests of models."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from catalog.schema import Derivation, DeriveRule

AGES = Derivation("age", DeriveRule.BANDS, ("20", "30", "40", "50", "60"))


def grid(**dimensions: tuple[str, ...]) -> pa.Table:
    index = pd.MultiIndex.from_product(dimensions.values(), names=dimensions.keys())
    return pa.Table.from_pandas(index.to_frame(index=False), preserve_index=False)


def ages_table(counts: list[float]) -> pa.Table:
    return pa.table({"age": list(AGES.labels()), "n": pa.array(counts, pa.float64())})
