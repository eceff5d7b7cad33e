"""Commands on other nodes as a run does them, over a real sshd: planned, killed, away, waited for, several at once."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from amierules.database import pauses
from amierules.database.connection import Database
from amierules.database.pauses import Pause
from amierules.engine.plan_json import as_json
from amierules.engine.site import Site
from tests.support.command_line import call, program
from tests.support.deaths import at_point, kill_run, run_in_process
from tests.support.sites import (
    load,
    make_site,
    plan,
    reason_of,
    replies_to,
    reply_to,
    rpi,
    run,
    set_clock,
    status_of,
    steps_of,
    work_of,
)
from tests.support.sshd import SshServer

HEAD = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
REPLY = "    reply: {copy: [ProjectID, ResourceList]}\n"
TWO = "127.0.0.[1-2]"
ADDRESSES = ("127.0.0.1", "127.0.0.2")
HERE = "set -- $SSH_CONNECTION; cd FOLDER; "
"""What a script on a node begins with; `$3` is the node's own address."""


def script(text: str) -> str:
    return f'[sh, -c, "{HERE}{text}"]'


def site_of(sshd: SshServer, folder: Path, url: str, actions: str, reply: str = REPLY, **ssh: Any) -> Site:
    """A site whose rule has these actions. `FOLDER` in them is where scripts leave their marks."""
    (folder / "marks").mkdir()
    texts = {"a.yaml": (HEAD + actions + reply).replace("FOLDER", str(folder / "marks"))}
    section = {name: value for name, value in sshd.section(**ssh).items() if value is not None}
    return make_site(Database.open_unchecked(url), folder, texts, ssh=section)


def marks(folder: Path) -> list[str]:
    """The names of the files that scripts have left."""
    return sorted(path.name for path in (folder / "marks").iterdir())


def lines(folder: Path, name: str) -> list[str]:
    file = folder / "marks" / name
    return file.read_text().splitlines() if file.exists() else []


# ------------------------------------------------------------------ dry run


LOOKED_AT = f"""
      - name: look
        command: {{nodes: "{TWO}", run: {script("echo x >> looked-$3; uname")}, read_only: true}}
        register: seen
      - name: write
        command:
          nodes: "{TWO}"
          run: {script("echo $0 >> wrote-$3")[:-1]}, "it's {{{{ packet.ProjectID }}}} {{{{ seen.stdout }}}}"]
          unless: {{run: {script("echo x >> asked-$3; test -e done-$3")}}}
          stdin: input
"""


def test_a_dry_run_shows_the_words_and_only_looks_and_a_run_does_what_it_shows(
    sshd: SshServer, tmp_path: Path, sqlite_url: str
) -> None:
    site = site_of(sshd, tmp_path, sqlite_url, LOOKED_AT)
    (tmp_path / "marks" / "done-127.0.0.2").touch()
    (packet,) = load(site, rpi({"ProjectID": "$(touch wrong)"}))
    (report,) = plan(site)
    planned = {step["path"]: step for step in as_json([report])["packets"][0]["actions"]}
    assert {path: step["state"] for path, step in planned.items()} == {"look": "present", "write": "change"}
    (change,) = planned["write"]["changes"]
    begin = HERE.replace("FOLDER", str(tmp_path / "marks"))
    assert change["argv"] == ["sh", "-c", f"{begin}echo $0 >> wrote-$3", "it's $(touch wrong) Linux"]
    assert change["nodes"] == ["127.0.0.1"]
    assert "on 127.0.0.1 (done on 127.0.0.2 already) (with input)" in change["summary"]
    looked = [f"{what}-{address}" for what in ("asked", "looked") for address in ADDRESSES]
    assert marks(tmp_path) == sorted([*looked, "done-127.0.0.2"])
    assert {len(lines(tmp_path, name)) for name in looked} == {1}
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    assert lines(tmp_path, "wrote-127.0.0.1") == ["it's $(touch wrong) Linux"]
    assert marks(tmp_path) == sorted([*looked, "done-127.0.0.2", "wrote-127.0.0.1"])
    assert steps_of(site, packet)["write"].changes == [change]


# ------------------------------------------------------------------ a run that dies


