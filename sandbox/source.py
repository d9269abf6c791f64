"""What a run opens and the SQL that reads it: the extracts themselves, or a kept table that gives the same answer.

The plain plan is the meaning of a question; it is what receipts pin and what `reproduce` computes. A kept table is a
way to the same raw table that does the first half of the work once for many questions.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from django.conf import settings

from contracts.policy.terms import Lane, Terms
from sandbox import extracts
from sandbox.engines import (
    Facts,
    Layout,
    generate,
    generate_from_kept,
    layout_of,
    outline_from_kept,
    overlap,
)
from sandbox.guard import AggregateQuery
from sandbox.guard.lanes import lane_of
from sandbox.kept import store
from sandbox.kept.build import Stopped
from sandbox.kept.first_level import NotKept
from sandbox.spec import ExtractRef

log = logging.getLogger("sandbox.source")

LEAST_ROWS = 100_000  # of an extract; a smaller one is read faster than a second file is made
_never: set[str] = set()  # keys of layouts that this process has found impossible to keep


@dataclass(frozen=True, slots=True)
class Source:
    """`tables`: name in `sql` → index into `descriptors`, which are open for reading.

    `outline`: SQL of the answer's outline over the same tables; "" where none is needed.
    """

    sql: str
    tables: Mapping[str, int]
    descriptors: list[int]
    outline: str = ""


@contextmanager
def plain(refs: Sequence[ExtractRef], sql: str) -> Iterator[Source]:
    """Exactly these extracts, in their order. Raises ExtractChanged."""
    with ExitStack() as opened:
        descriptors: list[int] = []
        # One by one, so that those already open are closed if the next is not what it should be.
        for ref in refs:
            descriptors.append(extracts.open_verified(ref))
            opened.callback(os.close, descriptors[-1])
        yield Source(sql, {ref.table: place for place, ref in enumerate(refs)}, descriptors)


@contextmanager
def source_for(
    refs: Sequence[ExtractRef], query: AggregateQuery, terms: Terms, keep_going: Callable[[], bool]
) -> Iterator[Source]:
    """A kept table where there is one or one can be made, else the extracts. Raises ExtractChanged.

    The extract is verified either way. `keep_going` is asked while a table is made.
    """
    table_lane = lane_of(query, terms) is Lane.TABLE
    with plain(refs, generate(query, terms)) as source:
        layout = _layout(refs, query, terms)
        found = None if layout is None else _kept(layout, source.descriptors[0], keep_going)
        if layout is None or found is None:
            yield replace(source, outline=overlap.outline(query, terms) if table_lane else "")
            return
        descriptor, facts = found
        sql = generate_from_kept(query, terms, layout, facts)
        outline = outline_from_kept(query, terms, layout, facts) if table_lane else ""
        try:
            yield Source(sql, {refs[0].table: 0}, [descriptor], outline)
        finally:
            os.close(descriptor)


def _layout(refs: Sequence[ExtractRef], query: AggregateQuery, terms: Terms) -> Layout | None:
    if len(refs) != 1 or refs[0].rows < LEAST_ROWS or lane_of(query, terms) is Lane.PERTURBED:
        return None
    layout = layout_of(query, terms, refs[0].sha256)
    return None if layout is None or layout.key in _never else layout


def _kept(layout: Layout, extract: int, keep_going: Callable[[], bool]) -> tuple[int, Facts] | None:
    """Opened, built first where it must be; None, with a line in the log, where that fails."""
    try:
        found = store.find(layout)
        if found is None:
            store.keep(layout, extract, threads=settings.SANDBOX_LIMITS.threads, keep_going=keep_going)
            found = store.find(layout)
    except Stopped:
        return None
    except NotKept as error:
        log.info("no table is kept of extract %.12s: %s", layout.extract, error)
        _never.add(layout.key)
        return None
    except Exception as error:  # noqa: BLE001  # whatever it is, the extract itself can be read
        log.warning("no table was kept of extract %.12s: %s", layout.extract, type(error).__name__)
        return None
    return found
