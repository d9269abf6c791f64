"""Every fact the log can hold: the words first. An event type names the object's kind and what happened to it.

`PAYLOAD` lists the keys each type may carry in `x`; the recorder refuses others. No free text and no personal
data goes into an entry: reasons in words stay in the business row, the entry holds codes, ids and digests. `PERSONAL`
lists the fields of which an entry holds a commitment only: their values stand in a table from which they can be erased.
"""

from __future__ import annotations

from enum import StrEnum

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise


class Event(StrEnum):
    LOG_INIT = "log.init"
    REFUSED = "refused"
    EXPORTED = "log.exported"
    LOG_KEY_ADDED = "log.key_added"
    LOG_KEY_RETIRED = "log.key_retired"
    SEALING_LATE = "log.sealing_late"
    SEALING_CAUGHT_UP = "log.sealing_caught_up"
    RECONCILED = "log.reconciled"
    ERASED = "log.erased"

    LOGIN = "account.login"
    LOGIN_FAILED = "account.login_failed"
    TOKEN_ISSUED = "account.token_issued"  # noqa: S105
    KEY_CREATED = "organization.key_created"
    ORGANIZATION_CREATED = "organization.created"
    ORGANIZATION_CHANGED = "organization.changed"
    ACCOUNT_CREATED = "account.created"
    ACCOUNT_CHANGED = "account.changed"
    ROLES_CHANGED = "account.roles_changed"

    DATASET_CREATED = "dataset.created"
    DATASET_CHANGED = "dataset.changed"
    DATASET_LISTED = "dataset.listed"
    DATASET_WITHDRAWN = "dataset.withdrawn"
    DATASET_SHOWN_TO = "dataset.shown_to"
    DATASET_HIDDEN_FROM = "dataset.hidden_from"

    SOURCE_REGISTERED = "source.registered"

    VERSION_UPLOADED = "version.uploaded"
    VERSION_CHECKING = "version.checking"
    VERSION_CHECKED = "version.checked"
    VERSION_SCHEMA_SET = "version.schema_set"
    VERSION_BUILDING = "version.building"
    VERSION_PUBLISHED = "version.published"
    VERSION_REJECTED = "version.rejected"
    VERSION_FAILED = "version.failed"

    REQUEST_FILED = "request.filed"
    REQUEST_DECIDED = "request.decided"
    REQUEST_GRANTED = "request.granted"
    REQUEST_DECLINED = "request.declined"
    REQUEST_WITHDRAWN = "request.withdrawn"

    TRIAL_ASKED = "trial.asked"
    TRIAL_DONE = "trial.done"
    TRIAL_FAILED = "trial.failed"

    CONTRACT_DRAFTED = "contract.drafted"
    CONTRACT_SIGNED = "contract.signed"
    CONTRACT_ACTIVATED = "contract.activated"
    CONTRACT_SUSPENDED = "contract.suspended"
    CONTRACT_RESUMED = "contract.resumed"
    CONTRACT_TERMINATED = "contract.terminated"
    CONTRACT_EXPIRED = "contract.expired"

    SCRIPT_SUBMITTED = "script.submitted"
    SCRIPT_REVIEWED = "script.reviewed"
    SCRIPT_APPROVED = "script.approved"
    SCRIPT_REFUSED = "script.refused"
    SCRIPT_WITHDRAWN = "script.withdrawn"
    SCRIPT_PREPARED = "script.prepared"
    SCRIPT_FAILED = "script.failed"

    RUN_QUEUED = "run.queued"
    RUN_STARTED = "run.started"
    RUN_REQUEUED = "run.requeued"
    RUN_HELD = "run.held"
    RUN_REVIEWED = "run.reviewed"
    RUN_RELEASED = "run.released"
    RUN_FAILED = "run.failed"
    RUN_CANCELLED = "run.cancelled"
    RELEASE_DOWNLOADED = "release.downloaded"


