"""Programs on other nodes, through ClusterShell and a real sshd: how each ends is told apart, and nothing stays."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.ports import NodeCompleted, NotStarted, watching
from amierules.ports.cluster import ClusterNodes
from amierules.ports.nodes import BadNodes, Ending, NoNodes
from amierules.ports.orphans import MARK, end_orphans, marked
from amierules.rulebook.node_sets import is_node
from amierules.templating import Secret
from tests.support.sshd import ADDRESSES, NODES, SshServer

ONE = ADDRESSES[0]


def on_one(sshd: SshServer, *words: str, timeout: float = 60, **others: object) -> NodeCompleted:
    """What it came to on one node."""
    given = {name: others.pop(name) for name in ("stdin", "env", "cwd") if name in others}
    return sshd.nodes(**others).run([ONE], words, timeout=timeout, **given)[ONE]  # type: ignore[arg-type]


def script(text: str, *words: str) -> list[str]:
    return ["sh", "-c", text, "sh", *words]


def wait_until(holds: Callable[[], object]) -> None:
    """Waits, but not for ever."""
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def lives(pid_file: Path) -> bool:
    """Whether the process whose number stands in a file still runs."""
    try:
        state = Path(f"/proc/{pid_file.read_text().strip()}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


# ------------------------------------------------------------------ what a program gets and leaves


def test_a_program_runs_on_each_node_and_leaves_what_it_left_there(sshd: SshServer) -> None:
    nodes = sshd.nodes()
    done = nodes.run(nodes.expand(NODES), script('echo "$SSH_CONNECTION" | cut -d " " -f 3; echo "to $1" >&2', "all"))
    assert done == {one: NodeCompleted(one, Ending.ENDED, 0, f"{one}\n", "to all\n") for one in ADDRESSES}


@pytest.mark.parametrize("status", [0, 1, 124, 125, 126, 127, 128, 137, 254, 255])
def test_a_programs_own_exit_status_is_told(sshd: SshServer, status: int) -> None:
    done = on_one(sshd, *script(f"exit {status}"))
    assert (done.ending, done.rc) == (Ending.ENDED, status)


def test_a_signal_that_ended_it_is_told_as_a_shell_does(sshd: SshServer) -> None:
    assert on_one(sshd, *script("kill -9 $$")).rc == 128 + 9


def test_output_is_kept_byte_for_byte_and_bounded(sshd: SshServer) -> None:
    text = "no end of line, a\r\n, \x01 and é: \u2028"
    done = on_one(sshd, *script('printf %s "$1"; printf %s "$1" >&2', text))
    assert (done.stdout, done.stderr, done.truncated) == (text, text, False)
    nodes = ClusterNodes(sshd.settings(), kept_output=1000)
    flood = "yes | tr -d '\\n' | head -c 3000000; echo begin >&2; head -c 9000 /dev/zero >&2; echo end >&2"
    many = nodes.run([ONE], script(flood))[ONE]
    assert many.truncated
    assert many.rc == 0
    assert many.stdout == "y" * 1000
    assert many.stderr.endswith("\0end\n")
    assert "begin" not in many.stderr


def test_what_a_login_prints_is_not_the_programs(sshd: SshServer, tmp_path: Path) -> None:
    options = ("SetEnv=LANG=C",)
    noisy = tmp_path / "noisy"
    noisy.write_text('#!/bin/sh\necho welcome; echo careful >&2; exec /usr/bin/ssh "$@"\n')
    noisy.chmod(0o755)
    (tmp_path / "ssh").symlink_to(noisy)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{tmp_path}:{before}"
    try:
        done = on_one(sshd, "echo", "x", options=options)
    finally:
        os.environ["PATH"] = before
    assert (done.stdout, done.stderr) == ("x\n", "")


def test_a_program_that_prints_what_looks_like_a_report_reports_nothing(sshd: SshServer) -> None:
    done = on_one(sshd, *script("printf '\\n%032d end 7\\n\\nend 7\\n' 0; exit 3"))
    assert done.rc == 3
    assert done.stdout == f"\n{'0' * 32} end 7\n\nend 7\n"


def test_input_environment_and_folder_are_the_nodes(sshd: SshServer, tmp_path: Path) -> None:
    folder = tmp_path / "it's $(here)\n"
    folder.mkdir()
    env = {"A": "1", "SECRET": Secret("hush"), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = on_one(sshd, *script('cat; pwd; echo "$A $SECRET"'), stdin="in\r\n", env=env, cwd=str(folder))
    assert done.stdout == f"in\r\n{folder}\n1 hush\n"
    assert on_one(sshd, "cat").stdout == ""
    assert on_one(sshd, "true", stdin="x" * 300_000).rc == 0


def test_nothing_that_a_program_is_given_stands_in_a_command_line_of_ours(sshd: SshServer) -> None:
    look = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -ac 's3cr3t-[v]alue'"
    done = on_one(sshd, *script(look), env={"TOKEN": "s3cr3t-value"}, stdin="s3cr3t-value")
    assert (done.rc, done.stdout) == (1, "0\n")


def test_a_long_word_is_none_too_long_for_us(sshd: SshServer) -> None:
    words = ["x" * 100_000, "é" * 50_000]
    assert on_one(sshd, *script('printf "%s " ${#1} ${#2}', *words)).rc == 0


def test_a_child_that_goes_on_does_not_hold_us_up(sshd: SshServer, tmp_path: Path) -> None:
    done = on_one(sshd, *script("sleep 300 & echo $! > $1; echo started", str(tmp_path / "pid")), timeout=200)
    assert (done.ending, done.stdout) == (Ending.ENDED, "started\n")
    assert lives(tmp_path / "pid")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


# ------------------------------------------------------------------ what cannot be started, or reached


def test_what_a_node_cannot_start_is_told_apart_from_what_failed(sshd: SshServer, tmp_path: Path) -> None:
    (tmp_path / "text").touch()
    for words, reason in (
        (["no-such-program"], "no such program"),
        (["/no/such/program"], "no such program"),
        ([""], "no such program"),
        (["umask"], "no such program"),
        ([str(tmp_path / "text")], "the program is not executable"),
    ):
        done = on_one(sshd, *words)
        assert (done.ending, done.reason, done.rc) == (Ending.REFUSED, reason, None)
    for folder in (str(tmp_path / "none"), "", "-"):
        assert on_one(sshd, "true", cwd=folder).reason == "there is no such folder to run it in"
    assert on_one(sshd, *script("no-such-program")).rc == 127


@pytest.mark.parametrize("name", ["a-b", "1", "", "é", "PPID", "IFS", "amie_k", "A=B", "x y"])
def test_a_variable_that_a_shell_cannot_give_is_refused_beforehand(sshd: SshServer, name: str) -> None:
    with pytest.raises(NotStarted, match="variable"):
        on_one(sshd, "true", env={name: "x"})


@pytest.mark.parametrize("word", ["a\0b", "\ud800"])
def test_a_word_that_no_program_can_be_given_is_refused_beforehand(sshd: SshServer, word: str) -> None:
    for others in ({}, {"stdin": word}, {"env": {"A": word}}, {"cwd": word}):
        with pytest.raises(NotStarted):
            on_one(sshd, "true", *([] if others else [word]), **others)


def test_failures_of_ssh_are_told_with_what_ssh_says(sshd: SshServer, tmp_path: Path) -> None:
    (tmp_path / "unknown").touch()
    for others, said in (
        ({"port": 1}, "Connection refused"),
        ({"known_hosts": tmp_path / "unknown"}, "Host key verification failed."),
        ({"key": sshd.folder / "host"}, "Permission denied (publickey"),
        ({"options": ("NoSuchOption=1",)}, "ad configuration option"),
    ):
        done = on_one(sshd, "touch", str(tmp_path / "made"), **others)
        assert (done.ending, done.rc) == (Ending.UNREACHED, None)
        assert said in done.reason
    assert not (tmp_path / "made").exists()


def test_a_node_that_says_nothing_is_given_up(sshd: SshServer, tmp_path: Path) -> None:
    silent = tmp_path / "silent"
    silent.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nsleep 400 & wait\n")
    silent.chmod(0o755)
    done = on_one(sshd, "touch", str(tmp_path / "made"), options=(f"ProxyCommand={silent}",), connect_timeout=2)
    assert done.ending is Ending.UNREACHED
    assert not (tmp_path / "made").exists()
    wait_until(lambda: not lives(tmp_path / "pid"))


def test_nothing_is_begun_anywhere_where_one_node_is_not_reached(sshd: SshServer, tmp_path: Path) -> None:
    nodes = sshd.nodes()
    done = nodes.run(nodes.expand("127.0.0.[1-3,99]"), script("touch $1/$$", str(tmp_path)))
    assert [one.ending for one in done.values()] == [Ending.LEFT_OUT] * 3 + [Ending.UNREACHED]
    assert os.listdir(tmp_path) == []


def test_more_nodes_than_are_talked_with_at_once_are_begun_in_turn(sshd: SshServer, tmp_path: Path) -> None:
    nodes = sshd.nodes(fanout=2)
    done = nodes.run(
        ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.99", "127.0.0.1"][:4], script("touch $1/$$", str(tmp_path))
    )
    assert [one.ending for one in done.values()] == [Ending.ENDED, Ending.ENDED, Ending.LEFT_OUT, Ending.UNREACHED]
    assert len(os.listdir(tmp_path)) == 2


def test_where_nothing_reaches_nodes_nothing_is_begun() -> None:
    for asked in (lambda: NoNodes().expand("n1"), lambda: NoNodes().run(["n1"], ["true"])):
        with pytest.raises(NotStarted):
            asked()


# ------------------------------------------------------------------ ends


def test_a_program_that_takes_too_long_is_ended_on_its_node_and_the_others_are_not(
    sshd: SshServer, tmp_path: Path
) -> None:
    nodes = sshd.nodes()
    text = 'case "$SSH_CONNECTION" in *" 127.0.0.2 "*) echo $$ > $1/pid; sleep 301 & wait;; *) exit 4;; esac'
    done = nodes.run(nodes.expand(NODES), script(text, str(tmp_path)), timeout=3)
    endings = [(one.ending, one.rc) for one in done.values()]
    assert endings == [(Ending.ENDED, 4), (Ending.TIMED_OUT, 128 + 15), (Ending.ENDED, 4)]
    wait_until(lambda: not lives(tmp_path / "pid"))


def test_a_program_that_ignores_sigterm_is_killed(sshd: SshServer, tmp_path: Path) -> None:
    text = "trap '' TERM; echo $$ > $1; while :; do sleep 0.1; done"
    done = on_one(sshd, *script(text, str(tmp_path / "pid")), timeout=2)
    assert (done.ending, done.rc) == (Ending.TIMED_OUT, 128 + 9)
    wait_until(lambda: not lives(tmp_path / "pid"))


class Enough(Exception):
    """Somebody wants no more of it."""


def test_an_interrupted_wait_ends_the_program_on_its_node(sshd: SshServer, tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def check() -> None:
        if pid.exists() and pid.read_text().endswith("\n"):
            raise Enough

    with watching(check), pytest.raises(Enough):
        on_one(sshd, *script("echo $$ > $1; exec sleep 302", str(pid)))
    wait_until(lambda: not lives(pid))
    assert on_one(sshd, "echo", "again").stdout == "again\n"


WORKER = """
import sys
from pathlib import Path
from amierules.ports.cluster import ClusterNodes
from amierules.ports.orphans import marked
from amierules.rulebook.ssh import SshSettings

