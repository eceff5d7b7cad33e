"""Processes of an engine that has died: found by their mark, ended with their group, and nothing else is touched."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amierules.ports import LocalProcesses
from amierules.ports.orphans import MARK, end_orphans, marked, place

ENGINE = """
import sys
from amierules.ports import LocalProcesses
from amierules.ports.orphans import marked
with marked(sys.argv[1]):
    LocalProcesses().run(["sh", "-c", sys.argv[2]])
"""
"""An engine that runs one marked command."""


def alive(pid: int) -> bool:
    """Whether the process runs."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[:1]
    except OSError:
        return False


def wait_for(what: Callable[[], bool]) -> None:
    """Waits until it is so, for as long as a loaded host may need."""
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until, "it does not happen"
        time.sleep(0.02)


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[Callable[[str], tuple[str, int]]]:
    """Starts a command in an engine that is then killed; its mark, and the number that it wrote to `pid`."""
    pids: list[int] = []

    def started(script: str) -> tuple[str, int]:
        mark, file = uuid.uuid4().hex, tmp_path / "pid"
        engine = subprocess.Popen([sys.executable, "-c", ENGINE, mark, script], cwd=tmp_path)
        wait_for(lambda: file.exists() and file.read_text().strip() != "")
        engine.send_signal(signal.SIGKILL)
        engine.wait()
        pids.append(int(file.read_text()))
        return mark, pids[-1]

    yield started
    for pid in pids:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def test_the_orphan_of_a_killed_engine_is_ended(orphan: Callable[[str], tuple[str, int]]) -> None:
    mark, pid = orphan("echo $$ > pid; sleep 300")
    assert alive(pid)
    assert end_orphans(mark) == []
    assert not alive(pid)


def test_one_that_ignores_the_first_signal_is_ended_too(orphan: Callable[[str], tuple[str, int]]) -> None:
    mark, pid = orphan("trap '' TERM; echo $$ > pid; while :; do sleep 1; done")
    assert end_orphans(mark) == []
    assert not alive(pid)


def test_one_that_ends_by_itself_soon_is_let_finish(orphan: Callable[[str], tuple[str, int]], tmp_path: Path) -> None:
    mark, _ = orphan("echo $$ > pid; sleep 1; echo whole > work")
    assert end_orphans(mark, patience=60) == []
    assert (tmp_path / "work").read_text() == "whole\n"


def test_the_processes_of_its_group_are_ended_with_it(orphan: Callable[[str], tuple[str, int]]) -> None:
    mark, pid = orphan("sleep 300 & echo $! > pid; wait")
    assert end_orphans(mark) == []
    wait_for(lambda: not alive(pid))


def test_what_it_has_started_for_good_goes_on(orphan: Callable[[str], tuple[str, int]]) -> None:
    """A service that a command starts is none of its process group."""
    mark, pid = orphan("setsid sh -c 'echo $$ > pid; exec sleep 300' & sleep 300")
    assert end_orphans(mark) == []
    assert alive(pid)


def test_other_processes_are_left_alone(orphan: Callable[[str], tuple[str, int]]) -> None:
    _, pid = orphan("echo $$ > pid; sleep 300")
    assert end_orphans(uuid.uuid4().hex) == []
    assert alive(pid)


def test_a_program_does_not_see_its_mark() -> None:
    with marked("x" * 32):
        done = LocalProcesses().run(["sh", "-c", f"echo ${{{MARK}:-none}}; exit 7"], env={"A": "1"})
    assert (done.stdout, done.rc) == ("none\n", 7)


def test_the_place_is_the_same_for_all_processes_of_a_host() -> None:
    code = "from amierules.ports.orphans import place; print(place())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == (
        f"{place()}\n"
    )
