"""Every finding and every notice in words: code, what it means for the verdict, Chinese, English.

Codes are stable: other programs may rely on them. What comes from a file is cut short and made printable, so that
no control character reaches a terminal.
"""

from __future__ import annotations

from typing import Any

from audit.verifier.result import Finding, Notice, Verdict

_BROKEN = {
    # the chain
    "not_entry": ("第 {seq} 条的位置上不是一条日志", "what stands at place {seq} is not an entry"),
    "overlong": ("第 {seq} 条超过 65535 字节", "entry {seq} is longer than 65,535 bytes"),
    "sequence": (
        "第 {seq} 条的序号写作 {found}：有条目被删除、插入或调换",
        "the entry at place {seq} says it is {found}: entries were removed, inserted or reordered",
    ),
    "link": (
        "第 {seq} 条已被改动：下一条所记的前条哈希与其不符",
        "entry {seq} was changed: the next entry holds another hash of it",
    ),
    "backlink": (
        "第 {seq} 条已被改动：其中所记的前条哈希不是第 {before} 条的，而下一条的记载证明原来写对了",
        "entry {seq} was changed: it holds another hash of entry {before}; by the next one it once held the right one",
    ),
    "first_link": (
        "第 0 条已被改动：它之前没有条目，前条哈希应为 64 个零",
        "entry 0 was changed: there is none before it, so the hash it holds must be 64 zeros",
    ),
    "no_head": ("缺少末尾声明：文件可能被截断", "the head line is missing: the file may be cut short"),
    "head": (
        "末尾声明与最后一条（第 {seq} 条）不符：它已被改动",
        "the head line does not match the last entry ({seq}): it was changed",
    ),
    "cut": (
        "从第 {seq} 条起缺失：末尾声明写有 {stated} 条",
        "entries are missing from {seq} on: the head line states {stated}",
    ),
    "added": (
        "从第 {seq} 条起是后加的：末尾声明只写有 {stated} 条",
        "entries from {seq} on were added: the head line states only {stated}",
    ),
    "after_head": ("末尾声明之后还有条目", "there are entries after the head line"),
    "ending": ("文件末尾不合格式：{detail}", "the end of the file is not as the format says: {detail}"),
    # one entry by itself
    "not_json": ("第 {seq} 条不是合法的 JSON", "entry {seq} is not valid JSON ({detail})"),
    "canonical": ("第 {seq} 条不是规范形式（{detail}）", "entry {seq} is not in canonical form ({detail})"),
    "fields": ("第 {seq} 条的字段不合规定：{detail}", "entry {seq} has fields that are not as they must be: {detail}"),
    # entries together
    "repeated": ("第 {seq} 条的事件编号重复", "entry {seq} repeats an event id"),
    "init": (
        "第 {seq} 条：log.init 须是且只能是第 0 条",
        "entry {seq}: log.init must be entry 0, and no other",
    ),
    "origin": (
        "第 0 条所写的日志名是 {own}，检查点上是 {other}",
        "entry 0 names the log {own}, the checkpoint {other}",
    ),
    "reconciled": ("第 {seq} 条的对账记录不对：{detail}", "entry {seq}, a reconciliation, is wrong: {detail}"),
    "erasure": ("第 {seq} 条的删除记录不对：{detail}", "entry {seq}, an erasure, is wrong: {detail}"),
    # personal fields
    "opening": (
        "第 {seq} 条个人字段 {name} 的原文与承诺值不符",
        "entry {seq}: what is opened as its personal field {name} is not what was committed to",
    ),
    "opening_unknown": (
        "开示文件中的第 {seq} 条没有个人字段 {name}",
        "the openings name entry {seq} with a personal field {name}, which it does not have",
    ),
    "opening_repeated": (
        "开示文件不止一次说到第 {seq} 条的个人字段 {name}",
        "the openings speak of entry {seq}, personal field {name}, more than once",
    ),
    "missing": (
        "第 {seq} 条个人字段 {name} 缺失：既未开示，也无删除记录",
        "entry {seq}: its personal field {name} is missing; it is neither opened nor withheld, and no entry erased it",
    ),
    # tree and tiles
    "checkpoint": ("{path} 不是检查点：{detail}", "{path} is not a checkpoint: {detail}"),
    "ahead": (
        "检查点含 {size} 条，而此处止于第 {seq} 条之前",
        "the checkpoint covers {size} entries, but there is no entry {seq}",
    ),
    "root": (
        "日志内容与检查点的树根不符：有条目被改写",
        "the entries do not give the root of the checkpoint: some were rewritten",
    ),
    "rewritten": (
        "从第 {seq} 条起已被改写：与 {path} 及检查点的树根都不符",
        "entries from {seq} on were rewritten: they fit neither {path} nor the root of the checkpoint",
    ),
    "tile": ("{path} 自第 {seq} 条起与日志内容不符", "{path} does not fit the entries, from entry {seq} on"),
    "tile_missing": ("缺少 {path}", "{path} is missing"),
    "tile_extra": ("{path} 不应存在", "{path} should not be there"),
    "bundle": (
        "{path} 自第 {seq} 条起不合格式：{detail}",
        "{path} is not as the format says, from entry {seq} on: {detail}",
    ),
    "other_root": (
        "{path}（含 {size} 条）的树根与日志内容不符",
        "the root in {path} (size {size}) is not that of these entries",
    ),
    # scoped exports and receipts
    "key_entry": ("第 {seq} 条的密钥记录不对：{detail}", "entry {seq}, about a key, is wrong: {detail}"),
    "scope": ("第 {seq} 条与机构 {scope} 无关", "entry {seq} does not concern the organization {scope}"),
    "order": ("第 {seq} 条的次序不对", "entry {seq} stands out of order"),
    "inclusion": (
        "第 {seq} 条不在检查点所签的日志中：{detail}",
        "entry {seq} does not stand in the log that the checkpoint signs: {detail}",
    ),
    "receipt": ("回执不合格式：{detail}", "the receipt is not as the format says: {detail}"),
    "receipt_entry": (
        "第 {seq} 条所记的不是这份回执：{detail}",
        "entry {seq} does not speak of this receipt: {detail}",
    ),
    "consistency": (
        "回执所记的检查点（含 {size} 条）不在此日志的历史中：{detail}",
        "the checkpoint in the receipt (size {size}) is no earlier state of this log: {detail}",
    ),
}  # fmt: skip

