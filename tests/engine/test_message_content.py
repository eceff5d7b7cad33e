"""What the outbox keeps of a message: JSON, in which secrets stand by name and nothing can pass for one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.engine.message_content import CannotBeMade, as_kept, as_sent
from amierules.templating import Secret, SecretName, secret_text

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
KEYS = st.one_of(TEXTS, st.sampled_from(["$secret", "$$secret", "$"]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def _no_secret(name: str) -> str:
    raise AssertionError(f"the secret {name} is asked for")


@given(VALUES)
def test_what_holds_no_secret_is_sent_as_it_was(value: Any) -> None:
    assert as_sent(json.loads(json.dumps(as_kept(value))), _no_secret) == value


@given(TEXTS, TEXTS, st.text("abc", min_size=1))
def test_a_secret_is_kept_by_its_name_and_sent_by_its_value(before: str, after: str, name: str) -> None:
    whole = secret_text([before, Secret("hush", recipe=(SecretName(name),)), after])
    kept = json.loads(json.dumps(as_kept({"a": [whole]})))
    assert "hush" not in json.dumps(kept).replace(json.dumps(before)[1:-1], "").replace(json.dumps(after)[1:-1], "")
    assert as_sent(kept, {name: "new"}.__getitem__) == {"a": [f"{before}new{after}"]}


def test_a_secret_of_which_nobody_knows_the_parts_is_not_kept() -> None:
    with pytest.raises(CannotBeMade, match="cannot be kept"):
        as_kept([secret_text([Secret("hush"), "x"])])


@pytest.mark.parametrize(("value", "kept"), [("a\0b", "a\ufffdb"), ("\ud800", "?")])
def test_characters_that_nobody_can_send_are_replaced(value: str, kept: str) -> None:
    assert as_kept(value) == kept
