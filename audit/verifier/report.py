"""The report as one HTML file: a page to read, print and file, for people who are no programmers. No scripts, nothing
fetched, and whatever came out of the log is escaped: an entry that holds HTML stays text.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from audit.verifier.markup import Markup, both, css, joined, tag
from audit.verifier.report_details import (
    appendix,
    content,
    day,
    has,
    has_personal,
    moment,
    notices,
    signatures,
)
from audit.verifier.report_style import CSS
from audit.verifier.report_words import (
    CHECK_OF,
    CHECKS,
    LIMIT_SCOPED,
    LIMITS,
    NEXT,
    NEXT_BROKEN,
    NEXT_WHOLE,
    VERDICTS,
    Words,
)
from audit.verifier.result import Report, Verdict

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'"  # scripts and requests are forbidden to the page itself
)
_SIGNS = {
    Verdict.WHOLE: "M20 33l8 8 16-18",
    Verdict.BROKEN: "M22 22l20 20M42 22l-20 20",
    Verdict.CONTRADICTED: "M32 17v20M32 45v2",
}
_STATES: dict[str, tuple[str, Words]] = {
    "done": ("✓", ("相符", "holds")),
    "failed": ("✗", ("不符", "does not hold")),
    "open": ("–", ("未核对", "not checked")),
}


def write(report: Report, path: Path) -> None:
    """The report of what `report.source` names, a file or folder that is still there. Whole or not at all.

    Raises OSError.
    """
    source, digest = Path(report.source), ""
    if report.source and source.is_file():
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(render(report, digest), encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def render(report: Report, digest: str = "") -> str:
    """`digest`: SHA-256 of the file that was read, hexadecimal; "" if it was none."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="robots", content="noindex"),
        tag("title", f"{VERDICTS[report.verdict][0]} · 审计日志核验报告 {report.origin}"),
        css(CSS),
    )
    body = tag("body", tag("main", *_sections(report, digest), _footer()))
    return "<!doctype html>\n" + tag("html", head, body, lang="zh-Hans") + "\n"


def _sections(report: Report, digest: str) -> Iterator[Markup]:
    yield _header(report)
    yield _verdict(report)
    yield _figures(report)
    if report.finding is not None:
        yield _section("接下来怎么办", "What to do next", _steps(_next(report)), name="ol")
    yield _section("核对了什么", "What was checked", _checks(report))
    yield _section("签名与见证", "Signatures and witnesses", signatures(report), name="")
    yield _section(
        "这说明什么，不说明什么",
        "What this means, and what it does not prove",
        _limits(report),
        class_="plain",
    )
    if report.finding is None:
        yield _section("建议", "What to do with it", _steps(NEXT_WHOLE), name="ol")
    if report.warnings:
        yield _section("另请注意", "Worth knowing", notices(report))
    if report.acts or report.days or has_personal(report):
        yield tag(
            "section", _heading("日志里有什么", "What is in the log"), *content(report), class_="content"
        )
    yield appendix(report, digest)


def _section(
    zh: str, en: str, items: Iterable[Markup], name: str = "ul", class_: str | None = None
) -> Markup:
    inside = tag(name, *items, class_=class_) if name else joined(*items)
    return tag("section", _heading(zh, en), inside)


def _heading(zh: str, en: str) -> Markup:
    return both(zh, en, "h2")


def _header(report: Report) -> Markup:
    about = " · ".join(filter(None, [report.origin, report.source, moment(report.when)]))
    return tag("header", both("审计日志核验报告", "Report on the verification of an audit log", "h1"),
               tag("p", about, class_="about"))  # fmt: skip


def _verdict(report: Report) -> Markup:
    shape = "M32 4 4 58h56z" if report.verdict == Verdict.CONTRADICTED else None
    ring = tag("circle", cx="32", cy="32", r="29", fill="none", stroke="currentColor", stroke_width="4")
    outline = ring if shape is None else tag("path", d=shape, fill="none", stroke="currentColor", stroke_width="4",
                                             stroke_linejoin="round")  # fmt: skip
    sign = tag("path", d=_SIGNS[report.verdict], fill="none", stroke="currentColor", stroke_width="6",
               stroke_linecap="round", stroke_linejoin="round")  # fmt: skip
    icon = tag("svg", outline, sign, viewBox="0 0 64 64", aria_hidden="true")
    words = [both(*VERDICTS[report.verdict], "h2"), *(both(*one) for one in _lead(report))]
    return tag("section", icon, tag("div", *words), class_=f"verdict {report.verdict.name.lower()}")


