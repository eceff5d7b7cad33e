"""`run` as a service: it goes on, ends when asked to, survives the database, and takes in changed rules."""

import os
import pty
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

from tests.support import states
from tests.support.command_line import PROGRAM, call
from tests.support.postgres import PostgresServer
from tests.support.real import require
from tests.support.servers import WebServer, web_server
from tests.support.shadow import ScratchRoot

PATIENCE = 60.0
"""Seconds after which something that should have happened counts as not having happened."""

SLOW = """\
packet: request_user_modify
rules:
  - name: slow
    actions:
      - name: one
        command: {run: [sh, -c, "echo begun >> LOG; sleep 1; echo ended >> LOG"], unless: {run: [grep, -q, ended, LOG]}}
      - name: two
        command: {run: [sh, -c, "echo two >> LOG"], unless: {run: [grep, -q, two, LOG]}}
    reply: {}
"""


class Lines:
    """What a process writes, read as it comes."""

    def __init__(self, stream: IO[str]) -> None:
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self._stream = stream
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._stream:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()

    def close(self) -> None:
        """Once the process has ended."""
        self._reader.join()
        self._stream.close()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Waits until so many lines with this text have come."""
        with self._changed:
            came = self._changed.wait_for(lambda: self.count(text) >= times, PATIENCE)
            assert came, f"no {text!r} in {self._lines}"

    def count(self, text: str) -> int:
        """How many lines hold the text."""
        return sum(text in line for line in self._lines)


class Watching:
    """A run that goes on, and what it has written."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout
        self.process = process
        self.lines = Lines(process.stdout)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """A signal; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def started(folder: Path, *words: str) -> Iterator[Watching]:
    """`run` with these words in a process of its own, in a site's folder."""
    process = subprocess.Popen(
        [str(PROGRAM), "run", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # Tests that run in the background are told to ignore it; a person's terminal is not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    watching = Watching(process)
    try:
        yield watching
    finally:
        process.kill()
        process.wait()
        watching.lines.close()


def until(holds: Callable[[], bool]) -> None:
    """Waits until something holds."""
    tick = threading.Event()
    for _ in range(int(PATIENCE / 0.05)):
        if holds():
            return
        tick.wait(0.05)
    raise AssertionError("it did not happen")


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder over a database of each kind; we are in it."""
    url = request.getfixturevalue("postgres_ready_url") if request.param == "postgresql" else None
    monkeypatch.chdir(states.make_folder(tmp_path / "site", database=url))
    return tmp_path / "site"


def load(folder: Path, *names: str) -> None:
    assert call("load", states.write(folder / "packets.json", states.packets(*names))).status == 0


def statuses() -> list[str]:
    return [str(one["status"]) for one in call("status", "--all", "--format", "json").json("status")["packets"]]


def test_it_works_on_what_comes_and_ends_with_0(site: Path) -> None:
    load(site, "done")
    with started(site, "--watch", "--jobs", "2") as watching:
        watching.lines.wait_for("status=done")
        load(site, "done", "held")
        watching.lines.wait_for("status=done", 2)
        watching.lines.wait_for("status=held")
        assert watching.end() == 0
        watching.lines.wait_for("3 packets: 2 done, 1 held")


def test_what_a_person_decides_is_taken_up(site: Path) -> None:
    load(site, "held")
    with started(site, "--watch") as watching:
        watching.lines.wait_for("status=held")
        assert call("approve", 1).status == 0
        watching.lines.wait_for("status=parked")
        assert watching.end() == 0


def test_a_packet_that_comes_twice_is_counted_once(site: Path) -> None:
    load(site, "held")
    with started(site, "--watch") as watching:
        watching.lines.wait_for("status=held")
        assert call("retry", "1").status == 0
        watching.lines.wait_for("status=held", 2)
        assert call("approve", "1").status == 0
        watching.lines.wait_for("status=parked")
        assert watching.end() == 0
        watching.lines.wait_for("1 packet: 1 parked (see")


def test_on_a_terminal_it_says_that_it_waits(site: Path) -> None:
    load(site, "done")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(
        [str(PROGRAM), "run", "--watch"], cwd=site, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        written = b""
        # The spinner goes on writing, a few hundred bytes a second.
        while b"waiting for packets" not in written and len(written) < 100_000:
            written += os.read(ours, 65536)
        process.send_signal(signal.SIGTERM)
        with suppress(OSError):  # the end of what is written to a terminal is an error on Linux
            while os.read(ours, 65536):
                pass
        assert process.wait(PATIENCE) == 0
    os.close(ours)
    assert b"waiting for packets" in written


@pytest.mark.parametrize("words", [(), ("--watch",)])
def test_a_terminal_that_is_closed_ends_a_run_after_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    folder, log = states.make_folder(tmp_path / "site"), tmp_path / "log"
    monkeypatch.chdir(folder)
    log.touch()
    (folder / "rules" / "request_user_modify.yaml").write_text(SLOW.replace("LOG", str(log)), encoding="utf-8")
    load(folder, "done")
    child, terminal = pty.fork()
    if child == 0:
        os.execv(PROGRAM, [str(PROGRAM), "run", *words])  # the leader of its session: it hears that the terminal goes
    until(lambda: "begun" in log.read_text())
    os.close(terminal)
    os.kill(child, signal.SIGHUP)  # as a shell does, beside the kernel
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert "ended" in log.read_text()
    assert "two" not in log.read_text()
    (step,) = call("show", 1, "--format", "json").json("show")["steps"]
    assert (step["path"], step["state"]) == ("one", "done")


def test_of_a_packet_that_is_not_run_it_says_why(
    tmp_path: Path, postgres_ready_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, log = states.make_folder(tmp_path / "site", database=postgres_ready_url), tmp_path / "log"
    monkeypatch.chdir(folder)
    log.touch()
    (folder / "rules" / "request_user_modify.yaml").write_text(SLOW.replace("LOG", str(log)), encoding="utf-8")
    load(folder, "done", "done")
    with started(folder) as running:
        until(lambda: "begun" in log.read_text())
        ended = call("run", 1)
        assert (ended.status, ended.stdout) == (0, "")
        assert ended.stderr == (
            "packet 1 is not run: another worker has it, or one that shares its project or person\n"
        )
        ended = call("run", 2)
        assert ended.status == 0
        assert ended.stderr.startswith("packet 2 is not run: ")
        assert "nothing to do" not in ended.stderr
        running.end()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
@pytest.mark.parametrize("words", [(), ("--jobs", "3"), ("--watch", "--jobs", "3")])
def test_a_signal_lets_the_step_end_and_leaves_the_rest(
    site: Path, words: tuple[str, ...], number: signal.Signals, status: int
) -> None:
    log = site / "log"
    log.touch()
    (site / "rules" / "request_user_modify.yaml").write_text(SLOW.replace("LOG", str(log)), encoding="utf-8")
    load(site, "done")
    with started(site, *words) as watching:
        until(lambda: "begun" in log.read_text())
        assert watching.end(number) == status
        watching.lines.wait_for("no packet came to its end: what waits is the next run's")
    assert log.read_text().splitlines() == ["begun", "ended"]
    assert statuses() == ["ready"]
    assert call("run").status == 0
    assert log.read_text().splitlines() == ["begun", "ended", "two"]


def test_a_second_signal_ends_it_at_once(site: Path) -> None:
    log = site / "log"
    log.touch()
    rules = SLOW.replace("LOG", str(log)).replace("sleep 1;", "sleep 60;")
    (site / "rules" / "request_user_modify.yaml").write_text(rules, encoding="utf-8")
    load(site, "done")
    with started(site, "--watch") as watching:
        until(lambda: "begun" in log.read_text())
        watching.process.send_signal(signal.SIGTERM)
        watching.lines.wait_for("ending after the step")
        assert watching.end() == 130
    assert log.read_text() == "begun\n"
    assert statuses() == ["running"]


TOLD = """\
packet: request_user_modify
rules:
  - name: told
    reply: {}
    notify:
      - {webhook: {url: "http://127.0.0.1:PORT/a", text: x}}
      - {webhook: {url: "http://127.0.0.1:PORT/b", text: x}}
"""


@pytest.fixture
def slow(site: Path) -> Iterator[tuple[WebServer, threading.Event, threading.Event]]:
    """A server that takes its time with messages; when one has come to it, and what lets it answer."""
    came, released = threading.Event(), threading.Event()

    def answer() -> int:
        came.set()
        released.wait(PATIENCE)
        return 200

    with web_server() as web:
        web.answer = answer
        rules = TOLD.replace("PORT", str(web.port))
        (site / "rules" / "request_user_modify.yaml").write_text(rules, encoding="utf-8")
        try:
            yield web, came, released
        finally:
            released.set()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
@pytest.mark.parametrize("words", [(), ("--watch",)])
def test_a_signal_lets_the_message_under_way_end_and_leaves_the_rest(
    site: Path,
    slow: tuple[WebServer, threading.Event, threading.Event],
    words: tuple[str, ...],
    number: signal.Signals,
    status: int,
) -> None:
    web, came, released = slow
    load(site, "done")
    with started(site, *words) as running:
        running.lines.wait_for("status=done")
        assert came.wait(PATIENCE)
        running.process.send_signal(number)
        running.lines.wait_for("ending after the step or message that is under way")
        released.set()
        assert running.process.wait(PATIENCE) == status
        running.lines.wait_for("1 packet: 1 done")
    assert [request["path"] for request in web.requests] == ["/a"]
    assert message_states() == ["sent", "queued"]


@pytest.mark.parametrize("words", [(), ("--watch",)])
def test_a_second_signal_waits_for_no_message(
    site: Path, slow: tuple[WebServer, threading.Event, threading.Event], words: tuple[str, ...]
) -> None:
    _, came, released = slow
    configuration = site / "amierules.yaml"
    configuration.write_text(configuration.read_text(encoding="utf-8") + "\nhttp: {timeout: 60s}\n", encoding="utf-8")
    load(site, "done")
    with started(site, *words) as running:
        assert came.wait(PATIENCE)
        running.lines.wait_for("status=done")
        running.process.send_signal(signal.SIGTERM)
        running.lines.wait_for("ending after the step or message")
        begun = time.monotonic()
        assert running.end() == 130
        assert time.monotonic() - begun < 10
        running.lines.wait_for("interrupted")
        assert running.lines.count("error") == 0
    assert message_states() == ["sending", "queued"]
    released.set()
    assert call("run").status == 0
    assert message_states() == ["unknown", "sent"]


def message_states() -> list[str]:
    listed = call("messages", "list", "--all", "--format", "json").json("messages")["messages"]
    return [str(one["state"]) for one in listed]


def test_what_is_to_be_sent_once_more_wakes_it(
    postgres_ready_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web_server() as web:
        rules = {"request_user_modify.yaml": TOLD.replace("PORT/a", f"{web.port}/404").replace("PORT", str(web.port))}
        folder = states.make_folder(tmp_path / "site", rules, database=postgres_ready_url)
        monkeypatch.chdir(folder)
        load(folder, "done")
        with started(folder, "--watch") as watching:
            until(lambda: message_states() == ["failed", "sent"])
            begun = time.monotonic()
            assert call("messages", "resend", 1).status == 0
            until(lambda: len(web.requests) == 3)
            assert time.monotonic() - begun < 20
            assert watching.end() == 0


def test_a_tool_that_makes_an_account_is_never_ended_midway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, tools = ScratchRoot.make(tmp_path / "root"), tmp_path / "tools"
    tools.mkdir()
    slow = f'#!/bin/sh\ntouch {tools}/begun\nsleep 2\nexec {require("useradd")} "$@"\n'
    (tools / "useradd").write_text(slow, encoding="utf-8")
    (tools / "useradd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    action = f"      - {{name: user, user: {{name: bob, uid: 20002, prefix: '{root.path}'}}}}\n"
    rules = f"packet: request_user_modify\nrules:\n  - name: a\n    actions:\n{action}    reply: {{}}\n"
    monkeypatch.chdir(states.make_folder(tmp_path / "site", {"request_user_modify.yaml": rules}))
    load(tmp_path / "site", "done")
    with started(tmp_path / "site") as running:
        until(lambda: (tools / "begun").exists())
        running.process.send_signal(signal.SIGTERM)
        running.lines.wait_for("ending after the step")
        assert running.end() == 130
    assert all(root.line(file, "bob") for file in ("passwd", "shadow", "group", "gshadow"))
    assert statuses() == ["running"]
    assert call("run").status == 0
    assert statuses() == ["done"]


def test_changed_rules_are_taken_in_only_when_they_are_sound(site: Path) -> None:
    rules = site / "rules" / "request_user_modify.yaml"
    sound = rules.read_text(encoding="utf-8")
    with started(site, "--watch") as watching:
        load(site, "done")
        watching.lines.wait_for("rule=answer status=done")
        rules.write_text(sound.replace("name: answer", "name: answer\n    nonsense: 1"), encoding="utf-8")
        load(site, "done")
        watching.lines.wait_for("the changed files have errors")
        watching.lines.wait_for("nonsense")
        watching.lines.wait_for("rule=answer status=done", 2)
        rules.write_text(sound.replace("name: answer", "name: better"), encoding="utf-8")
        watching.lines.wait_for("the changed rules are used from now on")
        load(site, "done")
        watching.lines.wait_for("rule=better status=done")
        assert watching.end() == 0


def test_a_changed_configuration_counts_for_messages_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = "packet: request_user_modify\nrules:\n  - name: told\n    reply: {}\n    notify: [{slack: {text: hello}}]\n"
    folder = states.make_folder(tmp_path / "site", {"request_user_modify.yaml": rule})
    monkeypatch.chdir(folder)
    configuration = folder / "amierules.yaml"
    before = configuration.read_text(encoding="utf-8")

    def send_to(server: WebServer) -> None:
        hook = folder / f"hook-{server.port}"
        hook.write_text(server.url, encoding="utf-8")
        named = before.replace("secrets: {", f"secrets: {{hook: {{file: '{hook}'}}, ")
        configuration.write_text(named + '\nslack: {webhook: "{{ secret.hook }}"}\n', encoding="utf-8")

    with web_server() as first, web_server() as second:
        send_to(first)
        with started(folder, "--watch") as watching:
            load(folder, "done")
            watching.lines.wait_for("rule=told status=done")
            until(lambda: len(first.requests) == 1)
            send_to(second)
            watching.lines.wait_for("the changed rules are used from now on")
            load(folder, "done")
            until(lambda: len(second.requests) == 1)
            assert watching.end() == 0


def test_it_goes_on_when_the_database_is_back_and_says_so_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = PostgresServer()
    try:
        folder = states.make_folder(tmp_path / "site", database=server.url(server.create_database()))
        monkeypatch.chdir(folder)
        assert call("db", "create").status == 0
        with started(folder, "--watch", "--jobs", "2") as watching:
            load(folder, "done")
            watching.lines.wait_for("status=done")
            server.stop()
            watching.lines.wait_for("trying until it is back")
            # Several tries fail in the meantime.
            threading.Event().wait(2)
            server.start()
            watching.lines.wait_for("the database is back")
            load(folder, "done")
            watching.lines.wait_for("status=done", 2)
            assert watching.lines.count("trying until it is back") == 1
            assert watching.lines.count("the database is back") == 1
            assert watching.end() == 0
    finally:
        server.remove()


def test_what_became_of_a_message_is_unknown_as_soon_as_the_database_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = PostgresServer()
    came, released = threading.Event(), threading.Event()

    def answer() -> int:
        came.set()
        released.wait(PATIENCE)
        return 200

    try:
        with web_server() as web:
            web.answer = answer
            rules = {"request_user_modify.yaml": TOLD.replace("PORT", str(web.port))}
            folder = states.make_folder(tmp_path / "site", rules, database=server.url(server.create_database()))
            monkeypatch.chdir(folder)
            assert call("db", "create").status == 0
            load(folder, "done")
            with started(folder, "--watch") as watching:
                assert came.wait(PATIENCE)
                server.stop()
                watching.lines.wait_for("trying until it is back")
                released.set()
                threading.Event().wait(1)
                server.start()
                watching.lines.wait_for("the database is back")
                begun = time.monotonic()
                until(lambda: message_states() == ["unknown", "sent"])
                assert time.monotonic() - begun < 20
                assert watching.end() == 0
    finally:
        released.set()
        server.remove()


def test_without_a_database_it_does_not_begin(tmp_path: Path) -> None:
    folder = states.make_folder(tmp_path / "site", database="postgresql:///amie?host=/nowhere")
    with started(folder, "--watch") as watching:
        assert watching.process.wait(PATIENCE) == 5


def test_named_packets_and_a_limit_do_not_go_with_it(site: Path) -> None:
    assert call("run", "--watch", 1).status == 2
    assert call("run", "--watch", "--limit", 1).status == 2
