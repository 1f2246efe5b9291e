"""The pytest plugin for users' tests: the mark, the clock, the seed; each in a pytest run of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs pytest on a file of that text; what it prints."""

    def run(text: str, *options: str, status: int = 0) -> str:
        (tmp_path / "test_it.py").write_text(textwrap.dedent(text))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_mark_chooses_the_hub_of_a_test_a_class_or_a_module(run: Run) -> None:
    output = run(
        """
        import pytest
        from hubkit import current_hub, spawn
        from hubkit.registry import chosen

        pytestmark = pytest.mark.hubkit(hub="native")

        def test_module():
            assert current_hub().name == "native"

        @pytest.mark.hubkit(hub="threads")
        def test_function():
            assert current_hub().name == "threads"
            assert spawn(int).result(10) == 0

        @pytest.mark.hubkit(hub="virtual")
        class TestClass:
            @pytest.fixture
            def task(self):
                return spawn(int)

            def test_method(self, task):
                assert task.hub is current_hub()
                assert current_hub().name == "virtual"
        """
    )
    assert "3 passed" in output


def test_the_clock_is_that_of_the_virtual_hub(run: Run) -> None:
    output = run(
        """
        import pytest
        from hubkit import current_hub, move_on_after, now, sleep, spawn

        def test_it_leaps(virtual_clock):
            sleep(3600)
            assert virtual_clock.elapsed == 3600
            assert virtual_clock.now() == now()

        def test_it_is_new_each_time(virtual_clock):
            assert virtual_clock.elapsed == 0
            assert current_hub().name == "virtual"

        def test_computing_takes_time_if_told_so(virtual_clock):
            ran = []
            task = spawn(ran.append, "other")
            with move_on_after(5) as scope:
                virtual_clock.advance(10)
                assert ran == []
            assert scope.expired
            assert virtual_clock.elapsed == 10
            task.join()
            for wrong in (-1, None, float("inf")):
                with pytest.raises(ValueError):
                    virtual_clock.advance(wrong)
            with pytest.raises(TypeError):
                virtual_clock.advance("soon")

        @pytest.mark.hubkit(hub="virtual")
        def test_with_the_mark(virtual_clock):
            sleep(1)
            assert virtual_clock.elapsed == 1

        def test_without():
            assert current_hub().name != "virtual"
        """
    )
    assert "5 passed" in output


SHUFFLED = """
    import pytest
    from hubkit import TaskGroup, spawn

    def order():
        trace = []
        with TaskGroup() as group:
            for number in range(8):
                group.spawn(trace.append, number)
        return trace

    def test_plain(virtual_clock):
        print("ORDER", order())

    @pytest.mark.hubkit(hub="virtual", seed=7)
    def test_with_a_seed_of_its_own():
        print("OWN", order())
"""


def test_a_seed_shuffles_the_ready_tasks_and_always_in_the_same_way(run: Run) -> None:
    def orders(output: str) -> dict[str, str]:
        return dict(line.lstrip(".").split(" ", 1) for line in output.splitlines() if "[" in line)

    plain = orders(run(SHUFFLED, "-s"))
    assert plain["ORDER"] == str(list(range(8)))
    assert plain["OWN"] != plain["ORDER"]
    seeded = orders(run(SHUFFLED, "-s", "--hubkit-seed=7"))
    assert seeded["ORDER"] == seeded["OWN"] == plain["OWN"]
    other = orders(run(SHUFFLED, "-s", "--hubkit-seed=8"))
    assert other["ORDER"] not in (plain["ORDER"], seeded["ORDER"])
    assert other["OWN"] == plain["OWN"]


def test_a_deadlock_fails_the_test_at_once(run: Run) -> None:
    output = run(
        """
        from hubkit import Queue

        def test_it(virtual_clock):
            Queue().get()
        """,
        status=1,
    )
    assert "Deadlock: every task waits" in output
    assert "in Queue.get() of <Queue 0 items, 1 waiting>" in output
    stack = output.partition("1 waiting>\n")[2].splitlines()[0]
    assert stack.endswith("in test_it"), "how pytest has come to call it is nobody's concern"


@pytest.mark.parametrize("mark", ['"native"', 'name="native"', "", "hub=7"])
def test_a_mark_that_says_nothing_is_refused(run: Run, mark: str) -> None:
    output = run(f"import pytest\n@pytest.mark.hubkit({mark})\ndef test_it(): pass\n", status=1)
    assert 'write @pytest.mark.hubkit(hub="name")' in output


def test_a_seed_for_a_hub_that_cannot_be_steered_is_refused(run: Run) -> None:
    text = 'import pytest\n@pytest.mark.hubkit(hub="native", seed=3)\ndef test_it(): pass\n'
    assert "write hub=\"virtual\", not 'native'" in run(text, status=1)


def test_an_unknown_hub_is_told_with_what_there_is(run: Run) -> None:
    output = run('import pytest\n@pytest.mark.hubkit(hub="nothing")\ndef test_it(): pass\n', status=1)
    assert "there is no hub called 'nothing'; installed: " in output


def test_the_clock_needs_a_hub_that_has_one(run: Run) -> None:
    text = 'import pytest\n@pytest.mark.hubkit(hub="native")\ndef test_it(virtual_clock): pass\n'
    assert "the native hub has no VIRTUAL_TIME" in run(text, status=1)


def test_a_run_that_asks_for_nothing_imports_nothing(run: Run) -> None:
    assert "1 passed" in run("import sys\ndef test_it(): assert 'hubkit' not in sys.modules\n")
