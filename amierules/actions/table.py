"""The kinds of action that amierules ships, by the name that a rule uses."""

from collections.abc import Mapping

from amierules.actions import account, allocation, assert_, command, group, person, project, user
from amierules.actions.base import Kind

KINDS: Mapping[str, Kind] = {
    "account": account,
    "allocation": allocation,
    "assert": assert_,
    "command": command,
    "group": group,
    "person": person,
    "project": project,
    "user": user,
}

COMPOSED = "use"
"""The kind that has no module: it stands for the actions of a block."""
