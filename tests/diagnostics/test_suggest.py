"""Did you mean."""

import pytest

from amierules.diagnostics.suggest import did_you_mean, hint_for

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
