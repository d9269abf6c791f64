"""What every page has to be, whoever reads it and on whatever screen: `examine` tells what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.e2e.visitor import Visitor

WIDTHS = (1280, 360)
SCHEMES = ("light", "dark")
GRAVE = {"serious", "critical"}
# Once per scheme, and once per width: what axe judges by colour or by place is seen in both.
AXE_AT = {("light", 1280), ("dark", 360)}
MOST_STOPS = 250

_TOO_WIDE = """() => {
    const wide = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= wide) return null;
    const out = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > wide + 1);
    return out.slice(0, 3).map((e) => `${e.tagName.toLowerCase()}.${e.className}`).join(", ") || "the page itself";
}"""
# Colours that fade into each other are judged when they have done so.
_AT_REST = """() => Promise.allSettled(document.getAnimations()
    .filter((a) => a.effect.getComputedTiming().endTime !== Infinity).map((a) => a.finished))"""
# Where the focus is: whether it is the wanted thing, and whether one can see that it is there.
_FOCUS = """(wanted) => {
    const at = document.activeElement;
    if (!at || at === document.body) return null;
    const style = getComputedStyle(at), box = at.getBoundingClientRect();
    const marked = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
    const text = `${at.tagName.toLowerCase()}#${at.id}.${at.className} ${at.name ?? ""}`;
    return {there: at.matches(wanted), seen: marked && box.width > 1 && box.height > 1, text};
}"""


def examine(visitor: Visitor, path: str) -> Iterator[str]:
    """What is wrong with the page, in light and dark, wide and narrow."""
    page = visitor.page
    _show(page, SCHEMES[0], WIDTHS[0])
    visitor.open(path)
    for scheme, width in product(SCHEMES, WIDTHS):
        _show(page, scheme, width)
        where = f"{visitor.name} {path} {scheme} {width}"
        if wide := _too_wide(page):
            yield f"{where}: wider than the screen: {wide}"
        if (scheme, width) in AXE_AT:
            yield from (f"{where}: {fault}" for fault in grave_faults(page))
            visitor.picture(f"{_word(path)}-{scheme}-{width}")


def _show(page: Page, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(_AT_REST)


def _too_wide(page: Page) -> str | None:
    """What is wider than the screen, once charts have had the time to follow it."""
    for _ in range(20):
        found: str | None = page.evaluate(_TOO_WIDE)
        if found is None:
            break
        page.wait_for_timeout(100)
    return found


def grave_faults(page: Page) -> Iterator[str]:
    """Serious and critical findings of axe-core, with the first place of each."""
    # Without its preloading of style sheets, which the content security policy rightly refuses it.
    found = Axe().run(page, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
    for fault in found:
        if fault["impact"] in GRAVE:
            first = fault["nodes"][0]
            yield f"{fault['id']} ({len(fault['nodes'])}×): {first['target'][0]}: {first['html'][:160]}"


def tab_to(visitor: Visitor, wanted: str) -> Iterator[str]:
    """Nothing if the Tab key alone leads to `wanted` and the focus is to be seen at every stop."""
    page = visitor.page
    page.evaluate("document.activeElement?.blur()")
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        stop = page.evaluate(_FOCUS, wanted)
        if stop is None:
            break
        if not stop["seen"]:
            yield f"{visitor.name} {visitor.path}: the focus is not to be seen at {stop['text']}"
        if stop["there"]:
            return
    yield f"{visitor.name} {visitor.path}: Tab does not reach {wanted}"


def _word(path: str) -> str:
    """The address without its ids, as a name for a picture."""
    words = path.replace("?", "/").replace("=", "-").split("/")
    return "-".join(word for word in words if word and len(word) < 30) or "front"