PAYLOAD: dict[Event, frozenset[str]] = {
    Event.LOG_INIT: frozenset({"origin", "profile"}),
    Event.REFUSED: frozenset({"what", "code"}),
    Event.EXPORTED: frozenset({"entries", "head", "scope", "openings"}),
    Event.LOG_KEY_ADDED: frozenset({"vkey", "signed"}),
    Event.LOG_KEY_RETIRED: frozenset({"vkey", "signed"}),
    Event.SEALING_LATE: frozenset({"oldest_ms", "waiting"}),
    Event.SEALING_CAUGHT_UP: frozenset({"oldest_ms"}),
    Event.RECONCILED: frozenset({"first", "next", "counts", "rows", "findings", "whole", "lag_ms"}),
    Event.ERASED: frozenset({"ids", "fields", "basis"}),
    Event.KEY_CREATED: frozenset({"key", "algorithm", "public"}),
    Event.ORGANIZATION_CREATED: frozenset({"kind"}),
    Event.ORGANIZATION_CHANGED: frozenset({"fields"}),
    Event.ACCOUNT_CREATED: frozenset({"organization"}),
    Event.ACCOUNT_CHANGED: frozenset({"fields"}),
    Event.ROLES_CHANGED: frozenset({"roles"}),
    Event.DATASET_CHANGED: frozenset({"fields"}),
    Event.DATASET_SHOWN_TO: frozenset({"organization"}),
    Event.DATASET_HIDDEN_FROM: frozenset({"organization"}),
    Event.VERSION_UPLOADED: frozenset({"dataset", "number", "source", "sha256"}),
    Event.VERSION_CHECKED: frozenset({"rows", "bad_rows"}),
    Event.VERSION_SCHEMA_SET: frozenset({"schema"}),
    Event.VERSION_BUILDING: frozenset({"on_bad_rows"}),
    Event.VERSION_PUBLISHED: frozenset(
        {"dataset", "number", "rows", "dropped_rows", "sha256", "sm3", "schema"}
    ),
    Event.VERSION_FAILED: frozenset({"code"}),
    Event.REQUEST_FILED: frozenset({"datasets", "purpose"}),
    Event.REQUEST_DECIDED: frozenset({"part", "decision"}),
    Event.TRIAL_ASKED: frozenset({"request", "terms", "extracts"}),
    Event.TRIAL_DONE: frozenset({"result"}),
    Event.TRIAL_FAILED: frozenset({"code"}),
    Event.CONTRACT_DRAFTED: frozenset({"request", "digest"}),
    Event.CONTRACT_SIGNED: frozenset({"digest", "key", "signature", "part"}),
    Event.CONTRACT_ACTIVATED: frozenset({"digest"}),
    Event.SCRIPT_SUBMITTED: frozenset({"contract", "source", "dataset"}),
    Event.SCRIPT_REVIEWED: frozenset({"verdict", "source"}),
    Event.SCRIPT_APPROVED: frozenset({"source"}),
    Event.SCRIPT_PREPARED: frozenset({"source", "read", "sha256", "sm3"}),
    Event.SCRIPT_FAILED: frozenset({"code"}),
    Event.RUN_QUEUED: frozenset(
        {"contract", "policy", "query", "extracts", "attempt", "answer", "lane", "charge", "script"}
    ),
    Event.RUN_HELD: frozenset({"answer"}),
    Event.RUN_REVIEWED: frozenset({"verdict", "answer"}),
    Event.RUN_STARTED: frozenset({"attempt"}),
    Event.RUN_REQUEUED: frozenset({"attempt", "code"}),
    Event.RUN_RELEASED: frozenset({"release", "result", "receipt", "contract", "answer"}),
    Event.RUN_FAILED: frozenset({"code"}),
    Event.RUN_CANCELLED: frozenset({"code"}),
    Event.RELEASE_DOWNLOADED: frozenset({"format", "contract"}),
}

PERSONAL: dict[Event, frozenset[str]] = {
    Event.LOGIN: frozenset({"ip"}),
    Event.LOGIN_FAILED: frozenset({"name", "ip"}),  # `name` as it was typed: it may be anything
    Event.TOKEN_ISSUED: frozenset({"ip"}),
}

PERSONAL_TEXT: dict[str, StrOrPromise] = {"name": _("name that was typed"), "ip": _("network address")}

