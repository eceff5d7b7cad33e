"""Values of rule files once compiled: what they yield, and where an error is said to stand."""

from pathlib import Path

import pytest

from amierules.diagnostics import Place
from amierules.rulebook.model import Action, Defer, Reply, Rule
from amierules.templating import EvaluationError, Unknown
from tests.support.rules import BLOCK, RULES, load, marked, write

NAMES: dict[str, object] = {
    "packet": {
        "UserFirstName": "Ann Lee",
        "UserLastName": "B",
        "GrantNumber": "G1",
        "UserDnList": ["/CN=a", "/CN=b"],
    },
    "header": {"packet_id": 4},
    "project": None,
    "seen": {"rc": 0},
    "item": "y",
    "full": "Ann Lee B",
    "today": lambda: "2025-10-01",
}


@pytest.fixture
def rules(tmp_path: Path) -> tuple[Rule, ...]:
    book, findings = load(write(tmp_path, {"a.yaml": RULES, "blocks/b.yaml": BLOCK}))
    assert findings == []
    return book.by_type["request_account_create"].rules


@pytest.fixture
def actions(rules: tuple[Rule, ...]) -> dict[str, Action]:
    return {action.name: action for action in rules[1].actions}


def test_conditions_hold_only_if_all_parts_do(rules: tuple[Rule, ...]) -> None:
    assert rules[0].when is not None
    assert rules[0].when.evaluate(NAMES) is True
    assert rules[0].when.evaluate({**NAMES, "project": {}}) is False
    assert rules[0].when.source == "(project is none) and (header.packet_id > 3)"


def test_a_condition_stops_at_the_first_part_that_does_not_hold(rules: tuple[Rule, ...]) -> None:
    assert rules[0].when is not None
    assert rules[0].when.evaluate({"project": {}}) is False


def test_a_condition_that_reaches_an_unknown_is_unknown(actions: dict[str, Action]) -> None:
    when = actions["each"].when
    assert when is not None
    found = when.evaluate({**NAMES, "seen": {"rc": Unknown("short")}})
    assert isinstance(found, Unknown)
    assert found.step == "short"


def test_a_literal_condition_is_itself(rules: tuple[Rule, ...]) -> None:
    assert rules[1].when is not None
    assert rules[1].when.evaluate({}) is True


def test_defer_has_its_reason_date_and_seconds(rules: tuple[Rule, ...]) -> None:
    outcome = rules[0].outcome
    assert isinstance(outcome, Defer)
    assert outcome.reason.evaluate(NAMES) == "wait for G1"
    assert outcome.not_before is not None
    assert outcome.not_before.evaluate(NAMES) == "2025-10-01"
    assert outcome.at_most == 14 * 86400


def test_a_short_form_stands_under_run_and_never_splits_a_value(actions: dict[str, Action]) -> None:
    short = actions["short"]
    names = {**NAMES, "packet": {**NAMES["packet"], "UserLastName": "a b"}}  # type: ignore[dict-item]
    assert short.params.evaluate(names) == {"run": ["echo", "Ann Lee", "--x=a b"]}
    assert (short.register, short.timeout, short.on_error) == ("seen", 90, "continue")


def test_words_of_a_list_stay_words_and_lists_become_several(actions: dict[str, Action]) -> None:
    assert actions["long"].params.evaluate(NAMES) == {
        "run": ["touch", "/CN=a", "/CN=b", "Ann Lee!"],
        "ok": [0, 2],
        "unless": {"run": ["ls", "-l", "Ann Lee"], "contains": "Ann Lee B"},
    }


def test_parameters_keep_their_types_and_unknown_values(actions: dict[str, Action]) -> None:
    assert actions["each"].params.evaluate(NAMES) == {"name": "y", "uid": 5, "locked": True}
    found = actions["each"].params.evaluate({**NAMES, "item": Unknown("short")})
    assert isinstance(found, dict)
    assert isinstance(found["name"], Unknown)
    assert found["uid"] == 5


def test_each_evaluation_makes_new_lists(actions: dict[str, Action]) -> None:
    first, second = actions["long"].params.evaluate(NAMES), actions["long"].params.evaluate(NAMES)
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first["ok"] is not second["ok"]