_CONTRADICTED = {
    "signature": (
        "{path} 上有一行签名是受信密钥的，却与内容不符：检查点或签名已被改动",
        "a signature line of a known key does not fit {path}: the checkpoint or the signature was changed",
    ),
    "unsigned": (
        "检查点没有受信密钥的签名",
        "no key you trust signed the checkpoint",
    ),
    "unsigned_log": (
        "此文件没有检查点，无从核对签名",
        "there is no checkpoint in this file, so no signature to check",
    ),
    "retired_key": (
        "检查点只有已停用密钥的签名：{name}",
        "only keys that were retired below its size signed the checkpoint: {name}",
    ),
    "quorum": (
        "见证人的共签不足以构成策略所要求的法定数",
        "the cosignatures of witnesses do not make the quorum of the policy",
    ),
    "head_unknown": (
        "日志中没有您此前记下的链头：历史被改写或截断",
        "the log does not contain the head you noted: history was rewritten or cut",
    ),
    "other_log": (
        "这不是 {path} 所说的日志：此处为 {own}，彼处为 {other}",
        "this is not the log of {path}: here {own}, there {other}",
    ),
    "rollback": (
        "日志倒退了：{path} 见过 {size} 条，如今只有 {entries} 条",
        "the log went back: {path} saw {size} entries, now there are {entries}",
    ),
    "fork": (
        "日志分叉了：前 {size} 条与 {path} 所见不同",
        "the log forked: its first {size} entries are not those that {path} saw",
    ),
}  # fmt: skip

