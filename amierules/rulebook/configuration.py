"""The configuration file, `amierules.yaml`: found, checked, and made into values."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.protocol.charset import Charset
from amierules.rulebook.channels import Channels, read_channels
from amierules.rulebook.database_url import resolve_database
from amierules.rulebook.durations import duration_seconds
from amierules.rulebook.exchange_section import RestServer, read_exchange
from amierules.rulebook.files import read_yaml, shown
from amierules.rulebook.ids import IdRanges, check_ids, read_ids
from amierules.rulebook.ldap_section import LdapSection, read_ldap
from amierules.rulebook.logins import LoginPolicy, read_logins
from amierules.rulebook.node_sets import wrong_node_set
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode, to_plain
from amierules.rulebook.schema_check import check
from amierules.rulebook.ssh import SshSettings, read_ssh
from amierules.rulebook.templates import TemplateFiles
from amierules.rulebook.usage_section import UsageSection, read_usage
from amierules.shipped import read_schema

FILE_NAME = "amierules.yaml"

LOGIN_NODES = "login_nodes"
"""What a resource's nodes are called that people log in to; a resource that has none there has `none`."""


@dataclass(frozen=True)
class Configuration:
    """One site's configuration. All paths are absolute."""

    path: Path
    base: Path
    """The folder that relative paths count from: the file's."""
    site_name: str
    remote_site_names: tuple[str, ...]
    database: str
    """The database's URL; the path of an SQLite file in it is absolute."""
    rules: tuple[Path, ...]
    templates: Path
    rules_at: Mapping[Path, Place] = field(default_factory=dict)
    """Where the file names each folder of rules."""
    templates_at: Place | None = None
    """Where the file names the folder of templates, if it does."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What rules see as `site`."""
    resources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What rules see as `resource`, by the name in ResourceList."""
    ids: IdRanges = field(default_factory=IdRanges)
    logins: LoginPolicy = field(default_factory=LoginPolicy)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By name: `{"env": VARIABLE}` or `{"file": absolute path}`."""
    charset: Charset = "transliterate"
    """What is done with characters that AMIE does not carry: `transliterate` or `reject`."""
    shadow_prefix: Path | None = None
    """A scratch root, the default `prefix` of the kinds `user` and `group`."""
    shadow_sudo: bool = False
    """Whether `user` and `group` run their tools through sudo where we are not root."""
    grid_mapfile: Path = field(default_factory=lambda: Path(_default_mapfile()))
    """The default `file` of the kind `grid_mapfile`."""
    ldap: LdapSection | None = None
    """The directory of the kinds `ldap_entry` and `ldap_search`."""
    slurm: Mapping[str, Any] = field(default_factory=dict)
    """Where Slurm is: `sacctmgr`, `conf`, `cluster`, each where it is given, and `timeout` in seconds."""
    ssh: SshSettings = field(default_factory=SshSettings)
    """How other nodes are reached."""
    channels: Channels = field(default_factory=Channels)
    """How messages leave the site, and which are sent by a packet's status."""
    exchange: tuple[RestServer, ...] = ()
    """The REST servers that packets are exchanged with."""
    template_files: TemplateFiles = field(default_factory=lambda: TemplateFiles(()))
    """The templates of messages."""
    usage: UsageSection = field(default_factory=UsageSection)
    """How usage is collected and reported."""


def load_configuration(path: Path | None, environ: Mapping[str, str]) -> tuple[Configuration | None, list[Finding]]:
    """The configuration, or None where it cannot be used; and what is wrong with it.

    `path` is what `--config` gave; without it AMIERULES_CONFIG counts, then `amierules.yaml` in the working folder.
    AMIERULES_DATABASE overrides `database:`. `environ` is the environment.
    """
    path = path or Path(environ.get("AMIERULES_CONFIG") or FILE_NAME)
    if not os.path.lexists(path):
        hint = "`amierules init DIR` makes a site folder; --config or AMIERULES_CONFIG names a file elsewhere"
        return None, [
            Finding("no-configuration", f"there is no configuration file {printable(shown(path))}", None, hint)
        ]
    root, findings = read_yaml(path)
    if root is None:
        return None, findings
    findings = [*findings, *check(root, "configuration.schema")]
    if findings or not isinstance(root, MappingNode):
        return None, findings
    configuration, findings = _configuration(path.absolute(), root, environ)
    return (None, findings) if findings else (configuration, [])


