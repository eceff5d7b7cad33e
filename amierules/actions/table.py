"""The kinds of action that amierules ships, by the name that a rule uses."""

from collections.abc import Mapping

from amierules.actions import account, allocation, assert_, command, group, person, project, send_packet, user
from amierules.actions.base import Kind

KINDS: Mapping[str, Kind] = {
    "account": account,
    "allocation": allocation,
    "assert": assert_,
    "command": command,
    "group": group,
    "person": person,
    "project": project,
    "send_packet": send_packet,
    "user": user,
}

SENDS = "send_packet"
"""The kind whose results are packets that the final commit writes."""

COMPOSED = "use"
"""The kind that has no module: it stands for the actions of a block."""
