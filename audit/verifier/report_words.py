"""What the report says of a finding in plain words: what was being checked, and what to do next."""

from __future__ import annotations

from audit.verifier.result import Verdict

Words = tuple[str, str]  # Chinese, English

VERDICTS: dict[Verdict, Words] = {
    Verdict.WHOLE: ("通过", "Passed"),
    Verdict.BROKEN: ("不通过", "Not passed"),
    Verdict.CONTRADICTED: (
        "日志完整，但与外部所知不符",
        "Whole in itself, but it contradicts what is known outside",
    ),
}

CHECKS: dict[str, Words] = {
    "chain": (
        "序号逐条相连，每一条都记有前一条的哈希：没有缺失、插入、调换或改动",
        "Each entry stands in its place and holds the hash of the one before: none is missing, added, moved or changed",
    ),
    "content": (
        "每条写法唯一、字段齐全；开启、对账、删除与密钥记录前后相符",
        "Every entry is in its canonical form with all its fields; reconciliations, erasures and keys agree",
    ),
    "tree": (
        "由条目算出的哈希树与检查点所签的树根一致",
        "The tree of hashes over the entries has the root that the checkpoint states",
    ),
    "sm3": (
        "以国密 SM3 另算的哈希树同样一致",
        "So does the parallel tree over SM3 hashes",
    ),
    "inclusion": (
        "文件中的每一条都确实在检查点所签的日志里",
        "Each entry in the file stands in the log that the checkpoint signs",
    ),
    "receipt": (
        "回执的内容就是日志当时所记的内容，一字不差",
        "The receipt is, to the letter, the one that the log recorded",
    ),
    "signature": (
        "检查点由您信任的日志密钥签名",
        "The checkpoint is signed by a key of the log that you trust",
    ),
    "witness": (
        "见证人的共签达到您的策略所要求的数目",
        "Cosignatures of witnesses make the quorum that your policy demands",
    ),
    "outside": (
        "与您此前记下的检查点和链头一致",
        "It agrees with the checkpoints and heads you noted before",
    ),
    "personal": (
        "已开示的个人字段与日志中的承诺值相符，缺失的都有删除记录",
        "Opened personal fields are what was committed to, and what is gone was erased on record",
    ),
}  # fmt: skip

_CODES = {
    "chain": "not_entry overlong sequence link backlink first_link no_head head cut added after_head ending order",
    "content": "not_json canonical fields repeated init origin reconciled erasure key_entry scope",
    "tree": "checkpoint ahead root rewritten tile tile_missing tile_extra bundle other_root",
    "inclusion": "inclusion consistency",
    "receipt": "receipt receipt_entry",
    "personal": "opening opening_unknown opening_repeated missing",
    "signature": "signature unsigned unsigned_log retired_key",
    "witness": "quorum",
    "outside": "head_unknown other_log rollback fork",
}
CHECK_OF = {code: check for check, codes in _CODES.items() for code in codes.split()}

_KEEP: Words = (
    "原样保存被核验的文件与本报告，记下文件的 SHA-256（见附录），不要改动。",
    "Keep the verified file and this report as they are, and note the file's SHA-256 (appendix).",
)
_ASK: Words = (
    "书面请日志运营方说明，并告知监管部门。",
    "Ask the log's operator for an explanation in writing, and tell the supervising body.",
)
NEXT_BROKEN: tuple[Words, ...] = (
    _KEEP,
    (
        "重新下载或另取一份再核验一次：传输或存储出错也会如此。",
        "Fetch it again, or get another copy, and verify that: damage in transfer or storage looks the same.",
    ),
    (
        "若仍不通过，与镜像、见证人或以前的导出比对上述条目，即可看出改动了什么。",
        "If it fails again, compare that entry with a mirror or an earlier export: this shows what was changed.",
    ),
    _ASK,
)
NEXT: dict[str, tuple[Words, ...]] = {
    "signature": (
        _KEEP,
        (
            "先确认所用公钥无误：通过另一渠道（电话、公文）向运营方核对公钥，以及是否换过密钥。",
            "First make sure of the public key: ask the operator by another channel, also whether it was replaced.",
        ),
        (
            "若公钥无误，此文件不是该日志所签，不可采信。",
            "If the key is right, the log did not sign this: do not rely on it.",
        ),
    ),
    "witness": (
        _KEEP,
        (
            "稍后重新获取检查点再核验；若仍不足，请直接询问见证人是否见过此检查点。",
            "Fetch the checkpoint again later; if it stays so, ask the witnesses whether they have seen it.",
        ),
        _ASK,
    ),
    "outside": (
        _KEEP,
        (
            "连同您此前记下的检查点或链头一并封存：两者都有签名时，即是日志改写过历史的证据。",
            "Seal it together with what you noted: where both are signed, they prove that history was rewritten.",
        ),
        (
            "请见证人与其他机构核对各自所见的检查点。在查明之前，不要依据此日志作出结论。",
            "Ask witnesses and others which checkpoint they saw. Until it is explained, do not rely on this log.",
        ),
        _ASK,
    ),
}  # fmt: skip
NEXT_WHOLE: tuple[Words, ...] = (
    (
        "把附录中的检查点（大小与树根）记到日志运营方之外的地方；下次核验时一并给出，历史若被改写即会发现。",
        "Note the checkpoint in the appendix outside the operator's reach, and give it the next time: a rewrite shows.",
    ),
)

LIMITS: tuple[Words, ...] = (
    (
        "核验说明记录写下之后未被改动，不说明写下时所记属实，也无从知道软件从未记录的事。",
        "Entries have not changed since. That they were true then, or that nothing went unrecorded, is not proven.",
    ),
    (
        "除非有见证人共签，或与别处所见的检查点比对，否则不能排除运营方另有一份给别人看的日志。",
        "Without witnesses, or a checkpoint seen elsewhere, a second log for other eyes cannot be excluded.",
    ),
)
LIMIT_SCOPED: Words = (
    "这是某一机构的摘录：每条都属实在册，但是否有遗漏，不能由此证明。",
    "This is an extract for one organization: each entry is in the log, but that none was left out is not proven.",
)  # fmt: skip
