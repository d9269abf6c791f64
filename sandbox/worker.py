"""What a Celery worker does with one run: open the extracts, have the jail compute, protect, release.

The raw table lives in this process's memory between the jail and the disclosure rules, and nowhere else (P1).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import pyarrow as pa
from django.conf import settings

from contracts.policy.canonical import digest
from contracts.policy.terms import Terms
from sandbox import extracts
from sandbox.disclosure import Protected, arrange, protect
from sandbox.disclosure.linked import Linked, Told, linked
from sandbox.disclosure.memory import MAX_PAIRS, Remembered, candidates
from sandbox.engines import generate, overlap
from sandbox.errors import where
from sandbox.formats import from_ipc, to_ipc
from sandbox.guard import AggregateQuery, bare
from sandbox.heart import Heart, JailEnded
from sandbox.isolation.jail import NoSandbox
from sandbox.isolation.job import Job, Kind
from sandbox.isolation.limits import Limits
from sandbox.isolation.outcome import Outcome, Status
from sandbox.isolation.spares import SparePool
from sandbox.ledger import refuse
from sandbox.models import Answer
from sandbox.scripts import work as scripts
from sandbox.services.execute import Claimed, Compared, Given, claim, end, give, give_back, hold, keep
from sandbox.source import Source, plain, source_for
from sandbox.spec import ExtractRef, RunSpec
from sandbox.states import Failure
from sandbox.trials.work import work_on
from sandbox.warm_up import warm_up

log = logging.getLogger("sandbox.worker")

MAX_RAW_ROWS = 100_000
PAIRS_AT_ONCE = 50  # each takes a join, and joins of one question take their memory together


class Worker:
    """One process's share of the work. Make it after the fork: it keeps a warm jail."""

    def __init__(self, *, limits: Limits | None = None) -> None:
        self.limits = limits or settings.SANDBOX_LIMITS
        self.pool = SparePool(1, threads=self.limits.threads)
        warm_up()

    def work(self, run_uid: str) -> None:
        """Run one queued run to its end. Does nothing if it is not there to be taken."""
        claimed = claim(run_uid)
        if claimed is None:
            return
        try:
            self._compute(claimed)
        except NoSandbox as error:
            log.error("no sandbox: %s", error)
            end(claimed, Failure.NO_SANDBOX)
        except extracts.ExtractChanged as error:
            log.error("%s", error)
            end(claimed, Failure.EXTRACT_CHANGED)
        except Exception as error:  # noqa: BLE001  # whatever it is, the run must end in a clear state
            # It may depend on data: told and counted as a refusal, or it would be an oracle that costs nothing.
            log.error("run %s: an error of our own, counted as a refusal: %s", run_uid, where(error))
            hold(claimed, cause=where(error))

    def prepare(self, script_uid: str) -> None:
        """Run one approved script to its end. Does nothing if it is not there to be taken."""
        scripts.prepare(self.pool, script_uid)

    def work_on_trial(self, trial_uid: str) -> None:
        """Compute what the terms of one trial would withhold. Does nothing if it is not there to be taken."""
        work_on(trial_uid, self._in_jail)

    def close(self) -> None:
        self.pool.close()

    def recompute(self, spec: RunSpec, query: AggregateQuery, terms: Terms) -> bytes:
        """The released table's bytes, computed anew; nothing is stored. Raises what keeps it from being computed."""
        question = bare(query, terms)
        with plain(spec.extracts, generate(question, terms)) as source:
            outcome = self._in_jail(source, lambda: True)
        if outcome.table is None:
            raise NotReleasable(outcome.status)
        return to_ipc(arrange(_protected(outcome.table, question, terms).table, query, terms))

    def _compute(self, claimed: Claimed) -> None:
        if claimed.asked.repeated:
            hold(claimed)
            return
        heart = Heart(lambda: keep(claimed))
        try:
            self._answer(claimed, heart)
        except NotReleasable as error:
            log.warning("run %s: not releasable: %s", claimed.run.uid, error)
            hold(claimed, cause=str(error))
        except JailEnded as ended:
            log.warning("run %s: the jail ended %s", claimed.run.uid, ended.status)
            if ended.status is Status.SANDBOX_LOST:
                give_back(claimed)
            elif heart.stopped_by is None:
                hold(claimed, cause=str(ended.status))
            elif heart.stopped_by is not Failure.INTERRUPTED:
                end(claimed, heart.stopped_by)

    def _answer(self, claimed: Claimed, heart: Heart) -> None:
        """Compute, protect, compare with what was told before, keep."""
        if claimed.answer.refused is not None:
            raise NotReleasable("overlap")
        question, terms, extracts = claimed.asked.query, claimed.terms, claimed.spec.extracts
        sql = generate(question, terms)
        with source_for(extracts, question, terms, heart) as source:
            outcome = self._finished(source, heart)
            assert outcome.table is not None
            protected = _protected(outcome.table, question, terms)
            outlining = replace(source, sql=source.outline)
            outline = self._finished(outlining, heart).table if source.outline else None
        compared: dict[int, Compared] = {}
        beside: list[Answer] = []  # those audited together with the new one
        given = Given(
            table=to_ipc(protected.table), evidence=to_ipc(protected.evidence),
            outline=None if outline is None else to_ipc(outline), summary=protected.summary,
            sql_digest=digest(sql.encode()),
        )  # fmt: skip
        while missed := give(claimed, given, compared):
            assert outline is not None  # only tables are compared
            new = Remembered(question, terms, protected.table, outline)
            told = Told(question, terms, protected.table, protected.evidence)
            compared |= {answer.pk: self._compare(claimed, new, answer, heart) for answer in missed}
            if found := [answer for answer in missed if _linked(claimed, answer)]:
                beside += found
                narrowest = self._audit_linked(claimed, told, beside, heart)
                for one in beside:
                    compared[one.pk] = replace(compared[one.pk], linked=True, narrowest=narrowest)
        hold(claimed, engine_seconds=outcome.engine_seconds)

    def _compare(self, claimed: Claimed, new: Remembered, answer: Answer, heart: Heart) -> Compared:
        """Raise NotReleasable where a number of the new answer tells, with one of this answer, of a few."""
        old = remembered(answer)
        pairs = candidates(new, old, moved=_moved(claimed, answer))
        closest = None
        if len(pairs) > MAX_PAIRS:
            closest = 1  # too many to look at each: taken for close
        else:
            both = [*claimed.spec.extracts, *(_earlier(ExtractRef(**e)) for e in answer.extracts)]
            for start in range(0, len(pairs), PAIRS_AT_ONCE):
                some = pairs[start : start + PAIRS_AT_ONCE]
                sql = overlap.differences(new.query, new.terms, old.query, old.terms, some)
                found = self._run(plain(both, sql), heart).table
                assert found is not None
                units = [units for units in found.column("units").to_pylist() if units]
                closest = min(units + ([] if closest is None else [closest]), default=None)
        if closest is not None and closest < max(new.k, old.k):
            refuse(claimed.answer)
            raise NotReleasable("overlap")
        return Compared(answer.key, closest)

    def _audit_linked(
        self, claimed: Claimed, new: Told, answers: Sequence[Answer], heart: Heart
    ) -> float | None:
        """`Verdict.narrowest`. Raise NotReleasable where the new answer and these tell too much together."""
        audit = Linked(new, [told_by(answer) for answer in answers])
        if not audit.too_large:
            with plain(claimed.spec.extracts, audit.sql) as source:
                outcome = self._in_jail(source, heart)
            if outcome.status is not Status.OUTPUT_LIMIT:
                if outcome.table is None:
                    raise JailEnded(outcome.status)
                verdict = audit.verdict(outcome.table, pulse=heart.must_go_on)
                if verdict.safe:
                    return verdict.narrowest
        refuse(claimed.answer)
        raise NotReleasable("linked")

    def _run(self, opening: AbstractContextManager[Source], heart: Callable[[], bool]) -> Outcome:
        with opening as source:
            return self._finished(source, heart)

    def _finished(self, source: Source, heart: Callable[[], bool]) -> Outcome:
        """With a table. Raises JailEnded."""
        outcome = self._in_jail(source, heart)
        if outcome.status is not Status.OK or outcome.table is None:
            raise JailEnded(outcome.status)
        return outcome

    def _in_jail(self, source: Source, keep_going: Callable[[], bool]) -> Outcome:
        job = Job(Kind.SQL, source.sql, source.tables, max_rows=MAX_RAW_ROWS)
        return self.pool.run(job, source.descriptors, limits=self.limits, keep_going=keep_going)


