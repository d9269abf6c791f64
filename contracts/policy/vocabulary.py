"""The words of our ODRL profile: what a signed agreement may say, and nothing else.

ODRL Information Model 2.2 and ODRL Vocabulary & Expression 2.2 (W3C Recommendations, 15 February 2018).
Words without a prefix are ODRL's own; words with `ds:` are defined by the profile `urn:dataspace:odrl:1`:

=====================  ==================================================================================
`ds:compute`           run an approved aggregate computation where the data is (included in `use`)
`ds:rawRecords`        every record of every dataset named in the agreement
`ds:releases`          every result released under the agreement
`ds:table`             the name a dataset has in a computation
`ds:column` ...        name, type, role and scale of one column of a dataset; `ds:value` are the values a
                       dimension may take; `ds:aggregate` the functions a measure may be put through
`ds:level`             whether one privacy unit has one value of a dimension (`unit`) or may have several
`ds:lane`              how the numbers of a measure may leave, or the counts of a dataset: see `terms.Lane`;
                       `ds:low` and `ds:high` bound what one unit contributes in the private lane
`ds:budget`            what all contracts together may ever spend on a dataset there, in micro-rho
`ds:scenario`          the scenario of use; `ds:join` the equalities that may join two datasets, where an
                       empty array permits none
`ds:minContributors`   ... and the other operands of the `anonymize` duty: see `terms.DisclosureTerms` and
                       `terms.PrivacyTerms`
=====================  ==================================================================================

A term at its default value is not written, so that documents signed before the word existed stay readable.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

ODRL_CONTEXT: Final = "http://www.w3.org/ns/odrl.jsonld"
PROFILE: Final = "urn:dataspace:odrl:1"
PREFIX: Final = f"{PROFILE}:"  # what `ds:` stands for in the JSON-LD context

AGREEMENT: Final = "Agreement"
COLLECTION: Final = "AssetCollection"
RAW_RECORDS: Final = "ds:rawRecords"
RELEASES: Final = "ds:releases"
DATE_TIME_TYPE: Final = "xsd:dateTime"
DURATION_TYPE: Final = "xsd:duration"


class Act(StrEnum):
    """ODRL actions of the profile."""

    COMPUTE = "ds:compute"
    ANONYMIZE = "anonymize"
    DELETE = "delete"
    DISTRIBUTE = "distribute"
    REPRODUCE = "reproduce"


PROHIBITED: Final = (Act.DISTRIBUTE, Act.REPRODUCE)  # of the raw records, in every agreement


class Operator(StrEnum):
    EQ = "eq"
    GTEQ = "gteq"
    LTEQ = "lteq"
    IS_ANY_OF = "isAnyOf"


class Operand(StrEnum):
    """ODRL left operands of the profile."""

    PURPOSE = "purpose"
    DATE_TIME = "dateTime"
    COUNT = "count"
    DELAY_PERIOD = "delayPeriod"
    SCENARIO = "ds:scenario"
    JOIN = "ds:join"
    TABLE = "ds:table"
    COLUMN = "ds:column"
    TYPE = "ds:type"
    ROLE = "ds:role"
    SCALE = "ds:scale"
    VALUE = "ds:value"
    AGGREGATE = "ds:aggregate"
    LEVEL = "ds:level"
    LANE = "ds:lane"
    LOW = "ds:low"
    HIGH = "ds:high"
    BUDGET = "ds:budget"
    MIN_CONTRIBUTORS = "ds:minContributors"
    DOMINANCE_N = "ds:dominanceN"
    DOMINANCE_PERCENT = "ds:dominancePercent"
    P_PERCENT = "ds:pPercent"
    ROUND_COUNTS = "ds:roundCounts"
    SUM_DIGITS = "ds:sumDigits"
    MAX_DIMENSIONS = "ds:maxDimensions"
    MAX_CELLS = "ds:maxCells"
    COMPLEMENT_CONTRIBUTORS = "ds:complementContributors"
    SHOW_ZEROS = "ds:showZeros"
    MAX_RELEASES = "ds:maxReleases"
    MAX_REFUSALS = "ds:maxRefusals"
    ALLOW_SCRIPTS = "ds:allowScripts"
    CONTRACT_BUDGET = "ds:contractBudget"
    QUERY_BUDGET = "ds:queryBudget"
    DELTA_EXPONENT = "ds:deltaExponent"
    MAX_GROUPS = "ds:maxGroups"
    MAX_ROWS = "ds:maxRows"


DISCLOSURE: Final[dict[str, tuple[Operand, Operator]]] = {
    "min_contributors": (Operand.MIN_CONTRIBUTORS, Operator.GTEQ),
    "dominance_n": (Operand.DOMINANCE_N, Operator.EQ),
    "dominance_percent": (Operand.DOMINANCE_PERCENT, Operator.LTEQ),
    "p_percent": (Operand.P_PERCENT, Operator.GTEQ),
    "round_counts": (Operand.ROUND_COUNTS, Operator.GTEQ),
    "sum_digits": (Operand.SUM_DIGITS, Operator.LTEQ),  # 0 stands for no limit, as in the terms
    "max_dimensions": (Operand.MAX_DIMENSIONS, Operator.LTEQ),
    "max_cells": (Operand.MAX_CELLS, Operator.LTEQ),
    "complement_contributors": (Operand.COMPLEMENT_CONTRIBUTORS, Operator.GTEQ),
    "show_zeros": (Operand.SHOW_ZEROS, Operator.LTEQ),
    "max_releases": (Operand.MAX_RELEASES, Operator.LTEQ),
    "max_refusals": (Operand.MAX_REFUSALS, Operator.LTEQ),
    "allow_scripts": (Operand.ALLOW_SCRIPTS, Operator.LTEQ),
}
"""Field of `DisclosureTerms` → its operand and operator; every field stands here once."""

LATER: Final = frozenset(
    {"complement_contributors", "show_zeros", "max_releases", "max_refusals", "allow_scripts"}
)
"""Fields that earlier documents do not have: written unless at their default."""

PRIVACY: Final[dict[str, tuple[Operand, Operator]]] = {
    "contract_budget": (Operand.CONTRACT_BUDGET, Operator.LTEQ),
    "query_budget": (Operand.QUERY_BUDGET, Operator.LTEQ),
    "delta_exponent": (Operand.DELTA_EXPONENT, Operator.GTEQ),
    "max_groups": (Operand.MAX_GROUPS, Operator.LTEQ),
    "max_rows": (Operand.MAX_ROWS, Operator.LTEQ),
}
"""The same for `PrivacyTerms`: all written, or, without a private lane, none."""
