"""The report: one file that a person can read and file, in which nothing that came out of a log is more than text."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.events import Event
from audit.verifier import wording
from audit.verifier.__main__ import main
from audit.verifier.acts import ACTS
from audit.verifier.bars import bins_of
from audit.verifier.check import check
from audit.verifier.known import Known, policy_of
from audit.verifier.report import render, states
from audit.verifier.report_words import CHECK_OF, CHECKS, NEXT
from audit.verifier.result import Cosigner, Notice, Personal, Report, Signer, Verdict
from audit.verifier.wording import finding
from tests import log_world as world

ELEMENTS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "main",
    "header",
    "section",
    "div",
    "h1",
    "h2",
    "h3",
    "p",
    "span",
    "b",
    "i",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "code",
    "figure",
    "figcaption",
    "footer",
    "svg",
    "g",
    "rect",
    "path",
    "circle",
}
ATTRIBUTES = {
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "style",
    "viewbox",
    "preserveaspectratio",
    "role",
    "aria-label",
    "aria-hidden",
    "x",
    "y",
    "width",
    "height",
    "d",
    "cx",
    "cy",
    "r",
    "fill",
    "stroke",
    "stroke-width",
    "stroke-linecap",
    "stroke-linejoin",
}


class Reading(HTMLParser):
    """Every element is one of ours, closed where it was opened, with none but our attributes."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        assert tag in ELEMENTS, tag
        assert {name for name, _value in attributes} <= ATTRIBUTES, attributes
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def whole() -> Report:
    days = {f"2026-11-{day:02d}": day * 10 for day in range(1, 26)}
    return Report(
        source="log.jsonl", origin="audit.test/log", entries=1000, head="ab" * 32, size=1000, root="cm9vdA==",
        signers=(Signer("audit.test/log", world.ed25519().vkey, "Ed25519"),),
        cosigners=(Cosigner("W0", world.witness("w.test/0").vkey, 1_790_000_000),), quorum=True,
        acts={"account.login": 900, "run.released": 100}, days=days, first_time=world.START,
        last_time=world.START + 10**12, when=1_795_600_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "words", "english"),
    [
        (None, "通过", "Passed"),
        (finding("link", 14), "不通过", "Not passed"),
        (finding("fork", path="noted", size=600), "日志完整，但与外部所知不符", "Whole in itself"),
    ],
)
def test_the_verdict_stands_first_in_words(found, words, english):
    texts = [text for text in Reading(render(replace(whole(), finding=found))).texts if text.strip()]
    assert texts[0].startswith(words)  # the title
    assert words in texts[4:7]
    assert any(text.startswith(english) for text in texts[4:8])


def test_chinese_comes_first_and_english_is_marked_as_such():
    page = render(whole())
    assert page.startswith('<!doctype html>\n<html lang="zh-Hans">')
    assert page.count('lang="en"') > 20


def test_a_broken_log_is_named_and_what_to_do_next():
    text = Reading(
        render(
            replace(whole(), entries=14, finding=finding("link", 14), signers=(), cosigners=(), quorum=None)
        )
    ).text
    assert "第 14 条已被改动" in text
    assert "在此之前的 14 条完好" in text
    assert "接下来怎么办" in text
    assert "link, entry 14" in text
    assert "只计到问题所在之处为止" in text


def test_what_was_not_checked_is_not_said_to_hold():
    assert set(states(whole()).values()) == {"done"}
    alone = replace(whole(), signers=(), cosigners=(), quorum=None, size=None)
    assert states(alone) == {
        "chain": "done", "content": "done", "tree": "open", "signature": "open", "witness": "open",
    }  # fmt: skip
    assert "这是谁的日志，尚不能确定" in render(alone)
    assert states(replace(whole(), thorough=False))["content"] == "open"
    assert states(replace(whole(), personal=Personal(withheld=3)))["personal"] == "open"
    assert states(replace(whole(), personal=Personal(opened=3)))["personal"] == "done"
    hashes = replace(whole(), kind="folder", warnings=(wording.notice("hashes_only"),))
    assert (states(hashes)["chain"], states(hashes)["tree"]) == ("open", "done")
    assert states(replace(whole(), finding=finding("tile", 3, path="x"))) == {
        "chain": "open", "content": "open", "tree": "failed", "signature": "done", "witness": "done",
    }  # fmt: skip
    assert states(replace(whole(), finding=finding("quorum"), quorum=False))["witness"] == "failed"
    assert "receipt" in states(replace(whole(), kind="receipt"))
    assert "inclusion" in states(replace(whole(), kind="scoped"))


def test_every_finding_has_the_check_it_belongs_to_and_a_next_step():
    assert set(CHECK_OF) == set(wording._FINDINGS)
    assert set(CHECK_OF.values()) <= set(CHECKS)
    contradictions = {
        CHECK_OF[code] for code, one in wording._FINDINGS.items() if one[0] == Verdict.CONTRADICTED
    }
    assert contradictions == set(NEXT)


def test_every_event_of_the_log_has_its_words():
    assert set(ACTS) == {event.value for event in Event}


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;\x00\x1b\ud800\u202e"