class NotReleasable(Exception):
    """Totals would tell what is withheld, or an earlier answer would; the text is for the operator."""


def _protected(raw: pa.Table, query: AggregateQuery, terms: Terms) -> Protected:
    protected = protect(raw, query, terms)
    if protected.exposed:
        raise NotReleasable("exposed")
    return protected


def _earlier(extract: ExtractRef) -> ExtractRef:
    return replace(extract, table=overlap.EARLIER + extract.table)


def remembered(answer: Answer) -> Remembered:
    query = AggregateQuery.from_json(answer.query)
    table, outline = (from_ipc(bytes(part or b"")) for part in (answer.table, answer.outline))
    return Remembered(query, answer.contract.terms, table, outline)


def told_by(answer: Answer) -> Told:
    table, evidence = (from_ipc(bytes(part or b"")) for part in (answer.table, answer.evidence))
    return Told(AggregateQuery.from_json(answer.query), answer.contract.terms, table, evidence)


def _linked(claimed: Claimed, answer: Answer) -> bool:
    """Whether an earlier answer is from the same bytes, and cells of both are sums over the same rows."""
    extracts = [ExtractRef(**extract) for extract in answer.extracts]
    same = _digests(extracts) == _digests(claimed.spec.extracts)
    return same and linked(claimed.asked.query, AggregateQuery.from_json(answer.query))


def _moved(claimed: Claimed, answer: Answer) -> bool:
    """Whether a script stands between the records of an earlier answer and these."""
    extracts = [ExtractRef(**extract) for extract in answer.extracts]
    scripted = any(extract.script for extract in (*extracts, *claimed.spec.extracts))
    return scripted and _digests(extracts) != _digests(claimed.spec.extracts)


def _digests(extracts: Sequence[ExtractRef]) -> dict[str, str]:
    return {extract.table: extract.sha256 for extract in extracts}
