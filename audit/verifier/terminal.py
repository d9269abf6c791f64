"""A report in lines for a terminal, in Chinese, English or both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import asdict

from audit.verifier.result import Report, Verdict
from audit.verifier.wording import printable

LANGUAGES = ("zh", "en", "both")
_VERDICTS = {
    Verdict.WHOLE: ("通过", "OK"),
    Verdict.BROKEN: ("不通过", "BROKEN"),
    Verdict.UNREADABLE: ("无法读取", "UNREADABLE"),
    Verdict.CONTRADICTED: ("与已知不符", "CONTRADICTED"),
}
_STATES = {
    "opened": ("已开示", "opened"),
    "withheld": ("未开示", "withheld"),
    "erased": ("已删除", "erased"),
    "missing": ("缺失", "missing"),
}
_Say = Callable[[str, str], str]


def lines(report: Report, language: str = "both") -> Iterator[str]:
    """Requires: `language` is one of LANGUAGES. Nothing in them steers the terminal."""
    yield from map(printable, _lines(report, language))


def _lines(report: Report, language: str) -> Iterator[str]:
    def say(zh: str, en: str) -> str:
        return {"zh": zh, "en": en}.get(language, f"{zh} · {en}")

    verdict = say(*_VERDICTS[report.verdict])
    if report.finding is None:
        entries = say(f"{report.entries} 条", f"{report.entries} entries")
        yield f"{verdict}  {entries}, {report.seconds:.2f} s"
    else:
        seq = report.finding.seq
        place = "" if seq is None else f"  {say(f'第 {seq} 条', f'entry {seq}')}"
        yield f"{verdict}{place}  [{report.finding.code}]"
        yield f"  {say(report.finding.zh, report.finding.en)}"
    yield from _facts(report, say)
    for warning in report.warnings:
        yield f"! {say(warning.zh, warning.en)}"


def _facts(report: Report, say: _Say) -> Iterator[str]:
    if report.origin:
        yield f"{say('日志', 'log')} {report.origin}"
    if report.scope:
        yield f"{say('机构', 'organization')} {report.scope}"
    for name, value in report.facts.items():
        yield f"{say('回执', 'receipt')} {name} {value}"
    if report.ok and report.entries and report.kind in ("log", "folder"):
        yield f"{say('链头', 'head')} {report.head}"
    if report.size is not None:
        yield f"{say('检查点', 'checkpoint')} {report.size} {report.root}"
    for signer in report.signers:
        yield f"{say('签名', 'signed by')} {signer.vkey} ({signer.algorithm})"
    for cosigner in report.cosigners:
        yield f"{say('共签', 'cosigned by')} {cosigner.name} {moment(cosigner.time)}"
    if report.quorum is not None:
        yield f"{say('法定数', 'quorum')} {say('达到', 'met') if report.quorum else say('未达到', 'not met')}"
    personal = asdict(report.personal)
    if any(personal.values()):
        states = ", ".join(f"{personal[state]} {say(*words)}" for state, words in _STATES.items())
        yield f"{say('个人字段', 'personal fields')} {states}"


def moment(seconds: int) -> str:
    """UTC. A witness may state any number: one that is no date is shown as it is."""
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return str(seconds)
