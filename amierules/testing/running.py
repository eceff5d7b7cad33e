"""Running test files: each test on a site of its own, and why it fails."""

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree

from amierules.diagnostics import Place, printable
from amierules.ports.scripted import Call, ScriptedCommand
from amierules.rulebook.yaml_writing import inline
from amierules.testing.comparing import differences
from amierules.testing.failure import Failure
from amierules.testing.model import CannotBePlayed, Case, CaseFile, ScriptedFailure, ScriptedKind, UsageCase
from amierules.testing.playing import Played, play
from amierules.testing.recording import unused_failures
from amierules.testing.stage import Stage
from amierules.testing.usage_comparing import usage_failures
from amierules.testing.usage_playing import play_usage
from amierules.testing.watching import Used


@dataclass
class Result:
    """What came of one test."""

    file: CaseFile
    case: Case | UsageCase
    stage: Stage
    failures: list[Failure] = field(default_factory=list)
    turn: int = 0
    """The turn that failed, or the last one: 0 for the test's own, then those of `then`."""
    used: frozenset[Used] = frozenset()
    """What of the rules it used."""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether all came as expected."""
        return not self.failures


@dataclass
class FileRun:
    """The tests of one file, and what all of them together must have used."""

    file: CaseFile
    stage: Stage
    new_folder: Callable[[], Path]
    used_places: set[Place] = field(default_factory=set)
    """Where the scripts stand that were used."""

    def results(self, cases: Sequence[Case | UsageCase]) -> Iterator[Result]:
        """Run these tests of the file, one after the other."""
        for case in cases:
            yield self._run(case)

    def left_over(self) -> list[Failure]:
        """What is scripted for all tests of the file, and used by none."""
        shared = self.file.shared
        commands = [one for one in shared.commands if one.label not in self.used_places]
        failures = [one for one in shared.failures if one.place not in self.used_places]
        kinds = [one for one in shared.kinds if one.place not in self.used_places]
        return [*map(_unused_command, commands), *map(_unused_kind, kinds), *map(_unused_failure, failures)]

    def _run(self, case: Case | UsageCase) -> Result:
        result = Result(self.file, case, self.stage)
        begin = time.perf_counter()
        folder = self.new_folder()
        played: Played | None = None
        self.stage.watch.used.clear()
        try:
            if isinstance(case, UsageCase):
                came = play_usage(self.stage, case, folder)
                result.failures = list(usage_failures(case.expect, came, case.jobs))
            else:
                played = self._turns(case, result, folder)
        except CannotBePlayed as error:
            result.failures = [Failure(one.place or case.place, one.message, one.hint) for one in error.findings]
        finally:
            rmtree(folder, ignore_errors=True)
        result.used = frozenset(self.stage.watch.used | (played.used if played is not None else set()))
        result.seconds = time.perf_counter() - begin
        return result

    def _turns(self, case: Case, result: Result, folder: Path) -> Played | None:
        """Play the turns, and put into the result why one fails."""
        played: Played | None = None
        turns = zip(case.turns, play(self.stage, case, folder), strict=True)
        for result.turn, (turn, played) in enumerate(turns):
            result.failures = self._failures(played)
            if not result.failures:
                result.failures = [
                    Failure(one.place, one.what, difference=one) for one in differences(turn.expect, played.came[-1])
                ]
            if result.failures:
                # What comes later may be a consequence.
                break
        else:
            result.failures = self._unused(played) if played is not None else []
        return played

    def _failures(self, played: Played) -> list[Failure]:
        """What makes all else that came of a turn a consequence."""
        assert played.host is not None  # noqa: S101 - it has been played
        script = played.host.script
        self.used_places |= {one.label for one in script.commands if one.asked and isinstance(one.label, Place)}
        self.used_places |= {one.place for one in played.recorder.failures if one.used}
        self.used_places |= {one.place for one in played.recorder.own_kinds if one.used}
        if script.unanswered:
            return [_unanswered(call, script.exhausted(call), self.file) for call in script.unanswered]
        if played.recorder.unscripted:
            return [_unscripted(step, kind) for step, kind in dict.fromkeys(played.recorder.unscripted)]
        crash = played.came[-1].crash
        if crash is not None:
            return [Failure(None, f"internal error: {printable(crash.strip().splitlines()[-1])}")]
        return [
            Failure(turn.crash_place, f"no step '{turn.crash_after}' has had an effect that could be lost in a crash")
            for turn in played.crashes_missed
        ]

    def _unused(self, played: Played) -> list[Failure]:
        assert played.host is not None  # noqa: S101 - it has been played
        shared = {one.label for one in self.file.shared.commands}
        commands = [one for one in played.host.script.commands if one.left and one.label not in shared]
        failures = [one for one in unused_failures(played.recorder.failures) if not one.shared]
        kinds = [one for one in played.recorder.own_kinds if not (one.used or one.shared)]
        return [*map(_unused_command, commands), *map(_unused_kind, kinds), *map(_unused_failure, failures)]


def _unanswered(call: Call, exhausted: ScriptedCommand | None, file: CaseFile) -> Failure:
    shown = printable(shlex.join(call.words), 200)
    where = f" on {','.join(call.nodes)}" if call.nodes else ""
    place = exhausted.label if exhausted is not None and isinstance(exhausted.label, Place) else None
    if place is not None:
        message = f"`{shown}`{where} is run once more than it has answers"
        return Failure(place, message, "add an answer to `answers`")
    nodes = f", nodes: {inline(','.join(call.nodes))}" if call.nodes else ""
    words = inline(shlex.join(call.words) if all(map(str.isprintable, call.words)) else list(call.words))
    hint = f"script it under `given: {{world: {{commands: [...]}}}}`: - {{run: {words}{nodes}, rc: 0}}"
    return Failure(None, f"`{shown}`{where} is run, and the test has no answer for it", hint)


def _unscripted(step: str, kind: str) -> Failure:
    message = f"'{printable(step, 80)}' is of the kind {kind} of a package: the test must say what it comes to"
    hint = f"script it under `given: {{world: {{kinds: [...]}}}}`: - {{kind: {kind}, result: {{...}}}}"
    return Failure(None, message, hint)


def _unused_kind(one: ScriptedKind) -> Failure:
    called = f" and called '{printable(one.step, 80)}'" if one.step is not None else ""
    return Failure(one.place, f"no step is of the kind {one.kind}{called}", "remove the script, or correct it")


def _unused_command(command: ScriptedCommand) -> Failure:
    place = command.label if isinstance(command.label, Place) else None
    shown = printable(shlex.join(command.pattern), 200)
    if command.asked:
        message = f"`{shown}` is run {command.asked} times, and has {len(command.answers)} answers"
        return Failure(place, message, "remove the answers that nobody asks for")
    return Failure(place, f"nobody runs `{shown}`", "remove the script, or correct its words")


def _unused_failure(one: ScriptedFailure) -> Failure:
    step = printable(one.step, 80)
    if one.used:
        return Failure(one.place, f"'{step}' fails {one.used} times, not {one.times}", "correct `times`")
    when = "looks" if one.at_probe else "changes anything"
    return Failure(one.place, f"no step '{step}' {when}, and none fails", "correct the step's path, or remove it")
