"""The stricter rule wins: disclosure terms of several providers combined, and defaults by grade."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from functools import reduce
from typing import Final

from audit.refusals import Refused
from audit.wording import say
from catalog.schema import Grade
from contracts.policy.terms import DisclosureTerms, PrivacyTerms

IMPORTANT_MIN_CONTRIBUTORS: Final = 30  # important data: in the sandbox only, in groups of at least this size


def _fewer_digits(one: int, other: int) -> int:
    """Zero keeps all digits, so it is the mildest value and not the smallest."""
    fewest = min(one or math.inf, other or math.inf)
    return 0 if fewest == math.inf else int(fewest)


STRICTER: Final[dict[str, Callable[[int, int], int]]] = {
    "min_contributors": max,
    "dominance_n": max,  # more units may not hold more than the share: the test is passed less often
    "dominance_percent": min,
    "p_percent": max,
    "round_counts": max,
    "sum_digits": _fewer_digits,
    "max_dimensions": min,
    "max_cells": min,
    "complement_contributors": max,
    "show_zeros": min,
    "max_releases": min,
    "max_refusals": min,
    "allow_scripts": min,
}
"""Field of `DisclosureTerms` → which of two values is the stricter."""

STRICTER_PRIVACY: Final[dict[str, Callable[[int, int], int]]] = {
    "contract_budget": min,
    "query_budget": min,
    "delta_exponent": max,
    "max_groups": min,
    "max_rows": min,
}
"""Field of `PrivacyTerms` → which of two values is the stricter."""

_PRIVACY: Final[dict[Grade, PrivacyTerms]] = {
    Grade.GENERAL_1: PrivacyTerms(2_000_000, 50_000, 6, 6, 6),
    Grade.GENERAL_2: PrivacyTerms(),
    Grade.GENERAL_3: PrivacyTerms(250_000, 10_000, 7, 3, 2),
    Grade.GENERAL_4: PrivacyTerms(100_000, 5_000, 8, 2, 1),
    Grade.IMPORTANT: PrivacyTerms(50_000, 2_500, 9, 1, 1),
}

_DEFAULTS: Final[dict[Grade, DisclosureTerms]] = {
    Grade.GENERAL_1: DisclosureTerms(5, 2, 90, 5, 5, 4, 4, 5000, 5, 1, 500, 50),
    Grade.GENERAL_2: DisclosureTerms(),
    Grade.GENERAL_3: DisclosureTerms(15, 2, 80, 15, 5, 3, 3, 1000, 15, 0, 100, 10),
    Grade.GENERAL_4: DisclosureTerms(20, 3, 75, 20, 10, 2, 2, 500, 20, 0, 50, 5),
    Grade.IMPORTANT: DisclosureTerms(IMPORTANT_MIN_CONTRIBUTORS, 3, 70, 25, 10, 2, 2, 200, 30, 0, 25, 3),
}


def strictest(first: DisclosureTerms, *others: DisclosureTerms) -> DisclosureTerms:
    """The terms that satisfy all of these; commutative, associative, idempotent."""
    return reduce(_combine, others, first)


def is_as_strict(applied: DisclosureTerms, required: DisclosureTerms) -> bool:
    """True where no field of `applied` is milder than the same field of `required`."""
    return strictest(applied, required) == applied


def defaults_for(grade: Grade) -> DisclosureTerms:
    """The terms a contract starts from for data of this grade (GB/T 43697-2024): the higher, the stricter.

    Raises Refused `policy.core_data`: core data is never offered.
    """
    if grade not in _DEFAULTS:
        reason = say("Core data cannot be part of a contract. Leave these columns out.")
        raise Refused("policy.core_data", reason)
    return _DEFAULTS[grade]


def privacy_for(grade: Grade) -> PrivacyTerms:
    """The private lane's limits a contract starts from; the higher the grade, the stricter.

    Raises Refused `policy.core_data`.
    """
    defaults_for(grade)
    return _PRIVACY[grade]


def strictest_privacy(first: PrivacyTerms, *others: PrivacyTerms) -> PrivacyTerms:
    """The limits that satisfy all of these."""
    return reduce(
        lambda one, other: PrivacyTerms(
            **{
                name: pick(getattr(one, name), getattr(other, name))
                for name, pick in STRICTER_PRIVACY.items()
            }
        ),
        others,
        first,
    )


def check_grade(grade: Grade, disclosure: DisclosureTerms) -> None:
    """Raise Refused where terms are too mild for the grade, whatever the parties agreed on.

    `policy.core_data`: core data is never in scope. `policy.important_data`: groups smaller than 30.
    """
    defaults_for(grade)
    if grade is Grade.IMPORTANT and disclosure.min_contributors < IMPORTANT_MIN_CONTRIBUTORS:
        reason = say(
            "Important data needs at least %(minimum)d contributors in each cell.",
            minimum=IMPORTANT_MIN_CONTRIBUTORS,
        )
        raise Refused("policy.important_data", reason, minimum=IMPORTANT_MIN_CONTRIBUTORS)


def _combine(one: DisclosureTerms, other: DisclosureTerms) -> DisclosureTerms:
    return DisclosureTerms(
        **{
            field.name: STRICTER[field.name](getattr(one, field.name), getattr(other, field.name))
            for field in fields(DisclosureTerms)
        }
    )
