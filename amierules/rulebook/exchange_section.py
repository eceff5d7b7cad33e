"""The configuration's section `exchange`: the REST servers that have the packets of the remote sites."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from amierules.diagnostics import Finding, printable
from amierules.diagnostics.suggest import hint_for
from amierules.rulebook.compiler import Compiler
from amierules.rulebook.durations import duration_seconds
from amierules.rulebook.model import Compiled
from amierules.rulebook.nodes import MappingNode, ScalarNode
from amierules.rulebook.secret_values import HERE, check_secret
from amierules.templating import Environment

_API_KEY = "{{ secret.amie }}"


@dataclass(frozen=True)
class RestServer:
    """One server. Times are in seconds."""

    remote_site_names: tuple[str, ...]
    """The sites whose packets it has."""
    url: str
    site: str
    """Our name there."""
    api_key: Compiled
    acknowledge: str = "expected"
    """Whether a listed inform_transaction_complete is answered: `expected`, `always` or `never`."""
    client_state: bool = False
    poll: float = 60
    full_load: float = 3600
    timeout: float = 30
    proxy: str | None = None
    ca_file: Path | None = None

    @property
    def name(self) -> str:
        """What people call it: the sites that it has."""
        return ", ".join(self.remote_site_names)


def read_exchange(
    root: MappingNode, plain: Mapping[str, Any], folder: Path, site_name: str, remote: Sequence[str]
) -> tuple[tuple[RestServer, ...], list[Finding]]:
    """The checked section as servers, none where there is no section; and what is wrong with it.

    `remote` are the remote sites of the configuration; relative paths count from `folder`.
    """
    node = root.get("exchange")
    if not isinstance(node, MappingNode):
        return (), []
    reader = _Reader(node, plain.get("secrets", {}), folder, site_name)
    given = plain["exchange"]
    sites = node.get("sites")
    if not isinstance(sites, MappingNode):
        servers = [reader.server(tuple(remote), given, node)]
    else:
        reader.findings += _check_names(sites, remote)
        servers = [
            reader.server(
                (name,), {**given, **(given["sites"][name] or {})}, one if isinstance(one, MappingNode) else node
            )
            for name, one in sites.values.items()
        ]
    return tuple(one for one in servers if one is not None), reader.findings


class _Reader:
    def __init__(self, section: MappingNode, secrets: Mapping[str, Any], folder: Path, site_name: str) -> None:
        self.findings: list[Finding] = []
        self._section = section
        self._secrets = secrets
        self._folder = folder
        self._site_name = site_name
        self._compiler = Compiler(Environment(), {})

    def server(self, names: tuple[str, ...], given: Mapping[str, Any], node: MappingNode) -> RestServer | None:
        """One server of what is given for it, of which `node` has what it does not share with others."""
        if "url" not in given:
            self.findings.append(Finding("missing-key", f"{names[0]} has no 'url'", node.place, "add the server's url"))
            return None
        self.findings += _check_url(node if "url" in node.keys else self._section)
        return RestServer(
            remote_site_names=names,
            url=given["url"],
            site=given.get("site", self._site_name),
            api_key=self._api_key(node),
            acknowledge=given.get("acknowledge", RestServer.acknowledge),
            client_state=given.get("client_state", RestServer.client_state),
            poll=duration_seconds(given.get("poll", "60s")),
            full_load=duration_seconds(given.get("full_load", "1h")),
            timeout=duration_seconds(given.get("timeout", "30s")),
            proxy=given.get("proxy"),
            ca_file=self._folder / given["ca_file"] if "ca_file" in given else None,
        )

    def _api_key(self, node: MappingNode) -> Compiled:
        written = node.get("api_key") or self._section.get("api_key")
        scalar = written if isinstance(written, ScalarNode) else _default(self._section)
        compiled = self._compiler.text(scalar)
        found = [*check_secret("api_key", compiled, scalar, self._secrets), *self._compiler.findings]
        self._compiler.findings.clear()
        self.findings += [one for one in found if one not in self.findings]
        return compiled


def _default(section: MappingNode) -> ScalarNode:
    """The default of `api_key`, as if it stood in the file."""
    return ScalarNode(section.place, _API_KEY, _API_KEY, _API_KEY)


def _check_names(sites: MappingNode, remote: Sequence[str]) -> Iterator[Finding]:
    for name in sites.values:
        if name not in remote:
            message = f"'{printable(name, 40)}' is none of the remote sites"
            hint = hint_for(name, remote) or f"remote_site_name has {', '.join(remote)}"
            yield Finding("bad-value", message, sites.key_place(name), hint)


def _check_url(node: MappingNode) -> Iterator[Finding]:
    url = node.get("url")
    if not isinstance(url, ScalarNode):
        return
    try:
        parts = urlsplit(url.text)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        yield Finding("bad-value", printable(f"this is no address: {error}"), url.place)
        return
    if parts.scheme == "http" and host not in HERE:
        message = "the API key would cross the network in plain text"
        yield Finding("bad-value", message, url.place, "write https://")
