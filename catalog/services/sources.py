"""Register a PostgreSQL database of the provider's. Its address, password included, is encrypted at rest."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorder import record
from audit.refusals import Refused
from audit.use_case import use_case
from catalog.models import Source
from catalog.permissions import check_can_create
from catalog.source_address import check_address
from parties.actors import Actor
from parties.keys import keyring


@use_case("source.register", about="-")
def register_source(*, actor: Actor, name: str, url: str) -> Source:
    """`url` is postgresql://user:password@host:port/database. It is not connected to yet.

    Raises Refused: role.missing, source.address, source.name_taken, source.name.
    """
    provider = check_can_create(actor)
    check_address(url)
    if not 0 < len(name.strip()) <= 80:
        raise Refused("source.name", _("Give the source a name of at most 80 characters."))
    if Source.objects.filter(provider=provider, name=name.strip()).exists():
        raise Refused("source.name_taken", _("Your organization has a source of this name already."))
    source = Source(provider=provider, name=name.strip(), sealed_url=keyring().encrypt(url.encode()))
    source.save()
    record(Event.SOURCE_REGISTERED, actor=actor, about=source)
    return source
