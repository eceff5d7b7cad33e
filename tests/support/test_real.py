"""What happens to tests whose real part is missing."""

import pytest

from tests.support import real


@pytest.fixture(autouse=True)
def fresh_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real, "_used", {})
    monkeypatch.setattr(real, "_skipped", {})


def test_a_program_that_is_there_is_named_at_the_end() -> None:
    assert real.require("sh").is_file()
    real.used("postgresql", "15.18")
    assert real.closing_line() == "real parts: postgresql 15.18, sh; skipped: nothing"


def test_a_missing_program_skips_the_test_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMIERULES_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program"):
        real.require("no-such-program")
    assert real.closing_line() == "real parts: none; skipped: no-such-program (not installed)"


def test_a_missing_program_fails_the_test_where_all_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIERULES_REQUIRE", "all")
    with pytest.raises(pytest.fail.Exception, match="no-such-program"):
        real.require("no-such-program")
