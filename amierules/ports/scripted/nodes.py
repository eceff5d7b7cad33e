"""Programs on other nodes in a rule test: scripted answers, and nothing else."""

from collections.abc import Mapping, Sequence

from amierules.ports.cluster import ClusterNodes
from amierules.ports.nodes import Ending, NodeCompleted
from amierules.ports.processes import Hidden, NotStarted
from amierules.ports.scripted.answers import Answer, Call, Script

_REASONS: Mapping[Ending, str] = {
    Ending.TIMED_OUT: "it took too long",
    Ending.LOST: "the connection was lost",
    Ending.REFUSED: "it could not be started",
    Ending.UNREACHED: "the node was not reached",
    Ending.LEFT_OUT: "other nodes were not reached",
}


class ScriptedNodes(ClusterNodes):
    """Names nodes as ClusterShell does, and reaches none; see `amierules.ports.nodes.Nodes`."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

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
        """What the program would leave on each node. Raises `NotStarted`, also where nothing answers."""
        call = Call(tuple(str(word) for word in argv), tuple(names))
        answer = self._script.answer(call)
        if answer is None:
            raise NotStarted(f"{call.words[0]}: {self._script.refuse(call)}")
        if answer.not_started is not None:
            raise NotStarted(answer.not_started)
        return {name: _completed(name, answer.on.get(name, answer)) for name in names}

    def end(self, names: Sequence[str], mark: str) -> Mapping[str, str]:
        """Nothing runs anywhere."""
        return {}


def _completed(name: str, answer: Answer) -> NodeCompleted:
    ending = Ending.TIMED_OUT if answer.timed_out else answer.ending
    if ending is not Ending.ENDED:
        return NodeCompleted(name, ending, reason=answer.stderr or _REASONS[ending])
    return NodeCompleted(name, ending, answer.rc, answer.stdout, answer.stderr)
