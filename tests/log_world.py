"""Logs for tests of the verifier: entries, proofs, signatures, and every form in which they leave (docs/audit-log.md).

Written from the format, not from the server: trees and proofs are the definitions of RFC 6962 word by word, entries
come from `audit.chain`, and nothing of `audit.verifier` is used but the form of a key. Pure, but for what writes files.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from gmssl_pyx import sm2_key_generate, sm2_sign, sm3_hash

from audit import chain
from audit.verifier.note import COSIGNATURE, ED25519, SM2_SM3, Key

ORIGIN = "audit.test/log"
DEPARTMENT, ENTERPRISE = "org-department", "org-enterprise"
START = 1_790_000_000_000_000  # microseconds
RELEASED = 600  # the entry a receipt is for, in logs long enough


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# -- trees (RFC 6962 §2.1) --


def mth(leaves: Sequence[bytes], digest: Callable[[bytes], bytes] = sha256) -> bytes:
    return _mth(tuple(leaves), digest)


@lru_cache(maxsize=100_000)
def _mth(leaves: tuple[bytes, ...], digest: Callable[[bytes], bytes]) -> bytes:
    if not leaves:
        return digest(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return digest(b"\x01" + _mth(leaves[:k], digest) + _mth(leaves[k:], digest))


def inclusion(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(leaves) <= 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if m < k:
        return [*inclusion(m, leaves[:k]), mth(leaves[k:])]
    return [*inclusion(m - k, leaves[k:]), mth(leaves[:k])]


def consistency(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n])."""

    def subproof(m: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
        if m == len(leaves):
            return [] if whole else [mth(leaves)]
        k = 1 << (len(leaves) - 1).bit_length() - 1
        if m <= k:
            return [*subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
        return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]

    return subproof(m, leaves, whole=True)


# -- signatures --


@dataclass(frozen=True)
class Signer:
    """Whoever signs: a log with Ed25519 or SM2, or a witness."""

    key: Key
    sign: Callable[[bytes], bytes]  # over a note's text; what follows the key's id in the line

    @property
    def vkey(self) -> str:
        return self.key.vkey

    def line(self, text: bytes) -> bytes:
        signed = base64.b64encode(self.key.id + self.sign(text)).decode()
        return f"— {self.key.name} {signed}\n".encode()


def ed25519(name: str = ORIGIN, seed: str = "log") -> Signer:
    private = Ed25519PrivateKey.from_private_bytes(sha256(seed.encode()))
    return Signer(Key(name, ED25519, private.public_key().public_bytes_raw()), private.sign)


def witness(name: str, time: int = 1_790_000_000) -> Signer:
    private = Ed25519PrivateKey.from_private_bytes(sha256(name.encode()))

    def cosign(text: bytes) -> bytes:
        return time.to_bytes(8, "big") + private.sign(b"cosignature/v1\ntime %d\n" % time + text)

    return Signer(Key(name, COSIGNATURE, private.public_key().public_bytes_raw()), cosign)


@lru_cache
def sm2(name: str = ORIGIN) -> Signer:
    public, private = sm2_key_generate()

    def sign(text: bytes) -> bytes:
        r, s = decode_dss_signature(sm2_sign(private_key=private, public_key=public, message=text))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return Signer(Key(name, SM2_SM3, public), sign)


def renamed(signer: Signer, name: str) -> Signer:
    return replace(signer, key=signer.key.named(name))


def note(text: bytes, signers: Iterable[Signer]) -> bytes:
    return text + b"\n" + b"".join(signer.line(text) for signer in signers)


def checkpoint_over(size: int, root: bytes, signers: Iterable[Signer], origin: str = ORIGIN) -> bytes:
    return note(f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode(), signers)


# -- entries --


def event_id(seq: int, salt: str = "") -> str:
    return str(UUID(bytes=sha256(f"{salt}{seq}".encode())[:16], version=4))


def salt_of(seq: int, name: str) -> bytes:
    return sha256(f"salt {seq} {name}".encode())


def commitment(seq: int, name: str, value: str) -> str:
    return hmac.new(salt_of(seq, name), name.encode() + b"\x00" + value.encode(), "sha256").hexdigest()


def opening(seq: int, name: str, value: str) -> dict[str, Any]:
    return {"field": name, "id": event_id(seq), "salt": salt_of(seq, name).hex(), "seq": seq, "value": value}


def withheld(seq: int, name: str) -> dict[str, Any]:
    return {"field": name, "id": event_id(seq), "seq": seq, "withheld": True}


def personal(seq: int) -> dict[str, str]:
    """What the entries of a log hold of persons: every tenth names one, and her address."""
    return {"address": f"192.0.2.{seq % 256}", "name": f"张三{seq}"} if seq % 10 == 7 else {}


def plain(seq: int) -> dict[str, Any]:
    """An everyday entry, without its place."""
    told: dict[str, Any] = {
        "act": ("account.login", "dataset.changed", "run.queued")[seq % 3],
        "actor": f"account-{seq % 17}",
        "id": event_id(seq),
        "obj": f"dataset:{seq % 31}",
        "org": DEPARTMENT if seq % 5 == 0 else "org-bureau",
        "out": "refused" if seq % 41 == 3 else "ok",
        "t": START + seq * 1_000_000,
        "v": 1,
    }
    if seq % 7 == 0:
        told["cp"] = [DEPARTMENT] if told["org"] != DEPARTMENT else [ENTERPRISE]
    if seq % 11 == 0:
        told["x"] = {"note": '你好 "\\ é \u2028', "numbers": [1, -2, True, None]}
    if personal(seq):
        told["pc"] = {name: commitment(seq, name, value) for name, value in personal(seq).items()}
    return told


def seal(bodies: Iterable[dict[str, Any]], prev: bytes = chain.GENESIS, first: int = 0) -> list[bytes]:
    entries = []
    for seq, body in enumerate(bodies, first):
        entry = chain.seal(prev, seq, chain.body(body))
        prev = chain.leaf(entry)
        entries.append(entry)
    return entries


def key_entry(what: str, key: Signer, *by: Signer, origin: str = ORIGIN) -> dict[str, Any]:
    """That `key` was "added" or "retired", signed by `by`."""
    act = f"log.key_{what}"
    statement = f"{origin}\n{act}\n{key.vkey}\n".encode()
    signed = b"".join(signer.line(statement) for signer in by).decode()
    return {"act": act, "obj": "log:0", "x": {"vkey": key.vkey, "signed": signed}, "pc": None}


def opened_log(seq: int = 0, origin: str = ORIGIN) -> dict[str, Any]:
    return plain(seq) | {"act": "log.init", "obj": "log:0", "x": {"origin": origin, "profile": "AUD-1"}}


def reconciled(bodies: Sequence[dict[str, Any]], first: int, after: int, **more: Any) -> dict[str, Any]:
    """What a reconciliation says of the entries from `first` on and below `after`."""
    counts = Counter(body["act"] for body in bodies[first:after])
    return {
        "first": first, "next": after, "counts": [[act, n] for act, n in sorted(counts.items(), key=lambda pair: str(pair[0]))],
        "rows": [["dataset", 3]], "findings": 0, "whole": True, "lag_ms": 40,
    } | more  # fmt: skip


def bodies(count: int = 1000, special: dict[int, dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    """The entries of a log with everything that has rules, as far as it is long enough. `special` overrides."""
    told = [plain(seq) for seq in range(count)]
    told[:1] = [opened_log()][:count]
    extra: dict[int, dict[str, Any]] = {
        250: {"act": "log.erased", "x": {"ids": [event_id(17), event_id(27)], "fields": ["name"], "basis": "pipl.47"}},
        400: key_entry("added", ed25519(seed="second"), ed25519()),
        RELEASED: {
            "act": "run.released", "obj": "run:1", "out": "ok", "cp": [ENTERPRISE],
            "x": {"release": "release:r1", "result": "sha256:aa", "contract": "sha256:cc", "receipt": "sha256:?"},
        },
        800: key_entry("retired", ed25519(), ed25519(), ed25519(seed="second")),
    }  # fmt: skip
    for seq, change in {**extra, **(special or {})}.items():
        if seq < count:
            told[seq] = {key: value for key, value in (told[seq] | change).items() if value is not None}
    ended = 0
    for seq in (300, 700):
        if seq < count and seq not in (special or {}):
            x = reconciled(told, ended, seq - 5)
            told[seq] = plain(seq) | {"act": "log.reconciled", "obj": "log:0", "x": x}
            ended = seq - 5
    return told


# -- whole logs, and the forms in which they leave --


@dataclass(frozen=True)
class Log:
    """Sealed entries and how they are signed. `covered` is the checkpoint's size; `handovers` sizes under keys/."""

    entries: tuple[bytes, ...]
    signers: tuple[Signer, ...] = (ed25519(),)
    witnesses: tuple[Signer, ...] = ()
    covered: int = -1
    handovers: dict[int, tuple[Signer, ...]] = field(default_factory=dict)
    origin: str = ORIGIN

    @property
    def size(self) -> int:
        return len(self.entries) if self.covered < 0 else self.covered

    @property
    def leaves(self) -> list[bytes]:
        return [chain.leaf(entry) for entry in self.entries]

    @property
    def sm3_leaves(self) -> list[bytes]:
        return [sm3_hash(b"\x00" + entry) for entry in self.entries]

    def checkpoint(self, size: int | None = None, signers: Iterable[Signer] | None = None) -> bytes:
        size = self.size if size is None else size
        by = (*self.signers, *self.witnesses) if signers is None else signers
        return checkpoint_over(size, mth(self.leaves[:size]), by, self.origin)

    def sm3_checkpoint(self) -> bytes:
        name = f"{self.origin}/sm3"
        root = mth(self.sm3_leaves[: self.size], sm3_hash)
        return checkpoint_over(self.size, root, [renamed(one, name) for one in self.signers], name)

    def key_changes(self) -> dict[int, bytes]:
        return {size: self.checkpoint(size, signers) for size, signers in sorted(self.handovers.items())}


def grown(log: Log, more: int) -> Log:
    """The same log with so many entries more, all covered."""
    told = [plain(seq) for seq in range(len(log.entries), len(log.entries) + more)]
    prev = chain.leaf(log.entries[-1]) if log.entries else chain.GENESIS
    return replace(log, entries=log.entries + tuple(seal(told, prev, len(log.entries))), covered=-1)


def rewritten(log: Log, seq: int) -> Log:
    """Entry `seq` says something else, and every hash after it was worked out anew."""
    told = [{k: v for k, v in json.loads(entry).items() if not k.startswith("_")} for entry in log.entries]
    told[seq] = told[seq] | {"actor": "forged"}
    return replace(log, entries=tuple(seal(told)))


def line(**value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def jsonl(log: Log) -> list[bytes]:
    """The one-file export, as lines."""
    count, leaf = len(log.entries), chain.leaf(log.entries[-1]).hex() if log.entries else ""
    return [
        *(entry + b"\n" for entry in log.entries),
        line(head={"entries": count, "leaf": leaf}),
        *(line(key_change=note.decode()) for note in log.key_changes().values()),
        line(checkpoint=log.checkpoint().decode()),
    ]


def tile_path(level: int | str, index: int, width: int) -> str:
    name = f"{index % 1000:03d}"
    while index := index // 1000:
        name = f"x{index % 1000:03d}/{name}"
    return f"{level}/{name}" + (f".p/{width}" if width < 256 else "")


def tiles(leaves: Sequence[bytes], digest: Callable[[bytes], bytes] = sha256) -> dict[str, bytes]:
    """Path below tile/ -> content, of every level."""
    found, level, row = {}, 0, list(leaves)
    while row:
        for at in range(0, len(row), 256):
            part = row[at : at + 256]
            found[tile_path(level, at // 256, len(part))] = b"".join(part)
        row = [mth(row[at : at + 256], digest) for at in range(0, len(row) - 255, 256)]
        level += 1
    return found


def bundles(entries: Sequence[bytes]) -> dict[str, bytes]:
    found = {}
    for at in range(0, len(entries), 256):
        part = entries[at : at + 256]
        content = b"".join(len(entry).to_bytes(2, "big") + entry for entry in part)
        found[tile_path("entries", at // 256, len(part))] = content
    return found


def files(log: Log, *, sm3: bool = False) -> dict[str, bytes]:
    """The folder export: path -> content."""
    found = {"checkpoint": log.checkpoint(), "policy": b"quorum none\n"}
    found |= {f"tile/{path}": data for path, data in tiles(log.leaves[: log.size]).items()}
    found |= {f"tile/{path}": data for path, data in bundles(log.entries[: log.size]).items()}
    found |= {f"keys/{size}": note for size, note in log.key_changes().items()}
    if sm3:
        found["checkpoint.sm3"] = log.sm3_checkpoint()
        found |= {f"tile-sm3/{p}": data for p, data in tiles(log.sm3_leaves[: log.size], sm3_hash).items()}
    return found


def write(folder: Path, content: dict[str, bytes]) -> Path:
    for path, data in content.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def b64(hashes: Iterable[bytes]) -> list[str]:
    return [base64.b64encode(one).decode() for one in hashes]


def tlog_proof(log: Log, seq: int, checkpoint: bytes, size: int, extra: bytes = b"") -> str:
    lines = ["c2sp.org/tlog-proof@v1"]
    lines += [f"extra {base64.b64encode(extra).decode()}"] if extra else []
    lines += [f"index {seq}", *b64(inclusion(seq, log.leaves[:size])), "", checkpoint.decode()]
    return "\n".join(lines)


def handover_proofs(log: Log) -> list[str]:
    """For files without all entries: each key change with the entry that announces the key."""
    proofs = []
    for size, checkpoint in log.key_changes().items():
        seq = max(n for n, entry in enumerate(log.entries[:size]) if b'"act":"log.key_added"' in entry)
        proofs.append(tlog_proof(log, seq, checkpoint, size, log.entries[seq]))
    return proofs


def scoped(log: Log, scope: str = DEPARTMENT) -> list[bytes]:
    leaves = log.leaves[: log.size]
    found = [line(scope=scope)]
    for seq, entry in enumerate(log.entries[: log.size]):
        told = json.loads(entry)
        if scope == told["org"] or scope in told.get("cp", ()):
            found.append(line(entry=entry.decode(), proof=b64(inclusion(seq, leaves))))
    found += [line(key_change=proof) for proof in handover_proofs(log)]
    return [*found, line(checkpoint=log.checkpoint().decode())]


def receipt_for(log: Log, size: int, **changes: Any) -> bytes:
    """The receipt of a release made when the newest checkpoint had that size."""
    told: dict[str, Any] = {
        "checkpoint": {"root": b64([mth(log.leaves[:size])])[0], "size": size},
        "contract": "sha256:cc", "parameters": {"k": 11}, "release": "r1", "result": "sha256:aa", "run": "1",
        "type": "dataspace.receipt", "version": 1,
    } | changes  # fmt: skip
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def releasing(receipt: bytes, count: int = 1000, **how: Any) -> Log:
    """A log in which entry RELEASED speaks of this receipt."""
    x = {
        "release": "release:r1", "result": "sha256:aa", "contract": "sha256:cc",
        "receipt": f"sha256:{hashlib.sha256(receipt).hexdigest()}",
    }  # fmt: skip
    change = {"act": "run.released", "obj": "run:1", "out": "ok", "x": x, "pc": None}
    return Log(tuple(seal(bodies(count, {RELEASED: change}))), **how)


def released(count: int = 1000, known: int = 590, **how: Any) -> tuple[Log, bytes]:
    """The same with a receipt that was made when the newest checkpoint had size `known`."""
    receipt = receipt_for(Log(tuple(seal(bodies(known)))), known)
    return releasing(receipt, count, **how), receipt


def receipt_proof(log: Log, receipt: bytes, seq: int = RELEASED, **changes: Any) -> dict[str, Any]:
    known = json.loads(receipt)["checkpoint"]["size"]
    return {
        "type": "dataspace.receipt-proof", "version": 1, "receipt": receipt.decode(),
        "entry": log.entries[seq].decode(), "proof": tlog_proof(log, seq, log.checkpoint(), log.size),
        "consistency": b64(consistency(known, log.leaves[: log.size])) if known else [],
        "key_changes": handover_proofs(log),
    } | changes  # fmt: skip


def openings(count: int = 1000) -> list[dict[str, Any]]:
    """Of the log of `bodies`: names opened, addresses withheld, and nothing of what was erased."""
    erased = {(17, "name"), (27, "name")} if count > 250 else set()
    special = {seq for seq in (0, 250, 300, 400, RELEASED, 700, 800) if seq < count}
    return [
        opening(seq, name, value) if name == "name" else withheld(seq, name)
        for seq in range(count)
        if seq not in special
        for name, value in personal(seq).items()
        if (seq, name) not in erased
    ]


def policy(log: Signer, witnesses: Sequence[Signer] = (), threshold: str = "any") -> bytes:
    """Of these witnesses so many have to cosign."""
    lines = [f"log {log.vkey}", *(f"witness W{n} {one.vkey}" for n, one in enumerate(witnesses))]
    if witnesses:
        members = " ".join(f"W{n}" for n in range(len(witnesses)))
        lines += [f"group all-of-them {threshold} {members}", "quorum all-of-them"]
    else:
        lines.append("quorum none")
    return "\n".join(lines).encode() + b"\n"
