"""Processes: no shell, nothing inherited by chance, bounded in time and output, ended as a group."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amierules.ports import LocalProcesses, NotStarted
from amierules.templating import Secret

PROCESSES = LocalProcesses()


def python(code: str, *words: str) -> list[str]:
    return [sys.executable, "-c", code, *words]


def test_a_process_leaves_its_status_and_both_outputs() -> None:
    done = PROCESSES.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.rc, done.stdout, done.stderr, done.timed_out, done.truncated) == (3, "out\n", "err\n", False, False)
    assert done.argv == ("sh", "-c", "echo out; echo err >&2; exit 3")


def test_a_signal_is_a_negative_status() -> None:
    done = PROCESSES.run(["sh", "-c", "kill -9 $$"])
    assert done.rc == -signal.SIGKILL
    assert not done.timed_out


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=5))
def test_words_arrive_as_they_are(words: list[str]) -> None:
    done = PROCESSES.run(["printf", "%s\\0", "--", *words])
    assert done.stdout.split("\0")[1:-1] == words


def test_no_shell_reads_the_words() -> None:
    assert PROCESSES.run(["echo", "$HOME", "$(id)", "a;b", "*", "`id`"]).stdout == "$HOME $(id) a;b * `id`\n"


def test_standard_input_is_empty_by_default() -> None:
    assert PROCESSES.run(["cat"]).stdout == ""


def test_standard_input_larger_than_a_pipe_arrives_while_output_is_read() -> None:
    text = "äöü\n" * 100_000
    assert PROCESSES.run(["cat"], stdin=text).stdout == text


def test_a_process_that_reads_no_input_is_no_error() -> None:
    assert PROCESSES.run(["true"], stdin="x" * 1_000_000).rc == 0


def test_secrets_are_revealed_to_the_process_and_hidden_in_what_is_shown() -> None:
    secret = Secret("pass word")
    done = PROCESSES.run(
        [
            "sh",
            "-c",
            'test "$1" = "pass word" && test "$V" = "pass word" && test "$(cat)" = "pass word"',
            "x",
            secret,
        ],
        env={"V": secret},
        stdin=secret,
    )
    assert done.rc == 0
    assert done.argv[-1] == "***"
    assert "pass word" not in repr(done.argv[-1:])


def test_the_environment_is_minimal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIE_PASSWORD", "x")
    monkeypatch.setenv("LD_PRELOAD", "/nowhere.so")
    monkeypatch.setenv("PATH", "/usr/bin:relative:")
    found = dict(line.split("=", 1) for line in PROCESSES.run(["env"], env={"A": "1"}).stdout.splitlines())
    assert found["LANG"] == "C.UTF-8"
    assert found["A"] == "1"
    assert found["HOME"]
    assert set(found) <= {"PATH", "LANG", "HOME", "A", "USER", "LOGNAME", "TZ", "TMPDIR"}
    folders = found["PATH"].split(":")
    assert "/usr/sbin" in folders
    assert all(folder.startswith("/") for folder in folders)


def test_programs_in_sbin_are_found_without_them_in_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    assert PROCESSES.run(["ldconfig", "--version"]).rc == 0


def test_the_folder_is_the_given_one(tmp_path: Path) -> None:
    assert PROCESSES.run(["pwd"], cwd=str(tmp_path)).stdout == f"{tmp_path.resolve()}\n"


def test_a_relative_program_is_sought_in_the_given_folder(tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text("#!/bin/sh\necho here\n")
    script.chmod(0o755)
    assert PROCESSES.run(["./tool"], cwd=str(tmp_path)).stdout == "here\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["no-such-program-here"], "no-such-program-here: no such program"),
        (["/no/such/program"], "/no/such/program: no such program"),
        (["/etc/passwd"], "not executable"),
        (["/etc"], "no such program"),
        ([], "no program"),
        ([""], "no program"),
        (["echo", "a\0b"], "NUL"),
        (["echo", "\ud800"], "UTF-8"),
        (["echo", "x" * 3_000_000], "too long"),
    ],
)
def test_what_cannot_be_started_says_so_in_one_line(argv: list[str], said: str) -> None:
    with pytest.raises(NotStarted, match=said) as caught:
        PROCESSES.run(argv)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_not_started(tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match="nowhere"):
        PROCESSES.run(["true"], cwd=str(tmp_path / "nowhere"))


def test_a_secret_word_is_not_in_the_reason() -> None:
    with pytest.raises(NotStarted) as caught:
        PROCESSES.run(["echo", Secret("hush\0")])
    assert "hush" not in str(caught.value)


def test_output_that_is_no_utf8_is_replaced() -> None:
    assert PROCESSES.run(["printf", "a\\377b"]).stdout == "a\ufffdb"


def test_of_too_much_output_the_beginning_and_of_errors_the_end_is_kept() -> None:
    code = "import sys; sys.stdout.write('A' + 'b' * 5000); sys.stderr.write('c' * 5000 + 'Z')"
    done = LocalProcesses(kept_output=1000).run(python(code))
    assert done.truncated
    assert done.stdout == "A" + "b" * 999
    assert done.stderr == "c" * 999 + "Z"


def test_an_endless_writer_needs_no_endless_memory() -> None:
    done = LocalProcesses(kept_output=1000).run(["yes"], timeout=0.3)
    assert done.timed_out
    assert len(done.stdout) == 1000


def test_at_the_deadline_the_whole_group_is_ended(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    began = time.monotonic()
    done = PROCESSES.run(["sh", "-c", f"sleep 61 & echo $! > {pids}; echo begun; sleep 62"], timeout=0.5)
    assert done.timed_out
    assert done.stdout == "begun\n"
    assert time.monotonic() - began < 3
    assert gone(int(pids.read_text()))


def test_a_process_that_ignores_sigterm_is_killed() -> None:
    began = time.monotonic()
    done = PROCESSES.run(["sh", "-c", "trap '' TERM; sleep 63; sleep 63"], timeout=0.2)
    assert done.timed_out
    assert time.monotonic() - began < 8


def test_a_descendant_that_keeps_the_pipe_does_not_keep_us(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    began = time.monotonic()
    done = PROCESSES.run(["sh", "-c", f"setsid sleep 64 & echo $! > {pid}; echo done"], timeout=60)
    assert (done.rc, done.stdout, done.timed_out) == (0, "done\n", False)
    assert time.monotonic() - began < 5
    os.kill(int(pid.read_text()), signal.SIGKILL)


def test_output_of_the_last_moment_is_not_lost() -> None:
    for _ in range(20):
        assert len(PROCESSES.run(["sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x"]).stdout) == 200_000


def test_the_time_limit_by_default_holds() -> None:
    assert LocalProcesses(default_timeout=0.2).run(["sleep", "65"]).timed_out


def test_an_interrupt_ends_the_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        "import threading, _thread, sys\n"
        "from amierules.ports import LocalProcesses\n"
        "threading.Timer(0.5, _thread.interrupt_main).start()\n"
        "try:\n"
        "    LocalProcesses().run(['sh', '-c', 'sleep 66 & echo $! > ' + sys.argv[1] + '; sleep 66'])\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = PROCESSES.run(python(code, str(pid)), cwd=str(Path.cwd()), timeout=20)
    assert done.stdout == "interrupted\n", done.stderr
    assert gone(int(pid.read_text()))


@pytest.mark.parametrize(
    ("lasts", "patience", "more", "ends"), [(1.5, 20, 0, True), (60, 1, 0, False), (60, 600, 1, False)]
)
def test_what_must_not_be_ended_midway_has_its_time(
    tmp_path: Path, lasts: float, patience: float, more: int, ends: bool
) -> None:
    """And not more than that; one more interrupt ends it at once."""
    code = (
        "import threading, _thread, sys\n"
        "from amierules.ports import LocalProcesses\n"
        "from amierules.ports.orphans import marked\n"
        "for number in range(1 + int(sys.argv[2])):\n"
        "    threading.Timer(0.5 + number, _thread.interrupt_main).start()\n"
        "script = 'echo $$ > $0/pid; sleep ' + sys.argv[3] + '; touch $0/whole'\n"
        "try:\n"
        "    with marked('m', float(sys.argv[4])):\n"
        "        LocalProcesses().run(['sh', '-c', script, sys.argv[1]])\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = PROCESSES.run(
        python(code, str(tmp_path), str(more), str(lasts), str(patience)), cwd=str(Path.cwd()), timeout=40
    )
    assert done.stdout == "interrupted\n", done.stderr
    assert (tmp_path / "whole").exists() is ends
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_process_ends_at_its_deadline_even_when_we_are_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        "import amierules.ports.processes as p, sys\n"
        "p.ORPHAN_MARGIN = 0\n"
        "p.LocalProcesses().run(['sh', '-c', 'echo $$ > ' + sys.argv[1] + '; sleep 67'], timeout=1.5)\n"
    )
    with subprocess.Popen(python(code, str(pid))) as engine:
        until(lambda: pid.exists() and pid.read_text() != "")
        engine.kill()
        engine.wait()
    child = int(pid.read_text())
    assert not gone(child, wait=0)
    assert gone(child, wait=5)


def test_many_threads_run_processes_at_once() -> None:
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(PROCESSES.run(["echo", str(n)]).stdout)) for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(f"{n}\n" for n in range(20))


def test_no_descriptor_is_left_open() -> None:
    PROCESSES.run(["true"])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        PROCESSES.run(["cat"], stdin="x")
    assert len(os.listdir("/proc/self/fd")) == before


def until(holds: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def gone(pid: int, wait: float = 3) -> bool:
    def is_gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    return until(is_gone, wait)
