"""Tests of what happened to packets outside: a grid-mapfile, a step in doubt, programs on other nodes."""

from contextlib import suppress
from pathlib import Path

from amierules.database.connection import Database
from tests.support import sites
from tests.support.sites import rac, rpc, rpi
from tests.support.sshd import SshServer
from tests.testing.test_as_test import passes, the_test, write, write_all

HEAD = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
REPLY = "    reply: {copy: [ProjectID, ResourceList]}\n"
TWO = "127.0.0.[1-2]"


class _Death(BaseException):
    """The engine dies."""


def test_what_stood_in_a_grid_mapfile_is_there_again(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "grid-mapfile"
    file.write_text('"/CN=robot" robot\n', encoding="utf-8")
    given = {**sites.SETTINGS, "dns": "grid_mapfile"}
    site = sites.make_site(database, tmp_path / "site", settings=given, grid_mapfile={"file": str(file)})
    numbers = []
    for packet in (rpc({"PiDnList": ["/C=US/CN=Bo Sample"]}), rac({"UserDnList": ["/C=US/CN=Ann Example"]})):
        numbers += sites.load(site, packet)
        sites.run(site)
        sites.complete_projects(site)
    sites.run(site)
    assert [sites.status_of(site, number) for number in numbers] == ["done", "done"]

    texts = write_all(site, numbers)

    assert passes(site, *texts.values()) == ""
    assert "Ann Example" not in str(texts)
    changes = the_test(texts[numbers[1]])["expect"]["changes"]
    assert [one for one in changes if one["step"].endswith("grid-mapfile")]


def test_a_step_in_doubt_is_in_doubt_again(tmp_path: Path) -> None:
    actions = "      - {name: c, command: [sh, -c, 'exit 0']}\n"
    site = sites.make_site(
        Database.open("sqlite://", create=True), tmp_path / "site", {"a.yaml": HEAD + actions + REPLY}
    )
    (number,) = sites.load(site, rpi())

    def crash(point: str) -> None:
        if point == "after effect":
            raise _Death

    with suppress(_Death):
        sites.run(site, crash_point=crash)
    sites.run(site)
    assert sites.status_of(site, number) == "in_doubt"

    text = write(site, number)

    assert passes(site, text) == ""
    reason = the_test(text)["expect"]["in_doubt"]
    assert reason == sites.reason_of(site, number).partition("; `amierules")[0]


def test_what_nodes_answered_is_answered_again(sshd: SshServer, tmp_path: Path) -> None:
    actions = f"""
      - name: ask
        command: {{nodes: "{TWO}", run: [sh, -c, "set -- $SSH_CONNECTION; echo at $3"], read_only: true}}
        register: seen
      - name: write
        command: {{nodes: "{TWO}", run: [sh, -c, "echo wrote"], unless: {{run: ["false"]}}}}
"""
    complete = "    complete: \"{{ seen.nodes['127.0.0.2'].stdout }}\"\n"
    site = sites.make_site(
        Database.open("sqlite://", create=True),
        tmp_path / "site",
        {"a.yaml": HEAD + actions + complete},
        ssh=sshd.section(),
    )
    (number,) = sites.load(site, rpi())
    sites.run(site)
    assert sites.status_of(site, number) == "done", sites.reason_of(site, number)

    text = write(site, number)

    assert passes(site, text) == ""
    commands = the_test(text)["given"]["world"]["commands"]
    assert all(one["nodes"] for one in commands)
    assert "at 127.0.0.2" in str(commands)
