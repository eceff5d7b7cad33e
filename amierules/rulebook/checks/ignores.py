"""Comments that silence a finding on their line: `# amierules: ignore[CODE]`."""

import re
from collections.abc import Iterable, Iterator

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode

_COMMENT = re.compile(r"(?:^|\s)#\s*amierules:\s*ignore\[([^\]\n]*)\]")


_NO_BRACKETS = re.compile(r"(?:^|\s)(?P<comment>#\s*amierules:\s*ignore(?!\w|\s*\[).*)")


def silenced(text: str, root: Node, findings: Iterable[Finding], path: str) -> list[Finding]:
    """The findings without those that a comment silences, and a note for each comment that silences nothing."""
    comments = {
        number: {code.strip(): False for code in found[1].split(",")}
        for number, line in enumerate(text.splitlines(), 1)
        if (found := _COMMENT.search(line)) is not None
    }
    unread = list(_without_brackets(text, path))
    if not comments:
        return [*findings, *unread]
    headers = dict(_lines_of_blocks(root))
    kept = []
    for finding in findings:
        line = finding.place.line if finding.place is not None else 0
        codes = next(
            (comments[one] for one in (line, headers.get(line, 0)) if finding.code in comments.get(one, ())), None
        )
        if codes is None:
            kept.append(finding)
        else:
            codes[finding.code] = True
    return [*kept, *_unused(text, comments, path, kept), *unread]


def _without_brackets(text: str, path: str) -> Iterator[Finding]:
    for number, line in enumerate(text.splitlines(), 1):
        if (found := _NO_BRACKETS.search(line)) is not None:
            place = Place(path, number, found.start("comment") + 1, len(found["comment"].rstrip()))
            message = "this comment silences nothing: its codes stand in brackets"
            yield Finding("unused-ignore", message, place, "write # amierules: ignore[CODE]", Severity.NOTE)


def _unused(text: str, comments: dict[int, dict[str, bool]], path: str, left: Iterable[Finding]) -> Iterator[Finding]:
    codes_left = {(one.place.line, one.code) for one in left if one.place is not None and one.place.file == path}
    lines = text.splitlines()
    for number, codes in comments.items():
        for code, was_used in codes.items():
            if not was_used:
                line = lines[number - 1]
                column = max(line.find(code, line.find("ignore[") + 7), 0) + 1
                message = f"there is nothing to ignore here with the code '{printable(code, 60)}'"
                place = Place(path, number, column, max(1, len(code)))
                hint = _meant(number, code, codes_left)
                yield Finding("unused-ignore", message, place, hint or "remove the comment", Severity.NOTE)


def _meant(number: int, code: str, left: Iterable[tuple[int, str]]) -> str:
    """What a comment that silences nothing is most likely meant to silence: a code, or one on the next line."""
    here = did_you_mean(code, [one for line, one in left if line == number])
    below = any(line == number + 1 and one == code for line, one in left)
    return f"did you mean '{here}'?" if here else f"put it at the end of line {number + 1}" if below else ""


def _lines_of_blocks(node: Node) -> Iterator[tuple[int, int]]:
    """The lines of texts over several lines, in which no comment can stand, each with the line where one can."""
    match node:
        case ScalarNode():
            first = node.place.line
            yield from ((first + further, first) for further in range(1, node.raw.count("\n") + 1))
        case ListNode():
            for item in node.items:
                yield from _lines_of_blocks(item)
        case MappingNode():
            for value in node.values.values():
                yield from _lines_of_blocks(value)
