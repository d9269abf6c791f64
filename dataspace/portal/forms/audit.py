"""Which entries of the log to show, and how to falsify a copy of it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django import forms
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from audit.erasure import Basis
from audit.events import TEXT, Event
from audit.models import Entry
from dataspace.portal.personal_fields import PersonalField
from dataspace.portal.tampering import Forgery
from parties.models import Organization, User

FORGERIES = {
    Forgery.CHANGE: _("change it: another account is said to have done it"),
    Forgery.REMOVE: _("remove it"),
    Forgery.REPEAT: _("let it stand twice"),
    Forgery.SWAP: _("swap it with the next"),
    Forgery.CUT: _("cut off the log from it on, and state the shorter log at the end"),
    Forgery.REWRITE: _("change it and work out every later hash anew"),
    Forgery.RESIGN: _(
        "change it, work out every later hash anew, and sign with the log's own key, as its operator could"
    ),
}


class _Moment(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class LogFilter(forms.Form):
    """Each field narrows; an id may be given in full, an account also by its log-in name.

    `within` is the organization of a reader who reads only what concerns it: others are not found by name (P6).
    """

    event = forms.ChoiceField(
        label=_("Event"), required=False, choices=[("", _("all")), *((str(e), TEXT[e]) for e in Event)]
    )
    organization = forms.ModelChoiceField(
        label=_("Organization"), required=False, queryset=Organization.objects.all(), to_field_name="uid",
        empty_label=_("all"),
    )  # fmt: skip
    actor = forms.CharField(label=_("Account"), required=False, max_length=150)
    object = forms.CharField(
        label=_("Object"),
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"placeholder": "run:…"}),
    )
    since = forms.DateTimeField(label=_("From"), required=False, widget=_Moment())
    until = forms.DateTimeField(label=_("Until"), required=False, widget=_Moment())

    def __init__(self, data: QueryDict, *, within: Organization | None) -> None:
        super().__init__(data)
        self._accounts = User.objects.all()
        if within is not None:
            self._accounts = within.accounts.all()
            organizations = Organization.objects.filter(pk=within.pk)
            self.fields["organization"].queryset = organizations  # type: ignore[attr-defined]  # a model choice

    def narrowed(self, rows: QuerySet[Entry]) -> QuerySet[Entry]:
        """Nothing where a field cannot be understood: a filter that is dropped would pretend to be an answer."""
        if not self.is_valid():
            return rows.none()
        chosen = self.cleaned_data
        said = {
            "act": chosen["event"],
            "org": str(chosen["organization"].uid) if chosen["organization"] else "",
            "actor": self._account(chosen["actor"].strip()),
            "at__gte": chosen["since"],
            "at__lt": chosen["until"],
        }
        rows = rows.filter(**{name: value for name, value in said.items() if value})
        return rows.filter(_about(chosen["object"].strip()))

    def _account(self, text: str) -> str:
        user = self._accounts.filter(username=text).only("uid").first() if text else None
        return str(user.uid) if user else text


def _about(text: str) -> Q:
    """`kind:uid`, or a uid of any kind."""
    if not text:
        return Q()
    try:
        uid = UUID(text)
    except ValueError:
        return Q(obj=text)
    kinds = (
        "account",
        "organization",
        "dataset",
        "version",
        "source",
        "request",
        "contract",
        "run",
        "release",
    )
    return Q(obj__in=[f"{kind}:{uid}" for kind in kinds])


class EraseForm(forms.Form):
    """Which of the fields that are still there, and on which ground."""

    basis = forms.ChoiceField(label=_("Ground"), choices=Basis.choices)

    def __init__(self, data: QueryDict | None = None, *, kept: Sequence[PersonalField]) -> None:
        super().__init__(data)
        choices = [(field.name, field.label) for field in kept]
        self.fields["fields"] = forms.MultipleChoiceField(
            label=_("Fields"), choices=choices, widget=forms.CheckboxSelectMultiple(),
            initial=[name for name, _label in choices],
        )  # fmt: skip
        self.order_fields(["fields", "basis"])


class VerifyForm(forms.Form):
    head = forms.RegexField(
        r"^[0-9a-fA-F]{64}$", label=_("A head you noted earlier"), required=False, strip=True,
        help_text=_("64 hexadecimal digits; the log must contain it. May stay empty."),
    )  # fmt: skip


class TamperForm(forms.Form):
    """`entries`: how many the log has."""

    forgery = forms.ChoiceField(label=_("What to do to it"), choices=list(FORGERIES.items()))

    def __init__(self, data: object = None, *, entries: int) -> None:
        super().__init__(data)  # type: ignore[arg-type]  # a QueryDict or None
        self.fields["seq"] = forms.IntegerField(
            label=_("Entry number"), min_value=0, max_value=entries - 1, initial=entries // 2
        )
        self.order_fields(["seq", "forgery"])
