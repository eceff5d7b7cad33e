"""What happened to a packet as a rule test: it passes with the same rules, and nobody can be recognised in it."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from amierules.database.connection import Database
from amierules.diagnostics import ExitStatus, NotAllowed
from amierules.engine.site import Site
from amierules.testing.replay.as_test import as_test
from amierules.testing.stage import Stages
from amierules.testing.suite import Suite
from tests.support import sites
from tests.support.command_line import call
from tests.support.policy import with_slurm
from tests.support.shadow import ScratchRoot
from tests.support.sites import ALPHA, BETA, SETTINGS, rac, rai, rpc, rpi, rpm, rpr, rum
from tests.support.slapd import Slapd
from tests.support.slurm import SlurmServer
from tests.testing.conftest import told

REAL = re.compile(r"(?i)sample|annex|ann\b|university\.example|900[12]\d|maiden|elm street|0123")
"""What of the people in these packets must not be told; organisations, grants and resources may."""
RULES = """\
packet: request_account_create
rules:
  - name: account
    actions:
      - name: quota
        command:
          run: [/bin/sh, -c, "echo quota of $1; exit 3", sh, "{{ packet.UserLastName }}"]
          ok: [3]
          unless: {run: [/bin/false]}
        register: quota
      - {name: seen, command: {run: [/bin/echo, "{{ packet.UserEmail }}"], read_only: true}}
      - name: refused
        command: {run: [/bin/sh, -c, "echo $1 is full >&2; exit 7", sh, "{{ packet.UserLastName }}"]}
        on_error: continue
      - {name: broken, command: {run: [/bin/sh, -c, "exit 9"]}, when: packet.UserTitle is not none}
    complete: "{{ packet.UserFirstName }} has {{ quota.stdout }}"
