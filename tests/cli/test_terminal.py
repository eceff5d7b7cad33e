"""Colours and progress on a terminal, none elsewhere; nothing that a packet brings reaches a terminal raw."""

import json
import os
import re
import signal
import subprocess
import time
import unicodedata
from pathlib import Path

import pytest

from tests.support import real, states
from tests.support.amie_json import rpc, rum
from tests.support.command_line import PROGRAM, Ended, call, on_terminal, program
from tests.support.states import packets, write

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# What rich's progress does to a terminal: hide and show the cursor, go up, clear a line.
PROGRESS = re.compile(r"\x1b\[(\?25[lh]|2K|1?A)|\r")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site with a packet that is done and one that is held, before any run; we are in it."""
    monkeypatch.chdir(states.make_folder(tmp_path))
    assert call("load", write(tmp_path / "packets.json", packets("done", "held"))).status == 0
    return tmp_path


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site with packets that bring terminal escapes wherever a text can stand; we are in it."""
    shipped = states.make_folder(tmp_path, {"request_user_modify.yaml": states.RULES})
    monkeypatch.chdir(shipped)
    escapes = states.ESCAPES
    created = rpc({"ProjectTitle": escapes, "PiFirstName": escapes, "GrantNumber": f"G{escapes}"})
    unsuitable = rpc({"AllocationType": escapes, "GrantNumber": "G2", "ResourceList": [escapes]})
    refused = rum({"PersonID": "x"}, transaction_id=escapes)
    elsewhere = rum({"PersonID": "x"}, local_site_name=escapes[:16])
    listed = [states.hostile(), states.hostile(f"request_{escapes}"), created, unsuitable, refused, elsewhere]
    write(tmp_path / "packets.json", listed)
    return tmp_path


def as_seen(ended: Ended) -> str:
    """What a terminal shows in the end: without colours, and without the progress that was wiped away."""
    lines = COLOUR.sub("", ended.stdout).split("\n")
    return "\n".join(PROGRESS.sub("", line.rpartition("\x1b[2K")[2]) for line in lines)


def raw(text: str) -> list[str]:
    """The characters that no terminal should be sent."""
    return [character for character in text if unicodedata.category(character) in HIDDEN and character != "\n"]


COMMANDS = [
    "load packets.json",
    "dry-run",
    "dry-run --format json",
    "dry-run --packet packets.json",
    "dry-run --packet packets.json --format json",
    "run",
    "status --all",
    "status --all --format json",
    "show 1",
    "show 1 --format json",
    "show 2",
    "show 3",
    "show 3 --format json",
    "registry show",
    "registry show --format json",
    "registry export",
    "fail 3 --reason {}",
    "complete 3 --reason {}",
    "show {}",
    "retry --all --status {}",
    "validate {}",
    "registry show person {}",
    "registry set person 90022 FirstName={}",
    "load {}",
    "init {} --site-name {}",
    "{}",
    "status --config {}",
]


def test_terminal_escapes_of_packets_are_shown_and_never_sent(hostile: Path) -> None:
    escapes = states.ESCAPES.replace(" ", "_")
    seen = ""
    for line in COMMANDS:
        ended = call(*(word.format(escapes) if "{}" in word else word for word in line.split()))
        assert raw(ended.stdout + ended.stderr) == [], line
        assert ended.status in (0, 1, 2, 3), line
        seen += ended.stdout + ended.stderr
    assert "\\x1b[31m" in seen
    assert "\\u202e" in seen


def test_terminal_escapes_are_not_sent_to_a_terminal_either(hostile: Path) -> None:
    for line in ("load packets.json", "dry-run", "run"):
        shown = as_seen(on_terminal(*line.split(), cwd=hostile))
        assert raw(shown) == [], line
        assert shown
    assert raw((hostile / "packets.json").read_text().encode().decode("unicode_escape"))


@pytest.mark.parametrize("line", ["validate", "status --status nope"])
def test_colours_on_a_terminal_and_nowhere_else(site: Path, line: str) -> None:
    ended = on_terminal(*line.split(), cwd=site)
    assert COLOUR.search(ended.stdout)
    plain = on_terminal(*line.split(), cwd=site, NO_COLOR="1")
    assert plain.stdout == COLOUR.sub("", ended.stdout)
    assert "\x1b" not in on_terminal(*line.split(), cwd=site, TERM="dumb").stdout
    piped = program(*line.split(), cwd=site)
    assert "\x1b" not in piped.stdout + piped.stderr
    assert ended.status == plain.status == piped.status


def test_json_is_never_coloured(site: Path) -> None:
    for line in ("dry-run", "show 1"):
        assert "\x1b" not in on_terminal(*line.split(), "--format", "json", cwd=site).stdout


def test_a_run_shows_progress_on_a_terminal_and_lines_for_people(site: Path) -> None:
    ended = on_terminal("run", cwd=site)
    assert ended.status == 3
    assert PROGRESS.search(ended.stdout)
    shown = as_seen(ended)
    assert re.search(r"^done +1 request_user_modify: inform_transaction_complete$", shown, re.MULTILINE)
    assert re.search(r"^held +2 request_user_modify: held\?$", shown, re.MULTILINE)
    assert "2 packets: 1 done, 1 held (see `amierules status`)" in shown


def test_the_lines_of_a_run_go_to_a_file_though_progress_is_on_a_terminal(site: Path) -> None:
    with (site / "log").open("wb") as log:
        ended = on_terminal("run", cwd=site, stdout=log)
    assert [line.partition(" ")[0] for line in (site / "log").read_text().splitlines()] == ["packet=1", "packet=2"]
    assert "packet=1" not in ended.stdout
    assert PROGRESS.search(ended.stdout)


