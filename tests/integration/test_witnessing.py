"""P11: nothing is published without the quorum, whatever witnesses do; those no quorum needs hold nothing up."""

from __future__ import annotations

import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils.translation import override

from audit import sealer
from audit.models import Checkpoint, Entry, Trouble
from audit.transparency import troubles, witnesses
from audit.transparency.checkpointer import StartOver
from audit.verifier import tree
from audit.verifier.note import parse_checkpoint
from audit.verifier.policy import parse_policy
from tests.fake_witness import FakeWitness, Question, serving
from tests.published import some

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(published_log):
    """A witness the quorum needs, and one it does not."""
    needed, other = FakeWitness("needed.example/w"), FakeWitness("other.example/w")
    with serving(needed, other):
        published_log.private.mkdir(mode=0o700)
        write_policy(published_log, [needed, other], f"quorum {name_of(needed)}")
        yield needed, other


def write_policy(published_log, all_: list[FakeWitness], *rest: str) -> None:
    lines = [one.policy_line for one in all_] + list(rest)
    (published_log.private / "policy").write_text("\n".join(lines) + "\n")


def name_of(witness: FakeWitness) -> str:
    return witness.policy_line.split()[1]


def cosigned(published_log, *all_: FakeWitness) -> set[str]:
    return {key.name for key in published_log.newest().note.signers([one.key for one in all_])}


def wrong() -> dict[str, str]:
    """What is wrong with whom."""
    return {trouble.subject: trouble.code for trouble in Trouble.objects.all()}


def answering(status: int, body: bytes = b""):
    return lambda _witness, _question: (status, body)


def test_a_published_checkpoint_carries_what_witnesses_signed(published_log, two):
    for _ in range(3):
        published = published_log.publish(5)
        assert cosigned(published_log, *two) == {"needed.example/w", "other.example/w"}
    row = Checkpoint.objects.first()
    assert bytes(row.note) == published.raw
    assert {one["name"] for one in row.cosigners} == {"needed.example/w", "other.example/w"}
    assert all(abs(one["time"] - time.time()) < 60 for one in row.cosigners)
    assert not Trouble.objects.exists()
    needed = two[0]
    assert [question.old for question in needed.asked] == [0, *(q.checkpoint.size for q in needed.asked[:-1])]
    for before, question in zip(needed.asked, needed.asked[1:], strict=False):
        roots = before.checkpoint.root, question.checkpoint.root
        tree.check_consistency(question.old, question.checkpoint.size, *roots, question.proof)


def test_the_published_policy_says_whom_this_log_trusts(published_log, two):
    published_log.publish(1)
    policy = parse_policy((published_log.folder / "policy").read_bytes())
    assert {one.key for one in policy.logs} == set(published_log.public_keys())
    assert {one.key for one in policy.witnesses} == {one.key for one in two}
    assert policy.quorum == name_of(two[0])


def test_what_a_witness_saw_is_remembered_across_a_restart(published_log, two):
    published_log.publish(5)
    published_log.restart()
    published_log.publish(5)
    assert [question.old > 0 for question in two[0].asked] == [False, True]


def test_a_witness_that_saw_another_size_is_asked_again_from_there(published_log, two):
    first = published_log.publish(5)
    published_log.publish(5)
    needed = two[0]
    needed.seen = (first.size, first.root)  # its memory was restored from a copy
    needed.asked.clear()
    published_log.publish(5)
    assert [question.old for question in needed.asked] == [first.size + 5, first.size]
    assert "needed.example/w" in cosigned(published_log, *two)


def test_a_witness_that_knows_nothing_is_asked_from_the_beginning(published_log, two):
    published_log.publish(5)
    two[0].seen = (0, b"")
    published_log.publish(5)
    assert "needed.example/w" in cosigned(published_log, *two)


def late(published_log) -> bool:
    """Whether what was signed last is not published."""
    return published_log.checkpointer.memory.size > published_log.checkpointer.published


CASES = [
    (answering(404), "witness.unknown_log"),
    (answering(403), "witness.unknown_key"),
    (answering(422), "witness.other_history"),
    (lambda _w, q: (409, b"%d\n" % q.old), "witness.other_history"),
    (lambda _w, q: (409, b"%d\n" % (q.checkpoint.size + 1)), "witness.ahead"),
    (answering(409, b"many"), "witness.answer"),
    (answering(500, b"<html>"), "witness.answer"),
    (answering(302), "witness.answer"),
    (answering(200, b"<html>thanks</html>"), "witness.answer"),
    (answering(200), "witness.answer"),
    (answering(200, b"\xff" * 100), "witness.answer"),
    (answering(200, b"x" * 200_000), "witness.unreachable"),
    (lambda w, q: (200, FakeWitness("stranger.example").cosignature(q)), "witness.bad_cosignature"),
    (lambda w, q: (200, w.cosignature(q, key=Ed25519PrivateKey.generate())), "witness.bad_cosignature"),
    (lambda w, q: (200, w.cosignature(q, at=time.time() + 3600)), "witness.bad_cosignature"),
    (
        lambda w, q: (200, w.cosignature(Question(0, [], parse_checkpoint(q.checkpoint.raw.replace(b"\n1", b"\n2", 1))))),
        "witness.bad_cosignature",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "code"), CASES)
def test_without_the_quorum_nothing_is_published_and_it_is_said_why(published_log, two, answer, code):
    published = published_log.publish(10)
    two[0].script = [answer] * 4
    some(1)
    sealer.seal_all()
    published_log.checkpointer.round()
    assert published_log.newest().raw == published.raw
    assert late(published_log)
    assert wrong() == {name_of(two[0]): code, "": "quorum.missing"}
    assert all(troubles.words(trouble) for trouble in Trouble.objects.all())
    two[0].script.clear()
    published_log.checkpointer.round()
    assert published_log.newest().size == published.size + 1
    assert wrong() == {}


