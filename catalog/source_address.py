"""Addresses of providers' databases: which are acceptable, and how one is opened without reaching our own.

A worker connects with the address a provider wrote, so the address is a way to make this space read what the
provider could not: our own database, files named in connection options, local sockets that trust everyone.
"""

from __future__ import annotations

from typing import LiteralString

import psycopg
from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from audit.refusals import Refused
from catalog.models import Source
from parties.keys import keyring

# Others name files (passfile, sslkey), services, several hosts, or options of the server.
PARAMETERS = frozenset({"host", "port", "dbname", "user", "password", "sslmode", "connect_timeout"})
CLUSTER: LiteralString = "SELECT system_identifier FROM pg_control_system()"
CONNECT_SECONDS = 10


def check_address(url: str) -> None:
    """Raise Refused("source.address") unless `url` is a plain postgresql:// address of one host by network.

    Unix sockets are accepted only from directories in the setting SOURCE_SOCKETS (none by default).
    """
    bad = Refused("source.address", _("Write the address as postgresql://user:password@host:5432/database."))
    if not url.startswith(("postgresql://", "postgres://")):
        raise bad
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        raise bad from None  # its message would repeat the password
    host = str(parts.get("host") or "")
    if parts.keys() - PARAMETERS or not parts.get("dbname") or not host or "," in host:
        raise bad
    if host.startswith(("/", "@")) and host not in getattr(settings, "SOURCE_SOCKETS", ()):
        raise bad


def address_of(source: Source) -> str:
    """The address of a registered source, once it is certain that it does not lead to our own database server.

    Raises Refused: source.unreachable, source.our_own.
    """
    url = keyring().decrypt(bytes(source.sealed_url)).decode()
    check_address(url)
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as other:
            theirs = other.execute(CLUSTER).fetchone()
            reached = other.info.hostaddr
    except psycopg.Error:
        raise Refused(
            "source.unreachable", _("The database does not answer or does not let us in. Check its address.")
        ) from None
    with connection.cursor() as cursor:
        cursor.execute(CLUSTER)
        ours = cursor.fetchone()
    if theirs == ours:
        raise Refused("source.our_own", _("This is the space's own database server. Name the provider's."))
    # Pinned to what was reached, so that the name cannot lead elsewhere the next time it is asked for.
    return make_conninfo(url, hostaddr=reached) if reached and not reached.startswith("/") else url