user, port, folder, mark, *words = sys.argv[1:]
base = Path(folder)
known_hosts = base / "known_hosts"
settings = SshSettings(user=user, port=int(port), key=base / "user", known_hosts=known_hosts, config=Path("none"))
with marked(mark):
    ClusterNodes(settings).run(["127.0.0.1"], words, timeout=500)
"""


def killed_worker(sshd: SshServer, mark: str, pid: Path, *words: str) -> None:
    """Lets a process start a program on a node, and kills it once the program has begun."""
    given = sshd.settings()
    argv = [sys.executable, "-c", WORKER, str(given.user), str(given.port), str(sshd.folder), mark, *words]
    with subprocess.Popen(argv) as worker:
        wait_until(lambda: pid.exists() and pid.read_text().endswith("\n"))
        worker.kill()


def test_a_program_whose_worker_was_killed_is_ended_on_its_node(sshd: SshServer, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    killed_worker(sshd, "mark-of-a", pid, *script("echo $$ > $1; exec sleep 303", str(pid)))
    wait_until(lambda: not lives(pid))


def test_who_comes_after_a_killed_worker_ends_what_it_left_by_its_mark(sshd: SshServer, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    text = "trap '' TERM; echo $$ > $1; while :; do sleep 0.1; done"
    killed_worker(sshd, "mark-of-b", pid, *script(text, str(pid)))
    assert end_orphans("mark-of-b") == []
    assert sshd.nodes().end([ONE], "mark-of-b") == {}
    assert not lives(pid)
    assert sshd.nodes(port=1).end([ONE], "mark-of-b")[ONE].endswith("Connection refused")


def test_the_program_does_not_see_its_mark(sshd: SshServer) -> None:
    with marked("mark-of-c"):
        done = on_one(sshd, *script(f"echo ${{{MARK}:-none}}; exit 7"), env={"A": "1"})
    assert (done.stdout, done.rc) == ("none\n", 7)


def test_a_connection_that_breaks_off_leaves_it_open_what_happened(sshd: SshServer, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    cut = "pid=$$; while [ $pid -gt 1 ]; do read -r l < /proc/$pid/stat; l=${l##*) }; set -- $l; pid=$2; "
    cut += 'case "$(cat /proc/$pid/comm 2>/dev/null)" in sshd*) kill -9 $pid; sleep 300;; esac; done'
    done = on_one(sshd, *script(f"echo $$ > {pid}; echo begun; {cut}"))
    assert (done.ending, done.rc) == (Ending.LOST, None)
    wait_until(lambda: not lives(pid))


# ------------------------------------------------------------------ many


def test_forty_nodes_at_once(sshd: SshServer) -> None:
    many = SshServer(addresses=("0.0.0.0",))
    try:
        nodes = many.nodes(connect_timeout=120)
        names = nodes.expand("127.0.1.[1-40]")
        done = nodes.run(names, script('echo "$SSH_CONNECTION" | cut -d " " -f 3'))
        assert {name: one.stdout for name, one in done.items()} == {name: f"{name}\n" for name in names}
        assert list(done) == [f"127.0.1.{number}" for number in range(1, 41)]
    finally:
        many.remove()


def test_a_server_that_takes_few_logins_at_a_time_is_not_reached_rather_than_half_used(tmp_path: Path) -> None:
    few = SshServer(addresses=("0.0.0.0",), max_startups=1)
    try:
        nodes = few.nodes()
        done = nodes.run(nodes.expand("127.0.1.[1-12]"), script("touch $1/$$", str(tmp_path)))
        endings = {one.ending for one in done.values()}
        begun = len(os.listdir(tmp_path))
        assert (endings, begun) == ({Ending.ENDED}, 12) or (Ending.ENDED not in endings and begun == 0)
    finally:
        few.remove()


def test_threads_do_not_get_into_each_others_way(sshd: SshServer) -> None:
    nodes = sshd.nodes()
    said: dict[int, list[str]] = {}

    def work(number: int) -> None:
        said[number] = [one.stdout for one in nodes.run(ADDRESSES, ["echo", str(number)]).values()]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == {number: [f"{number}\n"] * 3 for number in range(6)}


# ------------------------------------------------------------------ gateways


def topology(tmp_path: Path) -> Path:
    file = tmp_path / "topology.conf"
    here = os.uname().nodename.split(".")[0]
    file.write_text(f"[routes]\n{here}: 127.0.0.1\n127.0.0.1: 127.0.0.[2-3]\n")
    return file


def test_nodes_are_reached_through_a_gateway(sshd: SshServer, tmp_path: Path) -> None:
    nodes = sshd.nodes(topology=topology(tmp_path), gateway_python=sys.executable)
    names = nodes.expand("127.0.0.[2-3]")
    before = sshd.log().count("Starting session")
    text = 'cat; echo "$SSH_CONNECTION" | cut -d " " -f 3; printf end; echo "$1" >&2; exit 255'
    done = nodes.run(names, script(text, "a 'b'"), stdin="in\n")
    assert done == {one: NodeCompleted(one, Ending.ENDED, 255, f"in\n{one}\nend", "a 'b'\n") for one in names}
    assert sshd.log().count("Starting session") - before == 3
    late = nodes.run(names, script("echo $$ > $1/$$; exec sleep 304", str(tmp_path)), timeout=2)
    assert {one.ending for one in late.values()} == {Ending.TIMED_OUT}
    for pid in tmp_path.glob("[0-9]*"):
        wait_until(lambda pid=pid: not lives(pid))  # type: ignore[misc]


def test_a_gateway_that_is_not_reached_or_cannot_work_is_said_so(sshd: SshServer, tmp_path: Path) -> None:
    for others in ({"port": 1, "gateway_python": sys.executable}, {"gateway_python": "/no/such/python"}):
        nodes = sshd.nodes(topology=topology(tmp_path), **others)
        done = nodes.run(["127.0.0.2"], script("touch $1/made", str(tmp_path)))["127.0.0.2"]
        assert done.ending is Ending.UNREACHED
        assert done.reason
    assert not (tmp_path / "made").exists()
    nodes = sshd.nodes(topology=tmp_path / "none")
    assert "none" in nodes.run([ONE], ["true"])[ONE].reason


# ------------------------------------------------------------------ sets of nodes


def test_sets_are_read_as_clustershell_reads_them() -> None:
    nodes = ClusterNodes()
    assert nodes.expand("login[1-2], n7!n7,x01.site.example") == ("login1", "login2", "x01.site.example")
    assert nodes.expand("127.0.0.[1-3]") == ADDRESSES
    assert nodes.expand("n0[8-9],n1[08-10]0") == ("n08", "n09", "n1080", "n1090", "n1100")
    assert nodes.fold(["login1", "login2", "x"]) == "login[1-2],x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no node"),
        (" ", "names no node"),
        ("n1!n1", "names no node"),
        ("@no-such-group", "names no node"),
        ("@no:such", "cannot be read: "),
        ("n1 n2", "has a space where `,` is wanted"),
        ("-oProxyCommand=touch pwned", "has a name that begins with `-`"),
        ("n1,-oProxyCommand=x", "has a name that begins with `-`"),
        ("n[1-", "has a range that is not written like [1-8,12]"),
        ("n[2-1]", "has a range that ends before it begins: 2-1"),
        ("n1[9-10]", "has a digit before a range of numbers that are not equally long: 9-10"),
        ("n1234567[9-10]", "has a digit before a range of numbers that are not equally long: 9-10"),
        ("n[1-3]000000000", "has a range of numbers with more than 9 digits: 1-3"),
        ("n[1-999999999]", "names more than 10000 nodes"),
        ("n[1-999]x[1-999]", "names more than 10000 nodes"),
        ("@g$(touch pwned)", "has `$` where no name of a node has it"),
        ("@g;touch pwned", "has `;` where no name of a node has it"),
        ("@-x", "has `@` where no name of a node has it"),
        ("n1,", "has a place without a name"),
        ("user@n1", "has `@` where no name of a node has it"),
        ("n\x1b[31m", r"has `\x1b` where no name of a node has it"),
    ],
)
def test_what_is_no_set_of_nodes_is_said_so(text: str, said: str) -> None:
    with pytest.raises(BadNodes) as refused:
        ClusterNodes().expand(text)
    assert said in str(refused.value)
    assert "\x1b" not in str(refused.value)


_PIECES = ("n", "0", "1", "9", "10", "[", "]", "[9-10]", "[1-3]", "[08,1-5/2]", "-", ",", "!", "&", "^", "@", "*", ".")


@given(st.lists(st.sampled_from(_PIECES), max_size=8).map("".join))
def test_every_text_names_nodes_that_it_could_mean_or_is_refused(text: str) -> None:
    with suppress(BadNodes):
        names = ClusterNodes().expand(text)
        assert all(is_node(name) for name in names)
        # Ranges of at most three numbers, multiplied: more would be a range that nobody has written.
        assert len(names) <= 3**8
