"""What waits for the reader, in every role they hold. The rooms' own queues, side by side."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from catalog.names import title_of
from catalog.permissions import is_steward
from catalog.selectors import own_versions
from catalog.states import VersionState
from contracts.selectors import contracts_waiting_for, requests_waiting_for
from dataspace.portal.doors import address
from dataspace.portal.parts import QueueItem
from dataspace.portal.questions import title_of_computation
from parties.actors import Actor
from parties.names import name_of
from sandbox.selectors import runs_waiting_for_review, scripts_waiting_for

MOST = 20  # of each kind; the lists hold the rest


def waiting_for(actor: Actor) -> list[QueueItem]:
    """Longest waiting first."""
    items = [*_requests(actor), *_contracts(actor), *_versions(actor), *_scripts(actor), *_results(actor)]
    return sorted(items, key=lambda item: (item.since is None, item.since))


def _requests(actor: Actor) -> list[QueueItem]:
    return [
        QueueItem(
            title=request.scenario[:60], url=address("portal:request", request.uid), what=_("Decide"),
            holder=name_of(request.organization), since=request.filed, state=request.state,
        )
        for request in requests_waiting_for(actor).order_by("filed")[:MOST]
    ]  # fmt: skip


def _contracts(actor: Actor) -> list[QueueItem]:
    return [
        QueueItem(
            title=contract.request.scenario[:60], url=address("portal:contract", contract.uid), what=_("Read and sign"),
            holder=name_of(contract.enterprise), since=contract.drafted, state=contract.state,
        )
        for contract in contracts_waiting_for(actor).order_by("drafted")[:MOST]
    ]  # fmt: skip


def _versions(actor: Actor) -> list[QueueItem]:
    """A checked version is the provider's to decide, in the back office."""
    if not is_steward(actor):
        return []
    checked = own_versions(actor).filter(state=VersionState.CHECKED).order_by("state_since")
    return [
        QueueItem(
            title=_("%(dataset)s, version %(number)d")
            % {"dataset": title_of(version.dataset), "number": version.number},
            url=address("admin:catalog_version_change", version.pk), what=_("Look at the findings and decide"),
            since=version.state_since, state=version.state,
        )
        for version in checked.defer("findings", "profile", "schema_json")[:MOST]
    ]  # fmt: skip


def _scripts(actor: Actor) -> list[QueueItem]:
    return [
        QueueItem(
            title=script.title, url=address("portal:script", script.uid), what=_("Review the script"),
            holder=name_of(script.contract.enterprise), since=script.submitted, state=script.state,
        )
        for script in scripts_waiting_for(actor).defer("source").order_by("submitted")[:MOST]
    ]  # fmt: skip


def _results(actor: Actor) -> list[QueueItem]:
    return [
        QueueItem(
            title=title_of_computation(run.computation), url=address("portal:run_review", run.uid),
            what=_("Review the result"), holder=name_of(run.contract.enterprise), since=run.state_since,
            state=run.state,
        )
        for run in runs_waiting_for_review(actor).order_by("state_since")[:MOST]
    ]  # fmt: skip
