"""P2, P11: nothing is ever signed that contradicts what was signed before; it is said why, until it is resolved."""

from __future__ import annotations

import base64
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audit import chain, sealer
from audit.models import Entry
from audit.transparency import proofs
from audit.transparency.troubles import WillNotSign
from tests.published import some, with_triggers_off

pytestmark = pytest.mark.django_db


def refusal(published_log, code: str) -> WillNotSign:
    """Refused now, and by a new process too; nothing was published meanwhile."""
    before = published_log.newest().raw
    with pytest.raises(WillNotSign) as refused:
        published_log.restart().round()
    assert refused.value.finding.code == f"signing.{code}"
    assert published_log.newest().raw == before
    return refused.value


def test_a_database_that_went_back_is_not_signed(published_log):
    published_log.publish(5)
    gone = Entry.objects.count() - 1
    with_triggers_off(f"DELETE FROM audit_entry WHERE seq = {gone}")
    with pytest.raises(WillNotSign, match="went back in time"):
        published_log.checkpointer.round()
    assert str(gone) in str(refusal(published_log, "rolled_back"))


def test_a_database_that_went_back_and_grew_again_is_not_signed(published_log):
    published_log.publish(5)
    last = Entry.objects.count() - 1
    with_triggers_off(f"DELETE FROM audit_entry WHERE seq >= {last - 1}")
    some(4)
    sealer.seal_all()
    with pytest.raises(WillNotSign, match="is not the one that was sealed"):
        published_log.checkpointer.round()
    refusal(published_log, "other_root")


def test_a_changed_old_entry_is_not_signed_even_if_the_whole_chain_was_rewritten(published_log):
    published_log.publish(5)
    before = list(Entry.objects.order_by("seq"))
    with_triggers_off("DELETE FROM audit_entry")
    prev, rows = bytes(32), []
    for row in before:  # forge: one word, then every link after it
        body = bytes(row.body).replace(b"account:0", b"account:9")
        body = chain.seal(prev, row.seq, b"{" + body[body.index(b'"act"') :])
        row.prev, row.body, row.leaf = prev, body, chain.leaf(body)
        prev = row.leaf
        rows.append(row)
    Entry.objects.bulk_create(rows)
    refusal(published_log, "other_root")


def test_a_changed_old_entry_is_named(published_log):
    published_log.publish(5)
    with_triggers_off(
        "UPDATE audit_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), 'account:0', 'account:9'), 'UTF8')"
        " WHERE body LIKE '%account:0%'"
    )
    changed = next(e.seq for e in Entry.objects.order_by("seq") if b"account:9" in bytes(e.body))
    assert refusal(published_log, "changed").finding.facts == {"seq": changed}


def test_a_changed_last_entry_is_found_without_a_restart(published_log):
    size = published_log.publish(5).size
    some(1)
    sealer.seal_all()
    with_triggers_off(f"UPDATE audit_entry SET body = body || ' '::bytea WHERE seq = {size - 1}")
    with pytest.raises(WillNotSign) as refused:
        published_log.checkpointer.round()
    assert refused.value.finding.facts == {"seq": size - 1}


def test_a_lost_memory_is_not_made_up(published_log):
    size = published_log.publish(5).size
    (published_log.private / "memory.json").unlink()
    assert "checkpoint --adopt" in str(refusal(published_log, "no_memory"))
    call_command("checkpoint", adopt=True)
    assert published_log.restart().memory.size == size
    assert published_log.publish(3).size == size + 3


def test_a_lost_memory_is_noticed_by_rows_alone_and_by_keys_alone(published_log):
    published_log.publish(5)
    (published_log.private / "memory.json").unlink()
    (published_log.folder / "checkpoint").unlink()
    with pytest.raises(WillNotSign, match="--adopt"):
        published_log.restart()
    with_triggers_off("DELETE FROM audit_checkpoint")
    with pytest.raises(WillNotSign, match="--adopt"):
        published_log.restart()


def test_a_memory_put_back_from_an_older_copy_is_not_believed(published_log):
    published_log.publish(5)
    old = (published_log.private / "memory.json").read_bytes()
    size = published_log.publish(5).size
    (published_log.private / "memory.json").write_bytes(old)
    refusal(published_log, "memory_behind")
    call_command("checkpoint", adopt=True)
    assert published_log.restart().memory.size == size


