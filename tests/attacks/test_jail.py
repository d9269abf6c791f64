"""Attacks from inside: hostile Python that runs in the jail as a reviewed script would, after the locks.

Each attack is a line of Python; `attack` runs it in a jail of its own and returns what it met.
"""

from __future__ import annotations

import os
import platform
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.isolation import walls
from sandbox.isolation.job import Job, Kind
from sandbox.isolation.limits import MIB, Limits
from sandbox.isolation.outcome import Outcome, Status
from sandbox.isolation.spares import SparePool

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")

LIMITS = Limits(cpu_seconds=20, wall_seconds=60, memory_bytes=512 * MIB, output_bytes=MIB)
PROJECT = Path(__file__).parents[2]
PRELUDE = """
import ctypes, mmap, os, signal, socket, subprocess, sys, threading, time
import pyarrow as pa
libc = ctypes.CDLL(None, use_errno=True)
extract = int(next(n for n in os.listdir('/proc/self/fd') if os.path.isfile(f'/proc/self/fd/{n}')))
def call(*numbers):
    if libc.syscall(*(ctypes.c_long(n) for n in numbers)) == -1:
        raise OSError(ctypes.get_errno(), 'refused')
def attempt(line):
    try:
        return f'done: {eval(line)!r}'
    except BaseException as error:
        return f'refused: {error!r}'
"""


@pytest.fixture(scope="module")
def pool() -> Iterator[SparePool]:
    with SparePool(2) as spares:
        yield spares


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "extract.parquet"
    pq.write_table(pa.table({"unit": [1, 2, 3]}), path)
    path.chmod(0o644)  # writable by its owner: the jail must not rely on the mode
    return path


@pytest.fixture
def attack(pool: SparePool, extract: Path):
    def run(source: str, limits: Limits = LIMITS) -> Outcome:
        descriptor = os.open(extract, os.O_RDONLY)
        try:
            job = Job(Kind.SCRIPT, PRELUDE + textwrap.dedent(source), {"extract": 0}, 100_000)
            return pool.run(job, [descriptor], limits=limits, keep_going=lambda: True)
        finally:
            os.close(descriptor)

    return run


@pytest.fixture
def attempts(attack):
    def run(*lines: str) -> list[str]:
        outcome = attack(f"emit(pa.table({{'met': [attempt(line) for line in {list(lines)!r}]}}))")
        assert outcome.status is Status.OK
        return outcome.table["met"].to_pylist()

    return run


def assert_refused(met: list[str]) -> None:
    assert [line for line in met if not line.startswith("refused")] == []


def test_reads_no_file_of_the_machine(attempts) -> None:
    paths = [
        "/etc/passwd",
        "/etc/hostname",
        "/root/.bashrc",
        "/proc/1/mem",
        "/sys/kernel/vmcoreinfo",
        "/dev/sda",
    ]
    paths += [str(PROJECT / "pyproject.toml"), str(PROJECT / "sandbox/isolation/limits.py"), str(Path.home())]
    assert_refused(attempts(*(f"open({path!r}, 'rb').read(10)" for path in paths)))


def test_sees_only_interpreter_packages_and_runner(attempts) -> None:
    root, code, site, home = attempts(
        "sorted(os.listdir('/'))", "sorted(os.listdir('/code/sandbox/isolation'))",
        "[n for n in os.listdir('/site') if 'django' in n or 'crypto' in n]", "os.listdir('/tmp')",
    )  # fmt: skip
    expected = {"code", "dev", "lib", "lib64", "proc", "python", "site", "tmp", "usr"}
    assert set(eval(root.removeprefix("done: "))) <= expected
    assert code == "done: ['runner']"
    assert site == "done: []"
    assert home == "done: ['sample.parquet']"


def test_sees_no_other_process(attempts) -> None:
    (met,) = attempts("sorted(int(n) for n in os.listdir('/proc') if n.isdigit())")
    assert met == "done: [1, 2]"  # bubblewrap's reaper and the runner


def test_machine_facts_in_proc_are_hidden(attempts) -> None:
    folder, *files = attempts(
        "os.listdir('/proc/sys')", "open('/proc/kallsyms').read()", "open('/proc/cmdline').read()"
    )
    assert folder == "done: []"
    assert_refused(files)


