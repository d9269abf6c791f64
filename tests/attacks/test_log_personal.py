"""Personal data in disguise on its way into the log, and guesses at what a commitment holds."""

from __future__ import annotations

import hashlib
import json

import pytest
from django.db import transaction

from audit import lint, sealer
from audit.events import Event
from audit.models import Entry, Personal
from audit.recorder import record
from tests import factories

# --- Personal data in disguise --------------------------------------------------------------------------------
MOBILE, RESIDENT, MAIL = "13800138000", "11010519491231002X", "zhang.san@example.com"
DISGUISES = {
    "of zero width": "\u200b".join, "of joiners": "\u2060".join, "of soft hyphens": "\u00ad".join,
    "of marks of direction": lambda t: "\u202d" + t + "\u202c", "of a mark of byte order": lambda t: t[:5] + "\ufeff" + t[5:],
    "full width": lambda t: "".join(chr(ord(c) + 0xFEE0) for c in t), "bold": lambda t: t.translate({48 + n: 0x1D7CE + n for n in range(10)}),
    "Arabic digits": lambda t: t.translate({48 + n: 0x660 + n for n in range(10)}),
    "in an address of a page": lambda t: "https://x.example/?q=" + t.replace("@", "%40"),
    "percent signs": lambda t: "".join(f"%{ord(c):02x}" for c in t), "JSON in a text": lambda t: json.dumps({"phone": t}),
    "JSON in JSON in a text": lambda t: json.dumps(json.dumps({"a": [t]})),
}  # fmt: skip


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("text", [MOBILE, RESIDENT, MAIL])
def test_personal_data_is_found_in_disguise(disguise, text):
    assert lint.found(text)
    assert lint.found(DISGUISES[disguise](text)), ascii(DISGUISES[disguise](text))


@pytest.mark.parametrize(
    "text", ["138 - 0013 - 8000", "138 \u2013 0013 \u2013 8000", "138 . 0013 . 8000", "(138) - 0013 - 8000"]
)
def test_wide_gaps_between_digits_hide_nothing(text):
    assert lint.found(text) == "a mobile number"


@pytest.mark.parametrize("text", ["1-" * 30_000, "a" * 60_000 + "@", "@".join(["a" * 60] * 900), "1 1.1-" * 10_000, "%" * 60_000, "%31" * 20_000,
                                  "x@" + "a." * 30_000, "9" * 60_000])  # fmt: skip
def test_no_text_keeps_the_look_at_it_busy(text):
    lint.found(text)


@pytest.mark.django_db
def test_commitments_are_never_made_with_one_salt_and_not_without():
    city = factories.city()
    for _ in range(20):
        with transaction.atomic():
            record(
                Event.LOGIN_FAILED,
                actor=factories.actor(city.enterprise),
                about="-",
                personal={"ip": "192.0.2.7", "name": "x"},
            )
    rows = list(Personal.objects.all())
    assert len({bytes(row.salt) for row in rows}) == len(rows) >= 40
    sealer.seal_all()
    said = [one for e in Entry.objects.filter(act="account.login_failed") for one in e.fields["pc"].values()]
    assert len(set(said)) == len(said)
    guesses = {
        hashlib.sha256(f"{name}\0{value}".encode()).hexdigest()
        for name, value in (("ip", "192.0.2.7"), ("name", "x"))
    }
    assert not guesses & set(said)
