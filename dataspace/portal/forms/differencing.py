"""Which attack on which enterprise of the invented register."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from dataspace.portal.differencing_plans import Attack, Enterprise, targets

ATTACKS = {
    Attack.VERSIONS: _("Two versions: the target leaves the register in between"),
    Attack.CELLS: _("A total less its cells: the target has no sector on record"),
    Attack.AGAIN: _("Asking again: with and without the target, 100 times each"),
    Attack.NARROW: _("Narrowing: grouped until the target is alone"),
}


def name_of(target: Enterprise) -> str:
    """Plainly invented."""
    return _now("Enterprise %(number)s") % {"number": target.name}


class AttackForm(forms.Form):
    """What is not offered is the first that is, so that every address shows an attack."""

    attack = forms.ChoiceField(label=_("Attack"), required=False, choices=list(ATTACKS.items()))
    target = forms.ChoiceField(
        label=_("Target"), required=False, choices=lambda: [(n, name_of(t)) for n, t in targets().items()]
    )

    def __init__(self, asked: Any) -> None:
        attack, target = asked.get("attack"), asked.get("target")
        self.chosen_attack = Attack(attack) if attack in set(Attack) else Attack.VERSIONS
        self.chosen_target = targets().get(target) or next(iter(targets().values()))
        super().__init__(initial={"attack": self.chosen_attack.value, "target": self.chosen_target.name})
