"""`manage.py createsuperuser`: Django's own, with the entry that the account's row needs."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.db import transaction
from django.db.models import Max

from audit.events import Event
from audit.recorder import record
from parties.actors import SYSTEM
from parties.admission import touch
from parties.models import User


class Command(createsuperuser.Command):
    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        newest = User.objects.aggregate(newest=Max("pk"))["newest"] or 0
        super().handle(*args, **options)
        for user in User.objects.filter(pk__gt=newest):
            touch(user)  # read anew, it needs an id for this entry
            record(Event.ACCOUNT_CREATED, actor=SYSTEM, about=user, organization="")
