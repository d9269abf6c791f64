"""The private lane's price, error and budget in words and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contracts.policy.terms import Lane, Terms
from sandbox.disclosure.private.accounting import MICRO, epsilon_of
from sandbox.ledger import Budget
from sandbox.services.preview import Preview


@dataclass(frozen=True, slots=True)
class Gauge:
    """A budget as a bar: spent and total in thousandths of rho, which are whole numbers that a reader can compare."""

    label: str
    spent: int
    total: int
    words: str


def price_in_words(found: Preview, terms: Terms) -> list[str]:
    """What the question costs, how many more there are, and how far each figure may be off; [] in other lanes."""
    if found.lane is not Lane.PRIVATE or terms.privacy is None:
        return []
    said = []
    if found.charge:
        said.append(
            _(
                "Costs rho = %(rho)s of the privacy budget, which is epsilon = %(epsilon)s at delta = 10^-%(exponent)d."
            )
            % {
                "rho": rho(found.charge),
                "epsilon": f"{epsilon_of(found.charge, terms.privacy.delta_exponent):.2f}",
                "exponent": terms.privacy.delta_exponent,
            }
        )
    if found.questions_left is not None:
        said.append(
            ngettext(
                "The budget is enough for about %(count)d question, this one included.",
                "The budget is enough for about %(count)d questions, this one included.",
                found.questions_left,
            )
            % {"count": found.questions_left}
        )
    for label, error in found.expected.items():
        words = (
            _("%(label)s: off by at most %(width)s divided by the records in the cell, in 95 of 100 cells.")
            if error.over_rows
            else _("%(label)s: off by at most %(width)s in 95 of 100 cells.")
        )
        said.append(words % {"label": label, "width": figure(error.half_width)})
    return said


def gauges(budgets: Mapping[str, Budget]) -> list[Gauge]:
    """One for the contract, one for each dataset whose budget all contracts share."""
    return [
        Gauge(
            _("Privacy budget of this contract")
            if not name
            else _("Privacy budget of %(dataset)s") % {"dataset": name},
            budget.spent // 1000,
            budget.total // 1000,
            _forecast(budget, timezone.now()),
        )
        for name, budget in budgets.items()
    ]


def _forecast(budget: Budget, now: datetime) -> str:
    """How many questions are left, and until when at the pace so far."""
    said = ngettext(
        "Enough for about %(count)d question more.",
        "Enough for about %(count)d questions more.",
        budget.questions_left,
    ) % {"count": budget.questions_left}
    if budget.since is None or not budget.spent:
        return said
    pace = budget.spent / max(
        (now - budget.since).total_seconds(), 86_400.0
    )  # a first day is taken for a whole one
    days = min(budget.left / pace / 86_400, 36_500)
    until = date_format(timezone.localtime(now + timedelta(days=days)), "DATE_FORMAT")
    return f"{said} " + _("At the pace so far it lasts until %(date)s.") % {"date": until}


def rho(micro: int) -> str:
    return f"{micro / MICRO:g}"


def figure(number: float) -> str:
    """To two digits, or to the unit where there are more."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"
