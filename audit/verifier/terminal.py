"""A report in lines for a terminal, in Chinese, English or both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from audit.verifier.result import Report, Verdict

LANGUAGES = ("zh", "en", "both")
_VERDICTS = {
    Verdict.WHOLE: ("通过", "OK"),
    Verdict.BROKEN: ("不通过", "BROKEN"),
    Verdict.UNREADABLE: ("无法读取", "UNREADABLE"),
    Verdict.CONTRADICTED: ("与已知不符", "CONTRADICTED"),
}


def lines(report: Report, language: str = "both") -> Iterator[str]:
    """Requires: `language` is one of LANGUAGES."""

    def say(zh: str, en: str) -> str:
        return {"zh": zh, "en": en}.get(language, f"{zh} · {en}")

    def either(zh: str, en: str, mark: str) -> Iterator[str]:
        yield from (f"{mark} {text}" for text in {"zh": (zh,), "en": (en,)}.get(language, (zh, en)))

    verdict = say(*_VERDICTS[report.verdict])
    number = say(f"{report.entries} 条", "entries") if language != "en" else f"{report.entries} entries"
    if report.finding is None:
        yield f"{verdict}  {number}, {report.seconds:.2f} s"
    else:
        seq = report.finding.seq
        place = "" if seq is None else f"  {say(f'第 {seq} 条', f'entry {seq}')}"
        yield f"{verdict}{place}  [{report.finding.code}]"
        yield from either(report.finding.zh, report.finding.en, " ")
    yield from (f"{say(*label)} {value}" for label, value in _facts(report))
    for warning in report.warnings:
        yield from either(warning.zh, warning.en, "!")


def _facts(report: Report) -> Iterator[tuple[tuple[str, str], str]]:
    if report.origin:
        yield ("日志", "log"), report.origin
    if report.scope:
        yield ("机构", "organization"), report.scope
    for name, value in report.facts.items():
        yield ("凭证", "receipt"), f"{name} {value}"
    if report.ok and report.kind in ("log", "folder"):
        yield ("链头", "head"), report.head
    if report.size is not None:
        yield ("检查点", "checkpoint"), f"{report.size} {report.root}"
    for signer in report.signers:
        yield ("签名", "signed by"), f"{signer.vkey} ({signer.algorithm})"
    for cosigner in report.cosigners:
        yield ("共签", "cosigned by"), f"{cosigner.name} {moment(cosigner.time)}"
    if report.quorum is not None:
        yield ("法定数", "quorum"), "✓" if report.quorum else "✗"
    personal = report.personal
    if any((personal.opened, personal.withheld, personal.erased, personal.missing)):
        states = (
            f"{personal.opened} 已开示/opened, {personal.withheld} 未开示/withheld, "
            f"{personal.erased} 已删除/erased, {personal.missing} 缺失/missing"
        )
        yield ("个人字段", "personal fields"), states


def moment(seconds: int) -> str:
    """UTC. A witness may state any number: one that is no date is shown as it is."""
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return str(seconds)
