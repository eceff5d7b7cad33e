"""Programs' answers as a rule test scripts them: which calls they are for, and what was asked without one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from amierules.ports.nodes import Ending

REST = "..."
"""As the last word of a pattern: any further words, or none."""


@dataclass(frozen=True)
class Answer:
    """What a program leaves: its exit status and output, or why there is none."""

    rc: int = 0
    stdout: str = ""
    stderr: str = ""
    timed_out: bool = False
    not_started: str | None = None
    """Why the program cannot be started."""
    ending: Ending = Ending.ENDED
    """How it ends on another node."""
    on: Mapping[str, "Answer"] = field(default_factory=dict)
    """What it leaves on single nodes, where that is something else."""


@dataclass(frozen=True)
class Call:
    """A program that is run: its words as they may be shown, and the other nodes, if it is run on such."""

    words: tuple[str, ...]
    nodes: tuple[str, ...] | None = None


@dataclass
class ScriptedCommand:
    """Calls that are answered. With `answers` each answers one call, in order; else `always` answers them all."""

    pattern: tuple[str, ...]
    """Words, in which `*` stands for any characters; a last word `...` stands for any further ones."""
    nodes: tuple[str, ...] | None
    always: Answer | None = None
    answers: Sequence[Answer] = ()
    label: object = None
    """Whatever the test knows it by."""
    asked: int = 0

    def is_for(self, call: Call) -> bool:
        """Whether the call is one of these."""
        return self.nodes == call.nodes and matches(self.pattern, call.words)

    @property
    def left(self) -> int:
        """How many answers nobody has asked for."""
        return int(self.asked == 0) if self.always is not None else max(len(self.answers) - self.asked, 0)


@dataclass
class Script:
    """The scripted answers of a test, and the calls that none was for."""

    commands: list[ScriptedCommand] = field(default_factory=list)
    unanswered: list[Call] = field(default_factory=list)

    def answer(self, call: Call) -> Answer | None:
        """The answer to a call; of several that fit, the first that has one left. None where there is none."""
        for command in self.commands:
            if command.is_for(call) and (command.always is not None or command.left):
                command.asked += 1
                return command.always if command.always is not None else command.answers[command.asked - 1]
        return None

    def refuse(self, call: Call) -> str:
        """Notes a call that is not answered; returns why, as the program's caller gets to know it."""
        self.unanswered.append(call)
        return "the rule test has no answer for it"

    def exhausted(self, call: Call) -> ScriptedCommand | None:
        """The script for such a call whose answers are all used up, if there is one."""
        return next((command for command in self.commands if command.is_for(call)), None)


def matches(pattern: Sequence[str], words: Sequence[str]) -> bool:
    """Whether the words of a call are those of a pattern."""
    if pattern and pattern[-1] == REST:
        pattern = pattern[:-1]
        words = words[: len(pattern)]
    return len(pattern) == len(words) and all(map(_matches, pattern, words))


def _matches(pattern: str, word: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), word, re.DOTALL) is not None
