"""Hand in a script; say what a reviewer thinks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from sandbox.scripts.reading import MAX_SOURCE_BYTES
from sandbox.scripts.states import Verdict

_FIELD_OF = {
    "script.title": "title",
    "script.dataset": "dataset",
    "script.no_unit": "dataset",
    "script.lane": "dataset",
    "dataset.no_version": "dataset",
}


class ScriptForm(forms.Form):
    """A file, where there is one, takes the place of what is written."""

    title = forms.CharField(
        label=_("Title"), max_length=120, help_text=_("In a few words what it does. Reviewers read it first.")
    )
    dataset = forms.ChoiceField(label=_("Dataset"))
    source = forms.CharField(label=_("Script"), required=False, strip=False, widget=forms.Textarea)
    file = forms.FileField(
        label=_("Or a file"), required=False, allow_empty_file=True,
        help_text=_("Python in UTF-8. It takes the place of what is written above."),
    )  # fmt: skip

    def __init__(self, *args: Any, datasets: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["dataset"].choices = datasets  # type: ignore[attr-defined]
        self.fields["file"].widget.attrs["accept"] = ".py,text/x-python,text/plain"

    def clean_file(self) -> str:
        """Its text; "" where there is none."""
        file: File[bytes] | None = self.cleaned_data.get("file")
        if not file:
            return ""
        if (file.size or 0) > MAX_SOURCE_BYTES:
            raise ValidationError(
                _("A script has at most %(most)d KiB.") % {"most": MAX_SOURCE_BYTES // 1024}
            )
        try:
            text: str = file.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValidationError(_("The file is not text in UTF-8.")) from None
        if "\0" in text:
            raise ValidationError(_("The file is not text in UTF-8."))
        return text

    @property
    def text(self) -> str:
        """What is handed in. After `is_valid`."""
        return str(self.cleaned_data.get("file") or self.cleaned_data.get("source") or "").replace(
            "\r\n", "\n"
        )

    @property
    def shown(self) -> str:
        """What the editor holds when the page comes back: nobody types twice, nor chooses a file twice."""
        return (
            self.text or str(self["source"].value() or "") if self.is_bound else str(self.initial["source"])
        )

    def tell(self, refused: Refused) -> bool:
        """Put a refusal beside its field. False where it belongs to none."""
        field = _FIELD_OF.get(refused.code)
        if field is not None:
            self.add_error(field, str(refused.reason))
        return field is not None


class ReviewForm(forms.Form):
    verdict = forms.ChoiceField(label=_("Your verdict"), choices=Verdict.choices, widget=forms.RadioSelect)
    note = forms.CharField(
        label=_("Note"), max_length=2000, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("What you looked at, and why you decide so. It stays with the verdict; both are final."),
    )  # fmt: skip
