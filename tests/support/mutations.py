"""Slips of the hand in rule files: one small change each, and the lines on which it may be told."""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_KEY = re.compile(r"(?:(?<=[{,] )|(?<=[{,])|(?:^ *(?:- )?))([A-Za-z_]\w*)(?=: |:$)")
_WORD = re.compile(r"[A-Za-z_]\w{2,}")
_TAG = re.compile(r"(?<=packet\.)\w+|(?<=subject\.)\w+|(?<=[\[ ])[A-Z][a-z]+[A-Z]\w+(?=[,\]:])")


@dataclass(frozen=True)
class Mutation:
    """One change of one line. `line` counts from 1; `word` is the name that is no longer there, or empty."""

    kind: str
    file: str
    line: int
    text: str
    word: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.file}:{self.line}"


Change = tuple[str | None, str]
"""A line as it becomes (None: it is gone), and the word that was changed."""


def _chosen(found: list[re.Match[str]], chance: random.Random) -> re.Match[str] | None:
    return chance.choice(found) if found else None


def _letter_dropped(line: str, chance: random.Random) -> Change | None:
    word = _chosen(list(_WORD.finditer(line)), chance)
    if word is None:
        return None
    at = chance.randrange(word.start(), word.end())
    return line[:at] + line[at + 1 :], word[0]


def _letters_swapped(line: str, chance: random.Random) -> Change | None:
    word = _chosen(list(_WORD.finditer(line)), chance)
    if word is None:
        return None
    at = chance.randrange(word.start(), word.end() - 1)
    return line[:at] + line[at + 1] + line[at] + line[at + 2 :], word[0]


def _key_renamed(line: str, chance: random.Random) -> Change | None:
    key = _chosen(list(_KEY.finditer(line)), chance)
    return None if key is None else (line[: key.start(1)] + "x" + line[key.start(1) :], key[1])


def _tag_misspelt(line: str, chance: random.Random) -> Change | None:
    tag = _chosen(list(_TAG.finditer(line)), chance)
    if tag is None:
        return None
    at = chance.randrange(tag.start() + 1, tag.end())
    return line[:at] + chance.choice("qxz") + line[at + 1 :], tag[0]


def _indent_moved(line: str, chance: random.Random) -> Change | None:
    by = chance.choice((-2, -1, 1, 2))
    if not line.strip() or (by < 0 and not line.startswith(" " * -by)):
        return None
    return (" " * by + line if by > 0 else line[-by:]), ""


def _removed(pattern: str) -> Callable[[str, random.Random], Change | None]:
    def change(line: str, chance: random.Random) -> Change | None:
        found = _chosen(list(re.finditer(pattern, line)), chance)
        return None if found is None else (line[: found.start()] + line[found.end() :], "")

    return change


def _line_deleted(line: str, _chance: random.Random) -> Change | None:
    key = _KEY.search(line)
    return (None, key[1] if key else "") if line.strip() else None


KINDS: Mapping[str, Callable[[str, random.Random], Change | None]] = {
    "letter dropped": _letter_dropped,
    "letters swapped": _letters_swapped,
    "key renamed": _key_renamed,
    "tag misspelt": _tag_misspelt,
    "indent moved": _indent_moved,
    "quote removed": _removed(r"[\"']"),
    "dash removed": _removed(r"(?<=^)(?<= )?- |(?<= )- "),
    "brace removed": _removed(r"[{}\[\]]"),
    "colon removed": _removed(r":(?= |$)"),
    "line deleted": _line_deleted,
}


def mutations(texts: Mapping[str, str], each: int, seed: int) -> Iterator[Mutation]:
    """So many changes of each kind, all different."""
    chance = random.Random(seed)
    files = sorted(texts)
    for kind, change in KINDS.items():
        seen: set[str] = set()
        while len(seen) < each:
            file = chance.choice(files)
            lines = texts[file].split("\n")
            at = chance.randrange(len(lines))
            changed = change(lines[at], chance)
            if changed is None or changed[0] == lines[at]:
                continue
            line, word = changed
            text = "\n".join([*lines[:at], *([] if line is None else [line]), *lines[at + 1 :]])
            if file + text not in seen:
                seen.add(file + text)
                yield Mutation(kind, file, at + 1, text, word)
