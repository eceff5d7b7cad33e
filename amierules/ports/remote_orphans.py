"""Programs on other nodes whose engine has died: ended by their mark, as `orphans` ends those on this host."""

from collections.abc import Mapping

from amierules.ports.nodes import Ending, NodeCompleted
from amierules.ports.orphans import MARK

_NO_PROC, _GO_ON = 3, 1
_SCRIPT = f"""\
[ -r /proc/self/environ ] || exit {_NO_PROC}
marked() {{ grep -lsxzF "{MARK}=$1" /proc/[0-9]*/environ | cut -d/ -f3; }}
live() {{
    cat /proc/[0-9]*/stat 2>/dev/null | awk -v groups=" $g " \\
        '{{ sub(/.*\\) /, ""); if ($1 !~ /[ZX]/ && index(groups, " " $3 " ")) found = 1 }} END {{ exit !found }}'
}}
for s in TERM KILL; do
    g=$(marked "$1" | tr '\\n' ' ')
    [ -n "$g" ] || exit 0
    for one in $g; do kill -s $s -- "-$one" 2>/dev/null; done
    i=0
    while live && [ $i -lt 60 ]; do sleep 0.1; i=$((i + 1)); done
    live || exit 0
done
exit {_GO_ON}
"""


def end_script(mark: str) -> list[str]:
    """The words that end, on a node, the process groups that the mark's processes lead."""
    return ["/bin/sh", "-c", _SCRIPT, "sh", mark]


def not_ended(done: Mapping[str, NodeCompleted]) -> dict[str, str]:
    """Where it did not succeed, and why."""
    return {name: _why(one) for name, one in done.items() if one.ending is not Ending.ENDED or one.rc != 0}


def _why(one: NodeCompleted) -> str:
    if one.ending is not Ending.ENDED:
        return one.reason
    said = {_NO_PROC: "its processes cannot be seen", _GO_ON: "it goes on in spite of SIGKILL"}
    return said.get(one.rc or 0, f"the search for it ended with status {one.rc}")
