"""`python -m benchmarks`: every comparison, the tables, and docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys

import pytest

from .measure import ROOT


def main() -> int:
    """Hand over to pytest; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="hubkit against its hosts")
    parser.add_argument("--quick", action="store_true", help="under a minute; writes nothing")
    parser.add_argument("--check", action="store_true", help="exit non-zero if a target is missed")
    parser.add_argument("-k", metavar="EXPRESSION", default="", help="only these: sleep, echo, eventlet …")
    options = parser.parse_args()
    arguments = ["--benchmark-only", "--benchmark-columns=median,iqr,min,max,rounds"]
    if options.quick:
        arguments.append("--quick")
    elif not options.k:
        arguments.append(f"--write-to={ROOT / 'docs' / 'benchmarks.md'}")
    if options.check:
        arguments.append("--check-targets")
    return pytest.main([str(ROOT / "benchmarks"), f"--rootdir={ROOT}", "-v", "-k", options.k, *arguments])


if __name__ == "__main__":
    sys.exit(main())
