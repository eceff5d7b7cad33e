"""The named scenarios, read from `schemas/tgcdb/scenarios.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from amierules.shipped import read_schema

DEFAULT_RESOURCE = "test.cluster.example"
"""What requests are for at a site that names no resource of its own."""


@dataclass(frozen=True)
class Scenario:
    """A sequence of requests that the central database sends."""

    name: str
    description: str
    official: bool
    """Whether the official test server has it, too."""
    lasting: bool
    """Whether it takes minutes, or never ends."""
    steps: tuple[Mapping[str, Any], ...]
    """With `each: resource` a step stands for one on each resource of the site."""

    def steps_on(self, resources: Sequence[str]) -> list[dict[str, Any]]:
        """The steps for a site with these resources; places are counted anew where a step stands for several."""
        steps: list[dict[str, Any]] = []
        places: list[int] = []
        for one in self.steps:
            wanted = range(len(resources)) if one.get("each") == "resource" else [one.get("resource", 0)]
            for resource in wanted:
                # One after the other, the first of them after what was named.
                new = {**one, "resource": resource, "after": len(steps) - 1 if steps else None}
                if "after" in one:
                    new["after"] = None if one["after"] is None else places[one["after"]]
                steps.append({key: value for key, value in new.items() if key != "each"})
            places.append(len(steps) - 1)
        return steps


@cache
def scenarios() -> Mapping[str, Scenario]:
    """All scenarios by name."""
    listed = read_schema("tgcdb/scenarios")["scenarios"]
    return MappingProxyType(
        {
            one["name"]: Scenario(
                one["name"],
                one["description"],
                one.get("official", False),
                one.get("lasting", False),
                tuple(one["steps"]),
            )
            for one in listed
        }
    )
