"""What `dataspace demo` promises: one command, a page that answers, everything back after any kill, a clean stop.

The processes are the real ones (PostgreSQL, Valkey, gunicorn, Celery workers and scheduler); the Django project
below them is a stand-in of one page, so that what is tested here is the start-up and nothing else.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dataspace.machine import leftovers, postgres
from dataspace.machine.paths import PROJECT, Paths

STAND_IN = {
    "__init__.py": "",
    "settings.py": """
import os
from urllib.parse import parse_qs, urlparse
address = urlparse(os.environ["DATABASE_URL"])
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": address.path[1:],
                         "USER": address.username, "OPTIONS": {"host": parse_qs(address.query)["host"][0]}}}
SECRET_KEY = os.environ["DATASPACE_SECRET_KEY"]
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.staticfiles", "standin"]
ROOT_URLCONF = "standin.urls"
STATIC_URL = "static/"
STATIC_ROOT = os.environ["DATASPACE_DATA_DIR"] + "/static"
CELERY_BROKER_URL = os.environ["CELERY_BROKER_URL"]
CELERY_TASK_IGNORE_RESULT = True
USE_TZ = True
""",
    "urls.py": """
import os
from pathlib import Path
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.urls import path
from dataspace.celery import app
def page(request):
    return HttpResponse(f"{get_user_model().objects.count()} users, answered by {os.getpid()}")
def send(request):
    app.send_task("standin.work", args=[request.GET["name"]], queue="runs")
    return HttpResponse("sent")
def key(request):
    folder = Path(os.environ["DATASPACE_DATA_DIR"], "checkpointer")
    around = Path(f"/proc/{request.GET['supervisor']}/root{folder}/key")
    try:
        return HttpResponse(around.read_text())
    except OSError:
        return HttpResponse(f"sees {list(folder.iterdir())}")
urlpatterns = [path("", page), path("send", send), path("key", key)]
""",
    "tasks.py": """
import os
from pathlib import Path
from dataspace.celery import app
@app.task(name="standin.work")
def work(name):
    Path(os.environ["DATASPACE_DATA_DIR"], name).write_text(str(os.getppid()))
""",
    "management/__init__.py": "",
    "management/commands/__init__.py": "",
    "management/commands/seed_demo.py": """
import os
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand
class Command(BaseCommand):
    def handle(self, **options):
        get_user_model().objects.create_user("li")
        if os.environ.get("CUT_SHORT"):
            os.kill(os.getpid(), 9)
        get_user_model().objects.create_user("wang")
""",
    "management/commands/demo_logins.py": """
from django.core.management import BaseCommand
class Command(BaseCommand):
    def handle(self, **options):
        self.stdout.write("provider  li")
""",
    "management/commands/seal.py": """
import time
from django.core.management import BaseCommand
class Command(BaseCommand):
    def handle(self, **options):
        time.sleep(3600)
""",
    "management/commands/checkpoint.py": """
import os, time
from pathlib import Path
from django.core.management import BaseCommand
class Command(BaseCommand):
    def handle(self, **options):
        Path(os.environ["DATASPACE_DATA_DIR"], "checkpointer", "key").write_text("secret")
        time.sleep(3600)
