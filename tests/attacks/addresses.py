"""Every address of the project, and whose objects it names: what `test_strangers` walks.

An address that is in none of these tables fails the test: whoever adds one says here what it names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver

# Addresses that name no object, or name one that belongs to no organization.
NO_OBJECT = frozenset({
    "admin:index", "admin:login", "admin:logout", "admin:password_change", "admin:password_change_done",
    "admin:autocomplete", "admin:jsi18n", "admin:app_list", "admin:",
    "admin:parties_organization_changelist", "admin:parties_organization_add",
    "admin:parties_user_changelist", "admin:parties_user_add",
    "admin:catalog_dataset_changelist", "admin:catalog_dataset_add",
    "admin:catalog_source_changelist", "admin:catalog_source_add",
    "admin:catalog_version_changelist", "admin:catalog_version_add",
    "set_language", "",  # a redirect without a name
    "api:schema", "api:docs", "api:token", "api:datasets", "api:requests", "api:contracts", "api:runs",
    "api:audit-entries", "api:audit-export", "api:audit-export-folder", "api:audit-export-own", "api:audit-openings", "api:audit-erasures", "api:audit-checkpoint", "api:audit-inclusion", "api:audit-consistency",
    "api:nothing",
    "log-current", "log-listing", "log-key-change", "log-stamp", "log-tile", "log-entries",
    "portal:home", "portal:login", "portal:password", "portal:logout", "portal:catalog", "portal:basket", "portal:basket_add",
    "portal:requests", "portal:contracts", "portal:runs", "portal:differencing",
    "portal:audit", "portal:audit_verify", "portal:audit_export",
    "portal:audit_tamper", "portal:audit_reconcile",
})  # fmt: skip

# Addresses that name an object: which one (an attribute of the test's world).
NAMES = {
    "api:dataset": "dataset_name",
    "api:request": "request", "api:request-decision": "request", "api:request-withdrawal": "request",
    "api:request-trials": "request", "api:trial": "trial",
    "api:contract": "contract", "api:contract-signature": "contract", "api:contract-suspension": "contract",
    "api:contract-termination": "contract", "api:contract-preview": "contract", "api:contract-runs": "contract",
    "api:contract-scripts": "contract",
    "api:script": "script", "api:script-withdrawal": "script", "api:script-reviews": "script",
    "api:run": "run", "api:run-cancellation": "run", "api:run-reviews": "run",
    "api:release": "release", "api:release-file": "release", "api:release-statistics": "release",
    "api:audit-entry-proof": "entry",
    "portal:dataset": "dataset_name",
    "portal:request": "request", "portal:request_decide": "request", "portal:request_withdraw": "request",
    "portal:trial": "trial",
    "portal:contract": "contract", "portal:contract_sign": "contract", "portal:contract_suspend": "contract",
    "portal:contract_resume": "contract", "portal:contract_terminate": "contract",
    "portal:compute": "contract", "portal:preview": "contract", "portal:script_new": "contract",
    "portal:script": "script", "portal:script_status": "script", "portal:script_withdraw": "script",
    "portal:script_review": "script",
    "portal:run": "run", "portal:run_status": "run", "portal:run_cancel": "run", "portal:run_review": "run",
    "portal:release_evidence": "release", "portal:release_download": "release",
    "portal:release_statistics": "release",
    "portal:audit_entry": "entry", "portal:audit_proof": "entry", "portal:audit_erase": "entry",
    "admin:view_on_site": "dataset_pk",
    "admin:catalog_dataset_change": "dataset_pk", "admin:catalog_dataset_history": "dataset_pk",
    "admin:catalog_dataset_delete": "dataset_pk", "admin:catalog_dataset_hand_in": "dataset_pk",
    "admin:catalog_dataset_act": "dataset_pk",
    "admin:catalog_version_change": "version_pk", "admin:catalog_version_history": "version_pk",
    "admin:catalog_version_delete": "version_pk", "admin:catalog_version_schema": "version_pk",
    "admin:catalog_version_act": "version_pk",
    "admin:catalog_source_change": "source_pk", "admin:catalog_source_history": "source_pk",
    "admin:catalog_source_delete": "source_pk",
    "admin:parties_organization_change": "organization_pk", "admin:parties_organization_history": "organization_pk",
    "admin:parties_organization_delete": "organization_pk",
    "admin:parties_user_change": "user_pk", "admin:parties_user_history": "user_pk",
    "admin:parties_user_delete": "user_pk", "admin:auth_user_password_change": "user_pk",
}  # fmt: skip

# Further parts of an address, with values that reach the end of it.
OTHER_PARTS = {
    "format_name": ("csv", "receipt"),
    "act": ("list", "withdraw", "publish", "reject"),
    "content_type_id": ("dataset_type",),
}


@dataclass(frozen=True)
class Address:
    name: str  # with name spaces
    route: str
    parts: tuple[str, ...]


def addresses() -> Iterator[Address]:
    yield from _walk(get_resolver().url_patterns, (), "")


def _walk(
    patterns: list[URLPattern | URLResolver], spaces: tuple[str, ...], before: str
) -> Iterator[Address]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = (*spaces, pattern.namespace) if pattern.namespace else spaces
            yield from _walk(pattern.url_patterns, inner, before + str(pattern.pattern))
        else:
            parts = tuple(pattern.pattern.converters) or tuple(pattern.pattern.regex.groupindex)
            yield Address(":".join((*spaces, pattern.name or "")), before + str(pattern.pattern), parts)
