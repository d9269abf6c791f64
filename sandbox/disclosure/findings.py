"""The words of disclosure control: rules, findings, and the marker for a value that is not shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# Stands for empty and for withheld alike, so that neither can be told from the other; where a contract shows empty
# cells as 0, for withheld ones, averages of nothing, and cells whose people have no value.
MARKER = "\N{EM DASH}"

Key = tuple[int, ...]  # a cell: for each dimension the position of its value in the declared domain


class Rule(StrEnum):
    MIN_CONTRIBUTORS = "min_contributors"  # fewer distinct contributors than k
    DOMINANCE = "dominance"  # the n largest contribute more than their share
    P_PERCENT = "p_percent"  # the second largest could estimate the largest too closely
    ALL_ZERO = "all_zero"  # a sum of zeros tells everyone's value
    COMPLEMENT = "complement"  # what is left of a total would tell a withheld value
    COMPLEMENTARY = "complementary"  # safe itself, withheld to protect others


class Outcome(StrEnum):
    PUBLISHED = "published"
    WITHHELD = "withheld"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One rule, broken by the cells of one group taken together."""

    rule: Rule
    cells: tuple[Key, ...]
