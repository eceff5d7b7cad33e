"""How messages leave the site: the configuration's `slack`, `mail` and `http`, and its `notify` by status."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amierules.diagnostics import Finding
from amierules.rulebook.compiler import Compiler
from amierules.rulebook.durations import duration_seconds
from amierules.rulebook.model import Compiled, Notice
from amierules.rulebook.nodes import MappingNode, Node, ScalarNode
from amierules.rulebook.notices import STATUSES, check_notices, read_notices
from amierules.rulebook.secret_values import HERE, check_secret
from amierules.rulebook.templates import TemplateFiles
from amierules.templating import Environment

_PORTS = {"none": 25, "starttls": 587, "tls": 465}


@dataclass(frozen=True)
class MailServer:
    """The server that takes mails."""

    sender: str
    host: str = "localhost"
    port: int = 25
    security: str = "none"
    """`none`, `starttls` or `tls`."""
    user: str | None = None
    password: Compiled | None = None
    reply_to: str | None = None
    timeout: float = 30


@dataclass(frozen=True)
class Channels:
    """Where messages go. Secrets are expressions, evaluated when a message is sent."""

    slack_webhook: Compiled | None = None
    slack_channel: str | None = None
    mail: MailServer | None = None
    http_timeout: float = 10
    http_proxy: str | None = None
    http_ca_file: Path | None = None
    by_status: Mapping[str, tuple[Notice, ...]] = field(default_factory=dict)


def read_channels(
    root: MappingNode, plain: Mapping[str, Any], base: Path, templates: TemplateFiles
) -> tuple[Channels, list[Finding]]:
    """The checked sections as values, and what is wrong with them. Relative paths count from `base`."""
    compiler = Compiler(Environment(), {}, templates)
    secrets = plain.get("secrets", {})
    findings: list[Finding] = []

    def secret(section: str, key: str) -> Compiled | None:
        given = root.get(section)
        node = given.get(key) if isinstance(given, MappingNode) else None
        if not isinstance(node, ScalarNode):
            return None
        compiled = compiler.text(node)
        findings.extend(check_secret(key, compiled, node, secrets))
        return compiled

    http, slack = plain.get("http", {}), plain.get("slack", {})
    webhook = secret("slack", "webhook")
    if webhook is None and "slack" in secrets:
        webhook = compiler.text(_written("{{ secret.slack }}", root))
    channels = Channels(
        slack_webhook=webhook,
        slack_channel=slack.get("channel"),
        mail=_mail(plain["mail"], secret("mail", "password")) if "mail" in plain else None,
        http_timeout=duration_seconds(http.get("timeout", "10s")),
        http_proxy=http.get("proxy"),
        http_ca_file=base / http["ca_file"] if "ca_file" in http else None,
        by_status=_by_status(root.get("notify"), compiler, findings),
    )
    findings += compiler.findings
    return channels, [*findings, *_check_mail(root.get("mail"))]


def _written(text: str, root: MappingNode) -> ScalarNode:
    """A default, as if it stood in the file."""
    return ScalarNode(root.place, text, text, text)


def _mail(plain: Mapping[str, Any], password: Compiled | None) -> MailServer:
    security = plain.get("security", "none")
    return MailServer(
        sender=plain["from"],
        host=plain.get("host", "localhost"),
        port=plain.get("port", _PORTS[security]),
        security=security,
        user=plain.get("user"),
        password=password,
        reply_to=plain.get("reply_to"),
        timeout=duration_seconds(plain.get("timeout", "30s")),
    )


def _by_status(node: Node | None, compiler: Compiler, findings: list[Finding]) -> dict[str, tuple[Notice, ...]]:
    given = {status: node.get(status) for status in STATUSES} if isinstance(node, MappingNode) else {}
    findings += [finding for notices in given.values() for finding in check_notices(notices)]
    return {status: read_notices(notices, compiler) for status, notices in given.items() if notices is not None}


def _check_mail(node: Node | None) -> Iterator[Finding]:
    if not isinstance(node, MappingNode):
        return
    alone = [key for key in ("user", "password") if key in node.keys]
    if len(alone) == 1:
        other = "password" if alone[0] == "user" else "user"
        yield Finding(
            "missing-key", f"'{alone[0]}' needs '{other}' beside it", node.key_place(alone[0]), f"add {other}"
        )
    host, security = node.get("host"), node.get("security")
    here = not isinstance(host, ScalarNode) or host.text in HERE
    secured = isinstance(security, ScalarNode) and security.text != "none"
    if "password" in node.keys and not here and not secured:
        message = "the password would cross the network in plain text"
        yield Finding("bad-value", message, node.key_place("password"), "add security: starttls, or tls")
