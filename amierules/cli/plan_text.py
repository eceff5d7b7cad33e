"""Plans as people read them: each packet, its steps with what they would change, and how it would be answered."""

import shlex
import textwrap
from collections.abc import Callable, Iterator, Mapping

from amierules.actions.base import Change, Word
from amierules.diagnostics import printable
from amierules.engine.decision import Decision, PacketReport, StepReport
from amierules.engine.message import Message
from amierules.templating import Secret, Unknown

Paint = Callable[[str, str], str]

_MARKS: Mapping[str, tuple[str, str, str]] = {
    "change": ("+", "good", "would change"),
    "present": ("=", "dim", "already so"),
    "done": ("=", "dim", "done"),
    "skipped": ("-", "dim", "skipped"),
    "unknown": ("?", "wait", "unknown yet"),
    "conflict": ("!", "bad", "conflict"),
    "error": ("!", "bad", "error"),
}
_ENDINGS: Mapping[str, tuple[str, str]] = {
    "reply": ("good", "would reply"),
    "complete": ("good", "would be complete:"),
    "fail": ("bad", "would be failed:"),
    "ignore": ("dim", "would be ignored:"),
    "defer": ("wait", "would be deferred:"),
    "hold": ("wait", "would be held:"),
    "park": ("bad", "would be parked:"),
    "wait": ("wait", "now"),
    "doubt": ("bad", "is in doubt:"),
    "retry": ("wait", "would be tried again:"),
    "unavailable": ("wait", "would be tried again:"),
    "recover": ("wait", "would be tried again:"),
}


def packet_name(report: PacketReport) -> str:
    """The packet as a person names it: the local id, and the remote one."""
    remote = f"r:{report.remote_packet_rec_id}" if report.remote_packet_rec_id is not None else ""
    if report.packet_rec_id is None:
        return remote or "packet"
    return f"{report.packet_rec_id} ({remote})" if remote else str(report.packet_rec_id)


def as_lines(report: PacketReport, paint: Paint, width: int) -> Iterator[str]:
    """The report of one packet."""
    rule = f"  rule: {printable(report.rule)}" if report.rule else ""
    yield paint(f"packet {packet_name(report)}  {printable(report.type)}", "strong") + rule
    names = max((len(step.path) for step in report.steps), default=0)
    for step in report.steps:
        yield from _step_lines(step, paint, min(names, 40), width)
    yield from _ending_lines(report.decision, paint, width)
    for message in report.messages:
        yield from _message_lines(message, paint, width)


def _step_lines(step: StepReport, paint: Paint, names: int, width: int) -> Iterator[str]:
    mark, style, word = _MARKS[step.state]
    reason = f"  {printable(step.reason)}" if step.reason else ""
    head = f"  {mark} {printable(step.path):<{names}}  {word}"
    yield from (paint(line, style) for line in _wrapped(head + reason, width))
    for change in step.changes:
        for line in _change_lines(change):
            yield from _wrapped(f"      {line}", width)


def _change_lines(change: Change) -> Iterator[str]:
    if change.argv is not None:
        values = [f"{name}={_word(value)}" for name, value in (change.values or {}).items()]
        yield " ".join([*values, command_line(change.argv)])
        return
    yield printable(change.summary)
    after = change.after if isinstance(change.after, Mapping) else {}
    before = change.before if isinstance(change.before, Mapping) else {}
    for name, value in after.items():
        former = f"{value_text(before[name])} -> " if before.get(name) not in (None, (), {}) else ""
        yield f"  {printable(name)}: {former}{value_text(value)}"


def command_line(words: tuple[Word, ...]) -> str:
    """An argument list as one would type it; values that are not known yet and secrets as such."""
    return " ".join(_word(word) for word in words)


def _word(word: Word) -> str:
    if isinstance(word, Unknown):
        return value_text(word)
    return "'***'" if isinstance(word, Secret) else printable(shlex.quote(str(word)), 400)


def value_text(value: object) -> str:
    """A value as one line; unknowns as what they are known after."""
    if isinstance(value, Unknown):
        known = f"(known after {value.step})"
        return f"{value_text(value.expected)} {known}" if value.has_expected else known
    if isinstance(value, list | tuple):
        return "[" + ", ".join(value_text(one) for one in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{printable(name)}: {value_text(one)}" for name, one in value.items()) + "}"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return printable(value)


def _ending_lines(decision: Decision, paint: Paint, width: int) -> Iterator[str]:
    style, word = _ENDINGS[decision.kind]
    said = printable(decision.type if decision.kind == "reply" else decision.reason, 10_000)
    word = word if said else word.removesuffix(":")
    yield from (paint(line, style) for line in _wrapped(f"  > {word} {said}".rstrip(), width))
    for name, description in decision.asked.items():
        yield from _wrapped(f"      asks for {name}: {printable(description)}", width)
    if decision.kind in ("reply", "fail") and decision.body:
        for tag, value in decision.body.items():
            yield from _wrapped(f"      {printable(tag)}: {value_text(value)}", width)


def _message_lines(message: Message, paint: Paint, width: int) -> Iterator[str]:
    about = f"{message.channel} to {message.target}" if message.target else f"a {message.channel}"
    if message.content is None:
        style, said = ("wait", "may be sent:") if message.unknown else ("bad", "cannot be made:")
        yield from (paint(line, style) for line in _wrapped(f"  @ {about} {said} {message.reason or ''}", width))
        return
    yield from (paint(line, "good") for line in _wrapped(f"  @ would send {about}", width))
    for name in ("subject", "text", "json"):
        if name in message.content:
            yield from _wrapped(f"      {name}: {value_text(message.content[name])}", width)


def _wrapped(line: str, width: int) -> list[str]:
    """The line broken at spaces to fit; what goes on is indented further. Nothing is left out."""
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False) or [
        line
    ]
