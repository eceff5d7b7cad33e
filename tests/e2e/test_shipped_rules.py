"""A project's whole life with the shipped rules, and the state of every real part after each packet."""

from pathlib import Path

import pytest
import yaml

from amierules.engine.site_folder import write_site_folder
from tests.support.amie_json import ALPHA, SITE
from tests.support.slurm import CLUSTER
from tests.support.whole_site import Parts, WholeSite, play

SETTINGS = {"accounts": "ldap", "scheduler": "slurm", "dns": "grid_mapfile"}
NOTIFY = {
    "done": [{"slack": {"text": "{{ header.type }} is done"}}],
    "held": [{"mail": {"to": "staff@site.example", "template": "needs_a_person.txt.j2"}}],
}


@pytest.fixture
def site(parts: Parts, tmp_path: Path) -> WholeSite:
    """A folder as `init` writes it, with what its person would edit."""
    folder = tmp_path / "site"
    write_site_folder(folder, SITE, (ALPHA,))
    config = folder / "amierules.yaml"
    written = yaml.safe_load(config.read_text(encoding="utf-8"))
    changed = {
        **written,
        **parts.sections(folder),
        "settings": {**written["settings"], **SETTINGS},
        "resources": {ALPHA: {"cluster": CLUSTER}},
        # Slurm runs jobs of users whom the host knows.
        "logins": {**written["logins"], "reserved": ["root"]},
        "notify": NOTIFY,
    }
    config.write_text(yaml.safe_dump(changed), encoding="utf-8")
    return WholeSite(config, parts)


def test_a_project_s_whole_life(site: WholeSite) -> None:
    play(site, Path(__file__).with_name("shipped_rules.yaml"))
