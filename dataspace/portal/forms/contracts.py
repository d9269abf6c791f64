"""What a signatory fills in."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class SignForm(forms.Form):
    """The digest of the document that was shown, and the word of the person that it was read."""

    digest = forms.CharField(widget=forms.HiddenInput, max_length=80)
    read = forms.BooleanField(
        label=_("I have read these terms, and I sign them for my organization."),
        error_messages={"required": _("Confirm that you have read the terms.")},
    )
