"""Packets of unknown types: what can be done about them, and which packet is meant by an id that two have."""

from pathlib import Path

import pytest

from tests.support import states
from tests.support.amie_json import rpi, rum
from tests.support.command_line import call
from tests.support.states import packets, write


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder with the rules for all states, and we are in it."""
    monkeypatch.chdir(states.make_folder(tmp_path))
    return tmp_path


def kept(site: Path, remote: int) -> str:
    """Loads a packet of an unknown type; returns what it is called."""
    packet = rpi()
    packet["type"] = "request_coffee"
    packet["header"]["packet_rec_id"] = remote
    assert call("load", write(site / "coffee.json", packet)).status == 0
    return f"r:{remote}"


@pytest.mark.parametrize("decision", ["retry", "approve", "fail", "hold"])
def test_it_can_only_be_taken_off_the_list(site: Path, decision: str) -> None:
    called = kept(site, 77)
    ended = call(decision, called)
    assert ended.status == 2
    assert f"it can only be taken off the list: `amierules complete {called}`" in ended.stderr
    assert "there is no packet" not in ended.stderr


def test_show_says_what_can_be_done(site: Path) -> None:
    called = kept(site, 77)
    assert f"`amierules complete {called}`" in call("show", called).stdout
    assert call("complete", called).stdout == f"packet {called} is off the list\n"
    assert "complete" not in call("show", called).stdout
    assert "off the list already" in call("complete", called).stderr


def test_where_two_have_one_remote_id_the_ordinary_one_is_meant(site: Path) -> None:
    called = kept(site, 77)
    packet = rum({"PersonID": "held"})
    packet["header"]["packet_rec_id"] = 77
    assert call("load", write(site / "some.json", packet)).status == 0
    call("run")
    shown = call("show", called).stdout
    assert shown.startswith("packet 1 (r:77)  request_user_modify")
    assert "r:77 is also a packet of the unknown type request_coffee" in shown
    assert call("complete", called).stdout == "packet 1 is done\n"
    assert call("complete", called).stdout == "packet r:77 is off the list\n"


def test_a_packet_that_differs_from_the_stored_one_is_said(site: Path) -> None:
    first, *_ = packets("held")
    file = write(site / "one.json", first)
    call("load", file)
    assert "note[duplicate-packet]" in call("load", file).stderr
    first["body"]["PersonID"] = "done"
    ended = call("load", write(file, first))
    assert ended.status == 0
    assert "warning[duplicate-packet]" in ended.stderr
    assert "the stored one differs, and is kept" in ended.stderr


def test_in_doubt_names_the_command_that_settles_it(site: Path) -> None:
    call("load", write(site / "one.json", packets("in_doubt")))
    call("run")
    said = call("status").stderr
    assert '`amierules resolve 1 "PATH" --done|--redo`' in said
    assert "approve" not in said
    assert '`amierules resolve 1 "slow" --done|--redo`' in call("show", "1").stdout
