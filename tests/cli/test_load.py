"""`amierules load`: from files and standard input, what is taken, refused and noted."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import states
from tests.support.amie_json import rpi, rum
from tests.support.command_line import PROGRAM, call
from tests.support.states import write


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder, and we are in it."""
    monkeypatch.chdir(states.make_folder(tmp_path))
    return tmp_path


def remote_ids() -> list[int]:
    """What is in the database, in the order of its local ids."""
    lines = json.loads(call("status", "--all", "--format", "json").stdout)["packets"]
    return [line["remote_packet_rec_id"] for line in sorted(lines, key=lambda line: line["packet_rec_id"] or 10**9)]


def test_packets_of_several_files_are_loaded_in_order_of_their_remote_ids(site: Path) -> None:
    listed = [rum({"PersonID": "x"}, packet_rec_id=number) for number in (30, 10, 20)]
    files = [write(site / f"{number}.json", one) for number, one in enumerate(listed)]
    ended = call("load", *files)
    assert (ended.status, ended.stdout, ended.stderr) == (0, "3 packets loaded\n", "")
    assert remote_ids() == [10, 20, 30]


def test_the_captured_packets(site: Path) -> None:
    ended = call("load", *states.CAPTURED)
    assert (ended.status, ended.stdout) == (0, "6 packets loaded\n")
    assert remote_ids() == [174709745, 233497907, 233497909, 233497911, 233497913, 233497914]


@pytest.mark.parametrize("form", ["one", "list", "envelope of one", "envelope of a list"])
def test_a_file_holds_one_packet_a_list_or_the_envelope(site: Path, form: str) -> None:
    packet: Any = rum({"PersonID": "x"})
    data = [packet] if "list" in form else packet
    data = {"result": data, "message": ""} if "envelope" in form else data
    (site / "x.json").write_text(json.dumps(data))
    assert call("load", "x.json").stdout == "1 packet loaded\n"


def test_both_perspectives_are_the_same_packet(site: Path) -> None:
    ours = rpi()
    theirs = rpi(theirs=True, **{key: ours["header"][key] for key in ("packet_rec_id", "transaction_id")})
    assert call("load", write(site / "ours.json", ours)).status == 0
    ended = call("load", write(site / "theirs.json", theirs))
    assert (ended.status, ended.stdout) == (0, "0 packets loaded, 1 already there\n")


def test_standard_input(site: Path) -> None:
    text = json.dumps(rum({"PersonID": "x"}))
    command = [str(PROGRAM), "load", "-"]
    ended = subprocess.run(command, input=text, cwd=site, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "1 packet loaded\n")
    ended = subprocess.run(command, input="", cwd=site, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("-: error[") or ended.stderr.startswith("-:1:1: error[")
    planning = [str(PROGRAM), "dry-run", "--packet", "-"]
    ended = subprocess.run(planning, input=text, cwd=site, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "no rule matches" in ended.stdout


def test_a_duplicate_is_a_note_and_no_failure(site: Path) -> None:
    file = write(site / "x.json", [rum({"PersonID": "x"})])
    assert call("load", file, file).stdout == "1 packet loaded, 1 already there\n"
    ended = call("load", file)
    assert (ended.status, ended.stdout) == (0, "0 packets loaded, 1 already there\n")
    assert ": note[duplicate-packet]: packet " in ended.stderr
    assert "error" not in ended.stderr


def test_refused_packets_do_not_keep_the_others_out(site: Path) -> None:
    good = [rum({"PersonID": f"x{number}"}) for number in range(3)]
    bad = [
        rum({"PersonID": "x"}, transaction_id=None),
        rum({"T" * 33: "x"}),
        rum({"PersonID": "a\0b"}),
        rum({"X": [[["x"]]]}),
    ]
    mixed = [good[0], bad[0], bad[1], good[1], bad[2], bad[3], good[2], "nonsense", None]
    ended = call("load", write(site / "x.json", mixed))  # type: ignore[arg-type]
    assert (ended.status, ended.stdout) == (1, "3 packets loaded, 6 refused\n")
    lines = [line for line in ended.stderr.splitlines() if ": error[" in line]
    assert len(lines) == 6
    assert all(line.startswith(str(site / "x.json")) for line in lines)
    for packet in bad:
        assert sum(f"packet {packet['header']['packet_rec_id']} " in line for line in lines) == 1
    assert len(remote_ids()) == 3


def test_other_files_are_loaded_beside_one_that_cannot_be(site: Path) -> None:
    (site / "broken.json").write_text('{"type": \n  nonsense}')
    (site / "folder.json").mkdir()
    ended = call("load", "broken.json", "nope.json", "folder.json", write(site / "good.json", rum({"PersonID": "x"})))
    assert (ended.status, ended.stdout) == (1, "1 packet loaded, 3 refused\n")
    assert "broken.json:2:3: error[malformed-json]" in ended.stderr
    assert "nope.json: error[cannot-read]: cannot be read: No such file" in ended.stderr
    assert "folder.json: error[cannot-read]" in ended.stderr


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"null", b"[]", b"{}", b"42", b'"x"', b"[[[]]]", b"[" * 100_000, b'{"result": null}']
)
def test_a_file_without_a_packet_is_one_finding(site: Path, content: bytes) -> None:
    (site / "x.json").write_bytes(content)
    ended = call("load", "x.json")
    assert (ended.status, ended.stdout) == (1, "0 packets loaded, 1 refused\n")
    assert ended.stderr.count("error[") == 1


def test_an_unknown_type_is_kept_with_a_warning(site: Path) -> None:
    packet = rpi()
    packet["type"] = "request_coffee"
    ended = call("load", write(site / "x.json", packet))
    assert (ended.status, ended.stdout) == (0, "0 packets loaded, 1 of an unknown type kept, parked\n")
    assert "warning[unknown-type]" in ended.stderr
    assert call("status").status == 3
    assert call("load", site / "x.json").stdout == "0 packets loaded, 1 already there\n"


def test_a_packet_of_another_site_needs_to_be_asked_for(site: Path) -> None:
    other = rum({"PersonID": "x"}, local_site_name="Elsewhere")
    file = write(site / "x.json", other)
    ended = call("load", file)
    assert (ended.status, ended.stdout) == (1, "0 packets loaded, 1 refused\n")
    assert "error[other-site]" in ended.stderr
    assert "--as-site Elsewhere" in ended.stderr
    assert call("load", file, "--as-site", "Nowhere").status == 1
    assert call("load", file, "--as-site", "Elsewhere").stdout == "1 packet loaded\n"


def test_our_own_packet_is_left_out_with_a_note(site: Path) -> None:
    own = rum({"PersonID": "x"}, outgoing_flag=1)
    own["type"] = "notify_account_create"
    ended = call("load", write(site / "x.json", own))
    assert (ended.status, ended.stdout) == (0, "0 packets loaded\n")
    assert "note[own-packet]" in ended.stderr


def test_names_of_files_are_escaped_too(site: Path) -> None:
    write(site / "\x1b[31m.json", rum({"PersonID": "x"}, transaction_id=None))
    ended = call("load", "\x1b[31m.json", "\x9bgone.json")
    assert ended.status == 1
    assert "\x1b" not in ended.stderr
    assert "\x9b" not in ended.stderr
