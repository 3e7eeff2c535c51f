"""The house's own source, parsed once: what the house tests read."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PURE = ("domain", "commands", "projections")
PRODUCT = (*PURE, "adapters", "api", "migrations", "benchmarks", "examples")
PYTHON = (*PRODUCT, "tests")
TEXTS = (*PYTHON, "docs", ".ci")
TEXT_SUFFIXES = {".py", ".md", ".toml", ".sql", ".js", ".css", ".html", ".in", ".lock", ".txt", ".json", ""}
BUILT = {"__pycache__", "node_modules", ".venv"}


@cache
def files(*rooms: str, suffixes: frozenset[str] = frozenset({".py"})) -> tuple[Path, ...]:
    """Return the files of some top-level folders, relative to the root."""
    found = (path for room in rooms for path in sorted((ROOT / room).rglob("*")))
    return tuple(
        path.relative_to(ROOT)
        for path in found
        if path.is_file() and path.suffix in suffixes and BUILT.isdisjoint(path.parts)
    )


@cache
def texts() -> tuple[Path, ...]:
    """Return every file of the house that people read, the lock and the settings among them."""
    top = tuple(
        path.relative_to(ROOT)
        for path in sorted(ROOT.iterdir())
        if path.is_file()
        and path.suffix in TEXT_SUFFIXES
        and path.name != ".gitignore"
        and path.name[:9] != ".coverage"
    )
    return top + files(*TEXTS, suffixes=frozenset(TEXT_SUFFIXES))


@cache
def text(path: Path) -> str:
    """Return a file's text."""
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(text(path), filename=str(path))


@cache
def _walked(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree(path)))


def nodes(*rooms: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield every node of some rooms with the place it stands at."""
    for path in files(*rooms):
        for node in _walked(path):
            yield f"{path}:{getattr(node, 'lineno', 0)}", node


def called(node: ast.Call) -> str:
    """Return the dotted name of what is called, as far as it is one."""
    return ast.unparse(node.func)