""",
}
PROGRAMS = {
    "postgres", "valkey", "web", "sealer", "checkpointer", "worker-runs", "worker-ingest", "scheduler",
}  # fmt: skip


class Demo:
    """`dataspace demo` in a folder of its own."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.paths = Paths(folder / "var")
        environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("DATASPACE_", "DJANGO_"))
            },
            "PYTHONPATH": str(folder),
            "DJANGO_SETTINGS_MODULE": "standin.settings",
            "DATASPACE_DATA_DIR": str(self.paths.data),
            "PORT": str(free_port()),
            "DATASPACE_AUDIT_POLICY": "none",  # the stand-in keeps no log that a witness could see
            "PYTHONUNBUFFERED": "1",
            **more,
        }
        for variable in ("DATABASE_URL", "CELERY_BROKER_URL"):
            environment.pop(variable, None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dataspace.cli", "demo"],
            cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.lines: list[str] = []

    def wait_ready(self) -> float:
        """Returns the seconds from the start to the page, as the command itself says."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith("Logs:"):
                break
        said = re.search(r"ready after ([0-9.]+) s: (http://\S+)", "".join(self.lines))
        assert said, "".join(self.lines)
        self.address = said[2]
        return float(said[1])

    def get(self, path: str = "") -> str:
        with urllib.request.urlopen(self.address + path, timeout=10) as answer:
            return answer.read().decode()

    def children(self) -> dict[int, str]:
        """Direct children of the supervisor: process id → command line."""
        found = {}
        for process in leftovers.running():
            try:
                status = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                if int(status[1]) == self.process.pid and status[0] != "Z":
                    found[process] = (
                        Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                    )
            except OSError:
                continue
        return found

    def one(self, word: str) -> int:
        return next((process for process, command in self.children().items() if word in command), 0)

    def stop(self) -> str:
        self.process.send_signal(signal.SIGINT)
        rest = self.process.communicate(timeout=60)[0]
        return "".join(self.lines) + rest


@pytest.fixture
def demo() -> Iterator[Callable[..., Demo]]:
    folder = Path(tempfile.mkdtemp(prefix="ds-"))
    folder.chmod(0o755)
    for name, text in STAND_IN.items():
        file = folder / "standin" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    started: list[Demo] = []

    def start(**more: str) -> Demo:
        started.append(Demo(folder, **more))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()
        assert each.process.stdout is not None
        each.process.stdout.close()
    leftovers.end(folder / "var")
    postgres.remove(Paths(folder / "var"))
    shutil.rmtree(folder)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], object], seconds: float = 20) -> float:
    began = time.monotonic()
    while True:
        try:
            if condition():
                return time.monotonic() - began
        except OSError:
            pass
        assert time.monotonic() - began < seconds, "it did not come about"
        time.sleep(0.02)


def test_demo_seeds_once_answers_and_stops_without_a_trace(demo: Callable[..., Demo]) -> None:
    first = demo()
    first.wait_ready()
    assert first.get().startswith("2 users")
    assert {path.stem for path in first.paths.log.iterdir()} == PROGRAMS
    everybody = first.children()
    said = first.stop()
    assert "provider  li" in said
    assert said.rstrip().endswith("Stopped. The data are kept.")
    assert first.process.returncode == 0
    assert leftovers.end(first.paths.data) == 0
    assert not any(Path(f"/proc/{process}/cwd").exists() for process in everybody)

    second = demo()
    assert second.wait_ready() < 15
    assert second.get().startswith("2 users")
    assert not re.search("Filling|Bringing|Collecting", second.stop())


def test_every_killed_process_is_back_and_work_goes_on(demo: Callable[..., Demo]) -> None:
    running = demo()
    running.wait_ready()
    for word in ("gunicorn", "--queues runs", "--queues ingest", " seal", " checkpoint", " beat "):
        killed = running.one(word)
        assert killed, word
        os.kill(killed, signal.SIGKILL)
        assert until(lambda word=word, killed=killed: running.one(word) not in {0, killed}) < 1, word
    for word in ("postgres", "valkey"):
        killed = running.one(word)
        os.kill(killed, signal.SIGKILL)
        until(lambda word=word, killed=killed: running.one(word) not in {0, killed})
    until(lambda: running.get().startswith("2 users"))
    done = running.paths.data / "done"
    until(lambda: running.get("send?name=done") == "sent")
    until(lambda: done.exists() and done.read_text(), 30)
    assert int(done.read_text()) == running.one("--queues runs")
    running.stop()


def test_the_web_server_cannot_read_the_keys_of_the_log(demo: Callable[..., Demo]) -> None:
    """P11: neither in their folder nor by way of a process that can, under the same account."""
    running = demo()
    running.wait_ready()
    key = running.paths.checkpointer / "key"
    until(lambda: key.read_text() == "secret")
    assert running.get(f"key?supervisor={running.process.pid}") == "sees []"
    running.stop()


def test_a_killed_supervisor_leaves_nothing_and_the_next_demo_starts(demo: Callable[..., Demo]) -> None:
    first = demo()
    first.wait_ready()
    everybody = first.children()
    first.process.kill()
    first.process.wait()
    second = demo()
    second.wait_ready()
    assert second.get().startswith("2 users")
    assert not any(Path(f"/proc/{process}/cwd").exists() for process in everybody)
    second.stop()


def test_a_seeding_cut_short_starts_over(demo: Callable[..., Demo]) -> None:
    first = demo(CUT_SHORT="1")
    assert "could not be prepared" in first.process.communicate(timeout=60)[0]
    assert first.process.returncode == 1
    second = demo()
    second.wait_ready()
    assert second.get().startswith("2 users")
    assert "starting over" in second.stop()


def test_a_second_demo_on_the_same_data_says_who_runs(demo: Callable[..., Demo]) -> None:
    first = demo()
    first.wait_ready()
    second = demo()
    assert (
        f"already running on {first.paths.data} (process {first.process.pid})"
        in second.process.communicate()[0]
    )
    assert second.process.returncode == 1
    first.stop()


def test_a_taken_port_is_said_and_avoided(demo: Callable[..., Demo]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = demo(PORT=str(port))
        running.wait_ready()
        assert running.get().startswith("2 users")
        assert f"Port {port} is taken" in running.stop()
