"""Our own source as these tests read it: files, syntax trees, names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("audit", "parties", "catalog", "contracts", "sandbox", "dataspace")


def modules(*folders: str) -> list[Path]:
    """Our Python files, migrations left out (Django writes those)."""
    found = (path for folder in folders or ROOMS for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in found if "migrations" not in path.parts]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))


def dotted(node: ast.AST) -> str:
    """`a.b.c` of names and attributes; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def templates() -> list[Path]:
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("templates/**/*.html"))
