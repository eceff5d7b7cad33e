"""The configuration's section `usage`: where jobs come from, and how records reach the other side."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from amierules.diagnostics import Finding, printable
from amierules.rulebook.compiler import Compiler
from amierules.rulebook.durations import duration_seconds
from amierules.rulebook.model import Compiled
from amierules.rulebook.nodes import MappingNode, ScalarNode
from amierules.rulebook.secret_values import HERE, check_secret
from amierules.shipped import read_schema
from amierules.templating import Environment


@dataclass(frozen=True)
class UsageCommand:
    """A command whose output has rows."""

    run: tuple[str, ...]
    format: str = "csv"
    columns: Mapping[str, str] = field(default_factory=dict)
    patience: int = 600
    """Seconds for which it may write nothing."""


@dataclass(frozen=True)
class UsageApi:
    """ACCESS's Usage API."""

    url: str
    site: str
    key: Compiled
    records: int
    size: int
    """Bytes of a request at most."""
    timeout: int
    settle: int
    """Seconds after which records of which the API shows nothing count as not taken."""


@dataclass(frozen=True)
class UsageSection:
    """How usage is collected and reported."""

    is_given: bool = False
    """Whether the configuration has the section."""
    report: str = "packets"
    to: str | None = None
    states: frozenset[str] = frozenset()
    clock_skew: int = 300
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    sacct: str = "sacct"
    clusters: tuple[str, ...] = ()
    all_accounts: bool = False
    fields: tuple[str, ...] = ()
    """Further fields of sacct."""
    patience: int = 600
    columns: Mapping[str, str] = field(default_factory=dict)
    command: UsageCommand | None = None
    storage: UsageCommand | None = None
    api: UsageApi | None = None


def read_usage(root: MappingNode, plain: Mapping[str, Any], base: Path) -> tuple[UsageSection, list[Finding]]:
    """The checked section as a value, with its defaults; and what is wrong with it. Paths count from `base`."""
    node = root.get("usage")
    given: Mapping[str, Any] = plain.get("usage", {})
    zone, findings = _zone(node, given)
    api, wrong = _api(node, given, plain)
    sacct = given.get("sacct", {})
    named = {
        values["cluster"]: None for values in (plain.get("resources") or {}).values() if "cluster" in (values or {})
    }
    section = UsageSection(
        is_given=node is not None,
        report=given.get("report", "packets"),
        to=given.get("to"),
        states=frozenset(given.get("states", _default("states"))),
        clock_skew=duration_seconds(given.get("clock_skew", _default("clock_skew"))),
        zone=zone,
        sacct=_program(sacct.get("program"), plain.get("slurm", {}).get("sacctmgr"), base),
        clusters=tuple(sacct.get("clusters", map(str, named))),
        all_accounts=sacct.get("accounts") == "all",
        fields=tuple(sacct.get("fields", ())),
        patience=duration_seconds(sacct.get("patience", "10m")),
        columns=given.get("columns", {}),
        command=_command(given.get("command")),
        storage=_command(given.get("storage")),
        api=api,
    )
    return section, [*findings, *wrong, *_check_remote(node, given, plain)]


def _default(key: str) -> Any:
    return read_schema("configuration.schema")["properties"]["usage"]["properties"][key]["default"]


def _zone(node: object, given: Mapping[str, Any]) -> tuple[ZoneInfo, list[Finding]]:
    name = given.get("timezone", "UTC")
    try:
        return ZoneInfo(name), []
    except (ValueError, OSError, LookupError):
        place = node.values["timezone"].place if isinstance(node, MappingNode) else None
        message = f"there is no time zone '{printable(name, 60)}'"
        return ZoneInfo("UTC"), [Finding("bad-value", message, place, "like Europe/Berlin or America/Chicago")]


def _program(given: str | None, sacctmgr: str | None, base: Path) -> str:
    if given is not None:
        return str(base / given) if "/" in given else given
    return str(Path(sacctmgr).with_name("sacct")) if sacctmgr and "/" in sacctmgr else "sacct"


def _command(given: Mapping[str, Any] | None) -> UsageCommand | None:
    if given is None:
        return None
    patience = duration_seconds(given.get("patience", "10m"))
    return UsageCommand(tuple(given["run"]), given.get("format", "csv"), given.get("columns", {}), patience)


def _api(node: object, given: Mapping[str, Any], plain: Mapping[str, Any]) -> tuple[UsageApi | None, list[Finding]]:
    section = node.get("api") if isinstance(node, MappingNode) else None
    if not isinstance(section, MappingNode) or "api" not in given:
        return None, []
    api = given["api"]
    compiler = Compiler(Environment(), {})
    written = section.get("key")
    key = compiler.text(written) if isinstance(written, ScalarNode) else None
    if key is None or not isinstance(written, ScalarNode):
        return None, []
    schema = read_schema("configuration.schema")["properties"]["usage"]["properties"]["api"]["properties"]
    merged = {**{name: one["default"] for name, one in schema.items() if "default" in one}, **api}
    read = UsageApi(
        url=merged["url"].rstrip("/"),
        site=merged.get("site", plain["site_name"]),
        key=key,
        records=merged["records"],
        size=merged["kilobytes"] * 1024,
        timeout=duration_seconds(merged["timeout"]),
        settle=duration_seconds(merged["settle"]),
    )
    wrong = [*compiler.findings, *check_secret("key", key, written, plain.get("secrets", {}))]
    parts = urlsplit(read.url)
    if parts.scheme == "http" and parts.hostname not in HERE:
        message = "the key would cross the network in plain text"
        wrong.append(Finding("bad-value", message, section.values["url"].place, "write https://"))
    return read, wrong


def _check_remote(node: object, given: Mapping[str, Any], plain: Mapping[str, Any]) -> Iterator[Finding]:
    if not isinstance(node, MappingNode):
        return
    remote = plain["remote_site_name"]
    sites = [remote] if isinstance(remote, str) else remote
    if "to" in given and given["to"] not in sites:
        message = f"'{printable(given['to'], 40)}' is no remote site"
        yield Finding("unknown-site", message, node.values["to"].place, f"the configuration has {', '.join(sites)}")
    if given.get("report") == "api" and "api" not in given:
        message = "'api' needs to know where the API is, and the key for it"
        yield Finding("missing-key", message, node.values["report"].place, 'add api: {key: "{{ secret.usage_api }}"}')
