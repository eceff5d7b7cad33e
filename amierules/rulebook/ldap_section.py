"""The configuration's section `ldap`: where the directory is, as whom we speak to it, and below what entries stand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from amierules.diagnostics import Finding, printable
from amierules.rulebook.compiler import Compiler
from amierules.rulebook.durations import duration_seconds
from amierules.rulebook.model import Compiled
from amierules.rulebook.nodes import MappingNode, ScalarNode
from amierules.rulebook.positions import place_at
from amierules.rulebook.secret_values import HERE, check_secret
from amierules.templating import Environment, TemplateSyntaxProblem


@dataclass(frozen=True)
class LdapSection:
    """The directory of a site."""

    uri: str
    base: str
    """The DN below which entries are found and made where a rule names no base."""
    bases: Mapping[str, str] = field(default_factory=dict)
    """DNs by the names that rules give as `base`."""
    start_tls: bool = False
    ca_file: Path | None = None
    bind_dn: str | None = None
    password: Compiled | None = None
    external: bool = False
    timeout: float = 10

    @property
    def named(self) -> Mapping[str, str]:
        """All bases by name; the default by the empty one."""
        return {"": self.base, **self.bases}


def read_ldap(root: MappingNode, plain: Mapping[str, Any], folder: Path) -> tuple[LdapSection | None, list[Finding]]:
    """The checked section as a value, None where there is none; and what is wrong with it.

    Relative paths count from `folder`.
    """
    node, given = root.get("ldap"), plain.get("ldap")
    if not isinstance(node, MappingNode) or given is None:
        return None, []
    compiler = Compiler(Environment(), {})
    written = node.get("password")
    password = compiler.text(written) if isinstance(written, ScalarNode) else None
    findings = [*_check_dns(node), *_check_access(node, given)]
    if isinstance(written, ScalarNode) and password is not None:
        findings += check_secret("password", password, written, plain.get("secrets", {}))
    section = LdapSection(
        uri=given["uri"],
        base=given["base"],
        bases=given.get("bases", {}),
        start_tls=given.get("start_tls", False),
        ca_file=folder / given["ca_file"] if "ca_file" in given else None,
        bind_dn=given.get("bind_dn"),
        password=password,
        external=given.get("sasl") == "external",
        timeout=duration_seconds(given.get("timeout", "10s")),
    )
    return section, [*compiler.findings, *findings]


def _check_dns(node: MappingNode) -> Iterator[Finding]:
    bases = node.get("bases")
    named = bases.values.values() if isinstance(bases, MappingNode) else ()
    for one in (node.get("base"), node.get("bind_dn"), *named):
        if isinstance(one, ScalarNode):
            yield from _check_dn(one)


def _check_dn(node: ScalarNode) -> Iterator[Finding]:
    try:
        if not Environment().distinguished_name(node.text).expressions:
            return
        problem = TemplateSyntaxProblem("there are no expressions here")
    except TemplateSyntaxProblem as found:
        problem = found
    place = place_at(node, problem.offset, problem.length) if problem.offset is not None else node.place
    yield Finding("bad-value", printable(f"this is no DN: {problem.message}"), place, problem.hint)


def _check_access(node: MappingNode, given: Mapping[str, Any]) -> Iterator[Finding]:
    parts = urlsplit(given["uri"])
    for one, other in (("bind_dn", "password"), ("password", "bind_dn")):
        if one in given and other not in given:
            yield Finding("missing-key", f"'{one}' needs '{other}' beside it", node.key_place(one), f"add {other}")
    if "sasl" in given and parts.scheme != "ldapi":
        message = "the server knows us by a unix socket only, and this is none"
        hint = "write ldapi:///, or give bind_dn and password"
        yield Finding("bad-value", message, node.values["uri"].place, hint)
    if "sasl" in given and "bind_dn" in given:
        message = "with 'sasl' the server knows us by the socket: nobody binds"
        yield Finding("bad-value", message, node.key_place("bind_dn"), "remove bind_dn and password, or sasl")
    if parts.scheme != "ldap" and given.get("start_tls"):
        message = f"{parts.scheme} needs no StartTLS"
        yield Finding("bad-value", message, node.key_place("start_tls"), "remove it, or write ldap://")
    if parts.scheme == "ldap" and "password" in given and not given.get("start_tls") and parts.hostname not in HERE:
        message = "the password would cross the network in plain text"
        yield Finding("bad-value", message, node.key_place("password"), "add start_tls: true, or write ldaps://")
