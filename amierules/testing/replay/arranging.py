"""A first playing of a test that finds out what must be there outside for each step to come to what it came to."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amierules.actions.base import ActionError, AroundKind, Change, Kind, Params, Plan, Surroundings
from amierules.actions.ldap_names import dn_of
from amierules.actions.table import KINDS
from amierules.database.journal import StepRow
from amierules.diagnostics import Place
from amierules.engine.begun import DONE, GOES_ON
from amierules.ports import Ending
from amierules.ports.scripted import Answer, Call, Script, ScriptedCommand
from amierules.testing.model import ScriptedFailure, ScriptedKind
from amierules.testing.recording import Recorder
from amierules.testing.replay.host_contents import Contents, contents, new_in, with_all_values
from amierules.testing.replay.undoing import provide_association, provide_entry, provide_user, undo
from amierules.testing.scratch_host import ScratchHost

_NOWHERE = Place("", 1, 1)
_MODELLED = frozenset(
    {"user", "group", "ldap_entry", "slurm_account", "slurm_association", "grid_mapfile", "ldap_search"}
)
"""The kinds whose back end has a model: it must hold what the step found."""


@dataclass
class Arranged:
    """What the steps need to find, and what the journal does not tell of it."""

    there: Contents = field(default_factory=dict)
    commands: list[tuple[Call, Answer]] = field(default_factory=list)
    kinds: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    """The paths of the steps that were looked at."""


class ArrangingRecorder(Recorder):
    """Before each step it sees to it that the step finds what the journal says that it found."""

    def __init__(
        self,
        host: ScratchHost,
        failures: list[ScriptedFailure],
        kinds: list[ScriptedKind],
        journal: Mapping[str, StepRow],
        hide: Callable[[Any], Any],
        arranged: Arranged,
    ) -> None:
        super().__init__(failures, kinds)
        self.host, self.journal, self.hide, self.arranged = host, journal, hide, arranged
        self.made: set[tuple[str, str]] = set()
        """What the packet itself has made or changed: it was not there before."""
        self.params: Params = {}
        host.script = _Asking(self, host.script.commands)

    def kinds(self, kinds: Mapping[str, Kind]) -> dict[str, Kind]:
        """The kinds, each of which finds what it found."""
        return super().kinds(
            {name: _Arranging(kind, name, self) if name in KINDS else kind for name, kind in kinds.items()}
        )

    def scripted(self, kind: str, step: str) -> ScriptedKind:
        """What a step of a package's kind came to."""
        row = self.journal.get(step)
        if row is not None and row.state == DONE and not any(one.step == step for one in self.own_kinds):
            said = {"kind": kind, "step": step, "present": not row.changes, "result": self.hide(row.result)}
            said = {name: value for name, value in said.items() if value not in (None, False)}
            self.arranged.kinds.append(said)
            self.own_kinds.append(ScriptedKind(kind, step, not row.changes, said.get("result"), _NOWHERE))
        return super().scripted(kind, step)

    def arrange(self, kind: Kind, name: str, params: Params, surroundings: Surroundings) -> None:
        """See to it that a step finds what it found."""
        step = surroundings.step
        self.params = params
        self.arranged.steps.append(step)
        row = self.journal.get(step)
        if row is None or name not in _MODELLED or row.state != DONE:
            return
        before = contents(self.host)
        try:
            changes = self._here(name, params, surroundings, row.changes or [])
            self._provide(name, params, surroundings, changes)
            wanted = kind.plan(params, kind.probe(params, surroundings), surroundings)
            if name == "ldap_search":
                self._put_found(row)
            elif [*map(_shape, wanted.changes)] != [*map(_recorded_shape, row.changes or [])]:
                kind.apply(params, wanted, surroundings)
                undo(self.host, params, changes)
        except ActionError as error:
            self.tell(f"{step}: what it found cannot be told from the journal ({error})")
        self._give(step, new_in(contents(self.host), before))

    def _here(self, name: str, params: Params, surroundings: Surroundings, changes: Sequence[Any]) -> list[Any]:
        """Recorded changes as they are of the people of the test."""
        hidden: list[Any] = self.hide(changes)
        if name != "ldap_entry":
            return hidden
        return [{**one, "target": dn_of(name, params, surroundings)} for one in hidden]

    def _provide(self, name: str, params: Params, surroundings: Surroundings, changes: Sequence[Any]) -> None:
        """What a step has modified was there: a plan may do nothing at all about what is not."""
        if name == "user" and any("usermod" in (change.get("argv") or ()) for change in changes):
            provide_user(self.host, params, surroundings.registry)
        elif name.startswith("slurm_"):
            provide_association(self.host, params, changes)
        elif name == "ldap_entry":
            provide_entry(self.host, params, surroundings.registry, changes)

    def made_by(self, before: Contents) -> None:
        """What a step has changed is the packet's own."""
        found = new_in(contents(self.host), before)
        self.made |= {(section, name) for section, things in found.items() for name in things}

    def tell(self, text: str) -> None:
        """Tell people something, once."""
        self.arranged.notes += [text] if text not in self.arranged.notes else []

    def _give(self, step: str, found: Contents) -> None:
        for section, things in found.items():
            for name, thing in things.items():
                given = self.arranged.there.get(section, {})
                if (section, name) in self.made and section == "directory" and name in given:
                    # The packet has changed some of its values; others that it found are among these.
                    given[name] = with_all_values(given[name], thing)
                elif (section, name) in self.made:
                    self.tell(f"{step}: what it found is what the packet itself had made before")
                else:
                    self.arranged.there.setdefault(section, {})[name] = thing

    def _put_found(self, row: StepRow) -> None:
        result = self.hide(row.result or {})
        for entry in result.get("entries") or () if isinstance(result, Mapping) else ():
            values = {name: some for name, some in entry.items() if name != "dn" and some}
            self.host.directory.put(entry["dn"], values)


