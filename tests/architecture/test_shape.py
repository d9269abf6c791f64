"""The shape of the code: imports one way, small files, one reader of the environment, one importer of guardian."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, calls, dotted, modules, name_of, tree

LONGEST_FILE = 400  # lines; the aim is 300

# Who may read the environment besides settings/environment.py, and why.
READERS_OF_THE_ENVIRONMENT = {
    "dataspace/settings/environment.py": "the one place where settings come from",
    "dataspace/settings/test.py": "fixed keys for tests, before the settings are read",
    "dataspace/celery.py": "names the settings module, before there are settings",
    "dataspace/wsgi.py": "names the settings module, before there are settings",
}
ENVIRONMENT_BY_FOLDER = ("dataspace/machine/",)  # starts processes and hands the environment on


def reads_environment(path: Path) -> bool:
    names = {"os.environ", "os.environb", "os.getenv", "os.putenv"}
    imported = any(
        isinstance(node, ast.ImportFrom)
        and node.module == "os"
        and {"environ", "getenv"} & {a.name for a in node.names}
        for node in ast.walk(tree(path))
    )
    return imported or any(
        dotted(node) in names for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)
    )


def importers_of(module: str) -> set[str]:
    found = set()
    for path in modules():
        for node in ast.walk(tree(path)):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if any(name == module or name.startswith(f"{module}.") for name in named):
                found.add(name_of(path))
    return found


def imported_by(path: Path) -> set[str]:
    """Modules by their full name; what is imported from a package of ours, by that of the package and its own."""
    found = set[str]()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: say the full name"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_imports_run_one_way_and_pure_rooms_are_pure():
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, env={**os.environ, "COLUMNS": "200"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    "folder", ["audit", "parties", "catalog", "contracts", "sandbox", "dataspace", "tests", "benchmarks"]
)
def test_no_file_is_longer_than_can_be_read_in_one_go(folder):
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules(folder)}
    longest = 2 * LONGEST_FILE if folder == "tests" else LONGEST_FILE  # tables of attacks may be long
    assert {name: length for name, length in lengths.items() if length > longest} == {}


def test_only_the_settings_and_the_machine_read_the_environment():
    found = {name_of(path) for path in modules() if reads_environment(path)}
    assert {
        name for name in found if not name.startswith(ENVIRONMENT_BY_FOLDER)
    } == READERS_OF_THE_ENVIRONMENT.keys()


def test_only_the_grants_import_guardians_shortcuts():
    assert importers_of("guardian.shortcuts") == {"parties/grants.py"}


def test_only_the_recorder_calls_the_function_that_writes_the_log():
    named = {
        name_of(path)
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "audit_emit(" in node.value
    }
    assert named == {"audit/recorder.py"}


@pytest.mark.parametrize(
    ("folder", "ours"),
    [("audit/verifier", {"audit.verifier"}), ("audit/witness", {"audit.verifier", "audit.witness"})],
)
def test_the_auditors_tools_need_nothing_but_python_and_cryptography(folder, ours):
    """Whoever mistrusts us runs them without us."""
    foreign = {
        (name_of(path), module)
        for path in modules(folder)
        for module in imported_by(path)
        if module.split(".")[0] not in {*sys.stdlib_module_names, "cryptography"}
        and ".".join(module.split(".")[:2]) not in ours
    }
    assert foreign == set()


def test_no_module_runs_text_as_code():
    forbidden = {"eval", "exec", "os.system", "pickle.loads", "pickle.load", "marshal.loads", "mark_safe"}
    # Reviewed scripts run in the jail, and nowhere else.
    allowed = {"sandbox/isolation/runner/script.py": {"exec"}}
    found = {
        name_of(path): named
        for path in modules()
        if (
            named := {dotted(call.func) for call in calls(path)}
            & forbidden - allowed.get(name_of(path), set())
        )
    }
    assert found == {}