def test_no_network(attempts) -> None:
    met = attempts(
        "socket.create_connection(('1.1.1.1', 53), 2)",
        "socket.socket(socket.AF_INET6)",
        "socket.socket(socket.AF_UNIX).connect(chr(0) + 'bus')",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "socket.getaddrinfo('example.org', 80)",
        "socket.socket(fileno=3).connect('/tmp/x')",
        "socket.socket(fileno=3).recv_fds and socket.recv_fds(socket.socket(fileno=3), 1, 1)",
    )
    assert_refused(met)


def test_fork_bomb_starts_nothing(attempts) -> None:
    assert_refused(attempts("os.fork()", "os.forkpty()", "os.posix_spawn('/python/bin/python3', ['x'], {})"))
    met = attempts(
        "[libc.fork() for _ in range(200)] == [-1] * 200", "[libc.vfork() for _ in range(9)] == [-1] * 9"
    )
    assert met == ["done: True", "done: True"]


def test_thread_bomb_starts_nothing(attempts) -> None:
    assert_refused(attempts("[threading.Thread(target=time.sleep, args=(9,)).start() for _ in range(1000)]"))


def test_executes_nothing(attempts) -> None:
    met = attempts(
        "os.execv('/bin/sh', ['sh'])",
        "os.execv('/python/bin/python3', ['python3', '-c', ''])",
        "subprocess.run(['/python/bin/python3', '-V'], check=True)",
        "call(322 if os.uname().machine == 'x86_64' else 281, extract, 0, 0, 0, 0x1000)",  # execveat
    )
    assert_refused(met)


def test_dangerous_system_calls_do_not_exist(attempts) -> None:
    numbers = {  # name: (x86_64, aarch64)
        "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "mount": (165, 40),
        "umount2": (166, 39), "pivot_root": (155, 41), "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280),
        "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217),
        "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "kexec_load": (246, 104), "init_module": (175, 105),
        "finit_module": (313, 273), "clone3": (435, 435), "openat2": (437, 437), "fchmodat2": (452, 452),
        "fchmod": (91, 52), "fchown": (93, 55), "chroot": (161, 51), "setuid": (105, 146), "setgid": (106, 144),
        "memfd_create": (319, 279), "open_by_handle_at": (304, 265), "inotify_init1": (294, 26), "flock": (73, 32),
        "truncate": (76, 45), "fallocate": (285, 47), "utimensat": (280, 88), "fsetxattr": (190, 7), "kill": (62, 129),
        "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "seccomp": (317, 277),
        "setrlimit": (160, 164), "socket": (41, 198), "socketpair": (53, 199), "sendmsg": (46, 211),
        "recvmsg": (47, 212), "shmget": (29, 194), "landlock_create_ruleset": (444, 444), "swapon": (167, 224),
        "reboot": (169, 142), "sethostname": (170, 161), "settimeofday": (164, 170), "personality": (135, 92),
        "tomorrow": (999, 999),
    }  # fmt: skip
    column = 0 if platform.machine() == "x86_64" else 1
    met = attempts(*(f"call({pair[column]}, -1, -1, 0, 0, 0)" for pair in numbers.values()))
    done = [name for name, line in zip(numbers, met, strict=True) if "OSError(38" not in line]
    assert done == []  # 38: no such call


def test_new_namespace_by_clone_is_refused(attempts) -> None:
    number = 56 if platform.machine() == "x86_64" else 220
    assert_refused(
        attempts(f"call({number}, 0x10000011, 0, 0, 0, 0)", f"call({number}, 0x00010900, 0, 0, 0, 0)")
    )


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x32 exists on x86_64 only")
def test_foreign_call_convention_is_killed(attack) -> None:
    outcome = attack("call(0x40000000 | 39)")  # getpid by x32
    assert outcome.status in {Status.ENGINE_ERROR, Status.SANDBOX_LOST}
    assert outcome.table is None


