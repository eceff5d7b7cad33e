"""What a node's shell is told: how a program is started there, watched, ended, and how its end is reported.

ssh hands a node one text, which the user's login shell reads, whatever shell that is. So that text is always the same:
it starts `/bin/sh`, which says that it is ready and waits for one line on its input. The line is the script that starts
the program. So no value is part of a command line on either side: none is too long, and none shows up in lists of
processes but as the program's own argument. Until the line has come whole, nothing happens on the node.

The input stays open while the program runs. When it closes (the connection broke, our process died or was interrupted,
the time is over), a watcher on the node ends the program and its process group. Should the node not notice, `timeout`
ends it somewhat later.

The node's reports are lines that begin with a random text, so that what a program prints is not taken for one: a status
of 255 is the program's own, since ssh's failures come without a report.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from amierules.ports.orphans import MARK
from amierules.ports.processes import ORPHAN_MARGIN

_BOOT = (
    'amie_m=$1; printf "\\n%s ready\\n" "$amie_m" >&2; printf "\\n%s ready\\n" "$amie_m"; '
    'IFS= read -r amie_s && eval "$amie_s"'
)
"""Without `'` and `!`, which not all shells leave alone between quotes."""
_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BEGIN = (
    "amie_n=$(printf '\\n_'); amie_n=${amie_n%_}; exec 3<&0 4>&2 </dev/null 2>/dev/null; "
    'amie_no() { printf "\\n%s no %s\\n" "$amie_m" "$1"; exit 0; }; '
    "amie_t=$(command -v timeout) || amie_no timeout; amie_z=$(command -v sleep); unset CDPATH; "
    f"PATH=${{PATH:+$PATH:}}{_FOLDERS}; export PATH; "
)
# The program as a path, found as the shell would find it; builtins are no programs.
_FIND = (
    "set -f; amie_p=; case $1 in */*) amie_p=$1;; ?*) amie_o=$IFS; IFS=:; for amie_d in $PATH; do "
    'if [ -f "${amie_d:-.}/$1" ] && [ -x "${amie_d:-.}/$1" ]; then amie_p=${amie_d:-.}/$1; break; fi; done; '
    'IFS=$amie_o;; esac; if [ -z "$amie_p" ] || ! [ -f "$amie_p" ]; then amie_no program; fi; '
    '[ -x "$amie_p" ] || amie_no executable; shift; '
)
_PLAIN = '"$amie_p" "$@"'
# The mark is for `timeout`, which leads the process group: what the program starts may go on for good.
_MARKED = f"/bin/sh -c 'unset {MARK}; exec \"$@\"' sh {_PLAIN}"
# TERM ends `timeout`'s whole group, and KILL five seconds later what is left of it.
_WATCH = (
    "amie_k=$!; ( while read -r amie_x; do :; done <&3; exec 3<&-; trap '' TERM; kill -s TERM \"$amie_k\"; "
    '"$amie_z" 5; kill -s KILL -- "-$amie_k" ) >/dev/null 4>&- & amie_v=$!; exec 3<&- 4>&-; '
    'wait "$amie_k"; amie_r=$?; kill "$amie_v"; printf "\\n%s end %s\\n" "$amie_m" "$amie_r"; exit 0'
)

KEPT_BY_SHELL = frozenset(
    ("BASHOPTS", "BASH_VERSINFO", "EUID", "IFS", "LINENO", "OPTIND", "PPID", "SHELLOPTS", "UID", "_")
)
"""Names that a node's shell keeps for itself: not to be had for a program there."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

_REASONS = {
    b"timeout": "the node has no program `timeout` (coreutils), without which nothing is started there",
    b"folder": "there is no such folder to run it in",
    b"variable": "the node's shell does not take a variable of this name",
    b"program": "no such program",
    b"executable": "the program is not executable",
}


def boot(nonce: str) -> str:
    """The text that ssh hands to the node. `nonce` begins all reports: letters and digits."""
    return f"exec /bin/sh -c '{_BOOT}' sh {nonce}"


def may_be_variable(name: str) -> bool:
    """Whether a node's shell can give a program a variable of this name."""
    return _VARIABLE.fullmatch(name) is not None and name not in KEPT_BY_SHELL and not name.startswith("amie_")


