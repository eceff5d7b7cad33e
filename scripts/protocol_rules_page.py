"""The page of the rules that the test central database holds a site to, and of its scenarios."""

from amierules.tgcdb.protocol_rules import protocol_rules
from amierules.tgcdb.scenarios import scenarios
from scripts.markdown import code, page, table

_THEN = {"refused": "it is refused", "taken": "it is taken", "advice": "only advice"}


def protocol_rules_page() -> str:
    """`docs/protocol-rules.md`."""
    return page(
        "# Rules of the protocol",
        "What [`amierules tgcdb`](tgcdb.md) holds a site to. A number is never given to another rule.",
        table(
            ["rule", "name", "what is asked", "a packet that breaks it", "source"],
            ([code(one.number), one.name, one.rule, _THEN[one.then], one.source] for one in protocol_rules().values()),
        ),
        "## Scenarios",
        table(
            ["name", "what happens", "requests"],
            (
                [code(one.name), one.description, ", ".join(step["send"] for step in one.steps)]
                for one in scenarios().values()
            ),
        ),
    )