def test_extract_never_becomes_writable(attempts, extract: Path) -> None:
    before = extract.read_bytes(), extract.stat().st_mode, extract.stat().st_mtime_ns
    path = "f'/proc/self/fd/{extract}'"
    met = attempts(
        f"os.open({path}, os.O_RDWR)",
        f"os.open({path}, os.O_WRONLY)",
        f"os.open({path}, os.O_RDONLY | os.O_TRUNC)",
        f"os.open({path}, os.O_RDONLY | os.O_APPEND)",
        f"open({path}, 'r+b')",
        f"os.fchmod(extract, 0o777) or open({path}, 'r+b')",
        f"os.chmod({path}, 0o777)",
        "os.ftruncate(extract, 0)",
        f"os.truncate({path}, 0)",
        "os.write(extract, b'x')",
        "os.pwrite(extract, b'x', 0)",
        "mmap.mmap(extract, 0, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_SHARED)",
        f"os.utime({path}, (0, 0))",
        f"os.setxattr({path}, 'user.x', b'x')",
        f"os.link({path}, '/tmp/x')",
        "__import__('fcntl').ioctl(extract, 0x40086602, (0).to_bytes(8, 'little'))",  # FS_IOC_SETFLAGS
        "__import__('fcntl').fcntl(extract, 1024, 0)",  # F_SETLEASE
        "__import__('fcntl').fcntl(extract, 4, 0)",  # F_SETFL
        "__import__('fcntl').flock(extract, 2)",
    )
    assert_refused(met)
    assert (extract.read_bytes(), extract.stat().st_mode, extract.stat().st_mtime_ns) == before


def test_writes_no_file(attempts) -> None:
    places = [
        "/tmp/x",
        "/x",
        "/code/x",
        "/site/x",
        "/dev/shm/x",
        "/dev/null",
        "/proc/self/oom_score_adj",
        "/proc/self/mem",
    ]
    met = attempts(
        *(f"open({place!r}, 'wb').write(b'x' * 10**8)" for place in places),
        "os.mkdir('/tmp/x')", "os.mkfifo('/tmp/x')", "os.symlink('/', '/tmp/x')", "os.unlink('/tmp/sample.parquet')",
        "os.open('/tmp', os.O_TMPFILE | os.O_RDWR)", "os.memfd_create('x')",
    )  # fmt: skip
    assert_refused(met)


def test_signals_reach_nobody(attempts) -> None:
    met = attempts(
        "os.kill(1, 9)", "os.kill(-1, 9)", "os.killpg(0, 9)", "os.kill(os.getppid(), 15)", "os.pidfd_open(1)"
    )
    assert_refused(met)


def test_rises_to_no_other_user(attempts) -> None:
    met = attempts(
        "os.setuid(0)", "os.setresuid(0, 0, 0)", "os.setgid(0)", "os.setgroups([])", "os.chroot('/tmp')"
    )
    assert_refused(met)


def test_limits_cannot_be_raised(attempts) -> None:
    limits = "__import__('resource')"
    met = attempts(
        f"{limits}.setrlimit({limits}.RLIMIT_AS, ({limits}.RLIM_INFINITY,) * 2)",
        f"{limits}.setrlimit({limits}.RLIMIT_CPU, (10**6, 10**6))",
        f"{limits}.prlimit(0, {limits}.RLIMIT_NPROC, (100, 100))",
        "os.nice(-5)",
        "os.sched_setaffinity(0, {0})",
    )
    assert_refused(met)


def test_environment_holds_nothing_of_the_worker(attempts) -> None:
    mine, reaper = attempts("dict(os.environ)", "open('/proc/1/environ').read()")
    assert reaper == "done: ''"
    assert eval(mine.removeprefix("done: ")) == {**walls.ENVIRONMENT, "PWD": "/tmp"}


def test_holds_the_socket_and_its_extract_and_no_other_descriptor(attempts) -> None:
    (met,) = attempts(
        "sorted((int(n), os.readlink(f'/proc/self/fd/{n}')) for n in os.listdir('/proc/self/fd')[:-1])"
    )
    found = dict(eval(met.removeprefix("done: ")))
    assert {found.pop(n) for n in (0, 1, 2)} == {"/dev/null"}
    assert found.pop(3).startswith("socket:")
    kinds = sorted(place for place in found.values() if not place.startswith("anon_inode:"))
    assert len(kinds) == 1
    assert kinds[0].endswith("extract.parquet")


def test_locks_are_really_on(attempts) -> None:
    (met,) = attempts("dict(line.split(':\\t', 1) for line in open('/proc/self/status').read().splitlines())")
    status = eval(met.removeprefix("done: "))
    assert status["Seccomp"] == "2"
    assert status["Seccomp_filters"] == "2"
    assert status["NoNewPrivs"] == "1"
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}


def test_every_thread_carries_the_filter(attempts) -> None:
    (met,) = attempts(
        "[open(f'/proc/self/task/{t}/status').read().count('Seccomp_filters:\\t2') for t in os.listdir('/proc/self/task')]"
    )
    filters = eval(met.removeprefix("done: "))
    assert len(filters) > 1
    assert set(filters) == {1}
