"""Several packets at a time: each answered once, those that belong together one after the other."""

import os
import threading
from collections import defaultdict
from pathlib import Path

import pytest
from sqlalchemy import func, make_url, select, text

from amierules.database import own_tables
from amierules.database.connection import Database
from amierules.database.ownership import LostOwnership
from amierules.engine.running import Runner
from amierules.engine.site import Site
from tests.support.postgres import PostgresServer
from tests.support.sites import load, make_site, rac, registry, rpi, run, status_of, steps_of

LOGGED = """
packet: request_project_inactivate
rules:
  - name: logged
    actions:
      - name: work
        command:
          run: [sh, -c, 'echo "begin $0 $1" >> {log}; sleep {pause}; echo "end $0 $1" >> {log}',
                "{{{{ packet.ProjectID }}}}", "{{{{ header.packet_rec_id }}}}"]
          unless: {{run: [grep, -q, "end {{{{ packet.ProjectID }}}} {{{{ header.packet_rec_id }}}}$", {log}]}}
    reply: {{copy: [ProjectID, ResourceList]}}
"""


def logged_site(database: Database, folder: Path, pause: float = 0.01) -> tuple[Site, Path]:
    log = folder / "log"
    log.touch()
    return make_site(database, folder, {"a.yaml": LOGGED.format(log=log, pause=pause)}), log


def check_log(log: Path) -> dict[str, list[int]]:
    """The packets of each project as they ended; never two of one project at once, and each once."""
    inside: dict[str, str] = {}
    ended: dict[str, list[int]] = defaultdict(list)
    for line in log.read_text().splitlines():
        what, project, packet = line.split()
        if what == "begin":
            assert project not in inside, line
            inside[project] = packet
        else:
            assert inside.pop(project) == packet, line
            ended[project].append(int(packet))
    assert not inside
    return ended


def replies(database: Database) -> dict[int, int]:
    column = own_tables.packet.c.in_reply_to
    with database.read() as connection:
        counted = connection.execute(select(column, func.count()).where(column.is_not(None)).group_by(column))
        return {row[0]: row[1] for row in counted}


@pytest.mark.parametrize("jobs", [2, 6])
def test_each_packet_is_answered_once_and_projects_keep_their_order(
    database: Database, tmp_path: Path, jobs: int
) -> None:
    site, log = logged_site(database, tmp_path)
    ids = load(site, *(rpi({"ProjectID": f"P{number % 5}"}) for number in range(30)))
    handled = Runner(site, jobs=jobs).run()
    assert {one.status for one in handled} == {"done"}
    assert sorted(one.report.packet_rec_id or 0 for one in handled) == sorted(ids)
    assert replies(database) == dict.fromkeys(ids, 1)
    ended = check_log(log)
    assert {project: sorted(packets) for project, packets in ended.items()} == ended
    assert sum(len(packets) for packets in ended.values()) == 30


