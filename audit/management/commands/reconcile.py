"""`manage.py reconcile`: compare business rows and log now. Ends with 1 if something is missing or broken."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit import reconciliation
from audit.actors import CONSOLE


class Command(BaseCommand):
    help = "Compare business rows and audit log now, and record what was found."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            outcome = reconciliation.reconcile(actor=CONSOLE)
        except reconciliation.Busy as busy:
            raise CommandError(str(busy)) from busy
        for finding in outcome.findings:
            words = reconciliation.WORDS[finding.code]
            self.stdout.write(f"{finding.code}  {finding.kind}  {finding.ref}  {words}")
        rows = sum(number for _kind, number in outcome.rows)
        entries = outcome.next - outcome.first
        self.stdout.write(
            f"{rows} rows, {outcome.next} entries ({entries} since the last time), {outcome.number} findings, "
            f"the log is {'whole' if outcome.whole else 'BROKEN'}, longest wait {outcome.lag_ms} ms"
        )
        if not outcome.ok:
            raise CommandError("business rows and log do not go together", returncode=1)
