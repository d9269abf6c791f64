"""What the page of the differencing attack says: of the attacks, of the lanes, of values and figures."""

from __future__ import annotations

from fractions import Fraction

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from contracts.policy.terms import Lane
from dataspace.portal.differencing import FRESH_NOISE, Number
from dataspace.portal.differencing_plans import MOST, TIMES, Attack, Cell, terms_in
from dataspace.portal.rules import reason_words
from sandbox.disclosure.private.accounting import MICRO

VALUES: dict[str, StrOrPromise] = {
    "east": gettext_lazy("east district"),
    "south": gettext_lazy("south district"),
    "west": gettext_lazy("west district"),
    "food": gettext_lazy("food"),
    "retail": gettext_lazy("retail"),
    "software": gettext_lazy("software"),
    "steel": gettext_lazy("steel"),
    "small": gettext_lazy("small"),
    "medium": gettext_lazy("medium"),
    "large": gettext_lazy("large"),
}
IDEAS: dict[Attack, StrOrPromise] = {
    Attack.VERSIONS: gettext_lazy(
        "The register is published in two versions, and the attacker knows that between them nothing changed but "
        "that the target left. The total before less the total after is what the target used."
    ),
    Attack.CELLS: gettext_lazy(
        "The attacker knows that the target is the only enterprise of its district without a sector on record. The "
        "district's total less the published sectors is what the target used."
    ),
    Attack.AGAIN: gettext_lazy(
        "The attacker knows that the target is the only large enterprise of its sector in its district. The total of "
        "all sizes less that of the other sizes is what the target used. Where an engine adds noise to hide that, "
        "the attacker asks again and takes the average."
    ),
    Attack.NARROW: gettext_lazy(
        "The attacker knows that the target is the only large enterprise of its sector in its district, and groups "
        "by one column after the other until the target is alone in its cell."
    ),
}
PROTECTS: dict[Lane, StrOrPromise] = {
    Lane.TABLE: gettext_lazy(
        "Each answer is compared with every earlier one, whoever asked for it: no two numbers may differ by the "
        "contributions of fewer than %(k)d. Cells with fewer than %(k)d contributors are withheld, and others with "
        "them where totals would tell (suppression)."
    ),
    Lane.PERTURBED: gettext_lazy(
        "Each sum is changed by %(low)d to %(high)d %% of its largest contribution, up or down, as the secret keys of "
        "its records say. The same records always get the same change, so asking again teaches nothing; other "
        "records get another one, so a difference holds the changes of all its numbers."
    ),
    Lane.PRIVATE: gettext_lazy(
        "Noise as large as the most that one enterprise may add (%(most)d MWh) demands is drawn once for each question "
        "and kept for all who ask the same. What is asked is paid from a budget that nothing refills."
    ),
}
COSTS: dict[Lane, StrOrPromise] = {
    Lane.TABLE: gettext_lazy(
        "The cost: what is told is exact but for rounding, but a table asked in good faith may be refused for one "
        "that somebody was given before."
    ),
    Lane.PERTURBED: gettext_lazy(
        "The cost: no sum is exact and cells do not add up to their totals. There is no formal bound: whoever may "
        "ask very many different questions learns more."
    ),
    Lane.PRIVATE: gettext_lazy(
        "The cost: small groups drown in noise; it fits totals of many thousands. Each question costs %(rho)s of a "
        "budget of %(budget)s (rho)."
    ),
}


def fill(words: StrOrPromise) -> str:
    """With the limits that stand in the contract over the invented register."""
    terms = terms_in(Lane.PRIVATE)
    limits, privacy = terms.disclosure, terms.privacy
    assert privacy is not None
    return str(words) % {
        "k": limits.min_contributors, "low": limits.p_percent, "high": 2 * limits.p_percent, "most": MOST,
        "rho": f"{privacy.query_budget / MICRO:g}", "budget": f"{privacy.contract_budget / MICRO:g}",
    }  # fmt: skip


def without_rules(attack: Attack) -> str:
    if attack is not Attack.AGAIN:
        return _("It answers whatever it is asked, exactly.")
    words = _(
        "It changes every answer by a whole number of up to %(noise)d MWh, up or down, drawn anew each time. The "
        "average of %(times)d answers is nearly free of it."
    )
    return words % {"noise": FRESH_NOISE, "times": TIMES}


def refused(question: int, close: int) -> str:
    words = _(
        "Question %(question)d is refused: a number in its answer differs from one that was told before by the "
        "contributions of %(close)d, fewer than %(k)d."
    )
    return words % {
        "question": question, "close": close, "k": terms_in(Lane.TABLE).disclosure.min_contributors,
    }  # fmt: skip


def withheld(cell: Cell, rules: tuple[str, ...]) -> str:
    reasons = ", ".join(reason_words(rule) for rule in rules)
    return _("Withheld: %(cell)s (%(reasons)s).") % {"cell": cell_words(cell), "reasons": reasons}


def cell_words(cell: Cell) -> str:
    return " · ".join(str(VALUES.get(value, value)) for value in cell) or _("total")


def in_order(cell: Cell) -> list[int]:
    """To sort cells as their values are declared."""
    return [list(VALUES).index(value) for value in cell]


# --- Figures ----------------------------------------------------------------------------------------------
def figure(value: Fraction | float) -> str:
    """Whole numbers as they are, others with two decimals; with a true minus."""
    found = Fraction(value)
    text = f"{int(found):,}" if found.denominator == 1 else f"{float(found):,.2f}"
    return text.replace("-", "−")


def calculation(parts: tuple[Number, ...]) -> str:
    """5,630 − 5,540"""
    first, *others = parts
    text = figure(first.value)
    for part in others:
        text += f" {'−' if part.value < 0 else '+'} {figure(abs(part.value))}"
    return text
