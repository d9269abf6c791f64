"""Words of code that knows no Django: translated when said, never when written down; values stay as they are."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from audit import wording
from audit.wording import say, template, use_translator
from dataspace.machine.paths import PROJECT

CHINESE = {"Name %(column)s.": "请写明 %(column)s。", "column": "列", "100 % sure": "百分之百"}


@pytest.fixture
def chinese():
    before = wording._translate
    use_translator(lambda words: CHINESE.get(words, words))
    yield
    use_translator(before)


def test_the_template_is_translated_and_the_value_is_not(chinese) -> None:
    assert say("Name %(column)s.", column="column") == "请写明 column。"
    assert say("100 % sure") == "百分之百"
    assert say("Nobody %(did)s this.", did="translated") == "Nobody translated this."


def test_a_template_waits_to_be_said(chinese) -> None:
    kept = template("Name %(column)s.")
    assert kept == "Name %(column)s."
    assert say(kept, column="a") == "请写明 a。"


def _modules() -> list[Path]:
    pure = ("sandbox/guard", "sandbox/engines", "sandbox/disclosure", "sandbox/isolation", "contracts/policy")
    found = [path for room in (*pure, "catalog/ingest") for path in (PROJECT / room).rglob("*.py")]
    return [*found, PROJECT / "catalog" / "schema.py"]


def _calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    return [
        (call.func.id, call)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    ]


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PROJECT)))
def test_nothing_is_said_at_import_and_nothing_refused_in_bare_english(path: Path) -> None:
    tree = ast.parse(path.read_text())
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for name, call in _calls(tree):
        if name == "say":
            assert id(call) in inside, f"line {call.lineno}: said at import"
            assert not isinstance(call.args[0], ast.JoinedStr), f"line {call.lineno}: no message id"
        if name in {"Refused", "IngestError", "refuse", "NoSandbox", "Violated"} and call.args:
            reason = call.args[min(1, len(call.args) - 1)] if name != "NoSandbox" else call.args[0]
            assert not isinstance(reason, ast.Constant | ast.JoinedStr), f"line {call.lineno}: not said"
