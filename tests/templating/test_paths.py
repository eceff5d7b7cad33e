"""Which values an expression is about, as `explain` shows them."""

import pytest

from amierules.templating import Environment

ENVIRONMENT = Environment()


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("project is none", ["project"]),
        ("project is not none and project.active", ["project", "project.active"]),
        ("packet['PersonID'] == site.owner", ["packet.PersonID", "site.owner"]),
        ("packet.Email.lower() in site.known", ["packet.Email", "site.known"]),
        ("now() > packet.EndDate", ["packet.EndDate"]),
        ("find_person(login=packet.Login) is none", ["packet.Login"]),
        ("person.logins[0] == 'x' or person.logins | length > 2", ["person.logins"]),
        ("range(packet.N | int) | list == []", ["packet.N"]),
        ("(a if b else c) and a", ["b", "a", "c"]),
        ("1 == 1", []),
    ],
)
def test_an_expression_looks_at_its_longest_paths(source: str, paths: list[str]) -> None:
    assert sorted(ENVIRONMENT.expression(source).looks_at()) == sorted(paths)


def test_a_path_has_its_own_value() -> None:
    looked_at = ENVIRONMENT.expression("packet.A == 'x'").looks_at()
    assert {path: value.evaluate({"packet": {"A": "y"}}) for path, value in looked_at.items()} == {"packet.A": "y"}
