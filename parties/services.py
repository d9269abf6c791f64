"""The use cases of this room."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from audit import erasure
from audit.models import Personal
from audit.refusals import Refused
from audit.use_case import use_case
from parties.actors import Actor
from parties.models import User
from parties.permissions import check_can_erase


@use_case("log.erase", about="-")
def erase_personal(
    *,
    actor: Actor,
    event_ids: Iterable[UUID] = (),
    account: UUID | None = None,
    fields: Collection[str],
    basis: str,
) -> int:
    """Erase personal fields of entries, or of everything an account left: failed log-ins under its name included.

    Returns how many values were erased. Raises Refused: role.missing, erasure.*.
    """
    check_can_erase(actor)
    assert actor.user is not None  # a role is held by an account
    ids = set(event_ids)
    if account is not None:
        user = User.objects.filter(uid=account).first()
        if user is None:
            raise Refused("erasure.account", _("There is no such account."))
        ids |= _typed_as(user)
    if ids & _typed_as(actor.user):
        raise erasure.own()
    uid = str(account) if account else ""
    return erasure.erase(actor=actor, event_ids=ids, account=uid, fields=fields, basis=basis)


def _typed_as(user: User) -> set[UUID]:
    """Failed log-ins under this name: their entries cannot say whose they are."""
    typed = Personal.objects.filter(field="name", value__iexact=user.username)
    return set(typed.values_list("event_id", flat=True))
