"""The command line: one exit code for each kind of outcome, in Chinese, English or both, with nothing but cryptography."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from audit.verifier import terminal
from audit.verifier.__main__ import main
from audit.verifier.result import Report
from tests import log_world as world

KEY = world.ed25519()
VERIFIER = Path(__file__).resolve().parents[2] / "audit" / "verifier"


@pytest.fixture(scope="module")
def log() -> world.Log:
    return world.Log(tuple(world.seal(world.bodies(30))))


@pytest.fixture
def export(log, tmp_path) -> Path:
    (tmp_path / "log.jsonl").write_bytes(b"".join(world.jsonl(log)))
    return tmp_path / "log.jsonl"


def test_each_kind_of_outcome_has_its_exit_code(log, export, tmp_path, capsys):
    assert main([str(export), "--key", KEY.vkey]) == 0
    assert "通过 · OK" in capsys.readouterr().out
    assert main([str(export), "--key", world.ed25519(seed="thief").vkey]) == 3
    assert "与已知不符 · CONTRADICTED  [unsigned]" in capsys.readouterr().out
    export.write_bytes(export.read_bytes().replace(b'"actor":"account-7"', b'"actor":"account-8"'))
    assert main([str(export)]) == 1
    out = capsys.readouterr().out
    assert "不通过 · BROKEN" in out
    assert "第 7 条 · entry 7" in out
    assert main([str(tmp_path / "absent")]) == 2
    assert main([str(export), "--key", "x"]) == 2
    assert main([str(export), "--head", "x"]) == 2
    assert main([str(export), "--checkpoint", str(export)]) == 2
    assert main([str(export), "--policy", str(export)]) == 2
    assert main([__file__]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_usage_that_is_wrong_is_2_as_well(export):
    for words in ([], [str(export), "--lang", "fr"], [str(export), "--unknown"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2


def test_all_that_is_known_can_be_given(log, export, tmp_path):
    witness = world.witness("w1.test")
    export.write_bytes(b"".join(world.jsonl(world.Log(log.entries, witnesses=(witness,)))))
    files = {
        "policy": world.policy(KEY, [witness]),
        "key": KEY.vkey.encode(),
        "seen": log.checkpoint(20),
        "openings": b"".join(world.line(**one) for one in world.openings(30)),
    }
    world.write(tmp_path, files)
    words = [
        str(export), "--policy", f"{tmp_path}/policy", "--key", f"{tmp_path}/key", "--checkpoint", f"{tmp_path}/seen",
        "--openings", f"{tmp_path}/openings", "--state", f"{tmp_path}/state", "--head", log.leaves[3].hex(),
    ]  # fmt: skip
    assert main(words) == 0
    assert json.loads((tmp_path / "state").read_text())["size"] == 30
    assert main([*words, "--fast"]) == 0


@pytest.mark.parametrize(("language", "has", "lacks"), [("zh", "条", "entries"), ("en", "entries", "条")])
def test_one_language_may_be_chosen(export, capsys, language, has, lacks):
    main([str(export), "--lang", language])
    out = capsys.readouterr().out
    assert has in out
    assert lacks not in out


def test_the_report_is_there_as_json(export, capsys):
    main([str(export), "--key", KEY.vkey, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["entries"], told["finding"]) == ("whole", 30, None)
    assert told["signers"][0]["vkey"] == KEY.vkey
    export.write_bytes(export.read_bytes().replace(b"account-7", b"account-8"))
    main([str(export), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["finding"]["seq"]) == ("broken", 7)


def test_what_stands_in_a_log_cannot_move_the_cursor_of_a_terminal(tmp_path, capsys):
    told = world.bodies(3, {1: {"out": "\x1b[2J\u202e"}})
    (tmp_path / "log").write_bytes(b"".join(world.jsonl(world.Log(tuple(world.seal(told))))))
    assert main([str(tmp_path / "log")]) == 1
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())
    for line in terminal.lines(Report(origin="\x1b[2J", scope="\x07")):
        assert line.isprintable()


def test_the_module_runs_by_itself(export):
    run = subprocess.run(
        [sys.executable, "-m", "audit.verifier", str(export)], cwd=VERIFIER.parents[1], capture_output=True
    )
    assert run.returncode == 0, run.stderr


def test_the_verifier_imports_nothing_but_itself_and_cryptography():
    allowed = {*sys.stdlib_module_names, "cryptography"}
    for path in VERIFIER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
            assert all(
                name.startswith("audit.verifier") or name.split(".")[0] in allowed for name in names
            ), path