SLOW = (
    "echo begun >> log-$3; test -e again-$3 && exit 0; touch again-$3; test $3 = 127.0.0.1 && touch done-$3 && exit 0; "
)
SLOW += "echo $$ > pid; sleep 300; echo went on >> log-$3"
ASKED = "pid=$(cat pid 2>/dev/null) && kill -0 $pid 2>/dev/null && echo running >> asked-$3; "
ASKED += "echo asked >> asked-$3; test -e done-$3"


def killed(sshd: SshServer, folder: Path, url: str, more: str) -> tuple[Site, int]:
    """A packet whose run was killed when its command had ended on one node and not on the other."""
    actions = f'      - {{name: slow, command: {{nodes: "{TWO}", run: {script(SLOW)}{more}}}, timeout: 5m}}\n'
    site = site_of(sshd, folder, url, actions)
    (packet,) = load(site, rpi())
    site.database.close()
    kill_run(folder, url, lambda: {"done-127.0.0.1", "pid"} <= {*marks(folder)} and bool(lines(folder, "pid")))
    assert steps_of(site, packet)["slow"].state == "started"
    return site, packet


def test_after_a_kill_the_guard_is_asked_on_the_same_nodes_and_the_rest_is_done(
    sshd: SshServer, tmp_path: Path, sqlite_url: str
) -> None:
    site, packet = killed(sshd, tmp_path, sqlite_url, f", unless: {{run: {script(ASKED)}}}")
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    assert [lines(tmp_path, f"log-{address}") for address in ADDRESSES] == [["begun"], ["begun", "begun"]]
    # Before the command, and after the kill: when it was asked again, nothing ran any more.
    assert [lines(tmp_path, f"asked-{address}") for address in ADDRESSES] == [["asked", "asked"], ["asked", "asked"]]


def test_after_a_kill_a_command_without_a_guard_is_in_doubt(sshd: SshServer, tmp_path: Path, sqlite_url: str) -> None:
    site, packet = killed(sshd, tmp_path, sqlite_url, "")
    run(site)
    assert status_of(site, packet) == "in_doubt"
    assert reason_of(site, packet).startswith("slow: ")
    assert [lines(tmp_path, f"log-{address}") for address in ADDRESSES] == [["begun"], ["begun"]]
    assert not Path("/proc", *lines(tmp_path, "pid")).exists()


@pytest.mark.parametrize("point", ["before intent", "after intent", "after effect", "after result", "before settling"])
@pytest.mark.parametrize("guard", [True, False])
def test_wherever_a_run_dies_a_node_does_it_once(
    sshd: SshServer, tmp_path: Path, sqlite_url: str, point: str, guard: bool
) -> None:
    unless = f", unless: {{run: {script('test -e log-$3')}}}" if guard else ""
    actions = f'      - {{name: c, command: {{nodes: "{TWO}", run: {script("echo x >> log-$3")}{unless}}}}}\n'
    site = site_of(sshd, tmp_path, sqlite_url, actions)
    (packet,) = load(site, rpi())
    site.database.close()
    assert run_in_process(site, crash_point=at_point(point))
    run(site)
    doubtful = not guard and point in ("after intent", "after effect")
    assert status_of(site, packet) == ("in_doubt" if doubtful else "done"), reason_of(site, packet)
    done = [] if doubtful and point == "after intent" else ["x"]
    assert [lines(tmp_path, f"log-{address}") for address in ADDRESSES] == [done, done]
    assert len(replies_to(site, packet)) == (0 if doubtful else 1)


# ------------------------------------------------------------------ a node that is away


def paused(site: Site) -> dict[str, Pause]:
    with site.database.read() as connection:
        return {one.name: one for one in pauses.listing(connection)}


