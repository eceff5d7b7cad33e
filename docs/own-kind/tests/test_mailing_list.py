"""The kind by itself: what it plans is what it does, and what it did it plans no more."""

from pathlib import Path
from typing import Any, cast

import pytest
from amierules_mailing_list import mailing_list

from amierules.actions.base import ActionError, BackendUnavailable, Surroundings

NOTHING = cast(Surroundings, None)
"""This kind asks for nothing of its surroundings."""


def run(**params: Any) -> list[str]:
    state = mailing_list.probe(params, NOTHING)
    plan = mailing_list.plan(params, state, NOTHING)
    if plan.changes:
        assert mailing_list.apply(params, plan, NOTHING) == plan.result
    assert mailing_list.probe(params, NOTHING) == plan.after
    return [change.summary for change in plan.changes]


def test_addresses_come_and_go_and_other_lines_stay(tmp_path: Path) -> None:
    (tmp_path / "users").write_bytes(b"# ours\nold@site.example\n\xff@site.example\n")
    wanted: dict[str, Any] = {"list": "users", "folder": str(tmp_path), "add": ["new@site.example"]}
    wanted["remove"] = ["old@site.example", "nobody@site.example"]
    assert run(**wanted) == [
        "remove old@site.example from mailing list users",
        "add new@site.example to mailing list users",
    ]
    assert (tmp_path / "users").read_bytes() == b"# ours\n\xff@site.example\nnew@site.example\n"
    assert run(**wanted) == []


@pytest.mark.parametrize("address", ["|/bin/sh", "/etc/passwd", ":include:/etc/passwd", "a@b\n|/bin/sh", "-f@x", ""])
def test_what_is_no_address_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(ActionError, match="no address"):
        run(list="users", folder=str(tmp_path), add=[address])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../users", "/etc/aliases", ".hidden", "a/b", ""])
def test_what_is_no_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ActionError, match="no name"):
        run(list=name, folder=str(tmp_path), add=["a@site.example"])


def test_a_folder_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable):
        run(list="users", folder=str(tmp_path / "away"), add=["a@site.example"])