def hostile() -> Report:
    return Report(
        source=HOSTILE, origin=HOSTILE, entries=3, scope=HOSTILE, size=3, root=HOSTILE, head=HOSTILE,
        signers=(Signer(HOSTILE, HOSTILE, HOSTILE),), cosigners=(Cosigner(HOSTILE, HOSTILE, 2**63),), quorum=True,
        warnings=(Notice(HOSTILE, HOSTILE, HOSTILE),) * 100, facts={HOSTILE: HOSTILE},
        acts={HOSTILE + str(n): n for n in range(10_000)}, days={"1684-07-28": 1, "2255-06-06": 10**9},
        first_time=-(2**53), last_time=2**53, sm3_size=3, personal=Personal(1, 2, 3, 4),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["log", "folder", "scoped", "receipt"])
@pytest.mark.parametrize("code", [None, "link", "fork"])
def test_whatever_came_out_of_a_log_is_inert(kind, code):
    found = code and replace(finding(code, 1, path=HOSTILE, size=1), zh=HOSTILE, en=HOSTILE)
    page = render(replace(hostile(), kind=kind, finding=found), HOSTILE)
    reading = Reading(page)
    assert "<script>alert(1)</script>" in reading.text
    assert "<script" not in page
    assert not re.search("[\x00-\x09\x0b-\x1f\ud800-\udfff\u202e]", page)
    page.encode()
    assert len(page) < 100_000


@given(st.text(), st.text())
def test_any_text_in_any_place_leaves_the_page_as_it_is(one, two):
    report = replace(whole(), origin=one, source=two, acts={one: 1, two + "x": 2}, facts={two: one})
    Reading(render(report))


def test_it_fetches_nothing_and_runs_nothing():
    page = render(whole())
    assert "default-src 'none'; style-src 'unsafe-inline'" in page.replace("&#x27;", "'")
    assert not re.search(
        r"url\(|@import|<(?:script|link|img|iframe|object|embed|base|form)\b|\s(?:src|href|on\w+)=", page
    )


@given(
    st.dictionaries(
        st.dates(dt.date(1700, 1, 1), dt.date(2250, 1, 1)), st.integers(1, 10**6), min_size=1, max_size=90
    )
)
def test_the_chart_shows_every_entry_once_in_at_most_sixty_bars(days):
    bins = bins_of({day.isoformat(): number for day, number in days.items()})
    assert 1 <= len(bins) <= 60
    assert sum(one.entries for one in bins) == sum(days.values())
    assert (bins[0].first, bins[-1].last) == (min(days), max(days))
    assert all(after.first - before.last == dt.timedelta(1) for before, after in itertools.pairwise(bins))


def test_days_are_those_of_beijing(tmp_path):
    told = world.bodies(4)
    for seq, hour in enumerate((0, 15, 16, 40)):  # UTC; 16:00 is midnight in Beijing
        told[seq]["t"] = hour * 3_600_000_000
    log = world.Log(tuple(world.seal(told)))
    (tmp_path / "log.jsonl").write_bytes(b"".join(world.jsonl(log)))
    assert check(tmp_path / "log.jsonl").days == {"1970-01-01": 2, "1970-01-02": 1, "1970-01-03": 1}
    (tmp_path / "scoped").write_bytes(b"".join(world.scoped(log)))
    assert sum(check(tmp_path / "scoped").days.values()) == len(world.scoped(log)) - 2


def test_the_command_writes_it_with_the_digest_of_the_file(tmp_path):
    log = world.Log(tuple(world.seal(world.bodies(30))), witnesses=(world.witness("w.test"),))
    export = tmp_path / "log.jsonl"
    export.write_bytes(b"".join(world.jsonl(log)))
    (tmp_path / "policy").write_bytes(world.policy(world.ed25519(), log.witnesses))
    words = [str(export), "--policy", str(tmp_path / "policy"), "--report", str(tmp_path / "report.html")]
    assert main(words) == 0
    text = Reading((tmp_path / "report.html").read_text(encoding="utf-8")).text
    for said in (
        "通过",
        sha256(export.read_bytes()).hexdigest(),
        "audit.test/log",
        "w.test",
        "日志开启",
        str(export),
    ):
        assert said in text
    assert check(export, Known(policy=policy_of(tmp_path / "policy"))).head in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "policy", "report.html"]
    export.write_bytes(export.read_bytes()[:-200])
    assert main(words) == 1
    assert "不通过" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_report_of_a_folder_has_no_digest(tmp_path):
    world.write(tmp_path / "log", world.files(world.Log(tuple(world.seal(world.bodies(30))))))
    assert (
        main(
            [str(tmp_path / "log"), "--key", world.ed25519().vkey, "--report", str(tmp_path / "report.html")]
        )
        == 0
    )
    assert "SHA-256 of the file" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_report_that_cannot_be_written_is_said(tmp_path, capsys):
    world.write(tmp_path / "log", world.files(world.Log(tuple(world.seal(world.bodies(3))))))
    assert main([str(tmp_path / "log"), "--report", str(tmp_path / "absent" / "report.html")]) == 2
    assert "cannot read" in capsys.readouterr().err
