"""Texts that mean something else than they seem to: secrets in plain text, and booleans of YAML 1.1."""

import re
from collections.abc import Iterator

from amierules.diagnostics import Finding, Severity, printable
from amierules.rulebook.checks.view import FileView, Surroundings
from amierules.rulebook.directory_words import secret_attributes
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode, Style
from amierules.rulebook.schema_messages import YAML_1_1

_SECRET_KEY = re.compile(r"(?i)(^|_)(password|passwd|passphrase|secret|token|api_?key|private_?key|credentials?)$")
_SECRET_OPTION = re.compile(r"(?i)--?(password|passwd|passphrase|secret|token|api[-_]?key)[= ]+(?!\{\{)\S+")
_SECRET_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bxox[abp]-[\w-]{10,}|\bgh[pousr]_\w{20,}|\bAKIA[0-9A-Z]{16}\b"
    r"|hooks\.slack\.com/services/\w+/\w+|://[^/\s:@{}]+:(?!\{\{)[^/\s:@{}]+@"
)
_NO_PASSWORD = frozenset({"*", "!", "{CRYPT}*", "{CRYPT}!", "{CRYPT}x"})
"""Values of `userPassword` with which nobody gets in."""
_NAMED = "name it under `secrets` in amierules.yaml, and write {{ secret.NAME }}"
_ELSEWHERE = "put the password into ~/.pgpass, or the whole URL into the variable AMIERULES_DATABASE"
_FREE = ("vars", "with", "default", "settings", "resources", "data")


def check_plain_texts(view: FileView, _surroundings: Surroundings) -> Iterator[Finding]:
    """Secrets in plain text, and `yes` or `no` where any value may stand."""
    yield from plain_texts(view.root)


def plain_texts(root: Node) -> Iterator[Finding]:
    """The same for any file."""
    yield from _walk(root, "", False)


def _walk(node: Node, key: str, free: bool) -> Iterator[Finding]:
    match node:
        case MappingNode():
            for name, value in node.values.items():
                yield from _walk(value, name, free or name in _FREE)
        case ListNode():
            for item in node.items:
                yield from _walk(item, key, free)
        case ScalarNode():
            yield from _secret(node, key)
            if free and node.style is Style.PLAIN and node.text.lower() in YAML_1_1:
                meant = YAML_1_1[node.text.lower()]
                message = f"'{node.text}' is a text here, and every text counts as true"
                hint = f"write {meant}, or '{node.text}' in quotes"
                yield Finding("yaml-1.1", message, node.place, hint, Severity.WARNING)


def _secret(node: ScalarNode, key: str) -> Iterator[Finding]:
    named = _SECRET_KEY.search(key) or (key.lower() in secret_attributes() and node.text not in _NO_PASSWORD)
    by_key = named and isinstance(node.value, str) and node.text and "{{" not in node.text
    found = _SECRET_VALUE.search(node.text) or _SECRET_OPTION.search(node.text)
    if by_key or found is not None:
        what = f"the value of '{printable(key, 60)}'" if by_key else "this"
        hint = _ELSEWHERE if key == "database" else _NAMED
        yield Finding("plain-secret", f"{what} looks like a secret", node.place, hint, Severity.WARNING)
