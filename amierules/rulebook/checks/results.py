"""What an action registers, as its kind's schema describes it."""

import json
from collections.abc import Mapping
from typing import Any

from amierules.rulebook.model import Action
from amierules.templating import Nothing, Static
from amierules.templating.static import A_BOOLEAN, A_NUMBER, A_TEXT, list_of
from amierules.templating.values import MAPPING, SECRET, TEXT

_TYPES: Mapping[str, Static] = {
    "rc": A_NUMBER,
    "changed": A_BOOLEAN,
    "created": A_BOOLEAN,
    "stdout": Static(TEXT),
    "stderr": Static(TEXT),
    "dn": A_TEXT,
    "count": A_NUMBER,
    "entries": list_of(Static(MAPPING, Nothing.NEVER)),
    "first": Static(MAPPING, Nothing.MAYBE, why="nothing may be found"),
    "nodes": Static(MAPPING, Nothing.NEVER),
}
_NODES = "nodes"
"""What only a command on other nodes registers."""


def result_of(action: Action, schema: Mapping[str, Any]) -> Static:
    """The result of an action that is done, or that failed under `on_error: continue`."""
    described = schema.get("x-result")
    if not described:
        return Static()
    attributes = {name: _TYPES.get(name, Static()) for name in described}
    given = json.loads(action.source).get(action.kind)
    if not isinstance(given, dict) or given.get(_NODES) is None:
        attributes.pop(_NODES, None)
    if isinstance(given, dict) and given.get("secret_output"):
        attributes |= dict.fromkeys(("stdout", "stderr"), Static(SECRET, Nothing.NEVER))
    if action.on_error == "continue":
        attributes |= {"failed": A_BOOLEAN, "error": A_TEXT}
    return Static(MAPPING, Nothing.NEVER, attributes=attributes, what=f"the result of '{action.name}'")
