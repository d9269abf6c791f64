"""A dataset as DCAT 3: what other catalogs read."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from catalog.dcat import Offered, catalog, dataset

MOMENT = datetime(2025, 3, 1, 8, tzinfo=UTC)
DRAFT = Offered(
    uid="1b", page="https://space.example/datasets/1b", title="用电量", title_en="", description="每月", theme="",
    cadence="", provider="供电公司", issued=MOMENT,
)  # fmt: skip
FULL = Offered(
    uid="1b", page="https://space.example/datasets/1b", title="用电量", title_en="Electricity", description="每月",
    theme="能源", cadence="每月", provider="供电公司", issued=MOMENT, version=3, modified=MOMENT, size=1024,
    sha256="ab" * 32, columns=(("kwh", "decimal", "千瓦时"),),
)  # fmt: skip


def prefixes(node: object) -> set[str]:
    """Every prefix used in names and identifiers."""
    if isinstance(node, list):
        return {prefix for part in node for prefix in prefixes(part)}
    if not isinstance(node, dict):
        return set()
    own = {key.partition(":")[0] for key in node if not key.startswith("@")}
    kinds = {str(node[key]).partition(":")[0] for key in ("@type",) if key in node}
    return (
        own | kinds | {prefix for key, part in node.items() if key != "@context" for prefix in prefixes(part)}
    )


def test_every_prefix_is_declared_and_nothing_is_null() -> None:
    for node in (dataset(DRAFT), dataset(FULL), catalog("泉城", "https://space.example/", [DRAFT, FULL])):
        assert prefixes(node) <= set(node["@context"])
        assert "null" not in json.dumps(node)


def test_a_dataset_without_a_version_offers_no_distribution() -> None:
    node = dataset(DRAFT)
    assert node["@type"] == "dcat:Dataset"
    assert not node.keys() & {"dcat:distribution", "dcat:version", "dcat:keyword", "dct:accrualPeriodicity"}


def test_the_current_version_is_described_by_size_digest_and_columns_but_not_by_a_download() -> None:
    node = dataset(FULL)
    [distribution] = node["dcat:distribution"]
    assert distribution["dcat:byteSize"]["@value"] == "1024"
    assert distribution["spdx:checksum"]["spdx:checksumValue"]["@value"] == "ab" * 32
    assert distribution["dcat:accessURL"] == {"@id": FULL.page}
    assert "dcat:downloadURL" not in distribution
    [column] = node["csvw:tableSchema"]["csvw:column"]["@list"]
    assert (column["csvw:name"], column["dct:description"]) == ("kwh", "千瓦时")
    assert {title["@language"] for title in node["dct:title"]} == {"zh", "en"}
