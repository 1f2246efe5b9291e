"""The command `hubkit`, run as a process: what it prints, how it ends, what it says to mistakes."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from hubkit import registry

PATCHING = ("gevent", "eventlet")


def need(hub: str) -> None:
    adapter = registry.adapters()[hub]
    if registry.missing(adapter):
        pytest.skip(f"{hub} is not installed: {adapter.install}")


def hubkit(
    *arguments: str, cwd: Path | None = None, code: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the command; with `code`, after that has been executed in its process."""
    start = (
        ["-c", f"import sys\n{code}\nfrom hubkit.cli import main\nsys.exit(main())"]
        if code
        else ["-m", "hubkit"]
    )
    kept = {name: value for name, value in os.environ.items() if name != registry.VARIABLE}
    return subprocess.run(
        [sys.executable, "-W", "ignore", *start, *arguments],
        cwd=cwd,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def mistake(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a mistake gets."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    return line


# -- hubs -----------------------------------------------------------------------------------------


def test_hubs_lists_each_known_hub_with_what_it_can() -> None:
    done = hubkit("hubs")
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert list(lines) == list(registry.adapters())
    for name in registry.available_hubs():
        assert set(registry.load(name).capabilities) <= set(lines[name].split())


def test_hubs_tells_how_to_get_what_is_missing_and_what_is_broken(tmp_path: Path) -> None:
    (tmp_path / "strange.py").write_text(
        "from hubkit.contract import Adapter\n"
        "absent = Adapter('absent', 'x:y', ('no_such_package',), 'pip install no-such-package')\n"
        "broken = Adapter('broken', 'no_such_module:Hub')\n"
    )
    info = tmp_path / "strange-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[hubkit.hubs]\nabsent = strange:absent\nbroken = strange:broken\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = hubkit("hubs", PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert lines["absent"] == "not installed (lacks no_such_package); type: pip install no-such-package"
    assert lines["broken"].startswith("broken: UnknownHub: ")
    assert "native" in lines


# -- conformance ----------------------------------------------------------------------------------


def test_conformance_passes_arguments_on() -> None:
    done = hubkit("conformance", "native", "--collect-only", "-q", "-k", "test_r01", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_r01" in done.stdout
    assert "test_r02" not in done.stdout


def test_conformance_of_a_linted_hub() -> None:
    options = ("--collect-only", "-q", "-k", "test_r01", "-p", "no:cacheprovider")
    done = hubkit("conformance", "--lint", "native", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[hubkit.testing.lint:native]" in done.stdout
    assert "there is no hub called 'nowhere'" in mistake(hubkit("conformance", "nowhere", "--lint"))


def test_conformance_of_an_unknown_hub() -> None:
    assert "there is no hub called 'nowhere'" in mistake(hubkit("conformance", "nowhere"))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["strange:Strange"], "'strange:Strange' is <class 'strange.Strange'>, which is not a subclass of "),
        (["--lint", "strange:Strange"], "'strange:Strange' is <class 'strange.Strange'>, which is not a "),
        (["strange:Strange"], 'type the "module:Class" of one that is, or the name of an installed hub: '),
        (["strange:Half"], "strange:Half lacks arm_fd, call_at, "),
        (["strange:Absent"], "'Absent', which 'strange' does not have"),
        (["absent:Hub"], "the module 'absent', which cannot be found"),
        (["broken:Hub"], "cannot be imported: AttributeError: module 'os' has no attribute 'nothing' ("),
        (["guest:Hub"], "it needs the module 'no_such_host', which is not installed"),
        (["native", "--variant", "x"], "the hub 'native' has no variant 'x'; it has none"),
        (["native", "--report", "x.pdf"], "end its name with one of .html, .md, .json, .jsonl"),
        (["native", "--report", "absent/x.md"], "cannot be written: No such file or directory"),
    ],
)
def test_conformance_of_what_cannot_be_tested(arguments: list[str], text: str, tmp_path: Path) -> None:
    half = "class Half(Hub):\n    name = 'half'\n    capabilities = frozenset()\n"
    (tmp_path / "strange.py").write_text(f"from hubkit.contract import Hub\nclass Strange:\n    pass\n{half}")
    (tmp_path / "broken.py").write_text("import os\nos.nothing\n")
    (tmp_path / "guest.py").write_text("import no_such_host\n")
    assert text in mistake(hubkit("conformance", *arguments, cwd=tmp_path))


def test_conformance_without_pytest() -> None:
    line = mistake(hubkit("conformance", "native", code="sys.modules['pytest'] = None"))
    assert "pip install 'hubkit[conformance]'" in line


# -- run ------------------------------------------------------------------------------------------

SHOW = """
import sys, hubkit
hubkit.spawn(lambda: None).join()
print(hubkit.current_hub().name, hubkit.is_patched("socket"), __name__, sys.argv[1:], sys.path[0])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "show.py").write_text(SHOW)
    return tmp_path.resolve()


def test_run_a_script_unpatched(folder: Path) -> None:
    done = hubkit("run", "--no-patch", str(folder / "show.py"), "--hub", "x", "-m")
    assert done.stdout == f"native False __main__ ['--hub', 'x', '-m'] {folder}\n", done.stderr
    assert done.returncode == 0


def test_run_a_module(folder: Path) -> None:
    done = hubkit("run", "--hub=threads", "-m", "show", "a", cwd=folder)
    assert done.stdout == f"threads False __main__ ['a'] {folder}\n", done.stderr


@pytest.mark.parametrize("hub", PATCHING)
def test_run_patches_before_the_first_import(hub: str, folder: Path) -> None:
    need(hub)
    script = "import time\nfirst = time.sleep\nimport hubkit\n"
    script += "print(hubkit.is_patched('time'), type(first) is type(hubkit.original('time', 'sleep')))"
    (folder / "early.py").write_text(script)
    assert hubkit("run", "--hub", hub, "early.py", cwd=folder).stdout == "True False\n"
    assert hubkit("run", "--hub", hub, "--no-patch", "early.py", cwd=folder).stdout == "False True\n"


def test_run_takes_the_hub_from_the_environment(folder: Path) -> None:
    done = hubkit("run", "show.py", cwd=folder, HUBKIT_BACKEND="threads")
    assert done.stdout.startswith("threads "), done.stderr
    done = hubkit("run", "--hub", "native", "--no-patch", "show.py", cwd=folder, HUBKIT_BACKEND="threads")
    assert done.stdout.startswith("native "), done.stderr


def test_run_on_a_hub_that_cannot_patch_says_what_to_type(folder: Path) -> None:
    line = mistake(hubkit("run", "--hub", "native", "show.py", cwd=folder))
    assert "hubkit run --hub native --no-patch show.py" in line
    line = mistake(hubkit("run", "-m", "show", cwd=folder, HUBKIT_BACKEND="native"))
    assert "hubkit run --hub native --no-patch -m show" in line


def test_run_on_a_hub_that_nobody_named_says_what_it_does_not_do(folder: Path) -> None:
    done = hubkit("run", "show.py", cwd=folder)
    assert done.stdout.startswith("native False "), done.stderr
    assert "no hub was named, so it is native" in done.stderr
    assert "hubkit run --hub native --no-patch show.py" in done.stderr


def test_version() -> None:
    assert hubkit("--version").stdout == f"hubkit {version('hubkit')}\n"


def test_the_program_ends_as_it_would_by_itself(folder: Path) -> None:
    (folder / "three.py").write_text("import sys\nsys.exit(3)")
    assert hubkit("run", "--no-patch", "three.py", cwd=folder).returncode == 3
    (folder / "fails.py").write_text("import hubkit\nraise hubkit.HubError('mine')")
    done = hubkit("run", "--no-patch", "fails.py", cwd=folder)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("HubError: mine\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["run"], "what to run?"),
        (["run", "--hub", "threads"], "what to run?"),
        (["run", "-m"], "what to run?"),
        (["run", "nothing.py"], "there is no file 'nothing.py'"),
        (["run", "--no-patch", "-m", "no_such_module"], "there is no module 'no_such_module'"),
        (
            ["run", "--no-patch", "-m", "no_such_package.module"],
            "there is no module 'no_such_package.module'",
        ),
        (["run", "--hub", "nowhere", "show.py"], "there is no hub called 'nowhere'"),
        (["demo", "--hub", "nowhere"], "there is no hub called 'nowhere'"),
    ],
)
def test_mistakes(arguments: list[str], text: str, folder: Path) -> None:
    assert text in mistake(hubkit(*arguments, cwd=folder))


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["demo", "--requests", "0"], ["demo", "--connections", "x"], ["run", "--nonsense"]],
)
def test_mistakes_in_the_command_line_itself(arguments: list[str]) -> None:
    done = hubkit(*arguments)
    assert done.returncode == 2
    assert "usage: hubkit" in done.stderr
    assert "Traceback" not in done.stderr


# -- demo -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["httptools", "rich", "werkzeug"])
def test_the_demo_without_its_extras(package: str) -> None:
    line = mistake(hubkit("demo", code=f"sys.modules[{package!r}] = None"))
    assert package in line
    assert "pip install 'hubkit[demo]'" in line


def test_the_pipeline_without_its_extras() -> None:
    done = hubkit(code="sys.modules['werkzeug'] = None\nimport hubkit.pipeline")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: hubkit.pipeline needs werkzeug, which is not installed")
    assert last.endswith("type: pip install 'hubkit[pipeline]'")
