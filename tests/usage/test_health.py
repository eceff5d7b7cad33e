"""What `doctor` says of usage reporting: rules, programs, sacct, the Usage API; nothing is sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amierules.engine.health.check import Check
from amierules.rulebook.configuration import load_configuration
from amierules.usage.health import check_usage
from tests.support.usage import RemoteUsage, api_section, remote_usage, write_site

FILE_ONLY: dict[str, Any] = {"resources": {"alpha.site.example": {}}}
"""A site whose jobs do not come from Slurm."""


@pytest.fixture
def remote() -> Iterator[RemoteUsage]:
    with remote_usage() as served:
        yield served


def looked(folder: Path, **config: Any) -> list[Check]:
    configuration, findings = load_configuration(write_site(folder, **config), {})
    assert configuration is not None, findings
    return list(check_usage(configuration))


def wrong(checks: list[Check]) -> tuple[str, str]:
    """The detail and hint of the only check that is not ok."""
    (one,) = [check for check in checks if check.health != "ok"]
    assert one.what == "usage"
    return one.detail, one.hint


def test_a_site_that_says_nothing_of_usage_is_told_nothing(tmp_path: Path) -> None:
    assert looked(tmp_path) == []


def test_rules_and_an_api_that_are_there(tmp_path: Path, remote: RemoteUsage) -> None:
    checks = looked(tmp_path, **FILE_ONLY, **api_section(remote, tmp_path / "key"))
    assert [(check.health, check.detail) for check in checks] == [
        ("ok", "3 rules for jobs, 1 for storage"),
        ("ok", f"the Usage API, {remote.url}: answers, and takes our key"),
    ]
    assert remote.taken == []


def test_an_api_that_does_not_take_the_key(tmp_path: Path, remote: RemoteUsage) -> None:
    config = api_section(remote, tmp_path / "key")
    (tmp_path / "key").write_text("mustard\n", encoding="ascii")
    detail, hint = wrong(looked(tmp_path, **FILE_ONLY, **config))
    assert "401" in detail
    assert "mustard" not in detail
    assert hint.startswith("look at key")


def test_an_api_that_is_not_there(tmp_path: Path, remote: RemoteUsage) -> None:
    config = api_section(remote, tmp_path / "key", url="http://127.0.0.1:9")
    assert wrong(looked(tmp_path, **FILE_ONLY, **config))[1].startswith("look at url")
    config = api_section(remote, tmp_path / "key", url=f"{remote.url}/elsewhere")
    assert wrong(looked(tmp_path, **FILE_ONLY, **config))[1].endswith("above usage/status")


def test_rules_that_cannot_be_used(tmp_path: Path) -> None:
    section = {**FILE_ONLY, "usage": {"report": "packets"}}
    detail, _ = wrong(looked(tmp_path, **section, rules="usage: x\njobs: [{name: a}]\n"))
    assert detail == "usage.yaml cannot be used: this rule has no outcome"
    configuration, _ = load_configuration(tmp_path / "amierules.yaml", {})
    assert configuration is not None
    (tmp_path / "rules" / "usage.yaml").unlink()
    assert wrong(list(check_usage(configuration)))[0].startswith("there is no usage.yaml in ")


def test_programs_that_are_not_there(tmp_path: Path) -> None:
    usage = {"command": {"run": ["/no/such/collector"]}, "storage": {"run": ["true"]}}
    assert wrong(looked(tmp_path, usage=usage))[0] == "/no/such/collector: no such program"
    assert wrong(looked(tmp_path, usage={"sacct": {"program": "/no/such/sacct"}}))[1].startswith("set `usage: {sacct")
