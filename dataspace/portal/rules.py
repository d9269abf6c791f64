"""The disclosure rules in words: the same before a question is asked and below its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_stubs_ext import StrOrPromise

from contracts.policy.terms import DisclosureTerms
from sandbox.disclosure.findings import Outcome, Rule
from sandbox.disclosure.private.words import PrivateRule

Parameters = Mapping[str, Any]


def rule_words(rules: Sequence[Parameters]) -> list[str]:
    """One sentence per rule of a release's summary, in its order. What has no effect is left out."""
    return [words for rule in rules if (words := _WORDS[rule["rule"]](rule))]


def limits_in_words(limits: DisclosureTerms) -> list[str]:
    """What the contract will do to any answer, in the order of `rule_words`."""
    rules: list[Parameters] = [
        {"rule": Rule.MIN_CONTRIBUTORS.value, "k": limits.min_contributors},
        {"rule": Rule.DOMINANCE.value, "n": limits.dominance_n, "percent": limits.dominance_percent},
        {"rule": Rule.P_PERCENT.value, "percent": limits.p_percent},
        {"rule": "sum_digits", "digits": limits.sum_digits},
        {"rule": "round_counts", "base": limits.round_counts},
        {"rule": Rule.COMPLEMENTARY.value},
    ]
    size = _("A table has at most %(dimensions)d dimensions and %(cells)d cells.")
    return [
        *rule_words(rules),
        ngettext(
            "What is left of a total after its published cells stands for at least %(units)d contributor.",
            "What is left of a total after its published cells stands for at least %(units)d contributors.",
            limits.complement_contributors,
        )
        % {"units": limits.complement_contributors},
        _("Cells without records are shown as 0.")
        if limits.show_zeros
        else _("Cells without records look like withheld ones."),
        ngettext(
            "There is at most %(answers)d different table; an exact one is compared with all that anyone was given "
            "before.",
            "There are at most %(answers)d different tables; exact ones are compared with all that anyone was given "
            "before.",
            limits.max_releases,
        )
        % {"answers": limits.max_releases},
        ngettext(
            "After %(refusals)d refusal that depends on data exact tables end.",
            "After %(refusals)d refusals that depend on data exact tables end.",
            limits.max_refusals,
        )
        % {"refusals": limits.max_refusals},
        size % {"dimensions": limits.max_dimensions, "cells": limits.max_cells},
        *_script_words(limits),
    ]


def _script_words(limits: DisclosureTerms) -> list[str]:
    if not limits.allow_scripts:
        return []
    return [
        _(
            "A script that two reviewers have read may prepare the records; two reviewers then release its tables."
        )
    ]


def reason_words(reason: str) -> str:
    """Why one cell is withheld, in short: for reviewers."""
    return str(_REASONS[Rule(reason)])


def outcome_words(outcome: str) -> str:
    return str(_OUTCOMES[Outcome(outcome)])


def _min_contributors(rule: Parameters) -> str:
    return ngettext(
        "A cell with fewer than %(k)d contributor is withheld.",
        "A cell with fewer than %(k)d different contributors is withheld.",
        rule["k"],
    ) % {"k": rule["k"]}


def _dominance(rule: Parameters) -> str:
    if rule["percent"] >= 100:
        return ""
    return _("A sum is withheld where its %(n)d largest contributors hold more than %(percent)d %% of it.") % {
        "n": rule["n"], "percent": rule["percent"],
    }  # fmt: skip


def _p_percent(rule: Parameters) -> str:
    if not rule["percent"]:
        return ""
    return _(
        "A sum is withheld where the second largest contributor could estimate the largest to within %(percent)d %%."
    ) % {"percent": rule["percent"]}


def _all_zero(_rule: Parameters) -> str:
    return _("A sum to which everyone contributes nothing is withheld: it would tell each one's value.")


def _sum_digits(rule: Parameters) -> str:
    if not rule["digits"]:
        return ""
    return ngettext(
        "Sums keep %(digits)d significant digit; averages follow from what is published.",
        "Sums keep %(digits)d significant digits; averages follow from what is published.",
        rule["digits"],
    ) % {"digits": rule["digits"]}


