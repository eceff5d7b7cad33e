"""A new site folder: what `init` writes."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from string import Template

from amierules.diagnostics import Finding, Invalid, NotAllowed, Place, printable
from amierules.engine.schema_files import SCHEMAS, schema_files
from amierules.rulebook.configuration import FILE_NAME
from amierules.rulebook.schema_check import check
from amierules.rulebook.yaml_reader import load_yaml
from amierules.shipped import ROOT

OTHER_SIDE = "TGCDB"
"""The name of ACCESS's central database in AMIE."""

_CONFIGURATION = Template("""\
# yaml-language-server: $$schema=schemas/configuration.schema.json
# One site's configuration. Paths are relative to this file; `amierules validate` checks it.

site_name: ${site_name} # our name in AMIE, at most 16 characters
remote_site_name: ${other_side} # the other side's name, or a list of names
database: sqlite:///amie.db           # or postgresql://user@host/amiedb; AMIERULES_DATABASE overrides it
rules: [rules]                        # folders; a file of an earlier one replaces that of a later one
templates: templates

# What rules see as `site`. With `none` nothing outside the database is touched: the registry alone is kept.
settings:
  accounts: none                      # shadow: Unix accounts on this host; ldap: in a directory; command: by your own
  scheduler: none                     # slurm: also accounts in Slurm, on the `cluster` of each resource
  dns: none                           # grid_mapfile: DNs also in the file that GSI services read
  approve_accounts: false             # true: each new account waits until a person has approved it
  approve_projects: false             # true: so does each new project, and each change of an allocation
  approve_merges: false               # true: so does each merge of two persons
  merge: alias                        # the other's login goes on to work; merge: it is locked, its accounts go over
  blank_absent: false                 # true: request_user_modify empties what the packet does not name
  wait_for_renewal: 0                 # days: a renewal that begins within so many is answered when it begins
  coordinators: []                    # [allocation_manager, co_pi]: they may manage their project's account in Slurm
  unused_types: park                  # fail: types that the central database does not send are answered with Failure

# Our resources, by their name in ResourceList; what rules see as `resource`. Any keys may stand there.
$resources
# Where new ids come from. An id that has no range here is never given out.
ids:
  uid: {range: [20000, 29999]}
  gid: {range: [30000, 39999]}
  person_id: {from: uid}              # a person's number is the uid

logins:
  prefix: ""                          # what each new login begins with
  pattern: "[a-z][a-z0-9]{1,15}"      # what a whole login must match
  reserved: [root, admin, daemon, nobody, operator, guest]

# What projects have used: `amierules usage collect`, then `amierules usage report`. Charged by rules/usage.yaml.
# usage:
#   report: packets                   # as notify_project_usage; api: to the Usage API
#   api: {key: "{{ secret.usage_api }}"}
#   timezone: Europe/Berlin           # of moments in files that name none
#   sacct: {program: /usr/bin/sacct, accounts: registered, fields: [Reservation]}

# Secrets stand in the environment or in files, never here. Rules see them as `secret.NAME`.
# secrets:
#   slack: {env: SLACK_WEBHOOK}
#   usage_api: {env: USAGE_API_KEY}
""")

_NO_RESOURCES = """\
# resources:
#   alpha.site.example: {cluster: alpha}
"""


@dataclass(frozen=True)
class Written:
    """What was written, and what was there already and was left alone; paths relative to the folder."""

    new: tuple[str, ...]
    kept: tuple[str, ...]


def write_site_folder(folder: Path, site_name: str, resources: tuple[str, ...] = (), *, force: bool = False) -> Written:
    """Makes the folder and writes all its files. No file is ever replaced.

    Raises `NotAllowed`: `bad-value` for a name that AMIE does not allow, `folder-not-empty` where files are there and
    `force` does not allow to add to them; `Invalid`: `cannot-write`.
    """
    files = site_files(site_name, resources)
    if not force:
        _refuse_if_used(folder, files)
    new: list[str] = []
    kept: list[str] = []
    path = folder
    try:
        # Packets hold personal data: others than the owner and the group have no business here.
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        for name, content in files.items():
            path = folder / name
            (new if _write(path, content) else kept).append(name)
    except OSError as error:
        shown = printable(error.filename or path)
        finding = Finding("cannot-write", f"{shown} cannot be written: {error.strerror or error}")
        raise Invalid(finding) from error
    return Written(tuple(new), tuple(kept))


def site_files(site_name: str, resources: tuple[str, ...] = ()) -> dict[str, bytes]:
    """The files of a new site folder, by path. Raises `NotAllowed` (`bad-value`) for names that cannot be used."""
    configuration = configuration_text(site_name, resources)
    return {
        FILE_NAME: configuration.encode(),
        **dict(_copied("rules", "*.yaml")),
        **dict(_copied("templates", "*.j2")),
        "templates/.gitkeep": b"",
        "tests/accounts.yaml": (ROOT / "examples" / "first-test" / "accounts.yaml").read_bytes(),
        **{f"{SCHEMAS}/{name}": content for name, content in schema_files().items()},
    }


def configuration_text(site_name: str, resources: tuple[str, ...] = ()) -> str:
    """The configuration of a new site. Raises `NotAllowed` (`bad-value`) for a name that it does not allow."""
    for name in resources:
        if not name or printable(name) != name or any(map(str.isspace, name)):
            hint = "as in ResourceList: without spaces"
            raise NotAllowed(
                Finding("bad-value", f"a resource cannot have the name '{printable(name, 60)}'", hint=hint)
            )
    listed = "".join(f"  {_quoted(name)}: {{}}\n" for name in dict.fromkeys(resources))
    text = _CONFIGURATION.substitute(
        site_name=f"{_quoted(site_name):<26}",
        other_side=f"{OTHER_SIDE:<19}",
        resources=f"resources:\n{listed}" if listed else _NO_RESOURCES,
    )
    root, findings = load_yaml(text, FILE_NAME)
    if root is not None:
        findings = [*findings, *check(root, "configuration.schema")]
    if site_name == OTHER_SIDE:
        findings.append(Finding("bad-value", f"'{OTHER_SIDE}' is the other side; this site has another name"))
    if findings:
        raise NotAllowed(Finding("bad-value", finding.message, None, finding.hint) for finding in findings)
    return text


def _quoted(name: str) -> str:
    """A name as a YAML value that is text, whatever it looks like."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", name) and name.lower() not in ("true", "false", "null")
    return name if plain else json.dumps(name, ensure_ascii=False)


def _copied(folder: str, pattern: str) -> Iterator[tuple[str, bytes]]:
    source = ROOT / folder
    for path in sorted(source.rglob(pattern)):
        yield str(PurePosixPath(folder, *path.relative_to(source).parts)), path.read_bytes()


def _refuse_if_used(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        there = sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        message = f"{printable(folder)} cannot be used: {error.strerror or error}"
        raise Invalid(Finding("cannot-write", message)) from error
    if not there:
        return
    first = next((name for name in files if (folder / name).exists()), there[0])
    hint = "choose another folder, or add what is missing with --force; no file is ever replaced"
    message = f"the folder is not empty: {printable(first)} is there"
    raise NotAllowed(Finding("folder-not-empty", message, Place(printable(folder)), hint))


def _write(path: Path, content: bytes) -> bool:
    """Writes a new file; False where there is one already, which is left as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        if path.is_dir():
            raise
        return False
    return True
