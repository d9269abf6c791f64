"""Who may do what in the catalog. Each rule is a `check_…` that raises Refused, and a boolean twin made from it.

A superuser has no right of its own here: a provider's data are the provider's.
"""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from catalog.models import Dataset, Source
from catalog.selectors import not_found, visible_datasets
from parties.actors import Actor
from parties.models import Organization
from parties.roles import OrganizationKind, Role


def is_steward(actor: Actor) -> bool:
    return actor.holds(Role.STEWARD, OrganizationKind.PROVIDER)


def check_can_create(actor: Actor) -> Organization:
    """The provider for which the actor describes datasets and registers sources."""
    actor.require(Role.STEWARD, OrganizationKind.PROVIDER)
    assert actor.organization is not None  # a role is held in an organization
    return actor.organization


def check_can_edit(actor: Actor, dataset: Dataset) -> None:
    """Describe, list, withdraw, show, hide; hand in and decide versions: a steward of the dataset's provider."""
    if not actor.acts_for(dataset.provider):
        if not visible_datasets(actor).filter(pk=dataset.pk).exists():
            raise not_found()
        raise Refused("dataset.not_yours", _("Only a data steward of the provider may do this."))
    actor.require(Role.STEWARD, OrganizationKind.PROVIDER)


def check_can_preview(actor: Actor, dataset: Dataset) -> None:
    """See rows as they are in the source: a steward of the provider, and nobody else."""
    check_can_edit(actor, dataset)


def check_can_use_source(actor: Actor, source: Source) -> None:
    if not actor.acts_for(source.provider):
        raise not_found()
    actor.require(Role.STEWARD, OrganizationKind.PROVIDER)


def allowed(check: Callable[[], object]) -> bool:
    try:
        check()
    except Refused:
        return False
    return True


def can_create(actor: Actor) -> bool:
    return allowed(lambda: check_can_create(actor))


def can_edit(actor: Actor, dataset: Dataset) -> bool:
    return allowed(lambda: check_can_edit(actor, dataset))


def can_preview(actor: Actor, dataset: Dataset) -> bool:
    return allowed(lambda: check_can_preview(actor, dataset))


def can_use_source(actor: Actor, source: Source) -> bool:
    return allowed(lambda: check_can_use_source(actor, source))
