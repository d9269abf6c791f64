"""The auditor's tools stand alone: installed without the data space they verify, mirror and witness."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from audit.verifier import VERSION
from tests import log_world

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "audit" / "verifier"
CRYPTOGRAPHY = ("cryptography", "cffi", "_cffi_backend*", "pycparser")


def packaged() -> set[str]:
    """What belongs into the wheel: the two packages, and no `audit/__init__.py` of the web application."""
    return {
        path.relative_to(ROOT).as_posix()
        for room in ("verifier", "witness")
        for path in (ROOT / "audit" / room).glob("*.py")
    }


@pytest.fixture
def export(tmp_path: Path) -> Path:
    log = log_world.Log(tuple(log_world.seal(log_world.bodies(300))))
    return log_world.write(tmp_path / "export", log_world.files(log))


def test_with_python_and_cryptography_alone_it_verifies_reports_and_witnesses(tmp_path, export):
    """No site-packages but cryptography's own: what else were imported would be missing."""
    place, site = tmp_path / "place", Path(next(path for path in sys.path if path.endswith("site-packages")))
    for name in packaged():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    for pattern in CRYPTOGRAPHY:
        for found in site.glob(pattern):
            (place / found.name).symlink_to(found)

    def run(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        starter = f"import sys, runpy; sys.path.append({str(place)!r}); runpy.run_module({module!r}, alter_sys=True, run_name='__main__')"
        command = [sys.executable, "-I", "-S", "-c", starter, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)

    key = log_world.ed25519().vkey
    verified = run("audit.verifier", export, "--key", key, "--report", tmp_path / "report.html")
    assert verified.returncode == 0, verified.stderr
    assert "通过 · OK" in verified.stdout
    assert "通过" in (tmp_path / "report.html").read_text(encoding="utf-8")
    shown = run("audit.witness", "--folder", tmp_path / "w", "--name", "auditor.example/w1", "--show-key")
    assert shown.stdout.startswith("auditor.example/w1+"), shown.stderr
    assert run("audit.verifier", "mirror", "http://127.0.0.1:1/log", tmp_path / "copy").returncode == 2


def test_its_one_dependency_is_cryptography():
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [one.partition(">")[0] for one in project["dependencies"]] == ["cryptography"]
    assert project["requires-python"] == ">=3.11"


def test_installed_by_pip_in_an_environment_of_its_own_it_verifies_an_export(tmp_path, export):
    """Takes a package index for hatchling and cryptography."""
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(tmp_path / "venv")], capture_output=True, timeout=120
    )
    if made.returncode:
        pytest.skip("this Python cannot make an environment with pip (Debian: python3-venv)")
    python = tmp_path / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    quick = ["--retries", "1", "--timeout", "10"]
    needs = subprocess.run(
        [*pip, "install", *quick, "hatchling", "cryptography"], capture_output=True, timeout=300
    )
    if needs.returncode:
        pytest.skip("pip reaches no package index")
    alone = ["--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "wheel", *alone, "-w", str(tmp_path), str(PACKAGE)], check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"dataspace_audit_verifier-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert names - {"audit/verifier/README.md", "audit/verifier/pyproject.toml"} == packaged()
    subprocess.run([*pip, "install", "--no-index", str(wheel)], check=True, timeout=120)

    def run(*command: object) -> str:
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    key = log_world.ed25519().vkey
    for command in ([tmp_path / "venv/bin/audit-verify"], [python, "-m", "audit.verifier"]):
        assert "通过 · OK" in run(*command, export, "--key", key)
    for command in ([tmp_path / "venv/bin/audit-witness"], [python, "-m", "audit.witness"]):
        assert run(
            *command, "--folder", tmp_path / "w", "--name", "auditor.example/w1", "--show-key"
        ).startswith("auditor")
    assert (
        run(
            python,
            "-c",
            "import importlib.util as u; print(u.find_spec('django'), u.find_spec('audit.models'))",
        )
        == "None None\n"
    )
