"""Did you mean."""

import pytest

from amierules.diagnostics.suggest import did_you_mean, hint_for, one_slip

KEYS = ["command", "user", "group", "person", "on_error", "for_each", "when", "notify_account_create"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("comand", "command"),
        ("usr", "user"),
        ("on-error", "on_error"),
        ("For Each", "for_each"),
        ("WHEN", "when"),
        ("notfy_account_creat", "notify_account_create"),
        ("xyz", None),
        ("", None),
        ("user", None),
        ("c" * 10_000, None),
    ],
)
def test_the_closest_known_word_is_meant(word: str, meant: str | None) -> None:
    assert did_you_mean(word, KEYS) == meant


def test_where_nothing_is_close_a_short_list_is_shown() -> None:
    assert hint_for("xyz", ["b", "a"]) == "known here: a, b"
    assert hint_for("xyz", []) == ""
    assert hint_for("xyz", [f"a_long_word_{number}" for number in range(30)]) == ""


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("memberUdi", "memberUid"),
        ("memberUi", "memberUid"),
        ("xmemberUid", "memberUid"),
        ("membarUid", "memberUid"),
        ("nc", "cn"),
        ("MEMBERUID", None),
        ("memberOfUid", None),
        ("membreUdi", None),
        ("cn2", None),
        ("", None),
    ],
)
def test_one_slip_of_the_hand_is_one_letter_or_two_swapped(word: str, meant: str | None) -> None:
    assert one_slip(word, ["memberUid", "cn"]) == meant
