"""Comments that silence a finding on their line: `# amierules: ignore[CODE]`."""

import re
from collections.abc import Iterable, Iterator

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode

_COMMENT = re.compile(r"(?:^|\s)#\s*amierules:\s*ignore\[([^\]\n]*)\]")


def silenced(text: str, root: Node, findings: Iterable[Finding], path: str) -> list[Finding]:
    """The findings without those that a comment silences, and a note for each comment that silences nothing."""
    comments = {
        number: {code.strip(): False for code in found[1].split(",")}
        for number, line in enumerate(text.splitlines(), 1)
        if (found := _COMMENT.search(line)) is not None
    }
    if not comments:
        return list(findings)
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
    return [*kept, *_unused(text, comments, path)]


def _unused(text: str, comments: dict[int, dict[str, bool]], path: str) -> Iterator[Finding]:
    lines = text.splitlines()
    for number, codes in comments.items():
        for code, was_used in codes.items():
            if not was_used:
                line = lines[number - 1]
                column = max(line.find(code, line.find("ignore[") + 7), 0) + 1
                message = f"there is nothing to ignore here with the code '{printable(code, 60)}'"
                place = Place(path, number, column, max(1, len(code)))
                yield Finding("unused-ignore", message, place, "remove the comment", Severity.NOTE)


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
