"""`@use_case`: one service call = one transaction, and a refusal is a fact too (P3).

The refused work rolls back; the refusal is recorded in a second transaction and raised again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from django.db import transaction

from audit.events import Event
from audit.recorded import Recorded
from audit.recorder import record
from audit.refusals import Refused

P = ParamSpec("P")
R = TypeVar("R")


def use_case(what: str, about: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a service that takes keyword-only arguments, `actor` among them.

    `what` names the act in a refusal's entry (`contract.sign`); `about` names the argument that is the object
    (anything with an `audit_ref`). Services are not nested: `durable` makes that an error.
    """

    def wrap(service: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(service)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                with transaction.atomic(durable=True):
                    return service(*args, **kwargs)
            except Refused as refused:
                record_refusal(what, actor=kwargs["actor"], about=kwargs.get(about), refused=refused)
                raise

        return call

    return wrap


def record_refusal(what: str, *, actor: Any, about: Any, refused: Refused) -> None:
    thing = about if isinstance(about, Recorded) else getattr(about, "audit_ref", "-")
    with transaction.atomic():
        record(Event.REFUSED, actor=actor, about=thing, outcome="refused", what=what, code=refused.code)
