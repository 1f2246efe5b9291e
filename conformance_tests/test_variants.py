"""Rows of the matrix: what adapters declare, and when it is too late to choose."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hubkit import registry
from hubkit.contract import Adapter, Variant
from hubkit.errors import UnknownHub
from hubkit_conformance.variants import BadVariant, Row, adapter_of, all_rows, find_row, put_in_force, rows_of

HUB = "hubkit_native.hub:NativeHub"
FAST = Variant("fast", {"STRANGE_LOOP": "fast"})
FAR = Variant("far", {"STRANGE_LOOP": "far"}, ("no_such_module",), "pip install no-such-module")


@pytest.fixture
def strange(monkeypatch):
    """A stranger's hub with two variants, one of which cannot be had."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    monkeypatch.delenv("STRANGE_LOOP", raising=False)
    registry.register(Adapter("strange", HUB, ("sched",), variants=(FAST, FAR)))
    monkeypatch.delitem(sys.modules, "sched", raising=False)
    yield "strange"
    os.environ.pop("STRANGE_LOOP", None)


def test_a_hub_without_variants_is_one_row():
    assert [row.label for row in rows_of("native")] == ["native"]
    assert rows_of("not.registered:Hub") == [Row("not.registered:Hub")]


def test_a_hub_with_variants_is_a_row_each(strange):
    assert [row.label for row in rows_of(strange)] == ["strange-fast", "strange-far"]
    assert [row.label for row in all_rows([strange, "native"])] == ["strange-fast", "strange-far", "native"]
    assert {"native", "threads", "gevent-libev", "gevent-libuv", "strange-fast"} <= {
        row.label for row in all_rows()
    }


def test_what_a_row_lacks_and_how_to_get_it(strange):
    fast, far = rows_of(strange)
    assert (fast.lacks(), far.lacks()) == ([], ["no_such_module"])
    assert far.install() == "pip install no-such-module"
    registry.register(Adapter("absent", "x:Y", ("no_such_host",), "pip install host", variants=(FAR,)))
    (row,) = rows_of("absent")
    assert (row.lacks(), row.install()) == (["no_such_host", "no_such_module"], "pip install host")


def test_a_class_that_is_registered_has_its_adapters_variants(strange):
    registry.register(Adapter("other", "other.hub:Hub", variants=(FAST,)))
    assert adapter_of("other.hub:Hub") is adapter_of("other")
    assert find_row("other.hub:Hub", "fast").variant is FAST


def test_a_variant_that_cannot_be_had_is_an_error_that_says_why(strange):
    assert find_row(strange, None) == Row(strange)
    assert find_row(strange, "fast") == Row(strange, FAST)
    with pytest.raises(BadVariant, match="has no variant 'slow'; it has: fast, far"):
        find_row(strange, "slow")
    with pytest.raises(BadVariant, match=r"needs no_such_module, .* type: pip install no-such-module"):
        find_row(strange, "far")
    with pytest.raises(UnknownHub, match="no hub called 'nowhere'"):
        find_row("nowhere", "fast")


def test_its_variables_are_set(strange):
    put_in_force(Row(strange))
    assert "STRANGE_LOOP" not in os.environ
    put_in_force(find_row(strange, "fast"))
    assert os.environ["STRANGE_LOOP"] == "fast"


def test_after_its_host_was_imported_it_is_too_late(strange, monkeypatch):
    monkeypatch.setitem(sys.modules, "sched", os)
    with pytest.raises(BadVariant, match=r"sched was imported before .* STRANGE_LOOP=fast"):
        put_in_force(find_row(strange, "fast"))
    assert "STRANGE_LOOP" not in os.environ
    monkeypatch.setenv("STRANGE_LOOP", "fast")  # as the message said
    put_in_force(find_row(strange, "fast"))


GEVENT = "import gevent; print(type(gevent.get_hub().loop).__module__)"
EVENTLET = "import eventlet.hubs; print(type(eventlet.hubs.get_hub()).__module__)"


@pytest.mark.parametrize(
    ("hub", "variant", "program", "module"),
    [
        ("gevent", "libev", GEVENT, "gevent.libev.corecext"),
        ("gevent", "libuv", GEVENT, "gevent.libuv.loop"),
        ("eventlet", "epolls", EVENTLET, "eventlet.hubs.epolls"),
        ("eventlet", "asyncio", EVENTLET, "eventlet.hubs.asyncio"),
    ],
)
def test_the_hosts_of_ours_do_what_a_variant_says(hub, variant, program, module):
    (row,) = (row for row in rows_of(hub) if row.variant and row.variant.name == variant)
    if row.lacks():
        pytest.skip(f"{', '.join(row.lacks())} not installed; type: {row.install()}")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, **row.variant.environment},
        capture_output=True,
        text=True,
        timeout=25,
    )
    assert done.stdout.strip() == module, done.stderr
