"""The parts of the report that list: signatures, notices, what is in the log, the technical appendix."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from audit.verifier import VERSION
from audit.verifier.acts import ACTS
from audit.verifier.bars import chart
from audit.verifier.markup import Markup, both, joined, tag
from audit.verifier.report_words import CHECK_OF, Words
from audit.verifier.result import Report, Verdict

_BEIJING = dt.timezone(dt.timedelta(hours=8))
_MOST_ACTS, _MOST_NOTICES, _FEW_DAYS = 30, 40, 7
_KINDS: dict[str, Words] = {
    "log": ("单文件导出", "one-file export"),
    "folder": ("日志文件夹", "folder of the log"),
    "scoped": ("某一机构的摘录", "extract for one organization"),
    "receipt": ("结果凭证", "receipt of a release"),
}


def signatures(report: Report) -> Iterator[Markup]:
    rows = [
        tag(
            "tr",
            tag("td", signer.name, tag("span", signer.algorithm, class_="en")),
            tag("td", "日志 · log"),
            tag("td", "–"),
        )
        for signer in report.signers
    ] + [
        tag(
            "tr",
            tag("td", cosigner.vkey.partition("+")[0], tag("span", cosigner.name, class_="en")),
            tag("td", "见证人 · witness"),
            tag("td", moment(cosigner.time)),
        )
        for cosigner in report.cosigners
    ]
    if rows:
        titles = (("署名", "name"), ("身份", "role"), ("时间", "time"))
        head = tag("tr", *(both(zh, en, "th") for zh, en in titles))
        yield tag("table", tag("thead", head), tag("tbody", *rows))
    else:
        yield both("没有核对到任何受信的签名。", "No trusted signature was found.")
    if not report.cosigners:
        yield both(
            "没有见证人的共签，或没有给出策略要求它。",
            "No witness cosigned, or no policy was given that demands it.",
        )


def notices(report: Report) -> Iterator[Markup]:
    mark = tag("span", "!", class_="mark", aria_hidden="true")
    for one in report.warnings[:_MOST_NOTICES]:
        yield tag("li", mark, one.zh, tag("span", one.en, class_="en", lang="en"), class_="note")
    rest = len(report.warnings) - _MOST_NOTICES
    if rest > 0:
        yield both(f"另有 {rest:,} 项，见命令行输出", f"{rest:,} more: see the output of the command", "li")


def content(report: Report) -> Iterator[Markup]:
    if report.verdict == Verdict.BROKEN:
        yield both("只计到问题所在之处为止。", "Only what was read up to the fault.")
    if report.days:
        yield tag(
            "h3", "每日条数", tag("span", "entries for each day, time of Beijing", class_="en", lang="en")
        )
        few = len(report.days) <= _FEW_DAYS
        listed = ((day, "", number) for day, number in sorted(report.days.items()))
        yield tag("dl", *_bars(listed), class_="acts") if few else chart(report.days)
    if report.acts:
        yield tag("h3", "事件种类", tag("span", "kinds of events", class_="en", lang="en"))
        yield tag("dl", *_acts(report.acts), class_="acts")
    if has_personal(report):
        personal = report.personal
        named = (
            ("已开示", "opened", personal.opened),
            ("未开示", "withheld", personal.withheld),
            ("已删除", "erased, on record", personal.erased),
            ("缺失", "missing", personal.missing),
        )
        yield tag("h3", "个人字段", tag("span", "personal fields", class_="en", lang="en"))
        yield tag("dl", *_bars((zh, en, number) for zh, en, number in named), class_="acts")


def _acts(acts: dict[str, int]) -> Iterator[Markup]:
    ranked = sorted(acts.items(), key=lambda item: (-item[1], item[0]))
    shown = [(*ACTS.get(act, (act, "")), number) for act, number in ranked[:_MOST_ACTS]]
    rest = ranked[_MOST_ACTS:]
    if rest:
        shown.append((f"其余 {len(rest)} 种", "other kinds", sum(number for _act, number in rest)))
    return _bars(shown)


def _bars(rows: Iterable[tuple[str, str, int]]) -> Iterator[Markup]:
    listed = list(rows)
    most = max((number for _zh, _en, number in listed), default=0) or 1
    for zh, en, number in listed:
        yield tag("dt", zh, tag("span", en, class_="en", lang="en"))
        yield tag("dd", f"{number:,}", class_="count")
        bar = tag("i", style=f"width:{100 * number / most:.2f}%") if number else None
        yield tag("dd", bar, class_="bar", aria_hidden="true")


def appendix(report: Report, digest: str) -> Markup:
    rows = joined(
        *(
            joined(both(zh, en, "dt"), tag("dd", tag("code", value)))
            for (zh, en), value in _facts(report, digest)
        )
    )
    return tag("section", both("技术附录", "Technical appendix", "h2"), tag("dl", rows), class_="appendix")


def _facts(report: Report, digest: str) -> Iterator[tuple[Words, str]]:
    zh, en = _KINDS[report.kind]
    yield ("被核验的", "what was verified"), f"{report.source or '–'} ({zh} · {en})"
    if digest:
        yield ("文件的 SHA-256", "SHA-256 of the file"), digest
    if report.origin:
        yield ("日志名", "origin of the log"), report.origin
    if report.scope:
        yield ("机构", "organization"), report.scope
    for name, value in report.facts.items():
        yield ("凭证", "receipt"), f"{name}: {value}"
    yield from _tree_facts(report)
    if report.finding is not None:
        place = "" if report.finding.seq is None else f", entry {report.finding.seq}"
        yield ("问题代码", "code of the finding"), report.finding.code + place
    yield ("核验时间", "time of verification"), f"{moment(report.when)}, {report.seconds:.2f} s"
    yield ("核验程序", "verifier"), f"audit.verifier {VERSION}"


def _tree_facts(report: Report) -> Iterator[tuple[Words, str]]:
    if report.size is not None:
        yield ("检查点大小", "size of the checkpoint"), str(report.size)
        yield ("检查点树根", "root of the checkpoint"), report.root
    if report.kind in ("log", "folder") and report.entries:
        yield ("链头", "head"), f"{report.head} ({report.entries - 1})"
    if report.sm3_size is not None:
        yield ("SM3 树大小", "size of the SM3 tree"), str(report.sm3_size)
    for signer in report.signers:
        yield ("日志公钥", "key of the log"), f"{signer.vkey} ({signer.algorithm})"
    for cosigner in report.cosigners:
        yield ("见证人公钥", "key of a witness"), f"{cosigner.vkey} ({cosigner.name}, {cosigner.time})"


def has_personal(report: Report) -> bool:
    personal = report.personal
    failed = report.finding is not None and CHECK_OF.get(report.finding.code) == "personal"
    return failed or any((personal.opened, personal.withheld, personal.erased, personal.missing))


def has(report: Report, code: str) -> bool:
    return any(one.code == code for one in report.warnings)


def moment(seconds: int) -> str:
    """In Beijing and in UTC. A witness may state any number: one that is no date is shown as it is."""
    try:
        here = dt.datetime.fromtimestamp(seconds, _BEIJING)
    except (OverflowError, ValueError, OSError):
        return str(seconds)
    return f"{here:%Y-%m-%d %H:%M:%S} 北京时间 ({here.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC)"


def day(microseconds: int) -> str:
    return f"{dt.datetime.fromtimestamp(microseconds // 1_000_000, _BEIJING):%Y-%m-%d}"
