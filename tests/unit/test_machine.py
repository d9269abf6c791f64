"""What the start-up promises about keys, places, locks and ports: without any service."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from dataspace.machine import account, doctor, keys, launch, lock, programs, sockets
from dataspace.machine.account import Account
from dataspace.machine.demo_marker import DemoMarker
from dataspace.machine.errors import MachineError
from dataspace.machine.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(tmp_path / "var")
    found.create()
    return found


def test_the_package_imports_no_django() -> None:
    code = (
        "import sys, pkgutil, importlib, dataspace.machine as room, dataspace.cli;"
        "[importlib.import_module(f'dataspace.machine.{m.name}') for m in pkgutil.iter_modules(room.__path__)];"
        "sys.exit('django' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_keys_are_made_once_and_only_their_owner_reads_them(paths: Paths) -> None:
    first = keys.ensured(paths, {})
    assert keys.ensured(paths, {}) == first
    assert stat.S_IMODE(paths.keys.stat().st_mode) == 0o600
    Fernet(first["DATASPACE_KEY_ENCRYPTION_KEY"])
    assert len(bytes.fromhex(first["DATASPACE_SPACE_KEY"])) == 32
    assert len(first["DATASPACE_SECRET_KEY"]) >= 50


def test_keys_given_by_the_environment_win_and_are_not_written(paths: Paths) -> None:
    given = {name: f"given-{number}" for number, name in enumerate(keys.MAKERS)}
    assert keys.ensured(paths, given) == given
    assert not paths.keys.exists()


def test_a_loosened_key_file_is_closed_again(paths: Paths) -> None:
    keys.ensured(paths, {})
    paths.keys.chmod(0o644)
    keys.ensured(paths, {})
    assert stat.S_IMODE(paths.keys.stat().st_mode) == 0o600


def test_lost_keys_beside_existing_data_stop_the_start(paths: Paths) -> None:
    paths.pg.mkdir()
    with pytest.raises(MachineError, match="demo-reset"):
        keys.ensured(paths, {})
    assert not paths.keys.exists()


def test_two_supervisors_never_share_a_data_folder(paths: Paths) -> None:
    code = (
        "import sys, pathlib; from dataspace.machine import lock; from dataspace.machine.paths import Paths\n"
        "with lock.held(Paths(pathlib.Path(sys.argv[1]))): pass"
    )
    command = [sys.executable, "-c", code, str(paths.data)]
    with lock.held(paths):
        second = subprocess.run(command, capture_output=True, text=True)
        assert f"already running on {paths.data} (process {os.getpid()})" in second.stderr
    assert subprocess.run(command).returncode == 0


def test_a_long_path_gets_a_short_socket_folder() -> None:
    deep = Path("/") / "/".join(["very-long-folder-name"] * 8) / "sock"
    assert len(str(sockets.place(deep))) < 60
    assert sockets.place(deep) == sockets.place(deep)
    assert sockets.place(deep) != sockets.place(deep.with_name("other"))
    assert sockets.place(Path("/srv/dataspace/var/pg.sock")) == Path("/srv/dataspace/var/pg.sock")


def test_a_socket_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    own = Account(os.getuid(), os.getgid())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MachineError, match="somebody else"):
        sockets.secure(tmp_path / "sock", own)


def test_a_socket_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sock").mkdir()
    with pytest.raises(MachineError, match="somebody else"):
        sockets.secure(tmp_path / "sock", Account(os.getuid() + 1, os.getgid()))


def test_a_closed_folder_on_the_way_is_seen(tmp_path: Path) -> None:
    inner = tmp_path / "home" / "project"
    inner.mkdir(parents=True)
    tmp_path.joinpath("home").chmod(0o700)
    assert not account.can_reach(inner)
    assert account.can_reach(Path("/usr/share"))


def test_a_taken_port_leads_to_the_next_free_one() -> None:
    with socket.socket() as taken:
        taken.bind((programs.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < programs.free_port(port) <= port + 100


def test_reset_leaves_alone_what_was_never_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "thesis.txt").write_text("mine")
    launch.reset(Paths(tmp_path))
    assert (tmp_path / "uploads" / "thesis.txt").exists()


def test_reset_never_touches_a_database_of_somebody_else(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody@elsewhere/production")
    with pytest.raises(MachineError, match="DATABASE_URL is set"):
        launch.reset(paths)


def test_a_seeding_cut_short_is_told_apart_from_a_finished_one(tmp_path: Path) -> None:
    marker = DemoMarker(tmp_path / "demo")
    assert (marker.is_done, marker.was_cut_short) == (False, False)
    marker.begin()
    assert (marker.is_done, marker.was_cut_short) == (False, True)
    marker.finish()
    assert (marker.is_done, marker.was_cut_short) == (True, False)


def test_doctor_names_the_line_that_opens_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    switch = tmp_path / "apparmor_restrict_unprivileged_userns"
    switch.write_text("1\n")
    monkeypatch.setattr(doctor, "NAMESPACE_SWITCHES", ((str(switch), "1", "sysctl -w the.switch=0"),))
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'setting up uid map: Permission denied' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    wrong = [finding for finding in doctor.examine(Paths(tmp_path)) if finding.needed and not finding.ok]
    assert [finding.mend.removeprefix("sudo ") for finding in wrong] == ["sysctl -w the.switch=0"]
    assert "Permission denied" in str(wrong[0])


def test_doctor_names_the_package_that_is_missing_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "FONT_FOLDERS", ())
    assert doctor.main(Paths(tmp_path), tests=True, fix=True) == 1
    report = capsys.readouterr().out
    for package in ("bubblewrap", "chromium", "fonts-wqy-microhei", "git"):
        assert f"apt-get install -y {package}" in report


def test_doctor_installs_what_is_needed_first_and_what_can_be_spared_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A package that cannot be had, and can be done without, stops nothing."""
    (tmp_path / "apt-get").write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\ncase "$*" in *golang-go*) exit 100;; esac\n'
    )
    (tmp_path / "sudo").write_text('#!/bin/sh\nshift; exec "$@"\n')
    for name in ("apt-get", "sudo"):
        (tmp_path / name).chmod(0o755)
    for name in ("env", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "FONT_FOLDERS", ())
    monkeypatch.setattr(doctor, "GO_PLACES", ("go",))
    monkeypatch.setattr(doctor, "GO_SOURCES", tmp_path)
    assert doctor.main(Paths(tmp_path), tests=True, fix=True) == 1
    calls = (tmp_path / "calls").read_text().splitlines()
    installed = [call.partition(" --no-install-recommends ")[2] for call in calls if " install " in call]
    assert installed == ["bubblewrap chromium fonts-wqy-microhei git", "golang-go", "golang-golang-x-mod-dev"]
    report = capsys.readouterr().out
    assert "– Go, for the outside exam of the log: is missing" in report


def test_doctor_does_not_fail_for_what_can_be_spared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "GO_PLACES", ("no-such-go",))
    findings = [
        finding for finding in doctor.examine(Paths(tmp_path), tests=True) if "outside exam" in finding.what
    ]
    assert [(finding.ok, finding.needed) for finding in findings] == [(False, False)]
