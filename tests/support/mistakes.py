"""The mistakes of `tests/mistakes/`: small files with what `validate` must say of them, below the line that is wrong.

A case begins with `### title`; a line `[escapes]` below it says that `\\x..` stands for a byte. Each file of a case
begins with `+++ path`; the first needs no such line where its first key tells its path. What is expected stands below
the line that it is about, with carets under the characters that are pointed at:

    # ^^^^ code | words of the message or hint

Where it begins in the first column, the carets do too, without `#`. What is about a whole file, or about a file that
is no part of the case, stands as `! path[:line:column] code | words`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from amierules.diagnostics import Finding

CORPUS = Path(__file__).parents[1] / "mistakes"
_MARK = re.compile(r"^(#? *)(\^+) ([a-z0-9.-]+) \| (.+)$")
_ELSEWHERE = re.compile(r"^! (\S+?)(?::(\d+):(\d+))? ([a-z0-9.-]+) \| (.+)$")
_PATHS = {"packet": "rules/{}.yaml", "block": "rules/blocks/{}.yaml", "site_name": "amierules.yaml"}


@dataclass(frozen=True)
class Expected:
    """A finding as a case has it. `length` is 0 where it is about a whole file, or elsewhere."""

    file: str
    line: int
    column: int
    length: int
    code: str
    words: str

    def fits(self, finding: Finding, folder: Path) -> bool:
        """Whether a finding of a site in `folder` is this one."""
        place = finding.place
        if place is None or Path(place.file).resolve() != (folder / self.file).resolve():
            return False
        where = (place.line, place.column, place.length if self.length else 0)
        said = f"{finding.message} {finding.hint}"
        return (self.code, (self.line, self.column, self.length)) == (finding.code, where) and self.words in said


@dataclass
class Mistake:
    """One case."""

    title: str
    files: dict[str, bytes] = field(default_factory=dict)
    expected: list[Expected] = field(default_factory=list)


def mistakes() -> list[Mistake]:
    """All cases, in the order of the files."""
    return [case for path in sorted(CORPUS.glob("*.txt")) for case in _cases(path)]


def _cases(path: Path) -> Iterator[Mistake]:
    # Text after the last line break of a case is the empty line before the next one.
    for part in re.split(r"^### ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        yield _case(f"{path.stem}: {title.strip()}", body.rstrip("\n") + "\n")


def _case(title: str, body: str) -> Mistake:
    case = Mistake(title)
    escapes = body.startswith("[escapes]\n")
    for file, lines in _files(body.removeprefix("[escapes]\n").splitlines()):
        kept: list[str] = []
        for line in lines:
            if mark := _MARK.match(line):
                column, length = len(mark[1]) + 1, len(mark[2])
                case.expected.append(Expected(file, len(kept), column, length, mark[3], mark[4]))
            elif other := _ELSEWHERE.match(line):
                place = int(other[2] or 0), int(other[3] or 0)
                case.expected.append(Expected(other[1], *place, 0, other[4], other[5]))
            else:
                kept.append(line)
        text = "".join(line + "\n" for line in kept)
        content = re.sub(r"\\x(..)", lambda found: chr(int(found[1], 16)), text) if escapes else text
        case.files[file] = content.encode("latin-1" if escapes else "utf-8")
    return case


def _files(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    path, collected = _path_by_first_key(lines), list[str]()
    for line in lines:
        if line.startswith("+++ "):
            if collected or path:
                yield path, collected
            path, collected = line[4:], []
        else:
            collected.append(line)
    yield path, collected


def _path_by_first_key(lines: list[str]) -> str:
    key, _, name = lines[0].partition(": ")
    return _PATHS[key].format(name) if key in _PATHS else "amierules.yaml" if not lines[0].startswith("+++") else ""
