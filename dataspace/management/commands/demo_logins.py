"""`manage.py demo_logins`: who can log in to the demonstration."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from dataspace.demo.accounts import POSTS, demo_password


class Command(BaseCommand):
    help = "Print the demonstration's log-ins."

    def handle(self, *args: Any, **options: Any) -> None:
        password = demo_password()
        if password is None:
            self.stdout.write("No demonstration accounts here.\n")
            return
        for post in POSTS:
            self.stdout.write(f"  {post.username:<14} {password}  {post.duty}\n")
