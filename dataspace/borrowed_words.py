"""Words of Django that its own Chinese catalogue lacks. Marked here, they are translated in ours, which comes first."""

from __future__ import annotations

from django.utils.translation import gettext_noop, ngettext_lazy

BACK_OFFICE = (
    gettext_noop("Model name"),
    gettext_noop("Add link"),
    gettext_noop("Change or view list link"),
    gettext_noop("After you’ve created a user, you’ll be able to edit more user options."),
    gettext_noop("Error:"),
)
PASSWORDS = ngettext_lazy(
    "This password is too short. It must contain at least %d character.",
    "This password is too short. It must contain at least %d characters.",
)