def test_several_runs_at_once_share_the_work(postgres_ready_url: str, tmp_path: Path) -> None:
    with Database.open(postgres_ready_url, create=False) as database:
        site, log = logged_site(database, tmp_path)
        ids = load(site, *(rpi({"ProjectID": f"P{number % 7}"}) for number in range(28)))
        threads = [threading.Thread(target=Runner(site, jobs=2).run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        run(site)
        assert [status_of(site, packet) for packet in ids] == ["done"] * 28
        assert replies(database) == dict.fromkeys(ids, 1)
        ended = check_log(log)
        assert {project: sorted(packets) for project, packets in ended.items()} == ended


MAKES = """\
packet: request_account_create
rules:
  - name: new
    actions:
      - {name: her, person: {attributes: '{{ subject }}'}}
      - {name: do, command: {run: ['true'], unless: {run: ['false']}}}
    complete: made
"""


def test_several_slots_make_all_persons_in_one_run(database: Database, tmp_path: Path) -> None:
    site = make_site(database, tmp_path, {"a.yaml": MAKES})
    wanted = [f"G{number}" for number in range(20)]
    packets = load(site, *(rac({"UserGlobalID": one, "GrantNumber": f"X{one}"}) for one in wanted))
    Runner(site, jobs=5).run()
    assert {status_of(site, packet) for packet in packets} == {"done"}
    persons = [registry(site).find_person(global_id=one) for one in wanted]
    assert len({person.person_id for person in persons if person is not None}) == 20


def test_the_limit_counts_over_all_slots(database: Database, tmp_path: Path) -> None:
    site, _ = logged_site(database, tmp_path, 0)
    load(site, *(rpi({"ProjectID": f"P{number}"}) for number in range(12)))
    assert len(Runner(site, jobs=4).run(limit=5)) == 5


def test_what_a_slot_raises_ends_the_run_and_the_others_finish(database: Database, tmp_path: Path) -> None:
    class Stop(BaseException):
        pass

    site, log = logged_site(database, tmp_path, 0.2)
    load(site, *(rpi({"ProjectID": f"P{number}"}) for number in range(8)))
    passed: list[str] = []

    def crash_point(name: str) -> None:
        passed.append(name)
        if passed.count("before intent") == 3 and name == "before intent":
            raise Stop

    with pytest.raises(Stop):
        Runner(site, jobs=3, crash_point=crash_point).run()
    check_log(log)
    run(site)
    assert set(replies(database).values()) == {1}
    assert len(replies(database)) == 8


# ------------------------------------------------------------------ ending early


def test_a_drained_run_finishes_its_step_and_leaves_the_rest(database: Database, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    step = "{{run: [sh, -c, 'echo {0} >> {1}'], unless: {{run: [grep, -q, '{0}', {1}]}}}}"
    rules = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
    rules += "".join(f"      - {{name: {name}, command: {step.format(name, log)}}}\n" for name in ("one", "two"))
    site = make_site(database, tmp_path, {"a.yaml": rules + "    reply: {copy: [ProjectID, ResourceList]}\n"})
    first, second = load(site, rpi({"ProjectID": "A"}), rpi({"ProjectID": "B"}))
    runner = Runner(site)
    runner.crash_point = lambda name: runner.drain() if name == "after effect" else None
    assert runner.run() == []
    assert log.read_text() == "one\n"
    assert steps_of(site, first)["one"].state == "done"
    assert (status_of(site, first), status_of(site, second)) == ("ready", "ready")
    run(site)
    assert log.read_text().splitlines() == ["one", "two"]
    assert (status_of(site, first), status_of(site, second)) == ("done", "done")


# ------------------------------------------------------------------ a lost connection


def test_a_lost_connection_ends_the_child_and_records_nothing_more(
    postgres_server: PostgresServer, postgres_ready_url: str, tmp_path: Path
) -> None:
    started, over = tmp_path / "started", tmp_path / "over"
    script = f"echo $$ > {started}.new; mv {started}.new {started}; sleep 60; touch {over}"
    rules = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
    rules += f"      - {{name: slow, command: {{run: [sh, -c, '{script}'], unless: {{run: [test, -e, {over}]}}}}}}\n"
    with Database.open(postgres_ready_url, create=False) as database:
        rule = {"a.yaml": rules + "    reply: {copy: [ProjectID, ResourceList]}\n"}
        site = make_site(database, tmp_path / "site", rule)
        (packet,) = load(site, rpi())

        def cut() -> None:
            while not started.exists():
                threading.Event().wait(0.02)
            postgres_server.query(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'amierules claims'"
            )

        cutter = threading.Thread(target=cut)
        cutter.start()
        with pytest.raises(LostOwnership):
            Runner(site).run()
        cutter.join()
        child = int(started.read_text())
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
        assert steps_of(site, packet)["slow"].state == "started"
        assert status_of(site, packet) == "running"
        # Another worker asks the guard, which says that it was done meanwhile.
        over.touch()
        run(site)
        assert status_of(site, packet) == "done"
        assert replies(database) == {packet: 1}


# ------------------------------------------------------------------ transactions that wait for each other


@pytest.mark.parametrize("projects", [["A"], ["A", "B"]])
def test_a_packet_whose_transaction_postgresql_ended_is_tried_again(
    postgres_ready_url: str, tmp_path: Path, projects: list[str]
) -> None:
    with Database.open(postgres_ready_url, create=False) as database:
        site, _ = logged_site(database, tmp_path, 0)
        loaded = load(site, *(rpi({"ProjectID": project}) for project in projects))
        refused: list[str] = []

        def crash_point(name: str) -> None:
            if name == "before settling" and not refused:
                refused.append(name)
                # What comes of two transactions that wait for each other, one of which PostgreSQL ends.
                with database.begin() as connection:
                    connection.execute(text("do $$ begin raise exception using errcode = '40P01'; end $$"))

        Runner(site, crash_point=crash_point).run()
        assert {status_of(site, packet) for packet in loaded} == {"done"}
        assert replies(database) == dict.fromkeys(loaded, 1)


def test_one_that_the_database_never_lets_end_does_not_keep_the_run(postgres_ready_url: str, tmp_path: Path) -> None:
    with Database.open(postgres_ready_url, create=False) as database:
        site, _ = logged_site(database, tmp_path, 0)
        packets = load(site, rpi({"ProjectID": "A"}), rpi({"ProjectID": "B"}))
        tries: list[str] = []

        def crash_point(name: str) -> None:
            if name == "before start":
                tries.append(name)
                with database.begin() as connection:
                    connection.execute(text("do $$ begin raise exception using errcode = '40P01'; end $$"))

        Runner(site, crash_point=crash_point).run()
        assert {status_of(site, packet) for packet in packets} == {"ready"}
        assert 4 <= len(tries) <= 6


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_command_may_take_longer_than_the_server_lets_sessions_be_idle(
    postgres_server: PostgresServer, postgres_ready_url: str, tmp_path: Path, jobs: int
) -> None:
    name = make_url(postgres_ready_url).database
    for setting in ("idle_session_timeout", "idle_in_transaction_session_timeout"):
        postgres_server.query(f"alter database {name} set {setting} = '200ms'")
    with Database.open(postgres_ready_url, create=False) as database:
        site, log = logged_site(database, tmp_path, pause=1)
        packets = load(site, rpi({"ProjectID": "P1"}), rpi({"ProjectID": "P2"}))
        Runner(site, jobs=jobs).run()
        assert [status_of(site, packet) for packet in packets] == ["done", "done"]
    assert {project: len(ended) for project, ended in check_log(log).items()} == {"P1": 1, "P2": 1}