def test_for_each_yields_the_list_itself(actions: dict[str, Action]) -> None:
    for_each = actions["each"].for_each
    assert for_each is not None
    assert for_each.evaluate(NAMES) == ["/CN=a", "/CN=b"]


def test_an_assert_holds_only_if_all_parts_do(actions: dict[str, Action]) -> None:
    assert actions["sure"].params.evaluate(NAMES) == {"that": True, "message": "no G1", "else": "hold"}
    failed = actions["sure"].params.evaluate({**NAMES, "seen": {"rc": 1}})
    assert isinstance(failed, dict)
    assert failed["that"] is False


def test_use_names_its_block_and_the_parameters_stand_beside(actions: dict[str, Action]) -> None:
    block = actions["block"]
    assert (block.kind, block.params.evaluate({})) == ("use", "b")
    assert {name: value.evaluate(NAMES) for name, value in block.with_.items()} == {"login": "Ann Lee", "number": 5}


def test_blocks_know_their_parameters_and_defaults(tmp_path: Path) -> None:
    block = load(write(tmp_path, {"blocks/b.yaml": BLOCK}))[0].blocks["b"]
    assert [(name, parameter.required) for name, parameter in block.parameters.items()] == [
        ("login", True),
        ("number", False),
        ("nothing", False),
    ]
    assert block.parameters["number"].default is not None
    assert block.parameters["number"].default.evaluate({}) == 4
    assert block.parameters["nothing"].default is not None
    assert block.parameters["nothing"].default.evaluate({}) is None


def test_variables_may_be_lists_and_mappings(tmp_path: Path) -> None:
    book, _ = load(write(tmp_path, {"a.yaml": RULES, "blocks/b.yaml": BLOCK}))
    variables = book.by_type["request_account_create"].variables
    assert variables["full"].evaluate(NAMES) == "Ann Lee B"
    assert variables["many"].evaluate(NAMES) == ["Ann Lee", 5, {"a": 2}]


def test_a_reply_has_its_fields(rules: tuple[Rule, ...]) -> None:
    outcome = rules[1].outcome
    assert isinstance(outcome, Reply)
    assert (outcome.type, outcome.copy) == ("notify_account_create", ("UserFirstName", "ResourceList"))
    assert outcome.fields is not None
    fields = {"ProjectID": "G1", "UserDnList": ["/CN=a", "/CN=b"], "UserPersonID": "5", "UserRemoteSiteLogin": "ann"}
    assert outcome.fields.evaluate(NAMES) == fields


def test_the_source_of_an_action_leaves_its_description_out(actions: dict[str, Action]) -> None:
    assert actions["block"].source == (
        '{"name":"block","use":"b","with":{"login":"{{ packet.UserFirstName }}","number":5}}'
    )
    assert "description" not in actions["short"].source


@pytest.mark.parametrize(
    ("name", "without"),
    [("short", "UserLastName"), ("long", "UserDnList"), ("each", "packet_id"), ("sure", "GrantNumber")],
)
def test_an_error_stands_at_the_name_that_it_is_about(
    tmp_path: Path, actions: dict[str, Action], name: str, without: str
) -> None:
    packet = {key: value for key, value in NAMES["packet"].items() if key != without}  # type: ignore[attr-defined]
    names = {**NAMES, "packet": packet, "header": {} if name == "each" else NAMES["header"]}
    with pytest.raises(EvaluationError) as raised:
        actions[name].params.evaluate(names)
    place = raised.value.place
    assert isinstance(place, Place)
    line = (tmp_path / "a.yaml").read_text().splitlines()[place.line - 1]
    assert line[place.column - 1 : place.column - 1 + place.length] == without


def test_a_syntax_error_in_a_folded_text_is_found_on_its_line(tmp_path: Path) -> None:
    hold = ">\n      some text\n      {{ packet.X | nofilter }}\n"
    text = f"packet: request_user_modify\nrules:\n  - name: a\n    hold: {hold}"
    _, findings = load(write(tmp_path, {"a.yaml": text}))
    assert [finding.code for finding in findings] == ["template-syntax"]
    assert marked(findings[0]) == "nofilter"
