"""A data space and a browser. A test of this folder knows the space by its pages alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings
from playwright.sync_api import Browser, sync_playwright

from dataspace.machine.doctor import CHROMIUM_NAMES
from dataspace.machine.paths import PROJECT, Paths
from dataspace.settings import base
from tests.e2e.space import Space, running, working
from tests.e2e.visitor import Visitor

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
Visit = Callable[..., Visitor]


@pytest.fixture(scope="session")
def chromium() -> str:
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None:
        pytest.skip("Chromium is missing; `dataspace doctor --tests --fix` installs it")
    return found


@pytest.fixture
def space(chromium: str, transactional_db: None) -> Iterator[Space]:
    """Each test has a space of its own. It stops before the database is emptied, so nothing works on it then."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    paths = Paths(Path(settings.DATA_DIR) / f"e2e-{worker}")
    places = {"DATA_DIR": paths.data, "EXTRACTS_DIR": paths.extracts, "UPLOADS_DIR": paths.uploads}
    hashers = {
        "PASSWORD_HASHERS": base.PASSWORD_HASHERS
    }  # those of the server, which reads the accounts made here
    with override_settings(**places, **hashers), running(paths) as started:
        yield started


@pytest.fixture
def workers(space: Space) -> Iterator[None]:
    with working(space.paths):
        yield


@contextmanager
def browsing(executable: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def visit(request, space: Space, world: object, chromium: str) -> Iterator[Visit]:
    """`visit("bureau")` is somebody in front of a browser of their own, not yet logged in.

    `world` is the test's own: what is in the space before the first visitor comes. While a browser is open the
    database is out of reach (its event loop forbids it), which is as it should be.
    """
    root = Path(os.environ.get("DATASPACE_SCREENSHOTS") or PROJECT / "var" / "screenshots")
    folder = root / request.module.__name__.rpartition("test_")[2]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    space.wait()
    with browsing(chromium) as browser, ExitStack() as stack:

        def come(name: str, **how: object) -> Visitor:
            visitor = Visitor(browser, space.url, name, folder, **how)  # type: ignore[arg-type]
            stack.callback(visitor.leave)
            return visitor

        yield come
