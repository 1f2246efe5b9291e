"""House rules that a reader relies on: docstrings, layers, sizes."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import hubkit
from hubkit.contract import Hub
from hubkit.registry import DEFAULTS

ROOT = Path(__file__).resolve().parent.parent
CORE = sorted((ROOT / "hubkit").glob("*.py")) + sorted((ROOT / "hubkit" / "green").glob("*.py"))
SOURCES = [
    *sorted((ROOT / "hubkit").rglob("*.py")),
    *sorted((ROOT / "adapters").rglob("*.py")),
]
LAST_LINE = re.compile(r"Switches:\s.+Call from:\s.+Raises:\s.+", re.DOTALL)
HOSTS = {"native", "threads", "virtual", "gevent", "eventlet", "asyncio", "uvloop", "tornado", "twisted"}


def _public() -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name in hubkit.__all__:
        value = getattr(hubkit, name)
        if inspect.isclass(value):
            if issubclass(value, BaseException):
                continue
            for member, function in vars(value).items():
                if not member.startswith("_") and inspect.isfunction(function):
                    found.append((f"{name}.{member}", function))
        elif inspect.isfunction(value):
            found.append((name, value))
    found += [(f"Hub.{verb}", getattr(Hub, verb)) for verb in sorted(Hub.__abstractmethods__)]
    return found


@pytest.mark.parametrize(
    ("name", "function"), _public(), ids=lambda value: value if type(value) is str else ""
)
def test_a_public_docstring_ends_with_the_fixed_line(name: str, function: object) -> None:
    text = inspect.getdoc(function)
    assert text, f"{name} has no docstring"
    assert LAST_LINE.fullmatch(text.split("\n\n")[-1]), (
        f"{name} does not say `Switches: … Call from: … Raises: …`"
    )


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_the_core_names_no_hub_but_the_defaults_in_one_constant(path: Path) -> None:
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    named = {
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in HOSTS and id(node) not in docstrings
    }
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.split(".")[0] in HOSTS | {f"hubkit_{name}" for name in HOSTS}
    }
    allowed = set(DEFAULTS) if path.name in ("registry.py", "thread_hub.py") else set()
    assert {value for _, value in named} <= allowed, f"{path.name} names hubs: {sorted(named)}"
    assert not imported


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    limit = 150 if path.parts[-3] == "adapters" else 400
    assert text.count("\n") <= limit, f"{path} has more than {limit} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert lines <= 40, f"{path}: {node.name} has {lines} lines"
