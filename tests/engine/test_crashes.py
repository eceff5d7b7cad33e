"""A process that dies in the midst of a packet: the next one does each thing once, or asks a person."""

from collections.abc import Callable
from pathlib import Path

import pytest

from amierules.database.connection import Database
from amierules.engine.site import Site
from tests.support.shadow import ScratchRoot
from tests.support.sites import (
    MakeSite,
    load,
    make_site,
    plan,
    reason_of,
    registry,
    replies_to,
    reply_to,
    rpi,
    run,
    status_of,
    steps_of,
)

POINTS = ("before intent", "after intent", "after effect", "after result", "before settling", "after settling")
HEAD = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
REPLY = "    reply: {copy: [ProjectID, ResourceList]}\n"


class Crash(BaseException):
    """The process is gone."""


def _die_at(point: str, *, times: int = 1) -> Callable[[str], None]:
    passed: list[str] = []

    def crash_point(name: str) -> None:
        if name == point:
            passed.append(name)
            if len(passed) == times:
                raise Crash

    return crash_point


def _crash(site: Site, point: str, *, times: int = 1) -> None:
    with pytest.raises(Crash):
        run(site, crash_point=_die_at(point, times=times))


@pytest.mark.parametrize("point", POINTS)
def test_a_command_with_a_guard_has_its_effect_once(database: Database, tmp_path: Path, point: str) -> None:
    log = tmp_path / "log"
    log.touch()
    command = f"{{run: [sh, -c, 'echo done >> {log}'], unless: {{run: [grep, -q, done, '{log}']}}}}"
    site = make_site(database, tmp_path, {"a.yaml": HEAD + f"      - {{name: c, command: {command}}}\n" + REPLY})
    (packet,) = load(site, rpi())
    _crash(site, point)
    run(site)
    assert status_of(site, packet) == "done"
    assert log.read_text() == "done\n"
    assert len(replies_to(site, packet)) == 1
    assert steps_of(site, packet)["c"].state == "done"


@pytest.mark.parametrize("point", POINTS)
def test_a_command_without_a_guard_is_started_once_at_most(memory: Database, tmp_path: Path, point: str) -> None:
    log = tmp_path / "log"
    log.touch()
    actions = f"      - {{name: c, command: [sh, -c, 'echo done >> {log}']}}\n"
    site = make_site(memory, tmp_path, {"a.yaml": HEAD + actions + REPLY})
    (packet,) = load(site, rpi())
    _crash(site, point)
    run(site)
    if point in ("after intent", "after effect"):
        assert status_of(site, packet) == "in_doubt"
        assert reason_of(site, packet).startswith("c: ")
        assert replies_to(site, packet) == []
        assert log.read_text() == ("done\n" if point == "after effect" else "")
        assert run(site) == {}
        assert plan(site, [packet])[0].decision.kind == "doubt"
    else:
        assert status_of(site, packet) == "done"
        assert log.read_text() == "done\n"
        assert len(replies_to(site, packet)) == 1


@pytest.mark.parametrize("point", POINTS)
def test_a_user_is_made_once(memory: Database, tmp_path: Path, point: str) -> None:
    root = ScratchRoot.make(tmp_path / "root")
    actions = "      - {name: row, person: {attributes: {LastName: Sample}, login_from: [bsample]}}\n"
    actions += "      - {name: u, user: {name: '{{ person.login }}', uid: '{{ person.uid }}', groups: [proj1]}}\n"
    site = make_site(memory, tmp_path / "site", {"a.yaml": HEAD + actions + REPLY}, prefix=root.path)
    (packet,) = load(site, rpi())
    _crash(site, point)
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    lines = [line for line in (root.path / "etc/passwd").read_text().splitlines() if line.startswith("bsample")]
    assert [line.split(":")[:3] for line in lines] == [["bsample", "x", "20000"]]
    assert root.groups_of("bsample") == {"proj1"}
    person = registry(site).find_person(login="bsample")
    assert person is not None
    assert person.uid == 20000


@pytest.mark.parametrize("point", ["before settling", "after settling"])
def test_registry_rows_are_written_once(database: Database, tmp_path: Path, point: str) -> None:
    actions = "      - {name: row, project: {grant_number: G, project_id: P, group: p, data: {n: 1}}}\n"
    site = make_site(database, tmp_path, {"a.yaml": HEAD + actions + REPLY})
    (packet,) = load(site, rpi())
    _crash(site, point)
    run(site)
    assert status_of(site, packet) == "done"
    project = registry(site).find_project(grant_number="G")
    assert project is not None
    assert project.gid == 30000
    assert len(replies_to(site, packet)) == 1


@pytest.mark.parametrize("crashes", [1, 2, 3])
def test_it_may_crash_again_and_again(make: MakeSite, tmp_path: Path, crashes: int) -> None:
    """Each step of a loop is done once, however often the process dies in between."""
    log = tmp_path / "log"
    script = f'echo "$0" >> {log}'
    actions = "      - name: c\n        for_each: \"['a', 'b', 'c', 'd']\"\n"
    actions += f"        command: {{run: [sh, -c, '{script}', '{{{{ item }}}}'], "
    actions += f"unless: {{run: [grep, -qx, '{{{{ item }}}}', '{log}']}}}}\n"
    log.touch()
    site = make(HEAD + actions + REPLY)
    (packet,) = load(site, rpi())
    for _ in range(crashes):
        _crash(site, "after effect")
    run(site)
    assert status_of(site, packet) == "done"
    assert log.read_text() == "a\nb\nc\nd\n"
    assert [*steps_of(site, packet)] == ["c", "c[0]", "c[1]", "c[2]", "c[3]"]


def test_the_other_packets_go_on_in_the_next_run(make: MakeSite, tmp_path: Path) -> None:
    site = make(HEAD + f"      - {{name: c, command: [touch, '{tmp_path}/{{{{ packet.ProjectID }}}}']}}\n" + REPLY)
    ids = load(site, *(rpi({"ProjectID": name}) for name in "ABC"))
    _crash(site, "after effect", times=2)
    run(site)
    assert [status_of(site, packet) for packet in ids] == ["done", "in_doubt", "done"]
    assert reply_to(site, ids[0]).packet.body["ProjectID"] == "A"
