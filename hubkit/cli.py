"""The command `hubkit`: hubs, conformance, run, demo.

What must live here: the command line and what it says to people. What this file must not know: how any of
it is done. A mistake of the user is one line on stderr and exit status 2, never a traceback; what a
program that was started by `run` raises is the program's own affair.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from . import patching, registry
from .contract import Adapter
from .errors import HubError, NotSupported

USAGE_ERROR = 2
INTERRUPTED = 130  # as a shell has it: 128 and the number of the signal


class Mistake(Exception):
    """What the user has to put right; the text is for them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, `sys.argv` by default; the exit status.

    Switches: if it must wait. Call from: the main thread. Raises: SystemExit from argparse, and what
    the started program raises.
    """
    try:
        parser = _parser()
        options, rest = parser.parse_known_args(arguments)
        if rest and not options.passes_on:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        options.rest = rest
        try:
            then: int | Callable[[], int] = options.command(options)
        except (Mistake, HubError) as error:
            print(f"hubkit {options.name}: {error}", file=sys.stderr)
            return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    # The user's program runs outside: a HubError of its own deserves its traceback.
    return then if isinstance(then, int) else then()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hubkit", description="one API for concurrent code, on any hub")
    parser.add_argument("--version", action="version", version=f"hubkit {metadata.version('hubkit')}")
    parser.set_defaults(passes_on=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="name")

    hubs = commands.add_parser("hubs", help="list the known hubs, what they can do, and what is missing")
    hubs.set_defaults(command=_hubs)

    _add_conformance(commands)

    run = commands.add_parser(
        "run",
        help="run a program on a hub",
        usage="hubkit run [--hub NAME] [--no-patch] (SCRIPT | -m MODULE) …",
    )
    run.add_argument(
        "--hub", metavar="NAME", help=f"default: ${registry.VARIABLE}, else {registry.DEFAULTS.program}"
    )
    run.add_argument("--no-patch", action="store_true", help="leave the standard library as it is")
    run.add_argument(
        "-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE", help="run a module, with arguments"
    )
    run.add_argument("program", nargs=argparse.REMAINDER, metavar="SCRIPT", help="run a file, with arguments")
    run.set_defaults(command=_run)

    demo = commands.add_parser("demo", help="serve real requests on each installed hub and compare")
    demo.add_argument("--hub", metavar="NAME", help="only this one")
    demo.add_argument("--requests", type=_positive, default=5000, metavar="N", help="per hub; default 5000")
    demo.add_argument("--connections", type=_positive, default=64, metavar="N", help="default 64")
    demo.set_defaults(command=_demo)
    return parser


def _add_conformance(commands: Any) -> None:
    conformance = commands.add_parser(
        "conformance",
        help="hold a hub to the contract",
        usage="hubkit conformance NAME [--variant NAME | --all-variants] [--lint] [--report FILE] …",
        epilog="Every other argument goes to pytest: -k TEXT, -x, -v. Exit status: 0 every rule tested is "
        "kept, 1 a rule is broken, 2 the suite could not be run.",
        allow_abbrev=False,  # -k, -x and their like are pytest's
    )
    conformance.add_argument("hub", metavar="NAME", help='a hub\'s name, or "module:Class"')
    which = conformance.add_mutually_exclusive_group()
    which.add_argument("--variant", metavar="NAME", help="on that variant, such as another event loop")
    which.add_argument("--all-variants", action="store_true", help="on each that its adapter declares")
    conformance.add_argument("--lint", action="store_true", help="check the hub contract from both sides")
    conformance.add_argument("--report", metavar="FILE", help="write a report: .html, .md, .json or .jsonl")
    conformance.set_defaults(command=_conformance, passes_on=True)


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number greater than zero")
    return number


# -- hubs -----------------------------------------------------------------------------------------


def _hubs(options: argparse.Namespace) -> int:
    known = registry.adapters().values()
    width = max((len(adapter.name) for adapter in known), default=0)
    for adapter in known:
        print(f"{adapter.name:<{width}}  {_describe(adapter)}")
    return 0


def _describe(adapter: Adapter) -> str:
    absent = registry.missing(adapter)
    if absent:
        return f"not installed (lacks {', '.join(absent)}); type: {adapter.install}"
    try:
        hub_class = registry.load(adapter.name)
    except Exception as error:  # one broken adapter must not hide the others
        return f"broken: {type(error).__name__}: {error}"
    return f"{_version(adapter)}; {' '.join(sorted(hub_class.capabilities)) or 'no capabilities'}"


def _version(adapter: Adapter) -> str:
    name = adapter.distribution or "hubkit"
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name


# -- conformance ----------------------------------------------------------------------------------


def _conformance(options: argparse.Namespace) -> int:
    if importlib.util.find_spec("pytest") is None:
        raise Mistake(
            "the suite runs on pytest, which is not installed; type: pip install 'hubkit[conformance]'"
        )
    # Not above: `run` imports as little as it can before it patches.
    from hubkit_conformance import command

    from .testing.lint import PREFIX

    hub = f"{PREFIX}{options.hub}" if options.lint else options.hub
    return command.run(hub, options.variant, options.all_variants, options.report, options.rest)


# -- run ------------------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> Callable[[], int]:
    is_module = options.module is not None
    words = options.module if is_module else options.program
    if not words:
        raise Mistake("what to run? type: hubkit run SCRIPT, or: hubkit run -m MODULE")
    target, *rest = words
    if not is_module and not os.path.exists(target):
        raise Mistake(f"there is no file {target!r}; a module is run by: hubkit run -m MODULE")
    named = options.hub or os.environ.get(registry.VARIABLE)
    registry.use(named or registry.DEFAULTS.program)
    if not options.no_patch:
        _patch(f"-m {target}" if is_module else target, insist=bool(named))
    # As `python` does it: the program finds itself and its arguments where it expects them.
    sys.argv = [target, *rest]
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = os.getcwd() if is_module else str(Path(target).resolve().parent)
    if is_module:
        if not _is_there(target):
            raise Mistake(f"there is no module {target!r}; a file is run by: hubkit run SCRIPT")
        return lambda: _ran(runpy.run_module(target, run_name="__main__", alter_sys=True))
    return lambda: _ran(runpy.run_path(target, run_name="__main__"))


def _patch(what: str, insist: bool) -> None:
    """Without `insist` a hub that nobody named may leave the program as it is."""
    try:
        patching.patch()
    except NotSupported:
        name = registry.chosen()
        if not insist:
            print(
                f"hubkit run: no hub was named, so it is {name}, which leaves the standard library alone; "
                f"if that is meant, type: hubkit run --hub {name} --no-patch {what}; other hubs: hubkit hubs",
                file=sys.stderr,
            )
            return
        raise Mistake(
            f"the {name} hub cannot make the standard library cooperative; for a program that needs none of "
            f"that, type: hubkit run --hub {name} --no-patch {what}; for another hub see: hubkit hubs"
        ) from None


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _ran(namespace: object) -> int:
    return 0


# -- demo -----------------------------------------------------------------------------------------


def _demo(options: argparse.Namespace) -> int:
    lacking = [name for name in ("httptools", "rich", "werkzeug") if importlib.util.find_spec(name) is None]
    if lacking:
        raise Mistake(f"the demo needs {', '.join(lacking)}; type: pip install 'hubkit[demo]'")
    if options.hub:
        registry.load(options.hub)
    from .demo import run_demo

    hubs = [options.hub] if options.hub else _for_programs()
    return run_demo(hubs, options.requests, options.connections)


def _for_programs() -> list[str]:
    """The hubs that are here, but those for tests."""
    known = registry.adapters()
    return [name for name in registry.available_hubs() if not known[name].for_tests]
