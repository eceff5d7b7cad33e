"""Programs on other nodes through ClusterShell and ssh. The only importer of ClusterShell."""

import contextlib
import logging
import os
import secrets
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ClusterShell.Engine.Engine import E_READ, E_WRITE, EngineException
from ClusterShell.Event import EventHandler
from ClusterShell.NodeSet import NodeSet, NodeSetException
from ClusterShell.NodeUtils import GroupResolverError, GroupSourceError
from ClusterShell.Propagation import RouteResolvingError
from ClusterShell.RangeSet import RangeSetException
from ClusterShell.Task import TaskException, task_self, task_terminate
from ClusterShell.Topology import TopologyError
from ClusterShell.Worker.Ssh import SshClient, WorkerSsh
from ClusterShell.Worker.Worker import WorkerException

from amierules.diagnostics import printable
from amierules.ports.node_talk import Talks, shared_lines, talks_with
from amierules.ports.nodes import BadNodes, Ending, NodeCompleted
from amierules.ports.orphans import MARK, current_mark
from amierules.ports.processes import (
    DEFAULT_TIMEOUT,
    KEPT_OUTPUT,
    Hidden,
    NotStarted,
    encoded,
    find_program,
    minimal_environment,
)
from amierules.ports.remote_orphans import end_script, not_ended
from amierules.ports.remote_script import boot, may_be_variable, script
from amierules.rulebook.node_sets import is_node, wrong_with
from amierules.rulebook.ssh import SshSettings

_TICK = 0.05
_GATEWAY_PYTHON = "CLUSTERSHELL_GW_PYTHON_EXECUTABLE"
_INHERITED = ("SSH_AUTH_SOCK", "KRB5CCNAME")
"""What ssh takes from our environment, beside what every program gets."""
_BROKEN = (TaskException, EngineException, WorkerException, RouteResolvingError, TopologyError, OSError)

# What it warns of (a pipe that broke) is told as the outcome of a node.
logging.getLogger("ClusterShell").addHandler(logging.NullHandler())