_NOTICES = {
    "no_keys": (
        "没有给出公钥，未核对任何签名：无从知道这是谁的日志",
        "no key was given, so no signature was checked: whose log this is remains open",
    ),
    "no_checkpoint": (
        "此文件没有检查点：无法与他人所见的日志比对",
        "there is no checkpoint in this file: nothing to compare with what others saw",
    ),
    "no_policy": (
        "没有给出策略，未要求见证人共签",
        "no policy was given, so no cosignature of a witness was asked for",
    ),
    "fast": (
        "只核对了哈希：未看字段、规则与个人字段",
        "only hashes were checked: no fields, no rules, no personal fields",
    ),
    "uncovered": (
        "最后 {number} 条尚未被检查点覆盖",
        "the last {number} entries are not yet covered by the checkpoint",
    ),
    "hashes_only": (
        "此文件夹只有哈希，没有条目：只核对了树",
        "this folder holds hashes and no entries: only the tree was checked",
    ),
    "scoped": (
        "每条都在同一份日志中;是否有遗漏，无法由此证明",
        "each entry stands in the same log everybody sees; that none was left out cannot be proven from this",
    ),
    "silent_key": (
        "密钥 {name} 在用，却没有在检查点上签名",
        "the key {name} is in use and yet did not sign the checkpoint",
    ),
    "still_opened": (
        "第 {seq} 条个人字段 {name} 已记为删除，开示文件中却仍有其原文",
        "entry {seq}: its personal field {name} was erased, yet the openings still hold it",
    ),
    "no_key": (
        "第 {seq} 条是关于密钥的，却没有写出日志 {name} 的公钥：不予理会",
        "entry {seq} is about a key and holds no key of the log {name}: it changes nothing",
    ),
    "stray_key": (
        "第 {seq} 条关于密钥 {name}，没有受信密钥为它签名：不予理会；谁写的，值得追问",
        "entry {seq} is about the key {name}, and no key you trust signed it: it changes nothing; ask who wrote it",
    ),
    "log_findings": (
        "第 {seq} 条对账记录自陈有 {number} 处不符",
        "entry {seq}, a reconciliation, itself reports {number} findings",
    ),
    "log_broken": (
        "第 {seq} 条对账记录自陈重读日志时发现破损",
        "entry {seq}, a reconciliation, itself reports that the log was found broken",
    ),
    "not_compared": (
        "{path}（含 {size} 条）无法与此文件比对：需要完整的日志",
        "{path} (size {size}) cannot be compared with this file: that takes the whole log",
    ),
    "heads_unused": (
        "记下的链头无法与此文件比对：需要完整的日志",
        "the heads noted cannot be compared with this file: that takes the whole log",
    ),
    "noted_unsigned": (
        "{path} 没有受信密钥的签名，不能作为对日志运营者的证据",
        "no key you trust signed {path}: it is no evidence against the log's operator",
    ),
    "stamps": (
        "有 {number} 个时间戳，请另用 openssl ts -verify 核对",
        "there are {number} time stamps: check them with openssl ts -verify",
    ),
    "unused_openings": (
        "此处没有用到开示文件",
        "the openings were not used here",
    ),
}  # fmt: skip

_FINDINGS = {code: (Verdict.BROKEN, *words) for code, words in _BROKEN.items()} | {
    code: (Verdict.CONTRADICTED, *words) for code, words in _CONTRADICTED.items()
}
_LONGEST = 200


def finding(code: str, seq: int | None = None, **values: Any) -> Finding:
    verdict, zh, en = _FINDINGS[code]
    said = _safe({"seq": seq, **values})
    return Finding(seq, code, verdict, zh.format_map(said), en.format_map(said))


def notice(code: str, **values: Any) -> Notice:
    zh, en = _NOTICES[code]
    said = _safe(values)
    return Notice(code, zh.format_map(said), en.format_map(said))


def printable(text: str) -> str:
    """What came out of a file may hold anything: nothing of it may steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _safe(values: dict[str, Any]) -> dict[str, str]:
    return {name: printable(_cut(str(value))) for name, value in values.items()}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
