"""What the words of a shell command mean for a value among them: whether some program would read it as code."""

from collections.abc import Sequence

KEEP_FIRST = frozenset(
    {
        *("if", "then", "elif", "else", "while", "until", "do", "!", "{"),
        *("exec", "command", "builtin", "time", "nohup"),
    }
)
"""Words after which the next word is still a command."""
_READS_CODE = frozenset({".", "source", "trap", "alias", "let", "unset", "read", "getopts", "mapfile", "readarray"}) | {
    *("declare", "typeset", "local", "[["),
}
"""Commands that take their arguments for code, or for names in which some shells look for code."""
_SHELLS = frozenset({"sh", "bash", "dash", "ksh", "mksh", "zsh", "ash", "busybox", "su", "runuser"})
_TESTS = frozenset({"test", "[", "printf"})


def read_as_code(words: Sequence[str]) -> str | None:
    """Where a value stands that comes behind these words of a command and is read as code; None where it is not."""
    names = [word.rpartition("/")[2] for word in words]
    takes_code = any(
        name in ("eval", "ssh") or (name in _SHELLS and _has_option(names[at:], "c")) for at, name in enumerate(names)
    )
    if takes_code or (names and (words[0] == "." or names[0] in _READS_CODE)):
        return "in what is read as code"
    if names and names[0] in _TESTS and _has_option(names, "v"):
        return "in what is read as the name of a variable"
    return None


def _has_option(words: Sequence[str], letter: str) -> bool:
    return any(word.startswith("-") and not word.startswith("--") and letter in word for word in words)