class _Process(subprocess.Popen[bytes]):
    """The leader of a session, which is killed with all that it has started: a ProxyCommand stays otherwise."""

    def kill(self) -> None:
        """Kill the whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


class _Client(SshClient):  # type: ignore[misc]
    """One ssh: a process that leads a session of its own, marked like our other children; its output is bytes."""

    def _exec_nonblock(
        self, commandlist: Sequence[str], shell: bool = False, env: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        mark = current_mark()
        environment = {**minimal_environment(), **({} if mark is None else {MARK: mark})}
        environment |= {name: os.environ[name] for name in _INHERITED if name in os.environ}
        pipe = subprocess.PIPE
        process = _Process(
            commandlist, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
        )
        worker = self.worker
        for name, end, events in (
            (worker.SNAME_STDERR, process.stderr, E_READ),
            (worker.SNAME_STDOUT, process.stdout, E_READ),
            (worker.SNAME_STDIN, process.stdin, E_WRITE),
        ):
            assert end is not None  # noqa: S101 - all three are pipes
            # ClusterShell closes descriptors by their numbers, which is why they must be nobody else's.
            descriptor = os.dup(end.fileno())
            end.close()
            os.set_blocking(descriptor, False)
            self.streams.set_stream(name, descriptor, events, retain=events == E_READ)
        return process

    def _readlines(self, sname: str) -> Iterator[bytes]:
        yield self._read(sname)


class _Worker(WorkerSsh):  # type: ignore[misc]
    SHELL_CLASS = _Client


class _Events(EventHandler):  # type: ignore[misc]
    """Hands on what happens. Through gateways output comes in lines, without their ends."""

    def __init__(self, talks: Talks, *, in_lines: bool) -> None:
        super().__init__()
        self._talks = talks
        self._in_lines = in_lines

    def ev_read(self, worker: Any, node: str, sname: str, msg: bytes) -> None:
        if str(node) not in self._talks.transcripts:
            self._talks.failure = self._talks.failure or printable(
                f"gateway {node}: {msg.decode(errors='replace')}", 200
            )
            return
        self._talks.heard(str(node), msg + (b"\n" if self._in_lines else b""), complaint=sname == worker.SNAME_STDERR)

    def ev_hup(self, worker: Any, node: str, rc: int) -> None:
        if str(node) not in self._talks.transcripts:
            return  # a gateway
        self._talks.ended(str(node), rc)
        if self._in_lines:
            # The one worker that serves all nodes closes when the last of them has ended.
            self._talks.closed(str(node))

    def ev_close(self, worker: Any, timedout: bool) -> None:
        for node in worker.nodes:
            self._talks.closed(str(node))

    def ev_timer(self, timer: Any) -> None:
        self._talks.tick()


class ClusterNodes:
    """Nodes that are reached by ssh, several at the same time."""

    def __init__(
        self,
        settings: SshSettings | None = None,
        default_timeout: float = DEFAULT_TIMEOUT,
        kept_output: int = KEPT_OUTPUT,
    ) -> None:
        self._settings = settings or SshSettings()
        self._default_timeout = default_timeout
        self._kept_output = kept_output

    def under(self, settings: SshSettings) -> "ClusterNodes":
        """The same, with these settings."""
        return ClusterNodes(settings, self._default_timeout, self._kept_output)

    def expand(self, nodes: str) -> tuple[str, ...]:
        """The names in a set of nodes; see `Nodes.expand`."""
        wrong = wrong_with(nodes)
        if wrong is None:
            try:
                names = tuple(str(name) for name in NodeSet(nodes))
            except (NodeSetException, RangeSetException, GroupResolverError, GroupSourceError) as error:
                wrong = f"cannot be read: {printable(error)}"
            else:
                strange = [name for name in names if not is_node(name)]
                wrong = f"names {printable(strange[0], 60)}, which is no node's name" if strange else None
                wrong = wrong if names else "names no node"
        if wrong is not None:
            raise BadNodes(f"the node set '{printable(nodes, 80)}' {wrong}")
        return names

    def fold(self, names: Sequence[str]) -> str:
        """The names as one short text."""
        return str(NodeSet.fromlist(list(names)))

    def lasting(self, count: int, each: float) -> float:
        """Seconds that a program may take on so many nodes; see `Nodes.lasting`."""
        return (self._settings.connect_timeout + each) * -(-count // self._settings.fanout)

    def run(
        self,
        names: Sequence[str],
        argv: Sequence[str | Hidden],
        *,
        stdin: str | Hidden | None = None,
        env: Mapping[str, str | Hidden] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
    ) -> Mapping[str, NodeCompleted]:
        """Run a program on each node; see `Nodes.run`."""
        seconds = self._default_timeout if timeout is None else timeout
        try:
            line = script(
                [encoded(word) for word in argv],
                stdin=None if stdin is None else encoded(stdin),
                env={_variable(name): encoded(value) for name, value in (env or {}).items()},
                cwd=None if cwd is None else encoded(cwd),
                timeout=seconds,
                mark=current_mark(),
            )
        except UnicodeError:
            raise NotStarted("a word cannot be written as UTF-8") from None
        except ValueError as error:
            raise NotStarted(str(error)) from None
        ssh = find_program("ssh")
        if ssh is None:
            raise NotStarted("ssh: no such program")
        done: dict[str, NodeCompleted] = {}
        for first in range(0, len(names), self._settings.fanout):
            batch = names[first : first + self._settings.fanout]
            if any(one.ending in (Ending.UNREACHED, Ending.LOST) for one in done.values()):
                left = (NodeCompleted(name, Ending.LEFT_OUT, reason="other nodes were not reached") for name in batch)
                done |= {one.node: one for one in left}
            else:
                done |= self._together(batch, line, ssh, seconds)
        return done

    def end(self, names: Sequence[str], mark: str) -> Mapping[str, str]:
        """End what runs on the nodes with this mark; see `Nodes.end`."""
        try:
            return not_ended(self.run(names, end_script(mark), timeout=60))
        except NotStarted as error:
            return dict.fromkeys(names, str(error))

    def _together(self, names: Sequence[str], line: bytes, ssh: str, seconds: float) -> dict[str, NodeCompleted]:
        nonce = secrets.token_hex(16)
        talks = talks_with(names, line, nonce, self._kept_output, seconds, self._settings.connect_timeout)
        in_tree = self._settings.topology is not None
        events = _Events(talks, in_lines=in_tree)
        task = task_self()
        try:
            self._prepare(task, ssh, len(names))
            if in_tree:
                all_names = NodeSet.fromlist(list(names))
                worker = task.shell(boot(nonce), nodes=all_names, handler=events, stderr=True, tree=True)
                for name, shared in shared_lines(names, worker).items():
                    talks.open(name, shared)
            else:
                for name in names:
                    worker = _Worker(NodeSet(name), handler=events, command=boot(nonce), stderr=True)
                    task.schedule(worker)
                    talks.open(name, worker)
            task.timer(_TICK, events, _TICK, autoclose=True)
            task.resume()
        except _BROKEN as error:
            talks.failure = talks.failure or printable(str(error) or type(error).__name__, 200)
        finally:
            # What is still under way is killed by it: the nodes notice that their input has closed.
            with contextlib.suppress(*_BROKEN):
                task_terminate()
        return talks.outcomes()

    def _prepare(self, task: Any, ssh: str, count: int) -> None:
        """Say how ssh is called. Raises `TopologyError` or `OSError`."""
        settings = self._settings
        task.set_info("ssh_path", shlex.quote(ssh))
        task.set_info("ssh_options", shlex.join(_options(settings)))
        task.set_info("ssh_user", settings.user)
        task.set_info("connect_timeout", settings.connect_timeout)
        task.set_info("fanout", max(count, 1))
        for store in ("stdout_msgtree", "stderr_msgtree"):
            task.set_default(store, False)
        if settings.topology is not None:
            if settings.gateway_python is not None:
                # ClusterShell has no other way to be told; it is the same for all threads.
                os.environ[_GATEWAY_PYTHON] = settings.gateway_python
            # ClusterShell takes a file that is not there for one in an old form.
            settings.topology.stat()
            task.load_topology(str(settings.topology))


def _variable(name: str) -> str:
    if not may_be_variable(name):
        raise ValueError(f"a program on a node cannot be given a variable called {printable(name, 40)}")
    return name


def _options(settings: SshSettings) -> list[str]:
    """The words of ssh's own command line. ssh takes the first of several values."""
    named = {"Port": settings.port, "UserKnownHostsFile": settings.known_hosts}
    options = ["-T", *(["-F", str(settings.config)] if settings.config is not None else [])]
    options += [f"-o{name}={value}" for name, value in named.items() if value is not None]
    options += ["-i", str(settings.key), "-oIdentitiesOnly=yes"] if settings.key is not None else []
    options += [f"-o{option}" for option in settings.options]
    # A node that is gone is noticed within a minute.
    return [*options, "-oServerAliveInterval=15", "-oServerAliveCountMax=3", "-oPermitLocalCommand=no"]
