"""`amierules explain` knows every word of the field, and tells why a packet is answered as it is."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amierules.actions.schemas import kind_schemas
from amierules.database.own_tables import FINAL_STATUSES
from amierules.database.work import OPEN_STATUSES
from amierules.diagnostics import ExitStatus, Finding, Severity
from amierules.diagnostics.codes import codes
from amierules.engine.key_topics import key_words
from amierules.engine.site_folder import write_site_folder
from amierules.engine.statuses import STATUSES
from amierules.protocol.catalogue import catalogue
from amierules.rulebook.loader import load_rulebook
from amierules.shipped import ROOT
from amierules.templating import Environment
from tests.architecture.source_tree import TOP
from tests.support import states
from tests.support.amie_json import rum
from tests.support.command_line import Ended, call, on_terminal

TYPES = ("request_project_create", "request_user_modify", "request_person_merge")
WORDS = [
    *catalogue().types,
    *catalogue().tags,
    *kind_schemas(),
    *key_words(),
    *codes(),
    *OPEN_STATUSES,
    *FINAL_STATUSES,
    *(f"exit-{int(status)}" for status in ExitStatus),
    *(status.name.lower() for status in ExitStatus),
]


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without any configuration, and we are in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def run_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A site of all states after a run; we are in it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = states.make_folder(tmp_path_factory.mktemp("run"))
        patch.chdir(folder)
        assert call("load", states.write(folder / "packets.json", states.packets())).status == 0
        assert call("run").status == 3
        assert call("load", states.write(folder / "more.json", states.packets("done"))).status == 0
        yield folder


def topics(ended: Ended) -> list[dict[str, Any]]:
    return list(ended.json("explain")["topics"])


def topic(word: object, kind: str) -> dict[str, Any]:
    return next(one for one in topics(call("explain", word, "--format", "json")) if one["topic"] == kind)


def packet(status: str) -> dict[str, Any]:
    listed = call("status", "--all", "--status", status, "--format", "json").json("status")["packets"]
    return topic(next(one["packet_rec_id"] for one in listed if one["packet_rec_id"]), "packet")


@pytest.mark.parametrize("word", WORDS)
def test_every_word_is_explained_without_a_site(nowhere: Path, word: str) -> None:
    found = topics(call("explain", word, "--format", "json"))
    assert found
    assert all(one["description"] for one in found)
    ended = call("explain", word)
    assert ended.status == 0
    assert all(one["name"] in ended.stdout for one in found)
    assert list(nowhere.iterdir()) == []


def test_every_status_is_described() -> None:
    assert set(STATUSES) == {*OPEN_STATUSES, *FINAL_STATUSES}


@pytest.mark.parametrize(
    ("word", "meant"),
    [("request_acount_create", "request_account_create"), ("comand", "command"), ("qote-me", "quote-me"),
     ("UserDNList", "UserDnList"), ("in-doubt", "in_doubt")],
)  # fmt: skip
def test_an_unknown_word_is_refused_with_the_one_that_is_meant(nowhere: Path, word: str, meant: str) -> None:
    ended = call("explain", word)
    assert (ended.status, ended.stdout) == (2, "")
    assert f"did you mean '{meant}'?" in ended.stderr


def test_a_packet_type_tells_tags_reply_duty_and_source(nowhere: Path) -> None:
    found = topic("request_account_create", "packet type")
    (reply,) = found["expected_replies"]
    assert (reply["type"], reply["minutes"]) == ("notify_account_create", 30240)
    assert "UserRemoteSiteLogin" in reply["required"]
    required = {tag["name"] for tag in found["tags"] if tag["required"]}
    assert required == set(catalogue().types["request_account_create"].required)
    assert found["rules"] is None
    text = call("explain", "request_account_create").stdout
    assert "reply: notify_account_create within 21 days" in text
    assert re.search(r"^\* UserFirstName +text ", text, re.MULTILINE)
    assert "Source: AMIE in XSEDE" in " ".join(text.split())


def test_a_packet_type_tells_the_rules_that_answer_it(run_site: Path) -> None:
    found = topic("request_user_modify", "packet type")["rules"]
    assert found["file"] == "rules/request_user_modify.yaml"
    first = found["rules"][0]
    assert (first["name"], first["when"], first["outcome"]) == ("refuse", "packet.PersonID == 'failed'", "fail")
    text = call("explain", "request_user_modify").stdout
    assert f"  {first['line']:>4}  refuse: fail\n        when packet.PersonID == 'failed'\n" in text


def test_a_broken_file_is_said_to_answer_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = states.make_folder(tmp_path)
    monkeypatch.chdir(folder)
    (folder / "rules" / "request_user_modify.yaml").write_text("packet: request_user_modify\nrules: 1\n")
    found = topic("request_user_modify", "packet type")["rules"]
    assert found["file"] is None
    assert "rule file rules/request_user_modify.yaml is invalid" in found["broken"]


@pytest.mark.parametrize("kind", sorted(kind_schemas()))
def test_the_examples_of_a_kind_are_valid(kind: str, tmp_path: Path) -> None:
    found = topic(kind, "kind")
    assert found["examples"]
    assert found["after_a_crash"]
    for number, example in enumerate(found["examples"]):
        # An example may speak of tags that only some packets have.
        wrong = [_errors(example, packet_type, tmp_path / f"{number}-{packet_type}") for packet_type in TYPES]
        assert [] in wrong, example


def _errors(example: str, packet_type: str, folder: Path) -> list[Finding]:
    indented = "".join(f"      {line}\n" for line in example.splitlines())
    folder.mkdir()
    (folder / "rule.yaml").write_text(
        f"packet: {packet_type}\nrules:\n  - name: it\n    actions:\n{indented}    complete: by hand\n"
    )
    _, findings = load_rulebook([folder, ROOT / "rules"], kind_schemas(), Environment())
    own = [one for one in findings if one.place and one.place.file == str(folder / "rule.yaml")]
    return [one for one in own if one.severity is Severity.ERROR]


def test_a_key_is_explained_in_each_place_that_has_it(nowhere: Path) -> None:
    hold = topic("hold", "key")
    assert (hold["place"], [one["name"] for one in hold["parameters"]]) == ("a rule", ["reason", "ask"])
    assert [one["place"] for one in topics(call("explain", "when", "--format", "json"))] == ["a rule", "an action"]
    assert "hold: a key of a rule, text or mapping" in call("explain", "hold").stdout
    assert re.search(r"^\* reason: text$", call("explain", "hold").stdout, re.MULTILINE)
    assert {one["place"] for one in topics(call("explain", "notify", "--format", "json"))} >= {"the configuration"}


def test_a_block_of_the_site_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_site_folder(tmp_path / "site", "TestSite")
    monkeypatch.chdir(tmp_path / "site")
    assert topic("ensure_person", "block")["actions"] == ["registry"]
    assert "a block, rules/blocks/ensure_person.yaml" in call("explain", "ensure_person").stdout


def test_a_packet_tells_which_rules_were_asked_and_what_they_saw(run_site: Path) -> None:
    found = packet("held")
    assert (found["status"], found["type"]) == ("held", "request_user_modify")
    asked = found["considered"]["rules"]
    assert [(rule["name"], rule["answer"]) for rule in asked[:4]] == [
        ("refuse", "fails"), ("leave", "fails"), ("ask", "holds"), ("later", "not asked"),
    ]  # fmt: skip
    (when,) = asked[2]["when"]
    assert (when["expression"], when["answer"]) == ("packet.PersonID == 'held'", "holds")
    assert when["values"] == {"packet.PersonID": "held"}
    assert found["plan"]["outcome"]["kind"] == "hold"
    assert found["events"]
    text = call("explain", found["packet_rec_id"]).stdout
    assert "when packet.PersonID == 'failed': false\n            packet.PersonID = 'held'\n" in text
    assert "ask: this one" in text
    assert "what a run would do now" in text


def test_a_finished_packet_has_no_plan(run_site: Path) -> None:
    found = packet("done")
    assert found["plan"] is None
    assert "what a run would do now" not in call("explain", found["packet_rec_id"]).stdout


def test_a_packet_whose_actions_have_begun_keeps_its_rule(run_site: Path) -> None:
    found = packet("in_doubt")
    assert found["considered"]["pinned"]
    chosen = [rule["name"] for rule in found["considered"]["rules"] if rule["answer"] == "holds"]
    assert chosen == ["takes too long"]
    assert [step["path"] for step in found["steps"]] == ["slow"]


def test_a_packet_of_an_unknown_type_has_no_rules(run_site: Path) -> None:
    listed = call("status", "--all", "--format", "json").json("status")["packets"]
    kept = next(one for one in listed if one["packet_rec_id"] is None)
    found = topic(f"r:{kept['remote_packet_rec_id']}", "packet")
    assert found["considered"]["rules"] == []
    assert "no rule can be for it" in call("explain", f"r:{kept['remote_packet_rec_id']}").stdout


def test_conditions_are_asked_until_one_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = states.make_folder(tmp_path)
    monkeypatch.chdir(folder)
    (folder / "rules" / "request_user_modify.yaml").write_text(
        "packet: request_user_modify\nvars: {who: '{{ packet.PersonID | upper }}'}\nrules:\n"
        "  - {name: several, when: [who == 'X', \"person is none\", \"packet.Email == 'a'\"], hold: '?'}\n"
        "  - {name: fails, when: 1 // (packet.PersonID | length - 3) > 0, hold: '?'}\n  - {name: last, reply: {}}\n"
    )
    call("load", states.write(folder / "one.json", [rum({"PersonID": "411"})]))
    several, fails, last = topic(1, "packet")["considered"]["rules"]
    assert [when["answer"] for when in several["when"]] == ["fails", "not asked", "not asked"]
    assert several["when"][0]["values"] == {"who": "411"}
    assert (fails["answer"], last["answer"]) == ("error", "not asked")
    assert "rules/request_user_modify.yaml:5:" in fails["when"][0]["reason"]
    assert "packet.PersonID = '411'" in call("explain", "1").stdout


def test_a_hold_that_was_approved_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = states.make_folder(tmp_path)
    monkeypatch.chdir(folder)
    call("load", states.write(folder / "one.json", [rum({"PersonID": "held"})]))
    assert call("run").status == 3
    assert call("approve", "1", "--reason", "yes").status == 0
    rules = topic(1, "packet")["considered"]["rules"]
    assert {rule["name"]: rule["answer"] for rule in rules}["ask"] == "approved"


def test_a_number_is_a_packet_first_and_an_exit_status_else(run_site: Path, nowhere: Path) -> None:
    assert [one["topic"] for one in topics(call("explain", "3", "--format", "json"))] == ["exit status"]
    ended = call("explain", "3", "--config", run_site / "amierules.yaml")
    assert ended.stdout.startswith("packet 3")
    assert "`amierules explain exit-3`" in ended.stderr
    assert call("explain", "4").status != 0


def test_explaining_changes_nothing(run_site: Path) -> None:
    before = call("status", "--all", "--format", "json").stdout
    for number in range(1, 8):
        call("explain", number)
    assert call("status", "--all", "--format", "json").stdout == before


def test_pages_of_the_documentation_are_read_without_a_network() -> None:
    shown = call("explain", "crashes").stdout
    page = (TOP / "docs" / "crashes.md").read_text(encoding="utf-8")
    assert shown.startswith("# What happens when it crashes\n")
    assert shown.count("\n## ") == page.count("\n## ")
    assert "](" not in shown, "links to files lead nowhere here"
    listed = call("explain", "pages", "--format", "json").json("explain")["topics"][0]["pages"]
    pages = [file for file in TOP.glob("docs/**/*.md") if file.parent.name != "kinds" and file.stem != "index"]
    names = {file.parent.name if file.stem == "README" else file.stem for file in pages}
    assert {page["name"] for page in listed} == names


def test_a_word_that_is_a_key_and_a_page_shows_the_key_and_names_the_page() -> None:
    ended = call("explain", "slurm")
    assert ended.stdout.startswith("slurm: a key of the configuration")
    assert "`amierules explain page:slurm`" in ended.stderr
    assert call("explain", "page:slurm").stdout.startswith("# Slurm\n")


def test_a_word_without_a_topic_names_the_pages_that_speak_of_it() -> None:
    assert "these pages speak of it: crashes" in call("explain", "setquota").stderr


def test_a_page_is_set_in_the_width_of_a_terminal(tmp_path: Path) -> None:
    shown = on_terminal("explain", "crashes", cwd=tmp_path, columns=70, NO_COLOR="1").stdout
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert max(map(len, lines)) <= 70
    assert "```" not in shown
