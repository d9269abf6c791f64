"""A dataset as DCAT 3 (W3C Recommendation, 22 August 2024) in JSON-LD. Pure: plain values in, a dictionary out.

The extract is not offered for download, so a distribution says how the data may be used (`accessURL` leads to the
request) and never where a file is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "spdx": "http://spdx.org/rdf/terms#",
    "csvw": "http://www.w3.org/ns/csvw#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
PARQUET = "https://www.iana.org/assignments/media-types/application/vnd.apache.parquet"


@dataclass(frozen=True, slots=True)
class Offered:
    """What is said about a dataset. `page` is its address; the rest of the version is absent before the first one."""

    uid: str
    page: str
    title: str
    title_en: str
    description: str
    theme: str
    cadence: str
    provider: str
    issued: datetime
    version: int | None = None
    modified: datetime | None = None
    size: int | None = None  # bytes
    sha256: str = ""
    columns: tuple[tuple[str, str, str], ...] = ()  # name, type, meaning


def dataset(offered: Offered) -> dict[str, Any]:
    """One `dcat:Dataset` with its context."""
    return {"@context": CONTEXT, **_node(offered)}


def catalog(title: str, page: str, offers: Iterable[Offered]) -> dict[str, Any]:
    """A `dcat:Catalog` of several."""
    return {
        "@context": CONTEXT,
        "@id": page,
        "@type": "dcat:Catalog",
        "dct:title": title,
        "dcat:dataset": [_node(offered) for offered in offers],
    }


def _node(offered: Offered) -> dict[str, Any]:
    titles = [{"@value": offered.title, "@language": "zh"}]
    if offered.title_en:
        titles.append({"@value": offered.title_en, "@language": "en"})
    node: dict[str, Any] = {
        "@id": offered.page,
        "@type": "dcat:Dataset",
        "dct:identifier": offered.uid,
        "dct:title": titles,
        "dct:description": offered.description,
        "dct:publisher": {"@type": "foaf:Organization", "foaf:name": offered.provider},
        "dct:issued": _moment(offered.issued),
        "dct:accessRights": {
            "@id": "http://publications.europa.eu/resource/authority/access-right/RESTRICTED"
        },
        "dcat:landingPage": {"@id": offered.page},
    }
    if offered.theme:
        node["dcat:keyword"] = [offered.theme]
    if offered.cadence:
        node["dct:accrualPeriodicity"] = offered.cadence
    if offered.version is not None and offered.modified is not None:
        node |= _edition(offered, offered.version, offered.modified)
    return node


def _edition(offered: Offered, version: int, modified: datetime) -> dict[str, Any]:
    distribution: dict[str, Any] = {
        "@type": "dcat:Distribution",
        "dcat:accessURL": {"@id": offered.page},
        "dcat:mediaType": {"@id": PARQUET},
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
            "spdx:checksumValue": {"@type": "xsd:hexBinary", "@value": offered.sha256},
        },
    }
    if offered.size is not None:
        distribution["dcat:byteSize"] = {"@type": "xsd:nonNegativeInteger", "@value": str(offered.size)}
    columns = [
        {"@type": "csvw:Column", "csvw:name": name, "csvw:datatype": type_, "dct:description": meaning}
        for name, type_, meaning in offered.columns
    ]
    return {
        "dcat:version": str(version),
        "dct:modified": _moment(modified),
        "dcat:distribution": [distribution],
        "csvw:tableSchema": {"@type": "csvw:Schema", "csvw:column": {"@list": columns}},
    }


def _moment(moment: datetime) -> dict[str, str]:
    return {"@type": "xsd:dateTime", "@value": moment.isoformat()}