def test_without_colours_the_progress_has_none_either(site: Path) -> None:
    assert not COLOUR.search(on_terminal("run", cwd=site, NO_COLOR="1").stdout)


def test_elsewhere_a_run_prints_one_line_a_packet(site: Path) -> None:
    ended = program("run", cwd=site)
    assert ended.status == 3
    first, second = ended.stdout.splitlines()
    remote = call("show", "1", "--format", "json").json("show")["packet"]["header"]["packet_rec_id"]
    assert first == (
        f"packet=1 remote={remote} type=request_user_modify rule=answer status=done reply=inform_transaction_complete"
    )
    assert second.endswith(" type=request_user_modify rule=ask status=held reason=held?")
    assert ended.stderr == "2 packets: 1 done, 1 held (see `amierules status`)\n"


def test_a_log_line_can_be_taken_apart_again(site: Path) -> None:
    rule = 'packet: request_user_modify\nrules: [{name: "a rule", hold: "{{ packet.PersonID }}"}]\n'
    (site / "rules" / "request_user_modify.yaml").write_text(rule)
    said = 'a "quoted" x=1\nand\\ more'
    assert call("load", write(site / "x.json", packets(said))).status == 0
    last = call("run").stdout.splitlines()[-1]
    assert ' rule="a rule" status=held ' in last
    assert last.endswith(' reason="a \\"quoted\\" x=1\\\\nand\\\\ more"')


@pytest.mark.parametrize("columns", [60, 120])
def test_lists_fit_the_terminal(site: Path, columns: int) -> None:
    long = "very " * 60 + "long"
    rule = 'packet: request_user_modify\nrules: [{name: it, hold: "{{ packet.PersonID }}"}]\n'
    (site / "rules" / "request_user_modify.yaml").write_text(rule)
    assert call("load", write(site / "x.json", packets(long))).status == 0
    for line in ("run", "status"):
        shown = as_seen(on_terminal(line, cwd=site, columns=columns))
        rows = [row for row in shown.splitlines() if row.endswith("…")]
        assert len(rows) == 1
        assert columns - 10 <= len(rows[0]) <= columns
        assert long not in shown


@pytest.mark.parametrize("line", ["show 1", "run", "dry-run -f json"])
@pytest.mark.parametrize("both", [False, True])
def test_a_reader_that_goes_away_is_no_error(site: Path, line: str, both: bool) -> None:
    real.require("bash")
    script = f"{PROGRAM} {line} {'2>&1' if both else ''} | head -c 1; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", script], cwd=site, capture_output=True, text=True, check=True)
    assert "Traceback" not in ended.stderr + ended.stdout
    assert "Broken" not in ended.stderr
    assert ended.stdout[1:].strip() in ("0", "1", "3")


def test_a_run_goes_on_when_nobody_reads_along(site: Path) -> None:
    real.require("bash")
    subprocess.run(["bash", "-c", f"{PROGRAM} run | head -c 1"], cwd=site, capture_output=True, check=True)
    listed = program("status", "--all", "--format", "json", cwd=site)
    assert not [one for one in json.loads(listed.stdout)["packets"] if one["status"] == "ready"]


def test_a_closed_output_is_no_error(site: Path) -> None:
    ended = subprocess.run(
        ["bash", "-c", f"{PROGRAM} status >&-"], cwd=site, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in ended.stderr


def test_a_full_disk_is_said(site: Path) -> None:
    ended = subprocess.run(
        ["bash", "-c", f"{PROGRAM} dry-run > /dev/full"], cwd=site, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in ended.stderr
    assert ended.returncode not in (0, 1)


def test_letters_that_the_terminal_lacks_are_escaped(site: Path) -> None:
    assert call("load", write(site / "x.json", packets("Zoë 日本"))).status == 0
    ended = program("show", "3", cwd=site, PYTHONIOENCODING="ascii")
    assert (ended.status, ended.stderr) == (0, "")
    assert "Zo\\xeb \\u65e5\\u672c" in ended.stdout
    shown = program("show", "3", "--format", "json", cwd=site, PYTHONIOENCODING="ascii").json("show")
    assert shown["packet"]["body"]["PersonID"] == "Zoë 日本"


def test_ctrl_c_twice_ends_a_run_at_once_with_130_and_nothing_is_lost(site: Path) -> None:
    rule = (
        "packet: request_user_modify\nrules:\n  - name: slow\n    actions: [{name: sleep, command: 'sleep 60'}]\n"
        "    reply: {}\n"
    )
    (site / "rules" / "request_user_modify.yaml").write_text(rule)
    command = [str(PROGRAM), "run"]
    with subprocess.Popen(
        command,
        cwd=site,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background are told to ignore it; a person's terminal is not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 30
        while not call("show", "1", "--format", "json").json("show")["steps"] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.stderr is not None
        os.kill(process.pid, signal.SIGINT)
        assert "Ctrl-C again ends it at once" in process.stderr.readline()
        os.kill(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors + output
    assert errors.splitlines()[-1] == "interrupted"
    ended = call("run", "1")
    assert ended.status == 3
    assert "status=in_doubt" in ended.stdout
    assert call("resolve", "1", "sleep", "--done").stdout == "packet 1 is ready\n"
    assert "status=done" in call("run", "1").stdout
