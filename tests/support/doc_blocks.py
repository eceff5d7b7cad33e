"""The fenced blocks of Markdown pages, and the marks before them that say what is done with them.

A mark is an HTML comment on a line of its own before the block:

- `<!-- play -->`: the commands are run, in the page's scratch folder, after those of the blocks before; in a `console`
  block what stands after a command must be among what it prints, in that order (`...` stands for anything).
- `<!-- file: PATH -->`: the block is written to that file of the scratch folder first.
- `<!-- of: WHOM -->`: the block is another program's, and only has to be well-formed.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"(?:^<!-- (play|file: \S+|of: [^>]+) -->\n+)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_WORDS_BEFORE = ("sudo", "flock", "env")


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    mark: str
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that it is written to in a played page."""
        return self.mark.removeprefix("file: ") if self.mark.startswith("file: ") else None

    @property
    def is_played(self) -> bool:
        """Whether its commands are run."""
        return self.mark == "play"

    @property
    def is_foreign(self) -> bool:
        """Whether it belongs to another program."""
        return self.mark.startswith("of: ")

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """All blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start(2)) + 1, found.group(1) or "", found.group(2), found.group(3))
        for found in _FENCE.finditer(text)
    ]


def typed_lines(block: Block) -> Iterator[tuple[str, list[str]]]:
    """The command lines of a block, each with the lines of output that follow it (those of `sh` have none)."""
    if block.language == "sh":
        joined = block.text.replace("\\\n", " ")
        yield from ((line, []) for line in joined.splitlines() if line.strip() and not line.startswith("#"))
        return
    line, output = "", list[str]()
    for one in [*block.text.splitlines(), "$ "]:
        if not one.startswith("$ "):
            output.append(one)
            continue
        if line:
            yield line, output
        line, output = one[2:], []


def simple_commands(line: str) -> Iterator[list[str]]:
    """The words of each simple command of a shell line, without redirections and what only starts another program."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    lexer.whitespace_split = True
    words: list[str] = []
    skip = False
    for token in [*lexer, ";"]:
        if set(token) <= set(";|&") and token:
            yield from [words] if words else []
            words, skip = [], False
        elif set(token) <= set("<>"):
            skip = True
            if words and words[-1].isdigit():
                words.pop()
        elif skip:
            skip = False
        else:
            words.append(token)


def our_words(words: list[str]) -> list[str] | None:
    """The words after `amierules`, None where the command is another program's."""
    for position, word in enumerate(words):
        if word == "amierules" or word.endswith("/amierules"):
            before = words[:position]
            is_run = not before or before[0] in _WORDS_BEFORE or all("=" in one for one in before)
            return words[position + 1 :] if is_run else None
    return None
