"""Somebody in front of a browser. Whatever a page complains of, and whatever it fetches from elsewhere, is noted."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response, expect

from tests.factories import PASSWORD

SLOW = 20_000  # milliseconds a page may take on a busy machine
BACKGROUND = 180_000  # and what workers do
_STATUS = re.compile(r"the server responded with a status of (\d+)")
_REPORT = """addEventListener("securitypolicyviolation",
    (e) => console.error(`against the content security policy: ${e.violatedDirective} ${e.blockedURI}`))"""
_numbers: dict[Path, Iterator[int]] = {}


class Visitor:
    """A browser context of their own: cookies, language, size. `name` is also the account to log in with."""

    def __init__(
        self,
        browser: Browser,
        site: str,
        name: str,
        folder: Path,
        *,
        locale: str = "zh-CN",
        width: int = 1280,
    ) -> None:
        self.site, self.name, self.folder = site, name, folder
        self.complaints: list[str] = []
        self._accepted: set[int] = set()
        self._context = browser.new_context(
            viewport={"width": width, "height": 900}, locale=locale, timezone_id="Asia/Shanghai",
            reduced_motion="reduce", base_url=site,
        )  # fmt: skip
        self._context.set_default_timeout(SLOW)
        self._context.add_init_script(_REPORT)
        self.page: Page = self._context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)

    # --- What the browser notes ---------------------------------------------------------------------------
    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        status = _STATUS.search(message.text)
        if not (status and int(status[1]) in self._accepted):
            self.complaints.append(f"console: {message.text} ({message.location})")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.site}/", "data:", "blob:")):
            self.complaints.append(f"asked another host: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self._accepted:
            self.complaints.append(f"{response.status} for {response.request.method} {response.url}")

    @contextmanager
    def expecting(self, *statuses: int) -> Iterator[None]:
        """These answers are what the step is about, and one of them has to come."""
        seen: list[int] = []
        note = lambda response: seen.append(response.status)  # noqa: E731
        self._accepted = set(statuses)
        self.page.on("response", note)
        try:
            yield
            self.page.wait_for_load_state()
            assert set(statuses) & set(seen), f"expected {statuses}, got {sorted(set(seen))}"
        finally:
            self.page.remove_listener("response", note)
            self.check()
            self._accepted = set()

    def check(self) -> None:
        """No page so far has complained."""
        self.page.evaluate("0")  # what was said meanwhile has arrived
        assert not self.complaints, f"{self.name} at {self.page.url}:\n" + "\n".join(self.complaints)

    # --- What a visitor does ------------------------------------------------------------------------------
    def open(self, path: str) -> Page:
        self.page.goto(path)
        self.check()
        return self.page

    def log_in(self, account: str = "") -> Page:
        """From where they are if that is the log-in page; else by its address."""
        if self.path != "/login/":
            self.open("/login/")
        self.page.locator("input[name=username]").fill(account or self.name)
        self.page.locator("input[name=password]").fill(PASSWORD)
        self.page.locator("input[name=password]").press("Enter")
        self.page.wait_for_url(lambda url: urlsplit(url).path != "/login/")
        self.check()
        return self.page

    def click(self, what: str) -> Page:
        """The one visible thing that `what` selects."""
        self.one(what).click()
        self.page.wait_for_load_state()
        self.check()
        return self.page

    def one(self, what: str) -> Locator:
        return self.page.locator(what).filter(visible=True)

    def sees(self, what: str, *, patience: int = SLOW) -> Locator:
        found = self.one(what).first
        expect(found).to_be_visible(timeout=patience)
        return found

    def download(self, what: str, to: Path) -> Path:
        with self.page.expect_download() as started:
            self.one(what).click()
        path = to / started.value.suggested_filename
        started.value.save_as(path)
        self.check()
        return path

    def picture(self, name: str) -> None:
        """The whole page, kept under the next number of this journey."""
        self.check()
        number = next(_numbers.setdefault(self.folder, itertools.count(1)))
        self.page.evaluate("scrollTo(0, 0)")  # or the header that stays in sight is drawn over the middle
        self.page.screenshot(path=self.folder / f"{number:02}-{self.name}-{name}.png", full_page=True)

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    def leave(self) -> None:
        self._context.close()