def _lead(report: Report) -> Iterator[Words]:
    """The verdict in sentences."""
    if report.finding is not None:
        en = report.finding.en
        yield f"{report.finding.zh}。", f"{en[:1].upper()}{en[1:]}."
        if report.finding.seq is not None and report.kind in ("log", "folder") and report.entries:
            yield (
                f"在此之前的 {report.entries:,} 条完好（从 0 起计）。",
                f"The {report.entries:,} entries before it are whole (counted from 0).",
            )
        return
    yield _praise(report)
    if not report.signers:
        yield (
            "但没有核对签名：这是谁的日志，尚不能确定。",
            "No signature was checked, however: whose log this is remains open.",
        )


def _praise(report: Report) -> Words:
    number, entry = f"{report.entries:,}", report.facts.get("entry", "")
    if report.kind == "scoped":
        return (
            f"摘录中的 {number} 条都在检查点所签的同一份日志里，没有被改动。",
            f"All {number} entries of the extract stand, unchanged, in the log that the checkpoint signs.",
        )
    if report.kind == "receipt":
        return (
            f"凭证属实：日志第 {entry} 条记载了这份结果的发布。",
            f"The receipt is genuine: entry {entry} of the log records this release.",
        )
    if has(report, "hashes_only"):
        return (
            "只有哈希、没有条目：哈希树与检查点一致。",
            "There are hashes and no entries: the tree of hashes fits the checkpoint.",
        )
    return (
        f"日志共 {number} 条，从第一条到最后一条，没有被改动、删除、插入或调换。",
        f"The log has {number} entries. From first to last none was changed, removed, added or moved.",
    )


def _figures(report: Report) -> Markup:
    figures: list[tuple[str, Words]] = [(f"{report.entries:,}", ("条日志已核对", "entries verified"))]
    if report.first_time is not None and report.last_time is not None:
        first, last = (day(one) for one in (report.first_time, report.last_time))
        figures.append((first if first == last else f"{first} – {last}", ("日志所记的时间", "time covered")))
    figures.append((str(len(report.signers)), ("个受信的签名", "trusted signatures")))
    figures.append((str(len(report.cosigners)), ("个见证人共签", "cosignatures of witnesses")))
    cells = (tag("div", tag("b", value), both(*label, "span")) for value, label in figures)
    return tag("section", *cells, class_="figures", aria_label="概要 · summary")


def _next(report: Report) -> tuple[Words, ...]:
    assert report.finding is not None
    if report.verdict == Verdict.BROKEN:
        return NEXT_BROKEN
    return NEXT[CHECK_OF.get(report.finding.code, "outside")]


def _steps(steps: Iterable[Words]) -> Iterator[Markup]:
    return (both(zh, en, "li") for zh, en in steps)


def _checks(report: Report) -> Iterator[Markup]:
    for check, state in states(report).items():
        sign, (zh, en) = _STATES[state]
        said, english = CHECKS[check]
        yield tag(
            "li",
            tag("span", sign, class_="mark", aria_hidden="true"),
            f"{said} ",
            tag("span", f"{zh} · {en}", class_="state"),
            tag("span", english, class_="en", lang="en"),
            class_=state,
        )


def states(report: Report) -> dict[str, str]:
    """Each check that this kind of file can have: "done", "failed" or "open", which is not checked or not decided."""
    failed = None if report.finding is None else CHECK_OF.get(report.finding.code, "outside")
    whole = report.verdict != Verdict.BROKEN
    hashes_only = has(report, "hashes_only")
    if report.kind in ("scoped", "receipt"):
        found = {"inclusion": whole} | ({"receipt": whole} if report.kind == "receipt" else {})
    else:
        found = {
            "chain": whole and not hashes_only,
            "content": whole and report.thorough and not hashes_only,
            "tree": whole and report.size is not None,
        }
        if report.sm3_size is not None:
            found["sm3"] = whole and not hashes_only
    found["signature"], found["witness"] = bool(report.signers), bool(report.quorum)
    if has_personal(report):
        found["personal"] = whole and report.personal.opened > 0
    if failed is not None:
        found[failed] = False
    return {
        check: "failed" if check == failed else "done" if done else "open" for check, done in found.items()
    }


def _limits(report: Report) -> Iterator[Markup]:
    if report.finding is None:
        yield both(
            "核验不依赖日志运营方：任何人用同一文件与公钥都会得到同样的结果。",
            "This does not rest on the log's operator: with the same file and key, anybody gets the same result.",
            "li",
        )
    scoped = (LIMIT_SCOPED,) if report.kind == "scoped" else ()
    yield from _steps((*scoped, *LIMITS))


def _footer() -> Markup:
    return tag(
        "footer",
        both(
            "本报告由核验程序生成，未经签名：要确认结论，请用同一文件重新核验。",
            "Made by the verifier and not signed: to be sure of the verdict, verify the same file again.",
        ),
    )