@dataclass(frozen=True)
class _Arranging(AroundKind):
    """A kind of action; see `amierules.actions.base.Kind`."""

    name: str
    recorder: ArrangingRecorder

    def probe(self, params: Params, surroundings: Surroundings) -> object:
        if not surroundings.dry:
            self.recorder.arrange(self.kind, self.name, params, surroundings)
        return super().probe(params, surroundings)

    def apply(self, params: Params, plan: Plan, surroundings: Surroundings) -> object:
        before = contents(self.recorder.host)
        try:
            return super().apply(params, plan, surroundings)
        finally:
            self.recorder.made_by(before)


class _Asking(Script):
    """Answers each program as the journal says that it ended."""

    def __init__(self, recorder: ArrangingRecorder, commands: list[ScriptedCommand]) -> None:
        super().__init__(commands)
        self._recorder = recorder

    def answer(self, call: Call) -> Answer | None:
        found = super().answer(call)
        if found is not None or (
            call.nodes is None and os.path.basename(call.words[0]) in self._recorder.host.modelled()
        ):
            return found
        answer = self._from_journal(call)
        self._recorder.arranged.commands.append((call, answer))
        return answer

    def _from_journal(self, call: Call) -> Answer:
        recorder = self._recorder
        row, params = recorder.journal.get(recorder.step), recorder.params
        shown = " ".join(call.words[:1])
        guard = params.get("unless")
        if row is None or row.kind != "command":
            recorder.tell(f"{recorder.step}: the journal does not tell what {shown} answered; 0 is assumed")
            return Answer()
        if isinstance(guard, Mapping) and tuple(map(str, guard["run"])) == call.words:
            done = not row.changes and row.state == DONE
            return Answer(rc=0 if done else 1, stdout=str(guard.get("contains") or "") if done else "")
        result = recorder.hide(row.result)
        if not isinstance(result, Mapping) or "rc" not in result or result == GOES_ON:
            recorder.tell(f"{recorder.step}: the journal does not tell how {shown} ended; 0 is assumed")
            return Answer()
        on = {
            name: _answer(one) for name, one in (result.get("nodes") or {}).items() if call.nodes and name in call.nodes
        }
        usual = next(iter(on.values()), None)
        if usual is None:
            return _answer(result)
        return Answer(usual.rc, usual.stdout, usual.stderr, ending=usual.ending, on=on)


def _answer(result: Mapping[str, Any]) -> Answer:
    rc = result.get("rc")
    texts = {name: result.get(name) or "" for name in ("stdout", "stderr")}
    stdout, stderr = (text if isinstance(text, str) else "" for text in texts.values())
    return Answer(rc or 0, stdout, stderr, ending=Ending.UNREACHED if rc is None else Ending.ENDED)


def _shape(change: Change) -> tuple[str, ...]:
    words = None if change.argv is None else [str(word) for word in change.argv]
    return _of(change.op, words)


def _recorded_shape(change: Mapping[str, Any]) -> tuple[str, ...]:
    return _of(change["op"], change.get("argv"))


def _of(op: str, words: Sequence[str] | None) -> tuple[str, ...]:
    """What a change does, without the values: the operation, or the program with its options."""
    if words is None:
        return (op,)
    plain = [str(word) for word in words if not isinstance(word, Mapping)]
    options = [word.partition("=")[0] for word in plain if word.startswith("-") and word not in ("--prefix", "--root")]
    verbs = [word for word in plain[1:3] if word.isalpha() and word.islower()] if "sacctmgr" in plain[0] else []
    return (os.path.basename(plain[0]), *verbs, *options)
