"""The example of a site whose own command makes accounts on a head node: it is right, and it works on real parts."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from amierules.shipped import ROOT
from tests.support.amie_json import SITE
from tests.support.command_line import call
from tests.support.sshd import NODES
from tests.support.whole_site import Parts, WholeSite, play

EXAMPLE = ROOT / "examples" / "head-node"
COMMAND = Path(__file__).parents[1] / "support" / "site-accounts"


def test_the_example_is_right() -> None:
    ended = call("validate", "--strict", "--config", EXAMPLE / "amierules.yaml")
    assert ended.status == 0, ended.stdout


@pytest.fixture
def site(parts: Parts, tmp_path: Path) -> WholeSite:
    """The example, with the names of the real parts in place of a site's."""
    folder = tmp_path / "examples" / "head-node"
    shutil.copytree(EXAMPLE, folder)
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    config = folder / "amierules.yaml"
    written = yaml.safe_load(config.read_text(encoding="utf-8"))
    command, told = tmp_path / "site-accounts", tmp_path / "told"
    places = f"LDAPURI='{parts.directory.socket}' SITE_ACCOUNTS_LOG='{told}'"
    command.write_text(f'#!/bin/sh\n{places} exec sh {COMMAND} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    here = {"head_node": parts.nodes.addresses[0], "accounts_command": str(command)}
    sections = parts.sections(folder)
    changed = {
        **written,
        **sections,
        "site_name": SITE,
        "settings": {**written["settings"], **here},
        "resources": {name: {**resource, "login_nodes": NODES} for name, resource in written["resources"].items()},
        "slurm": {**written["slurm"], **sections["slurm"]},
        # Slurm runs jobs of users whom the host knows.
        "logins": {"reserved": ["root"]},
    }
    config.write_text(yaml.safe_dump(changed), encoding="utf-8")
    return WholeSite(config, parts, told)


def test_doctor_looks_for_the_command_where_it_is_run(site: WholeSite) -> None:
    def accounts() -> list[tuple[str, str]]:
        ended = site.command("doctor", "--format", "json")
        found = [check for check in json.loads(ended.stdout)["checks"] if check["what"] == "accounts"]
        return [(check["state"], check["detail"]) for check in found]

    settings = yaml.safe_load(site.config.read_text("utf-8"))["settings"]
    head, command = settings["head_node"], Path(settings["accounts_command"])
    assert accounts() == [("ok", f"by this site's own command, {command}, on {head}")]
    command.unlink()
    assert accounts() == [("error", f"{head}: {command} is missing, which makes accounts")]


def test_a_project_s_life_on_the_head_node(site: WholeSite) -> None:
    play(site, Path(__file__).with_name("head_node.yaml"))
