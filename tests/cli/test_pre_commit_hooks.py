"""What pre-commit would run in the repository of a site's rules."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from amierules.engine.site_folder import write_site_folder
from tests.support.command_line import program

FILE = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"
HOOKS: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_a_hook_checks_the_whole_site(hook: dict[str, Any], tmp_path: Path) -> None:
    write_site_folder(tmp_path / "site", "TestSite", ("alpha.example",))
    name, *words = shlex.split(hook["entry"])
    assert (name, hook["language"], hook["pass_filenames"]) == ("amierules", "python", False)
    assert program(*words, cwd=tmp_path / "site").status == 0
    (tmp_path / "site" / "rules" / "blocks" / "ensure_person.yaml").unlink()
    ended = program(*words, cwd=tmp_path / "site")
    assert ended.status == 1
    assert "error[unknown-block]" in ended.stdout


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_a_hook_runs_where_rules_or_configuration_change(hook: dict[str, Any]) -> None:
    for path in ("amierules.yaml", "rules/request_user_modify.yaml", "rules/blocks/mine.yml"):
        assert re.search(hook["files"], path)
    assert not re.search(hook["files"], "README.md")


def test_one_hook_mends() -> None:
    assert [hook["id"] for hook in HOOKS if "--fix" in hook["entry"]] == ["amierules-fix"]
