"""`dataspace doctor`: what this machine lacks, and for each lack the one line that mends it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dataspace.machine import postgres, programs, valkey
from dataspace.machine.errors import MachineError
from dataspace.machine.paths import Paths
from dataspace.machine.services import BROKER_VARIABLE, DATABASE_VARIABLE
from sandbox.isolation.walls import NAMESPACES

GIB = 1024**3
DISK_GIB = 3
MEMORY_GIB = 2
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts")
FONT_SIGNS = ("wqy", "cjk", "notosanssc", "notoserifsc", "arphic", "uming", "ukai", "droidsansfallback")
# Go and its own transparency-log packages, for the outside exam: Debian's, or any Go that is on the PATH.
GO_PLACES = ("go", "/usr/local/go/bin/go", "/usr/lib/go/bin/go")
GO_SOURCES = Path("/usr/share/gocode/src")
# Switches of the kernel that forbid a process without privileges to make a namespace: file, closed value, the
# cure.
NAMESPACE_SWITCHES = (
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)


@dataclass(frozen=True)
class Finding:
    """One line of the report. `mend`: the line that helps. `package`: what `--fix` installs."""

    ok: bool
    what: str
    mend: str = ""
    package: str = ""
    needed: bool = True

    def __str__(self) -> str:
        sign = "✓" if self.ok else "✗" if self.needed else "–"
        return f"{sign} {self.what}" + (f"\n    mend: {self.mend}" if self.mend and not self.ok else "")


def examine(paths: Paths, *, tests: bool = False) -> list[Finding]:
    """All findings; with `tests` also what only the test run needs."""
    findings = [_python(), *_sandbox(), *_services(), _disk(paths), _memory(), _cores(), _port()]
    return [*findings, _chromium(), _chinese_font(), _git(), *_outside_exam()] if tests else findings


def main(paths: Paths, *, fix: bool = False, tests: bool = False, quiet: bool = False) -> int:
    """Prints the findings (with `quiet` only what is wrong) and returns 1 if something needed is missing."""
    findings = examine(paths, tests=tests)
    if fix and _mend(findings):
        findings = examine(paths, tests=tests)
    for finding in findings:
        if not quiet or not (finding.ok or not finding.needed):
            print(finding, flush=True)
    return 1 if any(finding.needed and not finding.ok for finding in findings) else 0


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding(
        sys.version_info >= (3, 11), f"Python {found} (3.11 or newer)", "apt-get install -y python3.11"
    )


def _sandbox() -> Iterator[Finding]:
    bubblewrap = shutil.which("bwrap")
    if not bubblewrap:
        yield _debian(None, "bubblewrap, the sandbox every computation runs in", "bubblewrap")
        return
    yield Finding(ok=True, what=f"bubblewrap at {bubblewrap}")
    trial = subprocess.run(
        [bubblewrap, *NAMESPACES, "--ro-bind", "/", "/", "--proc", "/proc", "/bin/true"],
        capture_output=True,
        text=True,
        check=False,
    )
    yield Finding(
        trial.returncode == 0,
        "bubblewrap can make namespaces" + (f" ({trial.stderr.strip()[:200]})" if trial.returncode else ""),
        _namespace_cure(),
    )


def _namespace_cure() -> str:
    for file, closed, cure in NAMESPACE_SWITCHES:
        path = Path(file)
        if path.exists() and path.read_text().strip() == closed:
            return f"{_privileged()}{cure}"
    return (
        "in a container, start it with: --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
    )


def _services() -> Iterator[Finding]:
    if os.environ.get(DATABASE_VARIABLE):
        yield Finding(ok=True, what=f"PostgreSQL from {DATABASE_VARIABLE}")
    else:
        yield _runs("embedded PostgreSQL", postgres.version_line, DATABASE_VARIABLE)
    if os.environ.get(BROKER_VARIABLE):
        yield Finding(ok=True, what=f"broker from {BROKER_VARIABLE}")
    else:
        yield _runs("embedded Valkey", valkey.version_line, BROKER_VARIABLE)


def _disk(paths: Paths) -> Finding:
    folder = next(parent for parent in (paths.data / "x").parents if parent.exists())
    free = shutil.disk_usage(folder).free / GIB
    return Finding(
        free >= DISK_GIB,
        f"{free:.1f} GiB free below {folder} ({DISK_GIB} needed)",
        "export DATASPACE_DATA_DIR=/a/folder/on/a/larger/disk",
    )


def _memory() -> Finding:
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(lines["MemAvailable"].split()[0]) * 1024 / GIB
    return Finding(
        available >= MEMORY_GIB,
        f"{available:.1f} GiB of memory available ({MEMORY_GIB} needed)",
        "close other programs, or give the machine more memory",
    )


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0))
    return Finding(ok=True, what=f"{cores} core(s): as many runs at the same time")


def _port() -> Finding:
    wanted = int(os.environ.get("PORT") or programs.FIRST_PORT)
    try:
        port = programs.free_port(wanted)
    except MachineError as error:
        return Finding(ok=False, what=str(error).splitlines()[0], mend="PORT=9000 make demo")
    taken = f"port {wanted} is taken; {port} will be used"
    return Finding(port == wanted, f"port {wanted} is free" if port == wanted else taken, needed=False)


def _chromium() -> Finding:
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    return _debian(found, "Chromium, for the browser tests", "chromium")


def _chinese_font() -> Finding:
    return _debian(_font_file(), "a Chinese font, for the browser tests' screenshots", "fonts-wqy-microhei")


def _font_file() -> str | None:
    if shutil.which("fc-list"):
        listed = subprocess.run(["fc-list", ":lang=zh", "file"], capture_output=True, text=True, check=False)
        return listed.stdout.partition(":")[0].strip() or None
    for folder in FONT_FOLDERS:
        for file in Path(folder).rglob("*.[to]t[fc]"):
            if any(sign in file.name.lower().replace("-", "") for sign in FONT_SIGNS):
                return str(file)
    return None


def _git() -> Finding:
    return _debian(shutil.which("git"), "git, for the tests of the repository's own rules", "git")


def find_go() -> str | None:
    return next(filter(None, map(shutil.which, GO_PLACES)), None)


def _outside_exam() -> Iterator[Finding]:
    """Other people's verifier of the log. Without it those tests are skipped."""
    yield _debian(find_go(), "Go, for the outside exam of the log", "golang-go", needed=False)
    sources = GO_SOURCES / "golang.org" / "x" / "mod" / "sumdb"
    found = str(sources) if sources.is_dir() else None
    yield _debian(found, "Go's sumdb packages, for the same", "golang-golang-x-mod-dev", needed=False)


