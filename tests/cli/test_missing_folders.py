"""A folder of rules that is not there is found where the configuration names it."""

from pathlib import Path

import pytest

from tests.support import states
from tests.support.command_line import call


def test_a_misspelt_folder_is_found_in_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(states.make_folder(tmp_path))
    configuration = tmp_path / "amierules.yaml"
    text = configuration.read_text(encoding="utf-8").replace("rules: [rules]", "rules: [rule]")
    configuration.write_text(text, encoding="utf-8")
    line = next(number for number, one in enumerate(text.splitlines(), 1) if "rules: [rule]" in one)
    ended = call("validate")
    assert ended.status == 1
    assert f"amierules.yaml:{line}:9: error[unreadable-folder]" in ended.stdout
    assert "did you mean 'rules'?" in ended.stdout