def _configuration(path: Path, root: MappingNode, environ: Mapping[str, str]) -> tuple[Configuration, list[Finding]]:
    base = path.parent
    plain: dict[str, Any] = {key: to_plain(value) for key, value in root.values.items()}
    database, wrong_database = _database(root, base, environ)
    logins, wrong_logins = read_logins(root.get("logins"), plain.get("logins", {}))
    remote = plain["remote_site_name"]
    remote_site_names = (remote,) if isinstance(remote, str) else tuple(remote)
    templates = base / plain.get("templates", "templates")
    template_files = TemplateFiles((templates,))
    channels, wrong_channels = read_channels(root, plain, base, template_files)
    directory, wrong_directory = read_ldap(root, plain, base)
    servers, wrong_servers = read_exchange(root, plain, base, plain["site_name"], remote_site_names)
    usage, wrong_usage = read_usage(root, plain, base)
    configuration = Configuration(
        path=path,
        base=base,
        site_name=plain["site_name"],
        remote_site_names=remote_site_names,
        database=database,
        rules=tuple(base / folder for folder in plain.get("rules", ["rules"])),
        templates=templates,
        rules_at=_places(base, root.get("rules")),
        templates_at=node.place if (node := root.get("templates")) is not None else None,
        settings={**_default_settings(), **plain.get("settings", {})},
        resources={name: {LOGIN_NODES: None, **(values or {})} for name, values in plain.get("resources", {}).items()},
        ids=read_ids(plain.get("ids", {})),
        logins=logins,
        secrets={name: _secret(secret, base) for name, secret in plain.get("secrets", {}).items()},
        charset=plain.get("protocol", {}).get("charset", "transliterate"),
        shadow_prefix=base / plain["shadow"]["prefix"] if "prefix" in plain.get("shadow", {}) else None,
        shadow_sudo=plain.get("shadow", {}).get("sudo", False),
        grid_mapfile=base / plain.get("grid_mapfile", {}).get("file", _default_mapfile()),
        ldap=directory,
        slurm=_slurm(plain.get("slurm", {}), base),
        ssh=read_ssh(plain.get("ssh", {}), base),
        channels=channels,
        exchange=servers,
        template_files=template_files,
        usage=usage,
    )
    findings = [
        *wrong_database,
        *wrong_channels,
        *wrong_directory,
        *wrong_servers,
        *wrong_usage,
        *_check_names(root, configuration),
        *_check_logins(root),
        *_check_login_nodes(root),
        *wrong_logins,
    ]
    return configuration, [*findings, *check_ids(root.get("ids"))]


def _places(base: Path, node: Node | None) -> dict[Path, Place]:
    items = node.items if isinstance(node, ListNode) else ()
    return {base / item.text: item.place for item in items if isinstance(item, ScalarNode)}


def _slurm(plain: Mapping[str, Any], base: Path) -> dict[str, Any]:
    paths = {"conf": str(base / plain["conf"])} if "conf" in plain else {}
    seconds = {"timeout": duration_seconds(plain["timeout"])} if "timeout" in plain else {}
    return {**plain, **paths, **seconds}


def check_templates(configuration: Configuration) -> list[Finding]:
    """A warning where the folder of templates that the file names is not there."""
    folder = configuration.templates
    if configuration.templates_at is None or os.path.isdir(folder):
        return []
    message = f"there is no folder {printable(folder.name, 60)}: notices would have no templates"
    hint = "make it, or name another"
    return [Finding("no-templates", message, configuration.templates_at, hint, Severity.WARNING)]


def _default_settings() -> dict[str, Any]:
    """What the shipped rules ask for, so that a rule file from here works with a configuration that is older."""
    known = read_schema("configuration.schema")["properties"]["settings"]["properties"]
    return {name: setting["default"] for name, setting in known.items()}


def _default_mapfile() -> str:
    sections = read_schema("configuration.schema")["properties"]
    return str(sections["grid_mapfile"]["properties"]["file"]["default"])


def _database(root: MappingNode, base: Path, environ: Mapping[str, str]) -> tuple[str, list[Finding]]:
    from_environment = environ.get("AMIERULES_DATABASE")
    node = root.get("database")
    written = node.text if isinstance(node, ScalarNode) else "sqlite:///amie.db"
    place = node.place if isinstance(node, ScalarNode) else root.place
    return resolve_database(from_environment or written, base, None if from_environment else place)


def _secret(plain: Mapping[str, str], base: Path) -> dict[str, str]:
    return {"file": str(base / plain["file"])} if "file" in plain else {"env": plain["env"]}


def _check_names(root: MappingNode, configuration: Configuration) -> list[Finding]:
    if configuration.site_name not in configuration.remote_site_names:
        return []
    message = f"'{configuration.site_name}' is this site; the other side has another name"
    return [Finding("bad-value", message, root.values["remote_site_name"].place)]


def _check_logins(root: MappingNode) -> list[Finding]:
    node = _at(root, "logins", "pattern")
    if not isinstance(node, ScalarNode):
        return []
    try:
        re.compile(node.text)
    except (re.error, RecursionError, OverflowError) as error:
        return [Finding("bad-value", printable(f"this is no regular expression: {error}"), node.place)]
    return []


def _check_login_nodes(root: MappingNode) -> Iterator[Finding]:
    resources = root.get("resources")
    for name in resources.values if isinstance(resources, MappingNode) else ():
        node = _at(resources, name, LOGIN_NODES)
        yield from wrong_node_set(node) if isinstance(node, ScalarNode) else ()


def _at(node: Node | None, *keys: str) -> Node | None:
    for key in keys:
        node = node.get(key) if isinstance(node, MappingNode) else None
    return node
