"""P10, P11: a downloaded receipt proves, without us, that the log names it and is still the log it was made under."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from audit.transparency import keys
from audit.verifier.check import check
from audit.verifier.known import Known
from audit.verifier.note import Key
from audit.verifier.result import Verdict
from sandbox.models import Release
from sandbox.receipt_proof import receipt_proof
from tests import factories
from tests.computed import released

pytestmark = pytest.mark.django_db


@pytest.fixture
def make(published_log, worker):
    city = factories.city()
    contract = factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders
    )
    return lambda: released(worker, city.enterprise, contract).release


def held(release: Release, folder: Path) -> Path:
    path = folder / "receipt.json"
    path.write_bytes(receipt_proof(release))
    return path


def verdict(path: Path, *trusted: Key) -> Verdict:
    report = check(path, Known(keys=trusted))
    assert report.kind == "receipt"
    return report.verdict


def test_a_receipt_from_before_the_first_checkpoint_verifies(make, published_log, tmp_path):
    release = make()
    assert json.loads(bytes(release.receipt))["checkpoint"] == {
        "root": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "size": 0,
    }
    published_log.publish()
    assert verdict(held(release, tmp_path), *published_log.public_keys()) == Verdict.WHOLE
    assert json.loads(receipt_proof(release))["consistency"] == []


def test_a_receipt_pins_the_checkpoint_it_was_made_under_and_verifies_later(make, published_log, tmp_path):
    before = published_log.publish(300)
    release = make()
    assert json.loads(bytes(release.receipt))["checkpoint"] == {
        "root": base64.b64encode(before.root).decode(),
        "size": before.size,
    }
    for _ in range(3):
        published_log.publish(100)
        assert verdict(held(release, tmp_path), *published_log.public_keys()) == Verdict.WHOLE


def test_whoever_trusts_the_first_key_alone_is_led_to_the_newest(make, published_log, tmp_path):
    published_log.publish(3)
    first = next(key for key in published_log.public_keys() if len(key.kind) == 1)
    folder = published_log.checkpointer.keys
    release = make()
    for _ in range(2):
        old = [one for one in folder.all() if one.kind == "ed25519"]
        keys.add_key(folder, "ed25519", actor=keys.CHECKPOINTER)
        published = published_log.publish(1)
        for one in old:
            keys.retire_key(folder, one.id, published.size, actor=keys.CHECKPOINTER)
        published_log.publish(1)
    assert first not in published_log.public_keys()
    path = held(release, tmp_path)
    assert verdict(path, first) == Verdict.WHOLE
    bare = json.loads(path.read_bytes()) | {"key_changes": []}
    path.write_text(json.dumps(bare))
    assert verdict(path, first) == Verdict.CONTRADICTED


def test_a_receipt_with_another_word_does_not_verify(make, published_log, tmp_path):
    release = make()
    published_log.publish()
    path = held(release, tmp_path)
    path.write_bytes(path.read_bytes().replace(b"min_contributors", b"max_contributors"))
    assert verdict(path, *published_log.public_keys()) == Verdict.BROKEN
