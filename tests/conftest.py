"""Shared fixtures. The database is a real PostgreSQL; `dataspace test` starts one and sets DATABASE_URL."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db.backends.postgresql.operations import DatabaseOperations

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _flush_passes_the_audit_guards():
    """Tests that commit are cleaned up by TRUNCATE, which the audit tables forbid even here.

    Only the flush of the test database may pass: it runs as a replication session, in which triggers rest.
    """
    original = DatabaseOperations.execute_sql_flush

    def flush(self, sql_list):
        original(
            self,
            ["SET session_replication_role = replica", *sql_list, "SET session_replication_role = DEFAULT"],
        )

    DatabaseOperations.execute_sql_flush = flush
    yield
    DatabaseOperations.execute_sql_flush = original


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared real data sets are not on this machine")
    return SHARED


@pytest.fixture
def published_log(settings, tmp_path):
    """A log of the test's own, with nothing signed or published yet."""
    from tests.published import PublishedLog

    settings.TLOG_DIR = tmp_path / "tlog"
    settings.CHECKPOINTER_DIR = tmp_path / "checkpointer"
    settings.AUDIT_POLICY = settings.CHECKPOINTER_DIR / "policy"
    return PublishedLog()