TEXT: dict[Event, StrOrPromise] = {
    Event.LOG_INIT: _("Log opened"),
    Event.REFUSED: _("Refused"),
    Event.EXPORTED: _("Log exported"),
    Event.LOG_KEY_ADDED: _("Key of the log added"),
    Event.LOG_KEY_RETIRED: _("Key of the log retired"),
    Event.SEALING_LATE: _("Entries wait too long to be sealed"),
    Event.SEALING_CAUGHT_UP: _("No entry waits any longer"),
    Event.RECONCILED: _("Log compared with the business rows"),
    Event.ERASED: _("Personal fields erased"),
    Event.LOGIN: _("Logged in"),
    Event.LOGIN_FAILED: _("Log-in failed"),
    Event.TOKEN_ISSUED: _("API token issued"),
    Event.KEY_CREATED: _("Signing key created"),
    Event.ORGANIZATION_CREATED: _("Organization admitted"),
    Event.ORGANIZATION_CHANGED: _("Organization changed"),
    Event.ACCOUNT_CREATED: _("Account opened"),
    Event.ACCOUNT_CHANGED: _("Account changed"),
    Event.ROLES_CHANGED: _("Roles changed"),
    Event.DATASET_CREATED: _("Dataset described"),
    Event.DATASET_CHANGED: _("Dataset description changed"),
    Event.DATASET_LISTED: _("Dataset listed in the catalog"),
    Event.DATASET_WITHDRAWN: _("Dataset withdrawn"),
    Event.DATASET_SHOWN_TO: _("Dataset shown to an organization"),
    Event.DATASET_HIDDEN_FROM: _("Dataset hidden from an organization"),
    Event.SOURCE_REGISTERED: _("Data source registered"),
    Event.VERSION_UPLOADED: _("Version handed in"),
    Event.VERSION_CHECKING: _("Version being checked"),
    Event.VERSION_CHECKED: _("Version checked"),
    Event.VERSION_SCHEMA_SET: _("Schema set"),
    Event.VERSION_BUILDING: _("Extract being built"),
    Event.VERSION_PUBLISHED: _("Version published"),
    Event.VERSION_REJECTED: _("Version rejected"),
    Event.VERSION_FAILED: _("Version failed"),
    Event.REQUEST_FILED: _("Request filed"),
    Event.REQUEST_DECIDED: _("Request decided in part"),
    Event.REQUEST_GRANTED: _("Request granted"),
    Event.REQUEST_DECLINED: _("Request declined"),
    Event.REQUEST_WITHDRAWN: _("Request withdrawn"),
    Event.TRIAL_ASKED: _("Terms tried on the data"),
    Event.TRIAL_DONE: _("Trial of terms done"),
    Event.TRIAL_FAILED: _("Trial of terms failed"),
    Event.CONTRACT_DRAFTED: _("Contract drawn up"),
    Event.CONTRACT_SIGNED: _("Contract signed"),
    Event.CONTRACT_ACTIVATED: _("Contract in force"),
    Event.CONTRACT_SUSPENDED: _("Contract suspended"),
    Event.CONTRACT_RESUMED: _("Contract resumed"),
    Event.CONTRACT_TERMINATED: _("Contract terminated"),
    Event.CONTRACT_EXPIRED: _("Contract expired"),
    Event.SCRIPT_SUBMITTED: _("Script submitted"),
    Event.SCRIPT_REVIEWED: _("Script reviewed by one"),
    Event.SCRIPT_APPROVED: _("Script approved"),
    Event.SCRIPT_REFUSED: _("Script refused"),
    Event.SCRIPT_WITHDRAWN: _("Script withdrawn"),
    Event.SCRIPT_PREPARED: _("Records prepared by a script"),
    Event.SCRIPT_FAILED: _("Script failed"),
    Event.RUN_QUEUED: _("Computation submitted"),
    Event.RUN_STARTED: _("Run started"),
    Event.RUN_REQUEUED: _("Run taken up again"),
    Event.RUN_HELD: _("Result waits for review"),
    Event.RUN_REVIEWED: _("Result reviewed by one"),
    Event.RUN_RELEASED: _("Result released"),
    Event.RUN_FAILED: _("Run failed"),
    Event.RUN_CANCELLED: _("Run cancelled"),
    Event.RELEASE_DOWNLOADED: _("Result downloaded"),
}
