"""Requests with their decisions; contracts with their signatures and their meter."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorded import Recorded
from audit.transitions import Stateful
from catalog.models import Dataset
from contracts.policy import agreement
from contracts.policy.terms import Terms
from contracts.states import (
    CONTRACT_MOVES,
    REQUEST_MOVES,
    ContractState,
    Outcome,
    Part,
    Purpose,
    RequestState,
)
from parties.models import Organization, SigningKey


class AccessRequest(Stateful):
    """An enterprise asks for columns of datasets, for a stated purpose and term."""

    KIND = "request"
    MOVES = REQUEST_MOVES
    FIRST = (RequestState.FILED, Event.REQUEST_FILED)

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="requests", verbose_name=_("enterprise")
    )
    filed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    purpose = models.CharField(_("purpose"), max_length=10, choices=Purpose)
    scenario = models.TextField(
        _("scenario"), max_length=2000, help_text=_("What the results are used for, by whom.")
    )
    wanted = models.TextField(
        _("wanted measures"), max_length=2000, help_text=_("The tables you want, in your own words.")
    )
    term_days = models.PositiveIntegerField(
        _("term in days"), validators=[MinValueValidator(1), MaxValueValidator(1825)]
    )
    max_runs = models.PositiveIntegerField(
        _("number of runs"), validators=[MinValueValidator(1), MaxValueValidator(100_000)]
    )
    filed = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-filed"]
        verbose_name = _("access request")
        verbose_name_plural = _("access requests")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=RequestState.values), name="request_state_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.organization}: {self.scenario[:40]}"

    @property
    def audit_parties(self) -> tuple[str, ...]:
        """The enterprise, and who decides."""
        deciders = self.decisions.order_by().values_list("organization__uid", flat=True)
        return (str(self.organization.uid), *map(str, deciders))


class RequestItem(models.Model):
    """One dataset of a request with the columns asked for."""

    request = models.ForeignKey(AccessRequest, on_delete=models.CASCADE, related_name="items")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="+")
    columns = models.JSONField()  # list of column names

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "dataset"], name="request_item_once")]

    def __str__(self) -> str:
        return str(self.dataset)


class Decision(Recorded):
    """What one organization decides in its part. Open until `outcome`, `reason`, who and when are all set."""

    KIND = "decision"
    EVENTS = {
        "": frozenset({Event.REQUEST_FILED}),
        Outcome.GRANT: frozenset({Event.REQUEST_DECIDED}),
        Outcome.DECLINE: frozenset({Event.REQUEST_DECIDED}),
    }
    ABOUT = ("request", "request__uid")
    STATE = "outcome"
    BY = "organization__uid"

    request = models.ForeignKey(AccessRequest, on_delete=models.CASCADE, related_name="decisions")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="decisions")
    part = models.CharField(max_length=10, choices=Part)
    outcome = models.CharField(max_length=8, choices=Outcome, blank=True)
    reason = models.TextField(max_length=2000, blank=True)
    # Terms this organization asks for: fields of DisclosureTerms, max_runs, retention_days. The stricter wins.
    limits = models.JSONField(default=dict)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "organization", "part"], name="decision_once"),
            models.CheckConstraint(
                condition=models.Q(outcome="", decided_by=None, decided=None, reason="")
                | (
                    ~models.Q(outcome="")
                    & ~models.Q(reason="")
                    & models.Q(decided_by__isnull=False, decided__isnull=False)
                ),
                name="decision_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organization}: {self.outcome or '…'}"

    @property
    def audit_parties(self) -> tuple[str, ...]:
        return self.request.audit_parties


@lru_cache(maxsize=1024)
def _parties_to(contract_uid: UUID) -> tuple[str, ...]:
    """Who signs is settled when a contract is drawn up, and asked for with every entry of every run."""
    signers = Signature.objects.filter(contract__uid=contract_uid).values_list("organization__uid", flat=True)
    return tuple(map(str, signers))


@lru_cache(maxsize=256)
def _terms_of(document: bytes) -> Terms:
    """Reading is pure: the same bytes are the same terms."""
    return agreement.read(document).terms


class Contract(Stateful):
    """What the parties sign is `document`, byte for byte: ODRL JSON in canonical form (RFC 8785)."""

    KIND = "contract"
    MOVES = CONTRACT_MOVES
    FIRST = (ContractState.DRAFTED, Event.CONTRACT_DRAFTED)

    request = models.OneToOneField(AccessRequest, on_delete=models.PROTECT, related_name="contract")
    enterprise = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="contracts")
    document = models.BinaryField(editable=False)
    digest = models.CharField(max_length=80, unique=True, editable=False)  # "sha256:<hex>" of `document`
    valid_from = models.DateTimeField(_("valid from"))
    valid_until = models.DateTimeField(_("valid until"), db_index=True)
    runs_used = models.PositiveIntegerField(
        _("runs used"), default=0
    )  # the meter; reserved under the row's lock
    drafted = models.DateTimeField(auto_now_add=True)
    halted_by = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    halt_reason = models.CharField(_("reason"), max_length=500, blank=True)

    class Meta:
        ordering = ["-drafted"]
        verbose_name = _("contract")
        verbose_name_plural = _("contracts")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=ContractState.values), name="contract_state_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.enterprise} {self.digest[7:15]}"

    @property
    def audit_parties(self) -> tuple[str, ...]:
        """All that sign: providers, bureau, enterprise."""
        return _parties_to(self.uid)

    @property
    def terms(self) -> Terms:
        """The terms as they were signed; Refused where the document is not exactly what was drawn up."""
        return _terms_of(bytes(self.document))


class Signature(Recorded):
    """One party's signature over the contract's document. Open until signed."""

    KIND = "signature"
    EVENTS = {"": frozenset({Event.CONTRACT_DRAFTED}), "signed": frozenset({Event.CONTRACT_SIGNED})}
    ABOUT = ("contract", "contract__uid")
    STATE = models.Case(models.When(signed=None, then=models.Value("")), default=models.Value("signed"))
    BY = "organization__uid"

    contract = models.ForeignKey(Contract, on_delete=models.CASCADE, related_name="signatures")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="signatures")
    part = models.CharField(max_length=10, choices=Part)
    key = models.ForeignKey(SigningKey, on_delete=models.PROTECT, null=True)
    value = models.BinaryField(null=True)
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    signed = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["contract", "organization"], name="signature_once"),
            models.CheckConstraint(
                condition=models.Q(key=None, value=None, signed_by=None, signed=None)
                | models.Q(
                    key__isnull=False, value__isnull=False, signed_by__isnull=False, signed__isnull=False
                ),
                name="signature_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organization}: {'✓' if self.signed else '…'}"

    @property
    def audit_parties(self) -> tuple[str, ...]:
        return self.contract.audit_parties
