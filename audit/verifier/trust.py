"""Whose signature on a checkpoint counts: keys from outside, and those that the log announced under their signature.

A key that somebody trusts may hand over to another: the log announces the new one in an entry that the old one signed,
and a checkpoint that holds this entry is signed by both. The checkpoint alone is not enough: the log signs whatever was
written, and anybody can add one more signature line to it. A key that was retired signs for no tree that holds its
retirement, signed by itself or another trusted key.
"""

from __future__ import annotations

from collections.abc import Iterable

from audit.verifier.note import ED25519, BadSignature, Checkpoint, Key, parse_key
from audit.verifier.result import Finding, Signer
from audit.verifier.rules import KeyEvent
from audit.verifier.wording import finding

SM3_NAME = "/sm3"  # stands behind the origin for the parallel tree


class Trust:
    """The keys that are trusted for the log `origin`; `events` is what the log says of its keys."""

    def __init__(self, origin: str, keys: Iterable[Key], events: Iterable[KeyEvent] = ()) -> None:
        self.origin = origin
        self.keys = {key for key in keys if key.name == origin}
        self._events = list(events)

    def live(self, size: int) -> set[Key]:
        """Trusted keys that the tree of `size` entries does not say to be retired."""
        return self.keys - self.retired(size)

    def retired(self, size: int) -> set[Key]:
        """Keys, trusted or not, that the tree of `size` entries says to be retired."""
        ended = [
            (event, parse_key(event.vkey)) for event in self._events if not event.added and event.seq < size
        ]
        return {key for event, key in ended if event.signers(self.origin, {*self.keys, key})}

    def strays(self) -> list[KeyEvent]:
        """What the log says of keys and nobody signed who is trusted."""
        return [event for event in self._events if not self._vouched(event)]

    def _vouched(self, event: KeyEvent) -> bool:
        key = parse_key(event.vkey)
        if event.added:
            return key in self.keys or bool(event.signers(self.origin, self.live(event.seq)))
        return bool(event.signers(self.origin, {*self.keys, key}))

    def learn(self, handover: Checkpoint) -> None:
        """Trust the keys that `handover` brings. Requires: its root is that of the log. Raises BadSignature."""
        if not handover.note.signers(self.live(handover.size)):
            return
        new = {
            parse_key(event.vkey)
            for event in self._events
            if event.added and event.seq < handover.size and event.signers(self.origin, self.live(event.seq))
        }
        self.keys |= handover.note.signers(new).keys()

    def judge(self, checkpoint: Checkpoint, path: str) -> tuple[set[Key], Finding | None]:
        """The trusted keys that signed, and what is wrong if none of them may."""
        try:
            signed = checkpoint.note.signers(self.keys).keys()
        except BadSignature:
            return set(), finding("signature", path=path)
        signers = signed & self.live(checkpoint.size)
        if signers:
            return signers, None
        if signed:
            return set(), finding("retired_key", name=", ".join(sorted(key.vkey for key in signed)))
        return set(), finding("unsigned")

    def silent(self, signers: set[Key], size: int) -> list[Key]:
        """Trusted keys that are in use at that size and yet did not sign."""
        future = {event.vkey for event in self._events if event.added and event.seq >= size}
        return sorted(
            (key for key in self.live(size) - signers if key.vkey not in future), key=lambda key: key.vkey
        )

    def of_the_sm3_tree(self, size: int) -> Trust:
        name = self.origin + SM3_NAME
        return Trust(name, [key.named(name) for key in self.live(size)])


def shown(keys: Iterable[Key]) -> tuple[Signer, ...]:
    return tuple(
        Signer(key.name, key.vkey, "Ed25519" if key.kind == ED25519 else "SM2/SM3")
        for key in sorted(keys, key=lambda key: key.vkey)
    )
