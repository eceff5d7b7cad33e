"""What an engine that has died has left running is not looked for where it cannot be seen."""

import os

import pytest

from amierules.ports import whereabouts as module
from amierules.ports.orphans import place
from amierules.ports.whereabouts import in_sight, on_this_host, whereabouts

AMBIENT, SYS_PTRACE = 1 << 7, 1 << 19


def _with(monkeypatch: pytest.MonkeyPatch, capabilities: int) -> None:
    monkeypatch.setattr(module, "_capabilities", lambda _name: capabilities)


def _by(user: int, group: int, capabilities: int = 0) -> str:
    return f"{place()} as {user}:{group}:{capabilities:x}"


def test_our_own_processes_are_in_sight() -> None:
    assert in_sight(whereabouts())


@pytest.mark.parametrize(
    ("kept", "capabilities", "seen"),
    [
        (_by(os.geteuid(), os.getegid()), 0, True),
        (_by(os.geteuid() + 1, os.getegid()), 0, False),
        (_by(os.geteuid(), os.getegid() + 1), 0, False),
        (_by(os.geteuid(), os.getegid(), AMBIENT), 0, False),
        (_by(os.geteuid(), os.getegid(), AMBIENT), AMBIENT, True),
        (_by(os.geteuid() + 1, os.getegid()), SYS_PTRACE, True),
        (place(), 0, True),
    ],
    ids=["ours", "user", "group", "it may do more", "we may do as much", "we see all", "kept by an older engine"],
)
def test_who_sees_them(monkeypatch: pytest.MonkeyPatch, kept: str | None, capabilities: int, seen: bool) -> None:
    _with(monkeypatch, capabilities)
    assert in_sight(kept) is seen
    assert on_this_host(kept)


@pytest.mark.parametrize("kept", [None, "another kernel", f"another kernel as {os.geteuid()}:{os.getegid()}:0"])
def test_another_host_is_out_of_sight(monkeypatch: pytest.MonkeyPatch, kept: str | None) -> None:
    _with(monkeypatch, SYS_PTRACE)
    assert not in_sight(kept)
    assert not on_this_host(kept)