def test_where_one_node_is_away_its_packets_wait_and_the_others_go_on(
    sshd: SshServer, tmp_path: Path, sqlite_url: str
) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(f"Host 127.0.0.2\n  Port 1\nHost *\n  Port {sshd.port}\n")
    run_ = f"run: {script('echo x >> log-$3')}, unless: {{run: {script('test -e log-$3')}}}"
    actions = f'      - {{name: c, command: {{nodes: "{{{{ packet.Comment }}}}", {run_}}}}}\n'
    site = site_of(sshd, tmp_path, sqlite_url, actions, config=str(config), port=None)
    of_two = [rpi({"ProjectID": f"P{number}", "Comment": TWO}) for number in range(3)]
    *ids, other = load(site, *of_two, rpi({"ProjectID": "P9", "Comment": "127.0.0.3"}))
    logins = sshd.log().count("Accepted publickey for")
    run(site)
    name = f"ssh {TWO}"
    assert [*paused(site)] == [name]
    assert [status_of(site, packet) for packet in ids] == ["retrying"] * 3
    assert {work_of(site, packet).attempts for packet in ids} == {0}
    assert "127.0.0.2: ssh: connect to host 127.0.0.2 port 1: Connection refused" in reason_of(site, ids[0])
    assert reason_of(site, ids[2]).startswith(f"c: {name} is paused: 127.0.0.2: ")
    assert status_of(site, other) == "done", reason_of(site, other)
    assert marks(tmp_path) == ["log-127.0.0.3"]
    # One of the three tried, and got as far as the node that is there; the other packet asked and ran.
    assert sshd.log().count("Accepted publickey for") - logins == 1 + 2
    ended = call("status", "--config", tmp_path / "amierules.yaml")
    assert f"{name} is paused (127.0.0.2: ssh: connect to host 127.0.0.2 port 1: Connection refused" in ended.stderr
    assert "3 waiting" in ended.stderr

    config.write_text(f"Host *\n  Port {sshd.port}\n")
    until = paused(site)[name].until
    assert until is not None
    set_clock(site, at=until)
    run(site)
    assert [status_of(site, packet) for packet in ids] == ["done"] * 3
    assert paused(site) == {}
    assert marks(tmp_path) == [f"log-127.0.0.{number}" for number in (1, 2, 3)]


# ------------------------------------------------------------------ until, and several at once


def test_until_looks_again_at_the_nodes(sshd: SshServer, tmp_path: Path, sqlite_url: str) -> None:
    look = f'{{nodes: "{TWO}", run: {script("echo x >> looks-$3; cat there-$3")}, read_only: true, ok: [0, 1]}}'
    actions = f"      - {{name: look, command: {look}, register: seen, until: seen.rc == 0, delay: 10m}}\n"
    reply = '    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "{{ seen.stdout }}"}}\n'
    site = site_of(sshd, tmp_path, sqlite_url, actions, reply)
    (packet,) = load(site, rpi())
    for number, address in enumerate(ADDRESSES, 1):
        run(site)
        assert status_of(site, packet) == "deferred"
        assert reason_of(site, packet) == f"look: waits until seen.rc == 0, try {number} of 61"
        (tmp_path / "marks" / f"there-{address}").write_text("here it is\n")
        set_clock(site, later=timedelta(minutes=10))
    run(site)
    assert status_of(site, packet) == "done"
    assert reply_to(site, packet).packet.body["Comment"] == "here it is"
    assert [len(lines(tmp_path, f"looks-{address}")) for address in ADDRESSES] == [3, 3]


def test_several_jobs_reach_nodes_at_the_same_time(sshd: SshServer, tmp_path: Path, sqlite_url: str) -> None:
    # Each waits until four have begun: with fewer at a time none would ever end.
    work = "echo $0 >> log-$3; while test $(wc -l < log-$3) -lt 4; do sleep 0.1; done; echo $0"
    run_ = f'run: {script(work)[:-1]}, "{{{{ packet.ProjectID }}}}"], unless: {{run: ["false"]}}'
    actions = f'      - {{name: c, command: {{nodes: "{TWO}", {run_}}}, register: it}}\n'
    reply = '    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "{{ it.stdout }}"}}\n'
    site = site_of(sshd, tmp_path, sqlite_url, actions, reply)
    names = [f"P{number}" for number in range(8)]
    ids = load(site, *(rpi({"ProjectID": name}) for name in names))
    site.database.close()
    ended = program("run", "--jobs", "4", cwd=tmp_path)
    assert ended.status == 0, ended.stderr
    assert [reply_to(site, packet).packet.body["Comment"] for packet in ids] == names
    assert [sorted(lines(tmp_path, f"log-{address}")) for address in ADDRESSES] == [names, names]
