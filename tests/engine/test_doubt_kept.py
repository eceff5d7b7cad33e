"""A step that was begun stays in doubt until it was looked at: whatever its rule, by now, says of failures or does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from amierules.diagnostics import NotAllowed
from amierules.engine.doubt import Resolution, settle_doubt
from amierules.engine.site import Site
from tests.support.sites import (
    MakeSite,
    decision,
    load,
    plan,
    reason_of,
    replies_to,
    reply_to,
    rpi,
    run,
    status_of,
    steps_of,
)

HEAD = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
REPLY = "    reply: {copy: [ProjectID, ResourceList], fields: {Comment: \"{{ 'failed' if %s else 'done' }}\"}}\n"
NOBODY = "nobody recorded how it ended"


class Killed(BaseException):
    """The process is gone."""


def die(point: str) -> None:
    if point == "after effect":
        raise Killed


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def guard(tmp_path: Path, log: Path) -> Path:
    """A program that says whether the command has ended."""
    file = tmp_path / "guard"
    file.write_text(f"#!/bin/sh\ngrep -q done {log}\n")
    file.chmod(0o755)
    return file


Write = Callable[..., str]


@pytest.fixture
def written(log: Path, guard: Path) -> Write:
    """Rules with one command, which adds a line to the log."""

    def write(*keys: str, line: str = "done", reply: str = "false", guarded: bool = True) -> str:
        unless = f", unless: {{run: ['{guard}']}}" if guarded else ""
        action = f"name: c, command: {{run: [sh, -c, 'echo {line} >> {log}']{unless}}}"
        return HEAD + f"      - {{{', '.join([action, *keys])}}}\n" + REPLY % reply

    return write


def _killed(make: MakeSite, rules: str) -> tuple[Site, int]:
    site = make(rules)
    (packet,) = load(site, rpi())
    with pytest.raises(Killed):
        run(site, crash_point=die)
    return site, packet


def _in_doubt(site: Site, packet: int, status: str) -> None:
    """It is held up in that status, nothing was answered, and no person may end it without a word about the step."""
    assert (status_of(site, packet), steps_of(site, packet)["c"].state) == (status, "started")
    assert NOBODY in reason_of(site, packet)
    assert replies_to(site, packet) == []
    for word in ("fail", "complete"):
        with pytest.raises(NotAllowed, match="c was begun, and nobody recorded how it ended") as error:
            decision(site, packet, word)
        assert f'amierules resolve {packet} "c" --done|--redo' in error.value.findings[0].hint


# ------------------------------------------------------------------ on_error


@pytest.mark.parametrize("on_error", ["continue", "fail", "hold", "park"])
def test_on_error_does_not_cover_a_step_in_doubt_whose_guard_cannot_be_asked(
    make: MakeSite, written: Write, guard: Path, log: Path, on_error: str
) -> None:
    site, packet = _killed(make, written(f"on_error: {on_error}, register: out", reply="'failed' in out"))
    away = guard.rename(guard.with_name("away"))
    run(site)
    _in_doubt(site, packet, "parked")
    away.rename(guard)
    decision(site, packet, "retry")
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    assert reply_to(site, packet).packet.body["Comment"] == "done"
    assert log.read_text() == "done\n"


def test_nor_does_one_beside_use(make: MakeSite, guard: Path, log: Path) -> None:
    block = f"block: b\nactions:\n  - {{name: c, command: {{run: [sh, -c, 'echo done >> {log}'], unless: "
    block += f"{{run: ['{guard}']}}}}}}\n"
    rules = HEAD + "      - {name: u, use: b, on_error: continue}\n" + REPLY % "false"
    site = make({"a.yaml": rules, "blocks/b.yaml": block})
    (packet,) = load(site, rpi())
    with pytest.raises(Killed):
        run(site, crash_point=die)
    guard.unlink()
    run(site)
    assert (status_of(site, packet), steps_of(site, packet)["u/c"].state) == ("parked", "started")


def test_nor_one_whose_words_do_not_render_any_more(make: MakeSite, log: Path) -> None:
    run_it = f"[sh, -c, 'echo done >> {log}', '{{{{ site.word }}}}']"
    rules = HEAD + f"      - {{name: c, on_error: continue, command: {{run: {run_it}}}}}\n" + REPLY % "false"
    site = make(rules, settings={"word": "x"})
    (packet,) = load(site, rpi())
    with pytest.raises(Killed):
        run(site, crash_point=die)
    assert steps_of(site, packet)["c"].state == "started"
    site = make(rules.replace("site.word", "site.word.x"))
    run(site)
    _in_doubt(site, packet, "parked")


# ------------------------------------------------------------------ edited rules


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize(
    ("edited", "said"),
    [
        ("{name: c, command: {run: [sh, -c, 'echo other >> LOG'], unless: {run: [grep, -q, other, LOG]}}}", "run: sh"),
        ("{name: c, command: {run: [cat, LOG], read_only: true}}", "run: sh"),
        ("{name: c, project: {title: x}}", "it was a command, now a project"),
    ],
)
def test_a_step_in_doubt_that_is_edited_is_a_persons(
    make: MakeSite, written: Write, log: Path, guarded: bool, edited: str, said: str
) -> None:
    _, packet = _killed(make, written(guarded=guarded))
    site = make(HEAD + f"      - {edited}\n".replace("LOG", str(log)) + REPLY % "false")
    (report,) = plan(site, [packet])
    assert report.decision.kind == "hold"
    run(site)
    _in_doubt(site, packet, "held")
    assert f"c was begun before its rule was changed ({said}" in reason_of(site, packet)
    assert log.read_text() == "done\n"
    # Either the rule is put back, and the guard asked, or a person says how it ended.
    if guarded:
        site = make(written())
        decision(site, packet, "retry")
    else:
        settle_doubt(site, packet, "c", Resolution(True, None, "looked", "pat"))
        site = make(written(guarded=False))
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    assert reply_to(site, packet).packet.body["Comment"] == "done"
    assert log.read_text() == "done\n"


def test_one_that_is_only_written_otherwise_is_not(make: MakeSite, written: Write, log: Path) -> None:
    _, packet = _killed(make, written())
    site = make(written("on_error: hold"))
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    assert log.read_text() == "done\n"


# ------------------------------------------------------------------ what is done


@pytest.mark.parametrize("on_error", ["continue", "park"])
def test_what_was_done_stays_done_where_its_words_do_not_render_any_more(
    make: MakeSite, log: Path, tmp_path: Path, on_error: str
) -> None:
    rules = HEAD + (
        f"      - {{name: c, on_error: {on_error}, register: out, command: [sh, -c, 'echo done >> {log}', "
        "'{{ resource.word }}']}\n"
        f"      - {{name: last, command: [test, -e, '{tmp_path}/go']}}\n" + REPLY % "'failed' in out"
    )
    site = make(rules, resources={"alpha.site.example": {"word": "x"}})
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "parked"
    (tmp_path / "go").touch()
    site = make(rules)
    decision(site, packet, "retry")
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    assert reply_to(site, packet).packet.body["Comment"] == "done"
    assert log.read_text() == "done\n"


def test_one_that_continue_passed_over_is_tried_again_once_continue_is_gone(make: MakeSite, tmp_path: Path) -> None:
    rules = HEAD + (
        f"      - {{name: c, on_error: continue, command: [test, -e, '{tmp_path}/mended']}}\n"
        f"      - {{name: last, command: [test, -e, '{tmp_path}/go']}}\n" + REPLY % "false"
    )
    site = make(rules)
    (packet,) = load(site, rpi())
    run(site)
    assert reason_of(site, packet).startswith("last:")
    (tmp_path / "go").touch()
    site = make(rules.replace("on_error: continue, ", ""))
    decision(site, packet, "retry")
    run(site)
    assert reason_of(site, packet).startswith("c:")
    (tmp_path / "mended").touch()
    decision(site, packet, "retry")
    run(site)
    assert status_of(site, packet) == "done"
