"""Verify an export of the audit log. Shares no code with the web application and needs only Python.

An export is one entry a line, then `{"head":{"entries":N,"leaf":"<64 hex>"}}`. For each entry it is checked that
- it stands at its place: `_seq` counts 0, 1, 2, ...;
- `_prev` is the SHA-256(0x00 ‖ bytes) of the entry before (RFC 6962 §2.1 leaf hash), 64 zeros for entry 0;
- its bytes are canonical (sorted keys, no white space, no fractions, no key twice: RFC 8785 with limits), so
  that no two readers see different things;
- it has the fields every entry has, and no event id stands twice.
What this proves: nothing between entry 0 and the head was changed, removed, inserted or reordered. What it does
not prove by itself: that the head is the one others saw; give a head noted earlier with `--head`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

FIELDS = {"_prev", "_seq", "act", "actor", "id", "obj", "org", "out", "t", "v"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and the number of the first entry at which it shows (counted from 0)."""

    seq: int
    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Report:
    entries: int
    head: str
    finding: Finding | None

    @property
    def ok(self) -> bool:
        return self.finding is None


def verify(lines: Iterable[bytes], *, expected_heads: Iterable[str] = ()) -> Report:
    """Check an export given as lines (with or without newline). Stops at the first broken entry.

    `expected_heads` are leaf hashes (hexadecimal) noted earlier: each must be that of some entry.
    """
    wanted = {head.lower() for head in expected_heads}
    leaf, seq, seen, stated = "0" * 64, 0, set[str](), None
    for raw in lines:
        line = raw.rstrip(b"\n")
        if stated is not None:
            return Report(
                seq,
                leaf,
                Finding(seq, "after_head", "末尾声明之后还有内容", "there is data after the head line"),
            )
        if line.startswith(b'{"head":'):
            stated = line
            continue
        finding = _entry(line, seq, leaf, seen)
        if finding:
            return Report(seq, leaf, finding)
        leaf = hashlib.sha256(b"\x00" + line).hexdigest()
        wanted.discard(leaf)
        seq += 1
    return Report(seq, leaf, _ending(stated, seq, leaf, wanted))


def _entry(line: bytes, seq: int, prev: str, seen: set[str]) -> Finding | None:
    try:
        fields = json.loads(
            line, parse_float=_no_float, parse_constant=_no_float, object_pairs_hook=_no_duplicates
        )
    except (ValueError, RecursionError) as error:
        return Finding(
            seq, "not_json", f"第 {seq} 条不是合法的 JSON", f"entry {seq} is not valid JSON ({error})"
        )
    if not isinstance(fields, dict) or not fields.keys() >= FIELDS:
        return Finding(
            seq, "fields", f"第 {seq} 条缺少必备字段", f"entry {seq} lacks a field every entry has"
        )
    if fields["_seq"] != seq or isinstance(fields["_seq"], bool):
        return Finding(
            seq, "sequence", f"第 {seq} 条的序号不是 {seq}：有条目被删除、插入或调换",
            f"the entry at place {seq} says it is {fields['_seq']!r}: entries were removed, inserted or reordered",
        )  # fmt: skip
    if fields["_prev"] != prev:
        before = max(seq - 1, 0)
        return Finding(
            before, "link", f"第 {before} 条已被改动：第 {seq} 条所记的前条哈希与其不符",
            f"entry {before} was changed: entry {seq} holds another hash of it",
        )  # fmt: skip
    return _own_content(line, fields, seq, prev, seen)


def _own_content(line: bytes, fields: dict[str, Any], seq: int, prev: str, seen: set[str]) -> Finding | None:
    if _canonical(fields, seq, prev) != line:
        return Finding(seq, "canonical", f"第 {seq} 条不是规范形式", f"entry {seq} is not in canonical form")
    if fields["id"] in seen:
        return Finding(seq, "repeated", f"第 {seq} 条的事件编号重复", f"entry {seq} repeats an event id")
    seen.add(fields["id"])
    return None


def _canonical(fields: dict[str, Any], seq: int, prev: str) -> bytes:
    rest = {key: value for key, value in fields.items() if not key.startswith("_")}
    body = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f'{{"_prev":"{prev}","_seq":{seq},'.encode() + body[1:].encode(errors="surrogatepass")


def _ending(stated: bytes | None, seq: int, leaf: str, missing_heads: set[str]) -> Finding | None:
    if stated is None:
        return Finding(
            seq,
            "no_head",
            "缺少末尾声明：文件可能被截断",
            "the head line is missing: the file may be cut short",
        )
    expected = json.dumps(
        {"head": {"entries": seq, "leaf": leaf if seq else ""}}, separators=(",", ":")
    ).encode()
    if stated != expected:
        last = max(seq - 1, 0)
        return Finding(
            last, "head", f"末尾声明与最后一条（第 {last} 条）不符：有条目被改动或删除",
            f"the head line does not match the last entry ({last}): it was changed, or entries after it removed",
        )  # fmt: skip
    if missing_heads:
        return Finding(
            seq, "head_unknown", "日志中没有您此前记下的链头：历史被改写或截断",
            "the log does not contain the head you noted: history was rewritten or cut",
        )  # fmt: skip
    return None


def _no_float(text: str) -> float:
    raise ValueError(f"a number with a fraction ({text}) cannot stand in an entry")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice")
    return result