@pytest.mark.parametrize(("answer", "code"), CASES)
def test_a_witness_no_quorum_needs_fails_alone(published_log, two, answer, code):
    published_log.publish(10)
    two[1].script = [answer] * 2
    published = published_log.publish(1)
    assert not late(published_log)
    assert cosigned(published_log, *two) == {"needed.example/w"}
    assert published.size == Entry.objects.count()
    assert wrong() == {name_of(two[1]): code}


def test_evidence_of_another_history_is_kept_where_nobody_else_reads(published_log, two):
    published_log.publish(10)
    two[0].script = [answering(422, b"no")]
    some(1)
    sealer.seal_all()
    published_log.checkpointer.round()
    trouble = Trouble.objects.get(code="witness.other_history")
    with override("en"):
        assert "ANOTHER HISTORY" in troubles.words(trouble)
    [kept] = (published_log.private / "evidence").iterdir()
    assert str(kept) == trouble.facts["evidence"]
    assert kept.stat().st_mode & 0o077 == 0
    raw = kept.read_bytes()
    assert two[0].asked[-1].checkpoint.raw in raw
    assert b"HTTP 422\nno" in raw


def test_a_rewritten_log_gets_no_cosignature(published_log, two):
    """The real answer of a witness that is asked about a tree that does not grow from the one it saw."""
    published = published_log.publish(10)
    two[0].seen = (published.size, bytes(32))
    some(1)
    sealer.seal_all()
    published_log.checkpointer.round()
    assert wrong()[name_of(two[0])] == "witness.other_history"
    assert late(published_log)


def test_a_slow_witness_no_quorum_needs_is_not_waited_for(published_log, two, monkeypatch):
    monkeypatch.setattr(witnesses, "GRACE_SECONDS", 0.05)
    two[1].script = [lambda w, q: (w.released.wait(), (200, b""))[1]]
    published = published_log.publish(5)
    assert cosigned(published_log, *two) == {"needed.example/w"}
    assert wrong() == {name_of(two[1]): "witness.slow"}
    again = published_log.publish(5)  # and while it still holds the question, it is not asked another
    assert again.size == published.size + 5
    assert len(two[1].asked) == 1
    two[1].released.set()
    published_log.checkpointer.witnesses._busy[two[1].key].join()
    published_log.publish(5)
    assert cosigned(published_log, *two) == {"needed.example/w", "other.example/w"}


def test_a_slow_witness_the_quorum_needs_is_waited_for(published_log, two, monkeypatch):
    monkeypatch.setattr(witnesses, "GRACE_SECONDS", 0.0)

    def slowly(witness, question):
        time.sleep(0.3)
        return 200, witness.cosignature(question)

    two[0].script = [slowly]
    published_log.publish(5)
    assert "needed.example/w" in cosigned(published_log, *two)


def test_a_witness_that_drips_is_given_up(published_log, two, monkeypatch):
    from audit.transparency import posting

    with pytest.raises(posting.Unreachable):
        posting.post("ftp://127.0.0.1/", b"")
    with pytest.raises(posting.Unreachable):
        posting.post("http://127.0.0.1:1/", b"")
    monkeypatch.setattr(posting.time, "monotonic", iter([0.0, 99.0, 99.0]).__next__)
    with pytest.raises(posting.Unreachable, match="too long"):
        posting.post(f"{two[0].url}/add-checkpoint", published_question(published_log), seconds=1)


def published_question(published_log) -> bytes:
    from audit.transparency import notes, signers

    text = notes.checkpoint_text("a/b", 1, bytes(32))
    return b"old 0\n\n" + notes.signed(text, "a/b", [signers.Ed25519Signer(bytes(range(32)))])


def test_two_of_three_make_the_quorum_whoever_they_are(published_log):
    three = [FakeWitness(f"w{n}.example/w") for n in range(3)]
    with serving(*three):
        published_log.private.mkdir(mode=0o700)
        names = " ".join(name_of(one) for one in three)
        write_policy(published_log, three, f"group g 2 {names}", "quorum g")
        for away in range(3):
            three[away].script = [answering(500)]
            published_log.publish(5)
            assert not late(published_log)
            assert len(cosigned(published_log, *three)) == 2
        before = published_log.newest()
        three[0].script, three[1].script = [answering(500)], [answering(404)]
        some(1)
        sealer.seal_all()
        published_log.checkpointer.round()
        assert late(published_log)
        asked = len(three[2].asked)
        published_log.checkpointer.round()
        assert published_log.newest().size == before.size + 1
        assert len(three[2].asked) == asked, "who has cosigned is not asked again"


def test_what_waits_for_a_witness_gives_way_to_what_is_newer(published_log, two):
    published_log.publish(5)
    two[0].script = [answering(500)] * 2
    some(1)
    sealer.seal_all()
    published_log.checkpointer.round()
    some(1)
    sealer.seal_all()
    published_log.checkpointer.round()
    assert late(published_log)
    published_log.checkpointer.round()
    assert published_log.newest().size == Entry.objects.count()


def test_a_damaged_tile_is_not_taken_for_another_history(published_log, two):
    for _ in range(3):
        published_log.publish(300)
    first = two[0].asked[0].checkpoint
    two[0].seen = (first.size, first.root)
    some(1)
    sealer.seal_all()
    (published_log.folder / "tile/0/001").write_bytes(bytes(8192))
    with pytest.raises(StartOver, match="no proof from"):
        published_log.checkpointer.round()
    assert not (published_log.private / "evidence").exists()
    published_log.restart().round()
    assert not late(published_log)
