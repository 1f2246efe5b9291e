"""docs/writing-a-hub.md is true: what it has its reader type is typed, and what it shows is seen.

Files are merged as the page says: a class that is shown again replaces what it defines, and keeps the rest.
All is done in a virtual environment that has nothing of this tree but hubkit's wheel.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "writing-a-hub.md"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT = 120  # lines of Python, without blank ones
SECONDS = 500


class Block(NamedTuple):
    language: str
    path: str
    text: str


def blocks() -> list[Block]:
    return [Block(*found) for found in BLOCK.findall(PAGE.read_text(encoding="utf-8"))]


# -- files ----------------------------------------------------------------------------------------


def source_of(text: str, node: ast.stmt) -> str:
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


def name_of(text: str, node: ast.stmt) -> str:
    """What a statement replaces: what has the same name."""
    if isinstance(node, ast.ImportFrom):
        return f"from {'.' * node.level}{node.module}"
    if isinstance(node, ast.Assign):
        return source_of(text, node).partition("=")[0].strip()
    return getattr(node, "name", source_of(text, node))


def merged(old: str, new: str) -> str:
    """`old` with what `new` defines in place of what had that name, or where it belongs."""
    parts = {name_of(old, node): node for node in ast.parse(old).body}
    texts = {name: source_of(old, node) for name, node in parts.items()}
    added = {}
    for node in ast.parse(new).body:
        name = name_of(new, node)
        if isinstance(node, ast.ClassDef) and isinstance(known := parts.get(name), ast.ClassDef):
            texts[name] = merged_class(old, known, new, node)
        elif name in texts:
            texts[name] = source_of(new, node)
        else:
            added[name] = source_of(new, node)
    imports = [text for text in [*texts.values(), *added.values()] if re.match(r"import|from", text)]
    rest = [text for text in [*added.values(), *texts.values()] if text not in imports]
    return "\n".join(imports) + "\n\n\n" + "\n\n\n".join(rest) + "\n"


def merged_class(old: str, known: ast.ClassDef, new: str, node: ast.ClassDef) -> str:
    members = {name_of(old, each): source_of(old, each) for each in known.body}
    members |= {name_of(new, each): source_of(new, each) for each in node.body}
    data = [text for text in members.values() if not re.match(r"\s+(def|@)", text)]
    methods = [text for text in members.values() if text not in data]
    body = ["\n".join(data)] if data else []
    return f"{old.splitlines()[known.lineno - 1]}\n" + "\n\n".join([*body, *methods])


def write(folder: Path, block: Block) -> None:
    path = folder / block.path
    path.parent.mkdir(parents=True, exist_ok=True)
    text = merged(path.read_text(), block.text) if path.exists() else block.text
    path.write_text(text, encoding="utf-8")


# -- commands -------------------------------------------------------------------------------------


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """Each command with the lines that it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def check(command: str, expected: list[str], environment: Path, folder: Path) -> None:
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HUBKIT"))
    }
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={**variables, "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    output = f"$ {command}\n{done.stdout}\n{done.stderr}"
    broken = any("✗" in line for line in expected)
    assert done.returncode == int(broken), output
    lines = iter([" ".join(line.split()) for line in done.stdout.splitlines()])
    for line in expected:  # in this order, others in between
        pattern = ".*".join(re.escape(" ".join(part.split())) for part in line.split("…"))
        assert any(re.match(pattern, seen) for seen in lines), f"{line!r} was not printed\n{output}"


# -- tests ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, wheel_path: Path) -> Path:
    """A virtual environment with hubkit's wheel and what it needs."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, f"{wheel_path}[conformance]", "setuptools>=77"], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"greenlet and pytest are not reachable by pip: {done.stderr.strip().splitlines()[-1]}")
    return folder


@pytest.mark.watchdog(1500)
def test_the_page_builds_a_hub_that_keeps_every_rule(environment: Path, tmp_path: Path) -> None:
    folder = tmp_path / "selectors-hub"
    folder.mkdir()
    for block in blocks():
        if block.path:
            write(folder, block)
        else:
            assert block.language == "console"
            for command, expected in commands(block):
                check(command, expected, environment, folder)
    lines = [
        line for path in folder.glob("selectors_hub/*.py") for line in path.read_text().splitlines() if line
    ]
    assert len(lines) <= LIMIT, f"about a hundred lines, says the page: {len(lines)}"


def test_the_page_ends_with_the_whole_suite() -> None:
    *_, last = (
        command for block in blocks() if block.language == "console" for command, _ in commands(block)
    )
    assert last == "cd .. && hubkit conformance selectors"


def test_a_class_shown_again_replaces_what_it_defines_and_keeps_the_rest() -> None:
    assert merged(OLD, NEW) == MERGED


OLD = """\
from a import b


class C(D):
    x = 1

    @p
    def f(self):
        return 1

    def g(self): ...
"""

NEW = """\
from a import c
import d

class E: ...

class C(D):
    y = 2

    def f(self):
        return 2  # two
"""

MERGED = """\
from a import c
import d


class E: ...


class C(D):
    x = 1
    y = 2

    def f(self):
        return 2  # two

    def g(self): ...
"""
