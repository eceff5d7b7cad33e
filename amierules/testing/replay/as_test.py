"""`show --as-test`: the test is drafted from the past, played to see what it takes, played again, and written."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from amierules.diagnostics import Invalid, printable
from amierules.engine.site import Site
from amierules.ports.cluster import ClusterNodes
from amierules.ports.scripted import Answer, Call
from amierules.rulebook.yaml_writing import block
from amierules.testing.model import CannotBePlayed, Case
from amierules.testing.playing import MakeRecorder, Played, play, recorder_on
from amierules.testing.reading import read_case_file
from amierules.testing.replay.arranging import Arranged, ArrangingRecorder
from amierules.testing.replay.coming_true import differences_of, expected_of, registry_after
from amierules.testing.replay.drafting import decisions_of, failures_of, given_of, hider_of, packet_of, rows_of
from amierules.testing.replay.hiding import Hider
from amierules.testing.replay.host_contents import as_world
from amierules.testing.replay.past import Past, read_past
from amierules.testing.stage import Stage, Stages

_MODELINE = "# yaml-language-server: $schema=../schemas/rule-test.schema.json"
_ABOUT = (
    "# A packet of {moment}. People's names, addresses, numbers and logins are replaced by others of the same shape;",
    "# look it over all the same before you show it to others: what programs printed may name further people.",
)
_UNTOLD = {"partial": True, "changes": []}
"""An expectation for a playing that shows what comes."""


@dataclass(frozen=True)
class Written:
    """A test of what happened to a packet."""

    test: Mapping[str, Any]
    comments: Sequence[str]
    """What a person should know of it, a line each."""
    comes_again: bool
    """Whether what is expected comes: rules may have been changed since."""


def as_test(site: Site, stages: Stages, packet_rec_id: int) -> str:
    """The text of a test file with one test of what really happened to a packet; it is played on `stages`.

    Raises as `written_test` does.
    """
    written = written_test(site, stages, packet_rec_id)
    about, notes = written.comments[: len(_ABOUT)], written.comments[len(_ABOUT) :]
    lines = [_MODELINE, *about, "tests:", *(f"  {note}" for note in notes), *block([dict(written.test)], 2)]
    return "".join(f"{line}\n" for line in lines)


def written_test(site: Site, stages: Stages, packet_rec_id: int) -> Written:
    """A test of what really happened to a packet; it is played on `stages`.

    Raises `NotAllowed` where nothing has come of the packet yet, and `Invalid` where no test can be made of it.
    """
    past = read_past(site, packet_rec_id)
    rows = rows_of(past)
    hider = hider_of(site, past, rows)
    draft = _Draft(past, hider, given_of(site, past, rows, hider), packet_of(site, past.case.packet, hider))
    stage, findings = stages.of(site.configuration.path)
    if stage is None:
        raise Invalid(findings)
    return _Writer(stage, stages.new_folder, draft).written()


@dataclass
class _Draft:
    past: Past
    hider: Hider
    given: dict[str, Any]
    packet: dict[str, Any]
    decisions: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the test is called."""
        header = self.past.case.packet.header
        return f"packet {header.packet_rec_id} {header.type}"

    def test(self, expected: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """The test; without expectations, for a playing that shows what comes."""
        expect = [*expected, *[_UNTOLD] * (1 + len(self.decisions) - len(expected))]
        then = [{"decide": one, "expect": turn} for one, turn in zip(self.decisions, expect[1:], strict=True)]
        given = {name: one for name, one in self.given.items() if one}
        whole = {"name": self.name, "given": given, "packet": self.packet, "expect": expect[0]}
        return {**whole, "then": then} if then else whole


@dataclass
class _Writer:
    stage: Stage
    new_folder: Callable[[], Path]
    draft: _Draft

    def written(self) -> Written:
        """The test."""
        self._arrange()
        played, failures = self._decided()
        came = played.came
        draft = self.draft
        differ = differences_of(draft.past.came, came[-1], draft.hider)
        expected = [*(expected_of(one) for one in came[:-1]), expected_of(came[-1], differ)]
        changed = registry_after(came[-1], draft.given.get("registry", {}))
        if changed:
            expected[-1]["registry"] = changed
        draft.notes += [*failures, *(one.note for one in differ)]
        about = [line.format(moment=draft.past.now.date()) for line in _ABOUT]
        notes = [f"# {printable(note, 400)}" for note in dict.fromkeys(draft.notes)]
        return Written(draft.test(expected), [*about, *notes], comes_again=not differ)

    def _arrange(self) -> None:
        """Find out what must be there outside, with a failure in the place of each step that failed."""
        draft = self.draft
        paths: list[str] = []
        for _ in range(2):
            world = {"failures": failures_of(draft.past, paths, draft.hider)}
            draft.given["world"] = {name: some for name, some in world.items() if some}
            arranged = Arranged()
            make = partial(ArrangingRecorder, journal=draft.past.steps, hide=draft.hider.anything, arranged=arranged)
            self._played(make)
            if paths == arranged.steps:
                break
            paths = arranged.steps
        world |= as_world(arranged.there)
        world |= {"commands": [*_commands(arranged.commands)], "kinds": arranged.kinds}
        draft.given["world"] = {name: some for name, some in world.items() if some}
        draft.notes += arranged.notes

    def _decided(self) -> tuple[Played, list[str]]:
        """The playing with what people decided, as far as it can be decided, and what could not be."""
        notes = []
        for decision in decisions_of(self.draft.past, self.draft.hider):
            self.draft.decisions.append(decision)
            try:
                self._play()
            except CannotBePlayed as error:
                self.draft.decisions.pop()
                notes.append(f"here nobody can {decision['word']} it, as somebody did: {error.findings[0].message}")
                break
        return self._play(), notes

    def _played(self, make: MakeRecorder) -> Played:
        try:
            return self._play(make)
        except CannotBePlayed as error:
            raise Invalid(error.findings) from error

    def _play(self, make: MakeRecorder = recorder_on) -> Played:
        case = self._case()
        played = None
        for played in play(self.stage, case, self.new_folder(), make):  # noqa: B007 - the last one has all
            pass
        assert played is not None  # noqa: S101 - a test has a turn
        return played

    def _case(self) -> Case:
        """The draft as the test file's own reader takes it."""
        folder = self.new_folder()
        folder.mkdir(parents=True)
        path = folder / "draft.yaml"
        path.write_text("\n".join(["tests:", *block([self.draft.test()], 2), ""]), encoding="utf-8")
        file, findings = read_case_file(path)
        if file is None:
            raise Invalid(findings)
        return file.cases[0]


def _commands(calls: Sequence[tuple[Call, Answer]]) -> Iterator[dict[str, Any]]:
    """The programs that ran, each with its answers in order."""
    by_call: dict[Call, list[Answer]] = {}
    for call, answer in calls:
        by_call.setdefault(call, []).append(answer)
    for call, answers in by_call.items():
        run: Any = shlex.join(call.words) if all(map(str.isprintable, call.words)) else list(call.words)
        nodes = {"nodes": ClusterNodes().fold(call.nodes)} if call.nodes else {}
        same = all(one == answers[0] for one in answers)
        said = _said(answers[0]) if same else {"answers": [_said(one) for one in answers]}
        yield {"run": run, **nodes, **said}


def _said(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = {"rc": answer.rc, "stdout": answer.stdout, "stderr": answer.stderr}
    found |= {"ending": str(answer.ending)} if answer.ending is not Answer().ending else {}
    on = {name: _said(one) for name, one in answer.on.items() if one != Answer(answer.rc, answer.stdout, answer.stderr)}
    return {name: one for name, one in {**found, "on": on}.items() if one not in ("", {}, 0)} or {"rc": 0}