"""


def write(site: Site, packet_rec_id: int) -> str:
    """The text of the test of a packet."""
    with Stages.opened() as stages:
        return as_test(site, stages, packet_rec_id)


def write_all(site: Site, packets: Iterable[int]) -> dict[int, str]:
    """The texts of the tests of packets."""
    with Stages.opened() as stages:
        return {number: as_test(site, stages, number) for number in packets}


def _one_by_one(site: Site, *packets: Mapping[str, Any]) -> list[int]:
    """The packets, each worked on before the next one comes."""
    numbers = []
    for packet in packets:
        numbers += sites.load(site, packet)
        sites.run(site)
        sites.complete_projects(site)
    return numbers


def passes(site: Site, *texts: str) -> str:
    """Why test files do not pass; nothing where they do."""
    folder = site.configuration.path.parent / "tests"
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text, encoding="utf-8")
    suite = Suite(site.configuration.path)
    with Stages.opened() as stages:
        list(suite.run([folder], stages))
    return "\n".join([told(suite), *map(str, suite.findings)]).strip()


def the_test(text: str) -> dict[str, Any]:
    """The one test of a file."""
    (test,) = yaml.load(text, Loader=yaml.BaseLoader)["tests"]
    assert isinstance(test, dict)
    return test


@pytest.fixture(params=["none", "shadow"])
def site(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Site:
    """A site with the shipped rules, with and without Unix accounts under a scratch root."""
    prefix = ScratchRoot.make(tmp_path / "root").path if request.param == "shadow" else None
    given = {**SETTINGS, "accounts": request.param, "approve_merges": True}
    ids = {**sites.IDS, "gid": {"range": [40000, 49999]}}
    return sites.make_site(database, tmp_path / "site", settings=given, prefix=prefix, ids=ids)


def test_what_happened_comes_again_with_other_people(site: Site) -> None:
    person = {"PersonID": "20001"}
    about = {"Comment": "left; was Ann Sample"}
    changed = {"FirstName": "Anna", "LastName": "Maiden", "Email": "anna@university.example", "Zip": "01234"}
    packets = _one_by_one(
        site,
        rpc({"PiStreetAddress": "1 Elm Street", "PiBusinessPhoneNumber": "+1 555 0123"}),
        rac(),
        rac({"GrantNumber": "LATER1"}),  # deferred
        rac({"ResourceList": ["elsewhere.example"]}),  # failed
        rac({"GrantNumber": None}),  # parked
        rum({**person, **changed, "DnList": ["/C=US/O=CA/CN=Anna Maiden", "/C=US/CN=Ann Example"]}),
        rpm(),  # held, and then approved
        rpc({"ResourceList": [BETA], "PiGlobalID": "90022"}),
        rai({**person, **about}),
        rpi(about),
        rpr(),
        rpm({"KeepPersonID": "20001", "DeletePersonID": "20000"}),
    )
    held = packets[6]
    assert sites.status_of(site, held) == "held"
    while_open = write_all(site, (held, packets[2]))
    sites.decision(site, held, "approve", "Ann Sample has married")
    sites.run(site)
    sites.decision(site, packets[2], "fail", "no such grant for Ann")
    texts = write_all(site, packets)
    assert passes(site, *while_open.values(), *texts.values()) == ""
    for text in (*while_open.values(), *texts.values()):
        assert not REAL.findall(text), text
        assert "this test fails" not in text
    expected = {number: list(the_test(text)["expect"]) for number, text in texts.items()}
    ends = [sites.status_of(site, number) for number in packets]
    assert {"done", "failed", "parked"} <= set(ends)
    assert "park" in expected[packets[4]]
    assert "fail" in expected[packets[3]]
    assert "hold" in the_test(while_open[held])["expect"]
    assert "defer" in the_test(while_open[packets[2]])["expect"]
    assert [one["decide"]["word"] for one in the_test(texts[held])["then"]] == ["approve"]
    assert [one["decide"]["word"] for one in the_test(texts[packets[2]])["then"]] == ["fail"]


def test_the_same_person_is_the_same_everywhere(site: Site) -> None:
    packets = _one_by_one(site, rpc(), rac({"UserMiddleName": "Q"}), rum({"PersonID": "20001", "LastName": "Maiden"}))
    test = the_test(write(site, packets[1]))
    body, (row,) = test["packet"]["body"], test["expect"]["registry"]["persons"]
    assert (body["UserFirstName"], body["UserLastName"]) == (row["FirstName"], row["LastName"])
    assert body["UserRequestedLoginList"] == [row["login"]]
    assert body["UserDnList"] == [f"/C=US/CN={row['FirstName']} {row['LastName']}"] == row["dns"]
    assert row["Email"].startswith(row["FirstName"].lower())
    assert test["expect"]["reply"]["body"]["UserRemoteSiteLogin"] == row["login"]
    (pi,) = test["given"]["registry"]["persons"]
    assert pi["LastName"] != row["LastName"]
    if site.configuration.settings["accounts"] == "shadow":
        made = next(one["run"] for one in test["expect"]["changes"] if one.get("run", "").startswith("useradd"))
        assert f"{row['FirstName']} {body['UserMiddleName']} {row['LastName']}" in made
        assert test["given"]["world"]["groups"] == [{"name": "p-xyz259276", "gid": "40000"}]


def test_what_programs_answered_is_answered_again(database: Database, tmp_path: Path) -> None:
    site = sites.make_site(database, tmp_path / "site", {"rules.yaml": RULES})
    fine, broken = sites.load(site, rac(), rac({"UserTitle": "Dr"}))
    sites.run(site)
    text = write(site, fine)
    assert passes(site, text) == ""
    assert not re.search("(?i)example has|example is full|ann@", text), text
    test = the_test(text)
    commands = {one["run"].split()[0]: one for one in test["given"]["world"]["commands"]}
    assert commands["/bin/false"]["rc"] == "1"
    assert commands["/bin/sh"]["rc"] == "3"
    assert test["expect"]["complete"].endswith(commands["/bin/sh"]["stdout"])
    assert [one["step"] for one in test["given"]["world"]["failures"]] == ["refused"]
    text = write(site, broken)
    assert passes(site, text) == ""
    assert the_test(text)["expect"]["park"] == sites.reason_of(site, broken)


def test_rules_that_were_changed_since_are_said_to_be(database: Database, tmp_path: Path) -> None:
    site = sites.make_site(database, tmp_path / "site", {"rules.yaml": RULES})
    (number,) = sites.load(site, rac())
    sites.run(site)
    sites.write_rules(tmp_path / "site", {"rules.yaml": RULES.replace("name: account", "name: other")})
    text = write(site, number)
    assert "by now rule 'other' is chosen: this test fails" in text
    assert "rule: expected" in passes(site, text)


def test_changes_that_do_not_come_any_more_name_the_people_of_the_test(database: Database, tmp_path: Path) -> None:
    head = "packet: request_account_create\nrules:\n  - name: all\n"
    person = "{name: person, person: {attributes: '{{ subject }}', login_from: [xenia]}}"
    rules = f"{head}    actions: [{person}]\n    complete: done\n"
    site = sites.make_site(database, tmp_path / "site", {"rules.yaml": rules})
    (number,) = sites.load(site, rac({"UserLastName": "O'Neil", "UserCity": "Springfield"}))
    sites.run(site)
    sites.write_rules(tmp_path / "site", {"rules.yaml": f"{head}    hold: 'no'\n"})
    test = the_test(write(site, number))
    after, body = test["expect"]["changes"][0]["after"], test["packet"]["body"]
    assert (after["LastName"], after["City"]) == (body["UserLastName"], body["UserCity"])
    assert "Springfield" not in str(test)


MakeHere = Callable[[dict[str, Any]], Site]


@pytest.fixture
def in_its_folder(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeHere:
    """Makes a site whose folder is the present one, and whose database has a packet that was run."""

    def make(packet: dict[str, Any]) -> Site:
        with Database.open(sqlite_url, create=False) as database:
            site = sites.make_site(database, tmp_path / "site")
            sites.load(site, packet)
            sites.run(site)
        monkeypatch.chdir(tmp_path / "site")
        monkeypatch.setenv("AMIERULES_DATABASE", sqlite_url)
        return site

    return make


def test_the_command_writes_a_new_file(in_its_folder: MakeHere) -> None:
    site = in_its_folder(rac())
    printed = call("show", 1, "--as-test")
    assert passes(site, printed.stdout) == ""
    assert call("show", 1, "--as-test", "--output", "tests/new.yaml").status == ExitStatus.OK
    assert Path("tests/new.yaml").read_text(encoding="utf-8") == printed.stdout
    again = call("show", 1, "--as-test", "--output", "tests/new.yaml")
    assert (again.status, "is there already" in again.stderr) == (ExitStatus.USAGE, True)
    assert call("show", 1, "--output", "other.yaml").status == ExitStatus.USAGE
    assert call("show", 1, "--as-test", "--output", "no/where.yaml").status == ExitStatus.INVALID


def test_the_command_adds_to_a_file_and_leaves_the_rest_as_it_is(
    in_its_folder: MakeHere,
) -> None:
    site = in_its_folder(rpc())
    path = Path("tests/account.yaml")
    path.parent.mkdir()
    alone = call("show", 1, "--as-test").stdout
    name = f"packet 1 {rpc()['type']}"
    for before, after, names in (
        ("", "", [name, f"{name} (2)"]),
        (
            "\n# what follows\npackets:\n  other: {type: request_account_inactivate}  # kept\n",
            "\n",
            [name, f"{name} (2)"],
        ),
    ):
        first = alone.rstrip("\n") + "  # the end"
        path.write_bytes(f"{first}{before}{after}".encode())

        added = call("show", 1, "--as-test", "--append", path)

        assert (added.status, names[1] in added.stdout) == (ExitStatus.OK, True), added.stderr
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"{first}\n")
        assert text.endswith(f"{before}{after}")
        assert [test["name"] for test in yaml.load(text, Loader=yaml.BaseLoader)["tests"]] == names
        assert passes(site, text) == ""
        assert [one.name for one in path.parent.iterdir() if one.name.startswith(".")] == []
        Path("tests/0.yaml").unlink()


def test_a_file_in_which_the_test_would_not_pass_is_left_alone(
    in_its_folder: MakeHere,
) -> None:
    in_its_folder(rpc())
    alone = call("show", 1, "--as-test").stdout
    step = the_test(alone)["expect"]["changes"][0]["step"]
    shared = f"given: {{world: {{failures: [{{step: {step}, is: permanent, says: no}}]}}}}\n{alone}"
    for text, why in ((shared, "changes what comes"), ("tests: [", "broken"), (None, "no file")):
        path = Path("one.yaml")
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text, encoding="utf-8")

        refused = call("show", 1, "--as-test", "--append", path)

        assert refused.status == ExitStatus.INVALID, why
        assert path.exists() is (text is not None)
        assert text is None or path.read_text(encoding="utf-8") == text
        assert text != shared or why in refused.stderr
    assert call("show", 1, "--append", "one.yaml").status == ExitStatus.USAGE
    assert call("show", 1, "--as-test", "--append", "a.yaml", "--output", "b.yaml").status == ExitStatus.USAGE


def test_of_a_packet_that_waits_there_is_no_test(database: Database, tmp_path: Path) -> None:
    site = sites.make_site(database, tmp_path / "site")
    (number,) = sites.load(site, rac())
    with pytest.raises(NotAllowed, match="nothing has come of it yet"):
        write(site, number)


# ------------------------------------------------------------------ people that nobody has thought of

_LETTERS = "abcdefghijklmnopqrstuvwxyzéöüßłñøçАбвИванов李雷"  # noqa: RUF001 - people are called so
_NAME = st.text(_LETTERS, min_size=3, max_size=9).map(str.title)
_NAMES = st.one_of(_NAME, st.tuples(_NAME, st.sampled_from("-' ."), _NAME).map("".join))
_DIGITS = st.text("123456789", min_size=5, max_size=9)
_LOGIN = st.from_regex(r"[a-z][a-z0-9]{3,9}", fullmatch=True)


@st.composite
def people(draw: st.DrawFn) -> Mapping[str, Any]:
    """The tags of a person, without prefix."""
    first, last, login = draw(_NAMES), draw(_NAMES), draw(_LOGIN)
    words = st.lists(_NAME, min_size=1, max_size=3).map(" ".join)
    return {
        **{"FirstName": first, "LastName": last, "GlobalID": draw(_DIGITS), "RequestedLoginList": [login]},
        "Email": f"{draw(_LOGIN)}.{login}@{draw(_LOGIN)}.example",
        "DnList": [f"/C=US/O=Grid/CN={first} {last} {draw(_DIGITS)}", f"/DC=EDU/UID={login}"],
        "BusinessPhoneNumber": draw(_DIGITS),
        "StreetAddress": f"{draw(_DIGITS)} {draw(words)}",
        "Title": draw(words),
        "RequesterLogin": draw(_LOGIN),
    }


KNOWN = {
    **{"FirstName": "Bo", "LastName": "Sample", "GlobalID": "90022", "RequestedLoginList": ["bsample"]},
    **{"Email": "b@x.example", "DnList": ["/C=US/O=Grid/CN=Bo", "/DC=EDU/UID=bo"], "BusinessPhoneNumber": "1"},
    **{"StreetAddress": "Way", "Title": "Dr", "RequesterLogin": "bo"},
}


def _texts_about(pi: Mapping[str, Any], user: Mapping[str, Any], site: Site, stages: Stages) -> str:
    with Database.open("sqlite://", create=True) as database:
        site = replace(site, database=database)
        packets = _one_by_one(
            site,
            rpc({f"Pi{tag}": value for tag, value in pi.items()}),
            rac({f"User{tag}": value for tag, value in user.items()}),
            rum({"PersonID": "20001", "FirstName": user["LastName"], "LastName": pi["FirstName"]}),
            rpi({"Comment": f"{user['FirstName']} says so"}),
        )
        return " ".join(as_test(site, stages, number) for number in packets)


def _words(value: Any) -> set[str]:
    if isinstance(value, str):
        return {word.lower() for word in re.findall(r"[^\W_]+", value.removesuffix(".example")) if len(word) > 2}
    return set().union(*map(_words, value.values() if isinstance(value, Mapping) else value))


def test_nobody_can_be_recognised(tmp_path: Path) -> None:
    site = sites.make_site(Database.open("sqlite://", create=True), tmp_path)
    with Stages.opened() as stages:
        usual = _texts_about(KNOWN, {**KNOWN, "GlobalID": "90011"}, site, stages).lower()

        @settings(max_examples=6)
        @given(people(), people())
        def nobody(pi: Mapping[str, Any], user: Mapping[str, Any]) -> None:
            text = _texts_about(pi, user, site, stages).encode().decode("unicode_escape", "ignore").lower()
            real = {word for word in (_words(pi) | _words(user)) if word not in usual}
            assert [word for word in real if re.search(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", text)] == []
            assert [word for word in real if len(word) > 3 and word in text] == []

        nobody()


def test_alpha_is_a_resource_whatever_people_are_called(database: Database, tmp_path: Path) -> None:
    site = sites.make_site(database, tmp_path / "site")
    packets = sites.load(site, rpc({"PiLastName": "Alpha", "PiFirstName": "New"}))
    sites.run(site)
    text = write(site, packets[0])
    assert passes(site, text) == ""
    assert the_test(text)["packet"]["body"]["ResourceList"] == [ALPHA]


def test_what_stood_in_slurm_is_there_again(tmp_path: Path, slurm: SlurmServer) -> None:
    site = with_slurm(tmp_path / "site", slurm)
    packets = _one_by_one(
        site,
        rpc(),
        rac(),
        rpc({"AllocationType": "supplement", "ServiceUnitsAllocated": "500"}),
        rai({"PersonID": "20001"}),
        rpi(),
        rac(),
    )
    texts = write_all(site, packets)
    assert passes(site, *texts.values()) == ""
    for text in texts.values():
        assert not REAL.findall(text), text
        assert "this test fails" not in text
    assert the_test(texts[packets[2]])["given"]["world"]["slurm"]["accounts"][0]["name"] == "p-xyz259276"


def test_what_stood_in_a_directory_is_there_again(tmp_path: Path, directory: Slapd) -> None:
    given = {**SETTINGS, "accounts": "ldap"}
    with Database.open("sqlite://", create=True) as database:
        site = sites.make_site(database, tmp_path / "site", settings=given, ldap=directory.section())
        packets = _one_by_one(site, rpc(), rac(), rum({"PersonID": "20001", "LastName": "Maiden"}), rpi(), rac())
        texts = write_all(site, packets)
    assert passes(site, *texts.values()) == ""
    for text in texts.values():
        assert not REAL.findall(text), text
        assert "this test fails" not in text
