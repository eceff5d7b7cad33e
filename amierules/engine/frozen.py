"""Results of steps in a form that the journal can hold, and digests of what a step was asked to do."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from amierules.database.registry import RegistryView
from amierules.database.registry_read import key_of
from amierules.database.rows import Account, Allocation, Person, Presence, Project
from amierules.engine.row_views import RowView
from amierules.protocol.values import wire_text
from amierules.templating import Secret, Unknown, Withheld

_ROW, _SECRET = "$row", "$secret"
_PLAIN = frozenset({str, int, bool, type(None)})
"""The types of most values, which are shown as they are."""
_ROW_TYPES = (Person, Project, Presence, Allocation, Account)


def freeze(value: object) -> object:
    """A step's result with registry rows replaced by what identifies them, and secrets by a mark."""
    if isinstance(value, RowView):
        return freeze(value.row)
    if isinstance(value, _ROW_TYPES):
        table, key = key_of(value)
        return {_ROW: [table, *key]}
    if isinstance(value, Secret):
        return {_SECRET: True}
    if isinstance(value, Mapping):
        return {str(key): freeze(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [freeze(element) for element in value]
    return value


def thaw(value: object, view: RegistryView) -> Any:
    """The result again, with the rows as the view has them now. The text of a secret is gone."""
    if isinstance(value, dict):
        if set(value) == {_ROW}:
            table, *key = value[_ROW]
            return view.row((table, tuple(key)))
        if set(value) == {_SECRET}:
            return Withheld()
        return {key: thaw(element, view) for key, element in value.items()}
    if isinstance(value, list):
        return [thaw(element, view) for element in value]
    return value


def shown(value: object) -> object:
    """A value for people and JSON: unknowns as `{"unknown": STEP}`, secrets as `***`, rows by their ids."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Unknown):
        return {"unknown": value.step, **({"expected": shown(value.expected)} if value.has_expected else {})}
    if isinstance(value, RowView):
        return shown(value.row)
    if isinstance(value, Person):
        return {"person_id": shown(value.person_id)}
    if isinstance(value, Project):
        return {"project_id": shown(value.project_id)}
    if isinstance(value, Account):
        return {"login": shown(value.login), "resource": value.resource}
    if isinstance(value, Mapping):
        return {str(key): shown(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [shown(element) for element in value]
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, Secret)):
        return value
    return wire_text(value) if isinstance(value, date | datetime | Decimal) else str(value)


def digest(value: object) -> str:
    """A short, stable digest of a JSON-able value or a text; secrets and row contents do not enter."""
    text = value if isinstance(value, str) else json.dumps(shown(freeze(value)), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
