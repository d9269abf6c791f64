"""The states of a request and of a contract: the room's words, and every move there is.

Kept apart on purpose: granted is not signed, signed is not in force.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.transitions import Moves


class RequestState(models.TextChoices):
    FILED = "filed", _("waiting for decisions")
    GRANTED = "granted", _("granted")
    DECLINED = "declined", _("declined")
    WITHDRAWN = "withdrawn", _("withdrawn")


REQUEST_MOVES: Moves = {
    RequestState.FILED: {
        RequestState.GRANTED: Event.REQUEST_GRANTED,
        RequestState.DECLINED: Event.REQUEST_DECLINED,
        RequestState.WITHDRAWN: Event.REQUEST_WITHDRAWN,
    },
}


class ContractState(models.TextChoices):
    DRAFTED = "drafted", _("waiting for signatures")
    ACTIVE = "active", _("in force")
    SUSPENDED = "suspended", _("suspended")
    TERMINATED = "terminated", _("terminated")
    EXPIRED = "expired", _("expired")


CONTRACT_MOVES: Moves = {
    ContractState.DRAFTED: {
        ContractState.ACTIVE: Event.CONTRACT_ACTIVATED,
        ContractState.TERMINATED: Event.CONTRACT_TERMINATED,
        ContractState.EXPIRED: Event.CONTRACT_EXPIRED,
    },
    ContractState.ACTIVE: {
        ContractState.SUSPENDED: Event.CONTRACT_SUSPENDED,
        ContractState.TERMINATED: Event.CONTRACT_TERMINATED,
        ContractState.EXPIRED: Event.CONTRACT_EXPIRED,
    },
    ContractState.SUSPENDED: {
        ContractState.ACTIVE: Event.CONTRACT_RESUMED,
        ContractState.TERMINATED: Event.CONTRACT_TERMINATED,
        ContractState.EXPIRED: Event.CONTRACT_EXPIRED,
    },
}


class Part(models.TextChoices):
    """In which part an organization takes part in a request or contract."""

    PROVIDER = "provider", _("data provider")
    BUREAU = "bureau", _("data bureau")
    ENTERPRISE = "enterprise", _("enterprise")


class Outcome(models.TextChoices):
    GRANT = "grant", _("grant")
    DECLINE = "decline", _("decline")


class Purpose(models.TextChoices):
    """发改价格〔2025〕65号 parts public governance and welfare (free) from industry (may be charged)."""

    PUBLIC = "public", _("public governance and welfare")  # 公共治理、公益事业
    INDUSTRY = "industry", _("industry development")  # 产业、行业发展
    RESEARCH = "research", _("research")
