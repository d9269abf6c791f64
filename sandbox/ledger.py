"""The ledger of answers: reserve one when a question is asked, look for it, close it with a table or a refusal.

All of it under one lock of the ledger, so that neither two charges nor two answers can miss each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Min, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from contracts.models import Contract
from contracts.policy.terms import Lane, Terms
from sandbox.answers import answer_key
from sandbox.disclosure.private.accounting import charge_of
from sandbox.guard import AggregateQuery, bare, lane_of
from sandbox.guard.lanes import Measured, measured
from sandbox.models import Answer
from sandbox.spec import ExtractRef
from sandbox.states import Failure

_LEDGER = 0x616E7377  # PostgreSQL advisory lock; always the last lock a transaction takes


@dataclass(frozen=True, slots=True)
class Asked:
    """A bare question as the ledger knows it. `answer` is None where nobody has asked it before."""

    query: AggregateQuery
    lane: Lane
    key: str
    extracts: tuple[ExtractRef, ...]
    measured: frozenset[Measured]
    charge: int  # micro-rho; 0 where it was paid for before, and outside the private lane
    answer: Answer | None

    @property
    def repeated(self) -> bool:
        """Whether it was answered before: then it costs nothing."""
        return self.answer is not None and self.answer.given is not None

    @property
    def datasets(self) -> list[UUID]:
        return [UUID(extract.dataset_uid) for extract in self.extracts]

    @property
    def told(self) -> list[str]:
        """What it tells numbers of, as the ledger names it."""
        uids = {extract.table: extract.dataset_uid for extract in self.extracts}
        return sorted(f"{uids[name]}.{column}" for name, column in self.measured)


def lock_ledger() -> None:
    """Until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LEDGER])


def look_up(query: AggregateQuery, terms: Terms, extracts: Sequence[ExtractRef]) -> Asked:
    """Raise Refused: guard.lane, private.* where a question of the private lane has no price."""
    question = bare(query, terms)
    lane = lane_of(question, terms)
    key = answer_key(question, terms, lane, extracts)
    answer = Answer.objects.filter(key=key).first()
    charge = charge_of(question, terms) if lane is Lane.PRIVATE and answer is None else 0
    return Asked(question, lane, key, tuple(extracts), measured(question, terms), charge, answer)


def check_lane(asked: Asked) -> None:
    """One lane for each measure of a dataset, whoever asks: an exact table beside noise would take the noise away.

    Raises Refused("lane.mixed") where some of these numbers were asked for in another lane before.
    """
    other = Answer.objects.filter(measured__overlap=asked.told).exclude(lane=asked.lane).first()
    if other is not None:
        raise Refused(
            "lane.mixed",
            _(
                "Numbers of this measure have left in another lane already, and a measure leaves in one lane only. "
                "Ask the provider for a contract with that lane."
            ),
            lane=other.lane,
        )


def reserve(asked: Asked, *, contract: Contract) -> Answer:
    """The answer's row, charged before any data is read. Call with the ledger locked since `look_up`."""
    if asked.answer is not None:
        return asked.answer
    return Answer.objects.create(
        key=asked.key, contract=contract, lane=asked.lane,
        datasets=asked.datasets, measured=asked.told, query=asked.query.to_json(),
        extracts=[extract.to_json() for extract in asked.extracts], charge=asked.charge,
    )  # fmt: skip


def usage(contract: Contract, asked: Asked) -> dict[str, Any]:
    """Fields of `Facts`: what the lane has used up, the question itself not counted."""
    answers = Answer.objects.filter(runs__contract=contract, lane=asked.lane).exclude(key=asked.key)
    return {
        "lane": asked.lane,
        "charge": asked.charge,
        "answers": answers.filter(refused=None).distinct().count(),
        "refusals": refusals(answers, contract),
        "spent": spent(Answer.objects.filter(contract=contract)),
        "spent_on": tuple(
            (f"urn:uuid:{uid}", spent(Answer.objects.filter(datasets__contains=[uid])))
            for uid in asked.datasets
        ),
    }


def refusals(answers: QuerySet[Answer], contract: Contract) -> int:
    """Those that depend on data: of these answers, and of scripts, whose bad end tells as much as a refusal does."""
    closed = Q(refused__isnull=False) | Q(runs__failure=Failure.NOT_RELEASABLE, runs__contract=contract)
    scripts = contract.scripts.filter(failure=Failure.NOT_RELEASABLE)
    return answers.filter(closed).distinct().count() + scripts.count()


def spent(answers: QuerySet[Answer]) -> int:
    """Micro-rho charged for these answers."""
    return answers.aggregate(total=Sum("charge"))["total"] or 0


@dataclass(frozen=True, slots=True)
class Budget:
    """What the private lane has and has spent, in micro-rho. `since`: when the first question was charged."""

    total: int
    spent: int
    per_question: int  # the most that one may cost
    since: datetime | None = None

    @property
    def left(self) -> int:
        return max(self.total - self.spent, 0)

    @property
    def questions_left(self) -> int:
        """So many full questions more."""
        return self.left // self.per_question


def budgets(contract: Contract) -> dict[str, Budget]:
    """Of the contract under "", and of each dataset with a budget, which all contracts share, under its name."""
    return budgets_under(contract.terms, Answer.objects.filter(contract=contract, charge__gt=0))


def budgets_under(terms: Terms, own: QuerySet[Answer]) -> dict[str, Budget]:
    """As `budgets`, where `own` are the answers charged to these terms: none before they are signed."""
    if terms.privacy is None:
        return {}
    per_question = terms.privacy.query_budget
    found = {"": _budget(terms.privacy.contract_budget, own, per_question)}
    for dataset in terms.datasets:
        if dataset.budget:
            uid = dataset.uid.removeprefix("urn:uuid:")
            charged = Answer.objects.filter(datasets__contains=[uid], charge__gt=0)
            found[dataset.name] = _budget(dataset.budget, charged, per_question)
    return found


def _budget(total: int, charged: QuerySet[Answer], per_question: int) -> Budget:
    facts = charged.aggregate(spent=Sum("charge"), since=Min("asked"))
    return Budget(total, facts["spent"] or 0, per_question, facts["since"])


def earlier(answer: Answer, *, but: Iterable[int] = ()) -> list[Answer]:
    """Exact tables given before that draw on a dataset of this one, over all users, contracts and versions."""
    given = Answer.objects.filter(lane=Lane.TABLE, given__isnull=False, datasets__overlap=answer.datasets)
    return list(given.exclude(pk=answer.pk).exclude(pk__in=but).select_related("contract").order_by("pk"))


def refuse(answer: Answer) -> None:
    """What is too close to an earlier answer stays so: it is not computed again."""
    Answer.objects.filter(pk=answer.pk, given=None, refused=None).update(refused=timezone.now())
