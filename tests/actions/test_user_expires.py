"""The kind `user` keeps the day on which an account expires, beside the lock that is such a day itself."""

from typing import Any

import pytest

from amierules.actions.base import ActionError
from amierules.actions.parameters import check_params
from tests.support.shadow import Runner, ScratchRoot

YEAR_END, YEAR_END_DAYS = "2026-12-31", "20818"
HASH = "$6$salt$hash"


def expiry(root: ScratchRoot, login: str = "alice") -> str:
    """Field 8 of the shadow file."""
    line = root.line("shadow", login)
    assert line is not None
    return line[7]


def words(runner: Runner, **given: Any) -> list[str]:
    (change,) = runner.plan(name="alice", uid=20001, **given).changes
    assert change.argv is not None
    listed = [str(word) for word in change.argv]
    return listed[listed.index("--prefix") + 2 : listed.index("--")]


def test_a_date_is_set_moved_and_taken_away(runner: Runner, root: ScratchRoot, alice: dict[str, Any]) -> None:
    assert words(runner, expires=YEAR_END) == ["--expiredate", YEAR_END]
    runner.run(name="alice", uid=20001, expires=YEAR_END)
    assert expiry(root) == YEAR_END_DAYS
    assert runner.plan(name="alice", uid=20001, expires=YEAR_END).changes == ()
    assert runner.plan(name="alice", uid=20001, shell="/bin/bash").changes == ()
    runner.run(name="alice", uid=20001, expires="2027-06-30")
    assert expiry(root) == "20999"
    runner.run(name="alice", uid=20001, expires="never")
    assert expiry(root) == ""
    assert runner.plan(name="alice", uid=20001, expires="never").changes == ()


def test_a_new_account_has_its_date_from_the_start(runner: Runner, root: ScratchRoot) -> None:
    runner.run(name="bob", uid=20002, expires=YEAR_END)
    assert expiry(root, "bob") == YEAR_END_DAYS
    runner.run(name="cal", uid=20003, expires=YEAR_END, locked=True)
    assert expiry(root, "cal") == "1"
    runner.run(name="dee", uid=20004, expires="never")
    assert expiry(root, "dee") == ""


def test_one_that_is_locked_stays_so_and_has_its_date_once_it_is_unlocked(
    runner: Runner, root: ScratchRoot, alice: dict[str, Any]
) -> None:
    root.set_password("alice", HASH)
    runner.run(name="alice", uid=20001, locked=True, expires=YEAR_END)
    assert expiry(root) == "1"
    assert runner.plan(name="alice", uid=20001, expires=YEAR_END).changes == ()
    assert runner.plan(name="alice", uid=20001, locked=True, expires=YEAR_END).changes == ()
    assert words(runner, locked=False, expires=YEAR_END) == ["--unlock", "--expiredate", YEAR_END]
    runner.run(name="alice", uid=20001, locked=False, expires=YEAR_END)
    line = root.line("shadow", "alice")
    assert line is not None
    assert (line[1], line[7]) == (HASH, YEAR_END_DAYS)
    assert runner.plan(name="alice", uid=20001, locked=False, expires=YEAR_END).changes == ()
    assert runner.plan(name="alice", uid=20001, locked=False).changes == ()


def test_one_that_has_expired_by_its_date_can_be_given_another(
    runner: Runner, root: ScratchRoot, alice: dict[str, Any]
) -> None:
    runner.run(name="alice", uid=20001, expires="2026-02-01")
    assert runner.plan(name="alice", uid=20001, expires="2026-02-01", locked=False).changes == ()
    assert words(runner, expires=YEAR_END) == ["--expiredate", YEAR_END]
    runner.run(name="alice", uid=20001, expires="2026-02-01", locked=True)
    assert expiry(root) == "1"
    runner.run(name="alice", uid=20001, expires="never", locked=False)
    assert expiry(root) == ""


def test_the_summary_says_from_which_day_to_which(runner: Runner, alice: dict[str, Any]) -> None:
    (change,) = runner.plan(name="alice", uid=20001, expires=YEAR_END).changes
    assert change.summary == f"change user alice: expires never -> {YEAR_END}"
    runner.run(name="alice", uid=20001, expires=YEAR_END)
    (change,) = runner.plan(name="alice", uid=20001, expires="never").changes
    assert change.summary == f"change user alice: expires {YEAR_END} -> never"


@pytest.mark.parametrize("given", ["31.12.2026", "2026-02-30", "Never", "", "-1", "2026-12-31; x", 20818, True])
def test_what_is_no_date_is_refused(runner: Runner, given: Any) -> None:
    _, problems = check_params(runner.schema, {"name": "alice", "expires": given})
    assert [one.partition(":")[0] for one in problems] == ["expires"]


def test_without_the_right_to_read_the_date_it_is_not_guessed(
    runner: Runner, root: ScratchRoot, alice: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shadow = root.path / "etc" / "shadow"
    shadow.unlink()
    shadow.mkdir()  # what cannot be read, for root too
    with pytest.raises(ActionError, match="only root may see"):
        runner.plan(name="alice", uid=20001, expires=YEAR_END)
