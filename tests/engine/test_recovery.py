"""An engine that is killed while a command of its runs: the next run ends the command before it looks what was done."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from amierules.database import own_tables
from amierules.database.connection import Database
from amierules.database.dialect import moment
from amierules.engine.site import Site
from tests.support.deaths import kill_run, run_in_process
from tests.support.real import require_root
from tests.support.sites import (
    MakeSite,
    load,
    make_site,
    plan,
    reason_of,
    rpi,
    run,
    set_clock,
    status_of,
    steps_of,
    work_of,
)

RULES = """
packet: request_project_inactivate
rules:
  - name: a
    actions:
      - {name: before, command: ['true']}
      - {name: slow, command: {run: ["%(script)s"]%(guard)s}, timeout: 5m}
    reply: {copy: [ProjectID, ResourceList]}
"""
SCRIPT = """#!/bin/sh
cd "$(dirname "$0")"
echo begun >> log
test -e again && exit 0
touch again
echo $$ > pid
sleep 300
echo went on >> log
"""
GUARD = """#!/bin/sh
cd "$(dirname "$0")"
test -e pid && kill -0 "$(cat pid)" 2>/dev/null && echo while it runs >> asked || echo asked >> asked
exit 1
"""


def _site(database: Database, folder: Path, guard: bool) -> Site:
    for name, text in (("script", SCRIPT), ("guard", GUARD)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    unless = f', unless: {{run: ["{folder}/guard"]}}' if guard else ""
    rules = RULES % {"script": folder / "script", "guard": unless}
    return make_site(database, folder / "site", {"a.yaml": rules})


def _killed_run(folder: Path, url: str) -> int:
    """Kills a run while the command sleeps; the command's number."""
    pid = folder / "pid"
    kill_run(folder / "site", url, lambda: pid.exists() and pid.read_text().endswith("\n"))
    return int(pid.read_text())


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _elsewhere(site: Site, packet: int, ending: timedelta) -> None:
    """As if the engine had been killed on another host, its command's time being over then."""
    with site.database.begin() as connection:
        values = {"place": "another kernel", "host": "node2", "deadline": moment(connection) + ending}
        its = (own_tables.step.c.packet_rec_id == packet, own_tables.step.c.path == "slow")
        connection.execute(update(own_tables.step).where(*its).values(values))


