"""The demo's scratch folder: a site with one resource, and a day of packets."""

import os
from dataclasses import replace
from pathlib import Path

from amierules.diagnostics import Finding, NotAllowed
from amierules.engine.rule_programs import SHADOW_TOOLS
from amierules.engine.site_folder import write_site_folder
from amierules.ports import find_program
from amierules.rulebook.configuration import FILE_NAME
from amierules.shipped import ROOT

RESOURCE = "demo.cluster.example"
_DAY = ROOT / "examples" / "demo" / "day.json"
_ROOT_FILES = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "shadow": "root:*:19000:0:99999:7:::\n",
    "group": "root:x:0:\nusers:x:100:\n",
    "gshadow": "root:*::\nusers:*::\n",
    "login.defs": "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nUSERGROUPS_ENAB no\n",
}


def make_demo_site(folder: Path) -> bool:
    """Writes the site and its packets (`day.json`); returns whether real accounts will be made, under a scratch root.

    That takes root and the shadow-utils; elsewhere the registry alone is kept.
    """
    try:
        write_site_folder(folder, "DemoSite", (RESOURCE,))
    except NotAllowed as error:
        # Other than `init`, the demo has no way to add to a folder.
        raise NotAllowed(_for_a_demo(finding) for finding in error.findings) from error
    # One of the day's packets is to wait for a person.
    _set(folder / FILE_NAME, "approve_merges: false", "approve_merges: true ")
    (folder / "day.json").write_bytes(_DAY.read_bytes())
    real_accounts = os.geteuid() == 0 and all(find_program(name) for name in SHADOW_TOOLS)
    if real_accounts:
        _use_scratch_root(folder)
    return real_accounts


def _for_a_demo(finding: Finding) -> Finding:
    return replace(finding, hint="choose a new folder, or none") if finding.code == "folder-not-empty" else finding


def _use_scratch_root(folder: Path) -> None:
    etc = folder / "root" / "etc"
    etc.mkdir(parents=True)
    for name, text in _ROOT_FILES.items():
        (etc / name).write_text(text, encoding="utf-8")
    configuration = folder / FILE_NAME
    _set(configuration, "accounts: none  ", "accounts: shadow")
    with configuration.open("a", encoding="utf-8") as file:
        file.write("\n# Accounts are made under this scratch root, not on this host.\nshadow: {prefix: root}\n")


def _set(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
