"""`amierules send`: a transaction that a person starts."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import states
from tests.support.amie_json import SITE, itc
from tests.support.command_line import call
from tests.support.states import write


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder, and we are in it."""
    monkeypatch.chdir(states.make_folder(tmp_path))
    return tmp_path


def shown(packet: int) -> Any:
    return call("show", packet, "--format", "json").json("show")


def test_a_packet_of_fields(site: Path) -> None:
    fields = ("PersonID=7", "PrimaryPersonID=8", "PersonIdList=7", "PersonIdList=9=x")
    ended = call("send", "notify_person_ids", *(f"--field={one}" for one in fields), "--reason", "by phone")
    said = "notify_person_ids is packet 1 of our transaction 1, for TGCDB\n"
    assert (ended.status, ended.stdout, ended.stderr) == (0, said, "")
    found = shown(1)
    assert found["packet"]["body"] == {"PersonID": "7", "PrimaryPersonID": "8", "PersonIdList": ["7", "9=x"]}
    header = found["packet"]["header"]
    assert (header["originating_site_name"], header["transaction_id"], header["outgoing_flag"]) == (SITE, 1, 1)
    assert [(event["what"], event["why"]) for event in found["events"]] == [("sent", "by phone")]


def test_fields_count_over_those_of_a_file(site: Path) -> None:
    write(site / "x.json", {"PersonID": 7, "PrimaryPersonID": "8", "PersonIdList": ["7", "9"]})
    ended = call("send", "notify_person_ids", "--file", "x.json", "--field", "PersonIdList=1")
    assert ended.status == 0, ended.stderr
    assert shown(1)["packet"]["body"] == {"PersonID": "7", "PrimaryPersonID": "8", "PersonIdList": ["1"]}


def test_what_answers_it_ends_it(site: Path) -> None:
    call("send", "notify_person_ids", "--field=PersonID=7", "--field=PrimaryPersonID=8")
    closing = "packet: inform_transaction_complete\nrules: [{name: end, complete: ended}]\n"
    (site / "rules" / "closing.yaml").write_text(closing)
    write(site / "answer.json", itc(originating_site_name=SITE, transaction_id=1))
    assert call("load", "answer.json").status == 0
    assert call("run").status == 0
    assert shown(1)["packet"]["header"]["transaction_state"] == "completed"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["notify_person_idz"], "did you mean 'notify_person_ids'?"),
        (["request_account_create"], "no packet with which a site starts a transaction"),
        (["inform_transaction_complete"], "no packet with which a site starts a transaction"),
        (["notify_person_ids"], "notify_person_ids must have a value for PersonID, PrimaryPersonID"),
        (["notify_person_ids", "--field=PersonId=7"], "did you mean 'PersonID'?"),
        (["notify_person_ids", "--field=PersonID"], "'PersonID' is not TAG=VALUE"),
        (["notify_person_ids", "--field=PersonID=7", "--field=PersonID=8"], "PersonID is given twice"),
        (["notify_project_usage", "--field=RecordIdentity=x"], "no JSON object"),
        (["notify_person_ids", "--file=none.json"], "none.json"),
        (["notify_person_ids", "--file=bad.json"], "bad.json:1"),
        (["notify_person_ids", "--file=list.json"], "holds no JSON object"),
        (["notify_person_ids", "--field=PersonID=7", "--field=PrimaryPersonID=8", "--to=X"], "'X' is no remote site"),
    ],
)
def test_what_cannot_be_sent_is_refused(site: Path, words: list[str], said: str) -> None:
    (site / "bad.json").write_text("{")
    (site / "list.json").write_text("[]")
    ended = call("send", *words)
    assert (ended.status, ended.stdout) == (1, "")
    assert said in " ".join(ended.stderr.split())
    assert json.loads(call("status", "--all", "--format", "json").stdout)["packets"] == []