def quoted(text: bytes) -> bytes:
    """A text as one word of the script, which is one line: `amie_n` is a line break there."""
    return b"'" + text.replace(b"'", b"'\\''").replace(b"\n", b"'\"$amie_n\"'") + b"'"


def script(
    argv: Sequence[bytes],
    *,
    stdin: bytes | None,
    env: Mapping[str, bytes],
    cwd: bytes | None,
    timeout: float,
    mark: str | None,
) -> bytes:
    """The line that starts a program, every word quoted. None of the texts holds NUL; `env` has fit names alone."""
    parts = [_BEGIN.encode()]
    if cwd is not None:
        folder = cwd if cwd.startswith(b"/") else b"./" + cwd
        # To some shells an empty name is the folder where they are.
        parts.append((b"cd -P -- " + quoted(folder) if cwd else b"false") + b" || amie_no folder; ")
    parts += [
        b"command export " + name.encode() + b"=" + quoted(value) + b" || amie_no variable; "
        for name, value in env.items()
    ]
    parts.append(b"set -- " + b" ".join(map(quoted, argv)) + b"; " + _FIND.encode())
    marked = "" if mark is None else f"{MARK}={mark}; export {MARK}; "
    run = _PLAIN if mark is None else _MARKED
    inside = f'( {marked}exec 2>&4 3<&- 4>&-; exec "$amie_t" -k 5 {timeout + ORPHAN_MARGIN:.3f} {run} )'.encode()
    if stdin is None:
        parts.append(inside + b" </dev/null & ")
    else:
        parts.append(b"printf %s " + quoted(stdin) + b" 3<&- 4>&- | " + inside + b" & ")
    return b"".join([*parts, _WATCH.encode(), b"\n"])


@dataclass
class Transcript:
    """What one node has said: what stands before its first report is the login's, what comes after its last one too."""

    nonce: str
    kept: int
    """Bytes of standard output, and of standard error, that are kept."""
    ready: bool = False
    rc: int | None = None
    """The exit status, once it is reported."""
    refused: str | None = None
    """Why the node could not start the program."""
    _dropped: bool = False
    _out: bytearray = field(default_factory=bytearray)
    _err: bytearray = field(default_factory=bytearray)
    _unread: bytes = b""
    _err_ready: bool = False

    def __post_init__(self) -> None:
        self._ready = f"\n{self.nonce} ready\n".encode()
        self._end = re.compile(rb"\n" + self.nonce.encode() + rb" (?:end ([0-9]+)|no ([a-z]+))\n")
        self._longest = len(self._ready) + 16

    @property
    def over(self) -> bool:
        """Whether the node has said how it ended."""
        return self.rc is not None or self.refused is not None

    @property
    def truncated(self) -> bool:
        """Whether some output was dropped."""
        return self._dropped or len(self._err) > self.kept

    @property
    def stdout(self) -> str:
        """The beginning of what the program printed."""
        return (bytes(self._out) + (self._unread if self.ready else b""))[: self.kept].decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """The end of what the program printed on standard error; what ssh said where there was no program."""
        return bytes(self._err[-self.kept :]).decode("utf-8", "replace")

    def hear(self, data: bytes) -> None:
        """Take what came on standard output."""
        if self.over:
            return
        self._unread += data
        if not self.ready:
            before, found, after = self._unread.partition(self._ready)
            self.ready = bool(found)
            self._unread = after if found else before[-self._longest :]
        if not self.ready:
            return
        ended = self._end.search(self._unread)
        if ended is None:
            self._keep(self._unread[: -self._longest])
            self._unread = self._unread[-self._longest :]
            return
        self._keep(self._unread[: ended.start()])
        self._unread = b""
        if ended[1] is not None:
            self.rc = int(ended[1])
        else:
            self.refused = _REASONS.get(ended[2], ended[2].decode())

    def hear_complaint(self, data: bytes) -> None:
        """Take what came on standard error."""
        self._err += data
        if not self._err_ready and (found := self._err.find(self._ready)) >= 0:
            self._err_ready = True
            del self._err[: found + len(self._ready)]
        elif len(self._err) > 2 * self.kept:
            self._dropped |= self._err_ready
            del self._err[: -self.kept]

    def _keep(self, data: bytes) -> None:
        self._dropped |= len(self._out) + len(data) > self.kept
        self._out += data[: max(0, self.kept - len(self._out))]