def _round_counts(rule: Parameters) -> str:
    if rule["base"] <= 1:
        return ""
    return _("Counts are rounded to the nearest multiple of %(base)d.") % {"base": rule["base"]}


def _complementary(_rule: Parameters) -> str:
    return _("Where a withheld cell could be worked out from the others, further cells are withheld.")


def _max_groups(rule: Parameters) -> str:
    return ngettext(
        "One contributor counts in at most %(groups)d cell.",
        "One contributor counts in at most %(groups)d cells; which ones does not depend on the others.",
        rule["groups"],
    ) % {"groups": rule["groups"]}


def _max_rows(rule: Parameters) -> str:
    return ngettext(
        "One contributor counts with at most %(rows)d record in a cell.",
        "One contributor counts with at most %(rows)d records in a cell.",
        rule["rows"],
    ) % {"rows": rule["rows"]}


def _clamped_sum(rule: Parameters) -> str:
    return _("One contributor adds at least %(low)d and at most %(high)d to a cell of %(column)s.") % {
        "low": rule["low"], "high": rule["high"], "column": rule["column"],
    }  # fmt: skip


def _gaussian_noise(rule: Parameters) -> str:
    return _(
        "Random noise hides whether any one contributor is there: differential privacy with rho = %(rho)s, "
        "which is epsilon = %(epsilon)s at delta = 10^-%(exponent)d."
    ) % {"rho": f"{rule['rho']:g}", "epsilon": f"{rule['epsilon']:g}", "exponent": rule["exponent"]}


def _small_averages(rule: Parameters) -> str:
    return _(
        "An average is left out where its count is below %(deviations)d standard deviations of the noise."
    ) % {"deviations": rule["deviations"]}


def _interval(rule: Parameters) -> str:
    return _(
        "The interval beside a value holds the value without noise in %(percent)d of 100 answers. It does not say "
        "what the bounds cut off. A count below 0 is shown as 0 and keeps its interval."
    ) % {"percent": rule["percent"]}


def _cell_key(rule: Parameters) -> str:
    words = _(
        "Each count is changed by at most %(bound)d, up or down (standard deviation %(deviation)d); where one "
        "contributor has many records, by %(low)d to %(high)d %% of them. The same records always get the same change."
    )
    return words % rule


def _cell_key_sums(rule: Parameters) -> str:
    words = _(
        "Each sum is changed by %(low)d to %(high)d %% of its largest contribution, up or down; sums of small whole "
        "numbers are changed as counts are. The same records always get the same change."
    )
    return words % rule


_WORDS: dict[str, Callable[[Parameters], str]] = {
    Rule.MIN_CONTRIBUTORS.value: _min_contributors,
    Rule.DOMINANCE.value: _dominance,
    Rule.P_PERCENT.value: _p_percent,
    Rule.ALL_ZERO.value: _all_zero,
    "sum_digits": _sum_digits,
    "round_counts": _round_counts,
    Rule.COMPLEMENTARY.value: _complementary,
    PrivateRule.GROUPS.value: _max_groups,
    PrivateRule.ROWS.value: _max_rows,
    PrivateRule.SUMS.value: _clamped_sum,
    PrivateRule.NOISE.value: _gaussian_noise,
    PrivateRule.SMALL.value: _small_averages,
    PrivateRule.INTERVAL.value: _interval,
    "cell_key": _cell_key,
    "cell_key_sums": _cell_key_sums,
}

_REASONS: dict[Rule, StrOrPromise] = {
    Rule.MIN_CONTRIBUTORS: gettext_lazy("too few contributors"),
    Rule.DOMINANCE: gettext_lazy("dominated by the largest"),
    Rule.P_PERCENT: gettext_lazy("the largest could be estimated"),
    Rule.ALL_ZERO: gettext_lazy("all contributions are zero"),
    Rule.COMPLEMENT: gettext_lazy("what is left of a total would tell it"),
    Rule.COMPLEMENTARY: gettext_lazy("protects another cell"),
}
_OUTCOMES: dict[Outcome, StrOrPromise] = {
    Outcome.PUBLISHED: gettext_lazy("published"),
    Outcome.WITHHELD: gettext_lazy("withheld"),
    Outcome.EMPTY: gettext_lazy("empty"),
}
