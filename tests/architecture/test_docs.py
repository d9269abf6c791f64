"""What the documents say is so: links, paths, commands, variables, refusal codes and examples of the language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands

from audit.refusals import Refused
from dataspace import cli
from parties.actors import SYSTEM
from sandbox.guard import check_sql
from tests.unit.guard_terms import TERMS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
ROOMS = ("audit", "parties", "catalog", "contracts", "sandbox", "dataspace")
LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
NAMED_PATH = re.compile(rf"(?:{'|'.join(ROOMS)}|tests|benchmarks|deploy|docs)/[\w./*-]*\w")
COMMAND = re.compile(r"(?:^|bin/)dataspace ([a-z][a-z-]*)(?: ([a-z_]+))?", re.MULTILINE)  # at a line's start
LANGUAGE = ROOT / "docs" / "query-language.md"
OPERATIONS = ROOT / "docs" / "operations.md"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_of(page: Path) -> str:
    """All that stands in blocks and spans of code, one piece a line."""
    text = read(page)
    blocks = [match["text"] for match in BLOCK.finditer(text)]
    return "\n".join([*blocks, *SPAN.findall(BLOCK.sub("", text))])


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", read(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(BLOCK.sub("", read(page))):
        if "://" in link:
            continue
        path, _hash, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{name_of(page)} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_that_is_named_exists(page: Path) -> None:
    for span in SPAN.findall(BLOCK.sub("", read(page))):
        if NAMED_PATH.fullmatch(span):
            assert any(ROOT.glob(span)), f"{name_of(page)} names {span}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", read(ROOT / "Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^|[\s`])make ([a-z][a-z-]*)", code_of(page)))
    assert named <= targets, f"{name_of(page)} names make targets that are not there: {named - targets}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_that_is_named_exists(page: Path) -> None:
    commands = {choice for action in cli._parser()._actions for choice in action.choices or ()}
    for word, rest in COMMAND.findall(code_of(page)):
        assert word in commands, f"{name_of(page)} names dataspace {word}"
        if word == "manage":
            assert rest in get_commands(), f"{name_of(page)} names dataspace manage {rest}"
    for command in re.findall(r"manage\.py ([a-z_]+)", code_of(page)):
        assert command in get_commands(), f"{name_of(page)} names manage.py {command}"


def test_the_variables_of_the_operations_page_are_those_the_code_reads() -> None:
    documented = set(re.findall(r"^\| `([A-Z][A-Z_]+)` \|", read(OPERATIONS), re.MULTILINE))
    assert documented == variables_read()


def variables_read() -> set[str]:
    """Names of environment variables in the code: arguments of what reads them, and everything that is called so."""
    sources = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    sources.remove(ROOT / "dataspace" / "settings" / "test.py")  # no operator runs it
    trees = [ast.parse(read(path)) for path in sources]
    named = {
        target.id: node.value.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper() and isinstance(node.value.value, str)
    }
    return {name for tree in trees for name in _read_by(tree, named)}


def _read_by(tree: ast.AST, named: dict[str, str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and re.fullmatch(r"DATASPACE_[A-Z_]+", str(node.value)):
            yield node.value
        asked: ast.expr | None = None
        if isinstance(node, ast.Call) and node.args and _reads_environment(node.func):
            asked = node.args[0]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            asked = node.slice
        if isinstance(asked, ast.Constant) and isinstance(asked.value, str):
            yield asked.value
        elif isinstance(asked, ast.Name) and asked.id in named:
            yield named[asked.id]


def _reads_environment(function: ast.expr) -> bool:
    """`os.environ.get`, `os.getenv`, and the readers of dataspace/settings/environment.py."""
    return bool(re.fullmatch(r"(os\.)?environ\.\w+|os\.getenv|env\.(text|required|listed|listed_required|database)",
                             ast.unparse(function)))  # fmt: skip


def blocks_of(kind: str) -> list[str]:
    return [m["text"] for m in BLOCK.finditer(read(LANGUAGE)) if m["kind"].split(" ")[0] == kind]


def refused_blocks() -> list[tuple[str, str]]:
    found = [m for m in BLOCK.finditer(read(LANGUAGE)) if m["kind"].startswith("sql-refused ")]
    return [(m["kind"].split(" ")[1], m["text"]) for m in found]


@pytest.mark.parametrize("text", blocks_of("sql"))
def test_every_example_of_the_language_is_accepted(text: str) -> None:
    check_sql(text, TERMS)


@pytest.mark.parametrize(("code", "text"), refused_blocks())
def test_every_example_of_a_refusal_is_refused_with_its_code(code: str, text: str) -> None:
    with pytest.raises(Refused) as refused:
        check_sql(text, TERMS)
    assert refused.value.code == code


def test_every_refusal_code_of_the_guard_is_documented_and_no_other() -> None:
    sources = [read(path) for path in (ROOT / "sandbox" / "guard").rglob("*.py")]
    used = {code for source in sources for code in re.findall(r'"(guard\.[a-z_]+)"', source)}
    documented = re.findall(r"^\| `(guard\.[a-z_]+)` \|", read(LANGUAGE), re.MULTILINE)
    assert set(documented) == used
    assert len(documented) == len(used)


def test_the_way_in_stays_short() -> None:
    assert len(read(ROOT / "README.md").splitlines()) <= 120
    for page in (ROOT / "docs" / "adr").glob("0*.md"):
        assert len(read(page).splitlines()) <= 40, f"{page.name} is longer than a page"


def test_every_decision_is_listed_where_decisions_are_listed() -> None:
    listed = set(re.findall(r"\((0\d{3}-[\w-]+\.md)\)", read(ROOT / "docs" / "adr" / "README.md")))
    assert listed == {page.name for page in (ROOT / "docs" / "adr").glob("0*.md")}


@pytest.mark.django_db
def test_the_key_rotation_of_the_operations_page_leaves_nothing_under_the_old_key(settings) -> None:
    from cryptography.fernet import Fernet

    from catalog.models import Source
    from parties import keys
    from parties.models import Organization

    rotation = next(m["text"] for m in BLOCK.finditer(read(OPERATIONS)) if m["kind"] == "python")
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.KEY_ENCRYPTION_KEYS = [old]
    provider = Organization.objects.create(name="Power", kind="provider")
    key = keys.create_key(provider, actor=SYSTEM)
    sealed = keys.keyring().encrypt(b"postgresql://reader@db.example.org/register")
    source = Source.objects.create(provider=provider, name="Register", sealed_url=sealed)

    settings.KEY_ENCRYPTION_KEYS = [new, old]
    exec(compile(rotation, "operations.md", "exec"), {})

    settings.KEY_ENCRYPTION_KEYS = [new]
    key.refresh_from_db()
    source.refresh_from_db()
    assert keys.verify(key, b"still ours", keys.signer_for(provider).sign(b"still ours"))
    assert keys.keyring().decrypt(bytes(source.sealed_url)).startswith(b"postgresql://")