def _debian(found: str | None, what: str, package: str, *, needed: bool = True) -> Finding:
    place = f" at {found}" if found else " is missing"
    mend = f"{_privileged()}apt-get install -y {package}"
    return Finding(bool(found), f"{what}:{place}", mend, package, needed)


def _runs(what: str, version_line: Callable[[], str], variable: str) -> Finding:
    try:
        return Finding(ok=True, what=f"{what}: {version_line()}")
    except (MachineError, OSError) as error:
        return Finding(ok=False, what=f"{what}: {error}", mend=f"set {variable} to a server of your own")


def _privileged() -> str:
    return "" if os.geteuid() == 0 else "sudo "


def _mend(findings: list[Finding]) -> bool:
    """Installs the Debian packages that are missing if we may without asking; otherwise the report's lines say how.

    Those that are needed first, and together; one that can be done without stops nothing if it cannot be had.
    """
    missing = [finding for finding in findings if not finding.ok and finding.package]
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not missing or not shutil.which("apt-get") or (prefix and not _sudo_is_open()):
        return False
    print(f"Installing {', '.join(finding.package for finding in missing)} …", flush=True)
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    subprocess.run([*command, "update"], stdout=subprocess.DEVNULL, check=False)
    needed = [finding.package for finding in missing if finding.needed]
    for packages in [needed, *([finding.package] for finding in missing if not finding.needed)]:
        if packages:
            install = [*command, "install", "-y", "--no-install-recommends", *packages]
            subprocess.run(install, stdout=subprocess.DEVNULL, check=False)
    return True


def _sudo_is_open() -> bool:
    if not shutil.which("sudo"):
        return False
    return subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
