"""Secrets in the configuration's own sections: never in plain text, each one of `secrets`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from amierules.diagnostics import Finding, printable
from amierules.diagnostics.suggest import hint_for
from amierules.rulebook.compiled import Constant, used_names
from amierules.rulebook.model import Compiled
from amierules.rulebook.nodes import ScalarNode
from amierules.rulebook.positions import name_place

HERE = ("localhost", "127.0.0.1", "::1")
"""Hosts to which a password crosses no network."""
_SECRET_NAME = re.compile(r"\bsecret\.(\w+)")
_SECRET = "secret"  # noqa: S105 - the name by which expressions reach secrets


def check_secret(key: str, value: Compiled, node: ScalarNode, secrets: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with the value of `key`, which must come from one of `secrets`."""
    if isinstance(value, Constant):
        if value.value is not None:
            hint = 'name it under `secrets`, and write "{{ secret.NAME }}" here'
            yield Finding("plain-secret", f"the value of '{key}' is a secret, and stands here", node.place, hint)
        return
    for name, scalar in used_names(value):
        if name != _SECRET:
            message = f"there is no name '{printable(name, 60)}' here"
            yield Finding("undefined-name", message, name_place(scalar, name), "only secrets are: secret.NAME")
    for name in _SECRET_NAME.findall(node.text):
        if name not in secrets:
            hint = hint_for(name, secrets) or "add it under `secrets`"
            message = f"there is no secret '{printable(name, 60)}'"
            yield Finding("unknown-attribute", message, name_place(node, name), hint)