def test_nothing_is_adopted_without_need_nor_against_the_entries(published_log):
    published_log.publish(5)
    with pytest.raises(CommandError, match="are remembered as signed"):
        call_command("checkpoint", adopt=True)
    (published_log.private / "memory.json").unlink()
    with_triggers_off("UPDATE audit_entry SET body = body || ' '::bytea WHERE seq = 2")
    with pytest.raises(CommandError, match="Entry 2"):
        call_command("checkpoint", adopt=True)


def test_a_checkpoint_nobody_here_signed_is_not_adopted(published_log):
    published = published_log.publish(5)
    (published_log.private / "memory.json").unlink()
    text = published.raw.partition(b"\n\n")[0]
    stranger = base64.b64encode(bytes(68)).decode()
    forged = text + f"\n\n— {published.origin} {stranger}\n".encode()
    (published_log.folder / "checkpoint").write_bytes(forged)
    with pytest.raises(CommandError, match="no key of the log"):
        call_command("checkpoint", adopt=True)


def test_another_published_checkpoint_than_ours_is_not_built_upon(published_log):
    published = published_log.publish(5)
    forged = published.raw.replace(base64.b64encode(published.root), base64.b64encode(bytes(32)))
    (published_log.folder / "checkpoint").write_bytes(forged)
    with pytest.raises(WillNotSign, match="is not one of this log"):
        published_log.restart()


def test_the_origin_never_changes(published_log, settings):
    published_log.publish(1)
    settings.AUDIT_ORIGIN = "another.example/log"
    refusal(published_log, "other_origin")


def test_a_policy_that_cannot_be_read_stops_signing(published_log, settings):
    published_log.publish(1)
    settings.AUDIT_POLICY.write_text("quorum somebody\n")
    refusal(published_log, "policy")


@pytest.mark.parametrize(
    "held", [b"", b"{}", b'{"version":2}', b'{"version":1,"tree":{"size":3,"frontier":[]}}']
)
def test_a_damaged_memory_is_told(published_log, held):
    published_log.publish(1)
    (published_log.private / "memory.json").write_bytes(held)
    refusal(published_log, "memory_unreadable")


def test_a_folder_others_can_read_is_refused(published_log):
    published_log.publish(1)
    published_log.private.chmod(0o755)
    assert "chmod 700" in str(refusal(published_log, "folder"))


# --- What it is not put off by -------------------------------------------------------------------------
@pytest.mark.parametrize(
    "said", [None, [], {}, {"vkey": None}, {"vkey": ["a"]}, {"vkey": "\u2028" + "x" * 999}], ids=repr
)
def test_hostile_entries_about_keys_change_nothing(published_log, said):
    """Whoever got into the web server can write any entry."""
    published_log.publish(3)
    ours = published_log.public_keys()
    for act in ("log.key_added", "log.key_retired"):
        fields = {
            "act": act,
            "actor": "x",
            "id": str(uuid.uuid4()),
            "obj": "x:1",
            "org": "",
            "out": "ok",
            "t": 1,
            "v": 1,
        }
        with connection.cursor() as cursor:
            body = chain.body(fields | ({} if said is None else {"x": said}))
            cursor.execute("SELECT audit_emit(%s, %s)", [fields["id"], body])
        published = published_log.publish(1)
        assert set(published.note.signers(ours)) == set(ours)
    published_log.restart()
    assert published_log.publish(1).size == published.size + 1
    call_command("log_key", "list")
    assert len(proofs.View().handovers()) == 2


def test_a_published_file_with_other_signatures_is_put_right_by_its_row_or_refused(published_log):
    published = published_log.publish(3)
    path = published_log.folder / "checkpoint"
    spoiled = published.raw + "— x.example AAAAAAAA\n".encode()
    path.write_bytes(spoiled)
    published_log.restart()
    assert path.read_bytes() == published.raw
    with_triggers_off("DELETE FROM audit_checkpoint")
    path.write_bytes(published.raw.replace("— ".encode(), "— x".encode()))
    with pytest.raises(WillNotSign, match="is not one of this log"):
        published_log.restart()