def test_a_guarded_command_is_ended_then_its_guard_is_asked(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    site = _site(database, tmp_path, guard=True)
    (packet,) = load(site, rpi())
    pid = _killed_run(tmp_path, database_url)
    assert _alive(pid)
    assert steps_of(site, packet)["slow"].state == "started"
    run(site)
    assert not _alive(pid)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    assert (tmp_path / "asked").read_text() == "asked\nasked\n"
    assert (tmp_path / "log").read_text() == "begun\nbegun\n"


def test_a_command_that_only_a_person_can_judge_is_ended_and_in_doubt(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    site = _site(database, tmp_path, guard=False)
    (packet,) = load(site, rpi())
    pid = _killed_run(tmp_path, database_url)
    run(site)
    assert not _alive(pid)
    assert status_of(site, packet) == "in_doubt"
    assert (tmp_path / "log").read_text() == "begun\n"


def test_on_another_host_its_time_is_waited_for(database: Database, database_url: str, tmp_path: Path) -> None:
    site = _site(database, tmp_path, guard=True)
    (packet,) = load(site, rpi())
    pid = _killed_run(tmp_path, database_url)
    step = steps_of(site, packet)["slow"]
    assert step.deadline is not None
    _elsewhere(site, packet, timedelta(minutes=3))
    run(site)
    assert _alive(pid)
    assert status_of(site, packet) == "retrying"
    assert "slow: its process may still run on node2; looked at again at" in reason_of(site, packet)
    assert work_of(site, packet).attempts == 0
    due = work_of(site, packet).next_attempt_at
    assert due is not None
    assert timedelta() < due - site.world.clock.now() <= timedelta(minutes=3)
    run(site, [packet])
    assert status_of(site, packet) == "retrying"
    _elsewhere(site, packet, timedelta(seconds=-1))
    set_clock(site, later=timedelta(minutes=5))
    run(site)
    assert status_of(site, packet) == "done"
    assert (tmp_path / "log").read_text() == "begun\nbegun\n"
    subprocess.run(["kill", "-9", str(pid)], check=False)


def test_a_dry_run_ends_nothing(database: Database, database_url: str, tmp_path: Path) -> None:
    site = _site(database, tmp_path, guard=True)
    (packet,) = load(site, rpi())
    pid = _killed_run(tmp_path, database_url)
    plan(site, [packet])
    assert _alive(pid)
    run(site)
    assert not _alive(pid)


@pytest.mark.parametrize(("timeout", "limit"), [("", 600), (", timeout: 30s", 30)])
def test_the_intent_says_when_the_command_has_ended_at_the_latest(make: MakeSite, timeout: str, limit: int) -> None:
    class KilledError(BaseException):
        pass

    def die(point: str) -> None:
        if point == "after intent":
            raise KilledError

    rule = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
    rule += f"      - {{name: c, command: ['true']{timeout}}}\n    reply: {{copy: [ProjectID, ResourceList]}}\n"
    site = make(rule)
    (packet,) = load(site, rpi())
    with site.database.read() as connection:
        before = moment(connection)
    with pytest.raises(KilledError):
        run(site, crash_point=die)
    step = steps_of(site, packet)["c"]
    assert step.deadline is not None
    assert timedelta(seconds=limit) <= step.deadline - before < timedelta(hours=1)
    assert step.mark is not None
    assert step.place is not None


@pytest.fixture
def common_folder() -> Iterator[Path]:
    """A folder that users other than root can reach, too."""
    folder = Path(tempfile.mkdtemp(prefix="amierules-test-", dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def _become_another() -> None:
    """No capability is left, as after `setpriv --reuid --clear-groups`. The server's user reaches its socket."""
    user = pwd.getpwnam("postgres")
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)


def test_what_another_user_has_left_running_is_waited_for(postgres_ready_url: str, common_folder: Path) -> None:
    """Whose environments cannot be read, of them nobody can tell that none has the mark."""
    require_root()
    with Database.open(postgres_ready_url, create=False) as database:
        site = _site(database, common_folder, guard=True)
        (packet,) = load(site, rpi())
        pid = _killed_run(common_folder, postgres_ready_url)
        run_in_process(site, first=_become_another)
        assert _alive(pid)
        assert status_of(site, packet) == "retrying", reason_of(site, packet)
        assert "as another user whose processes this run does not see" in reason_of(site, packet)
        assert (common_folder / "log").read_text() == "begun\n"
        with database.begin() as connection:
            connection.execute(update(own_tables.step).values(deadline=moment(connection) - timedelta(seconds=1)))
        (common_folder / "log").chmod(0o666)
        run_in_process(site, [packet], first=_become_another)
        assert status_of(site, packet) == "done", reason_of(site, packet)
        subprocess.run(["kill", "-9", str(pid)], check=False)


def test_root_ends_what_another_user_has_left_running(postgres_ready_url: str, common_folder: Path) -> None:
    require_root()
    with Database.open(postgres_ready_url, create=False) as database:
        site = _site(database, common_folder, guard=True)
        (packet,) = load(site, rpi())
        pid = _killed_by_another(site, common_folder)
        assert _alive(pid)
        run(site)
        assert not _alive(pid)
        assert status_of(site, packet) == "done", reason_of(site, packet)


def _killed_by_another(site: Site, folder: Path) -> int:
    """Kills a run of another user while the command sleeps; the command's number."""

    def begun() -> None:
        _become_another()
        threading.Thread(target=die_with_it, daemon=True).start()

    def die_with_it() -> None:
        pid = folder / "pid"
        while not (pid.exists() and pid.read_text().endswith("\n")):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGKILL)

    assert run_in_process(site, first=begun)
    return int((folder / "pid").read_text())
