"""Which required tags of a packet have no value."""

from collections.abc import Collection, Mapping, Sequence

from amierules.protocol.catalogue import PacketType


def missing_tags(
    type_: PacketType, required: Sequence[str], present: Collection[str], body: Mapping[str, object]
) -> list[tuple[str, ...]]:
    """The required tags without a value, each as a group of which one would do.

    `required` are the tags that are always required; the type's conditional ones and its groups are added. `present`
    are the tags that have a value; `body` is asked for the values that conditions depend on.
    """
    wanted = dict.fromkeys(required)
    for condition in type_.conditional:
        if condition.applies(body):
            wanted |= dict.fromkeys(condition.required)
    groups = [(tag,) for tag in wanted] + list(type_.one_of)
    return [group for group in groups if not any(tag in present for tag in group)]
