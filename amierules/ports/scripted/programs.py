"""Programs on this host in a rule test: scripted answers first, then the programs that have a model."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from amierules.ports.processes import Completed, Hidden, NotStarted
from amierules.ports.scripted.answers import Call, Script

Program = Callable[[Sequence[str]], tuple[int, str, str]]
"""A model of a program: takes the words after its name; returns exit status, standard output and standard error."""

_KILLED = -9


@dataclass
class ScriptedProcesses:
    """Runs nothing; see `amierules.ports.processes.Processes`."""

    script: Script
    programs: Mapping[str, Program] = field(default_factory=dict)
    """Models of programs by name, without folder."""

    def run(
        self,
        argv: Sequence[str | Hidden],
        *,
        stdin: str | Hidden | None = None,
        env: Mapping[str, str | Hidden] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
    ) -> Completed:
        """What the program would leave. Raises `NotStarted`, also where nothing answers."""
        shown = tuple(str(word) for word in argv)
        call = Call(shown)
        answer = self.script.answer(call)
        if answer is None:
            program = self.programs.get(os.path.basename(shown[0])) if shown else None
            if program is None:
                raise NotStarted(f"{shown[0] if shown else ''}: {self.script.refuse(call)}")
            words = [word if isinstance(word, str) else word.reveal() for word in argv]
            return Completed(shown, *program(words[1:]))
        if answer.not_started is not None:
            raise NotStarted(answer.not_started)
        if answer.timed_out:
            return Completed(shown, _KILLED, answer.stdout, answer.stderr, timed_out=True)
        return Completed(shown, answer.rc, answer.stdout, answer.stderr)
