"""Rules for the crash matrix: for each kind of action one that does it between two commands, and what it leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OUTSIDE = ("before intent", "in intent", "after intent", "after effect", "in result", "after result")
"""The points that each step with an outside effect passes."""
ALWAYS = ("before claim", "after claim", "before start", "before settling", "in settling", "after settling")
"""The points that each packet passes once."""
DURING, RESERVED = "during effect", "after reservation"
NOBODY_KNOWS = ("after intent", DURING, "after effect", "in result")
"""The points at which nobody recorded whether a command without a guard had its effect."""

_EFFECT = """\
armed="$1.kill-$2-$3"
if [ -e "$armed" ]; then read -r engine <"$armed"; rm "$armed"; kill -KILL "$engine"; fi
if [ "$4" = look ]; then grep -c "$3" "$1"; else echo "$2 $3" >>"$1"; fi
"""
_NAME = "{{ packet.ProjectID }}"
_HEAD = "packet: request_project_inactivate\nrules:\n  - name: all\n    actions:\n"
_REPLY = "    reply: {copy: [ProjectID, ResourceList], fields: {}}\n"


@dataclass(frozen=True)
class CrashKind:
    """A kind of action in the matrix. `TOOLS` in `action` stands for the folder of the effect and its log."""

    name: str
    action: str
    effects: tuple[str, ...] = ()
    """The commands that have their effect by the script, beside `first` and `last`, in the order of their steps."""
    others: int = 0
    """How many further steps have an outside effect."""
    looks: bool = False
    """Whether the kind is a command by the script that only looks."""
    reserves: int = 0
    """How many ids and logins are given out."""
    blocks: Mapping[str, str] | None = None
    at_most_once: bool = False

    @property
    def commands(self) -> tuple[str, ...]:
        """The names by which the script can be told to kill."""
        return ("first", *self.effects, *(["kind"] if self.looks else []), "last")

    def cells(self) -> list[tuple[str, int]]:
        """The points, each with the passage at which the process is killed."""
        outside = 2 + len(self.effects) + self.others
        found = [(point, passage) for point in OUTSIDE for passage in range(1, outside + 1)]
        found += [(DURING, passage) for passage in range(1, len(self.commands) + 1)]
        found += [(RESERVED, passage) for passage in range(1, self.reserves + 1)]
        return found + [(point, 1) for point in ALWAYS]

    def doubtful(self, cells: Sequence[tuple[str, int]]) -> list[int]:
        """Which of the cells, counted from 1, leave the packet in doubt."""
        found = [number for number, (point, passage) in enumerate(cells, 1) if point in NOBODY_KNOWS and passage == 2]
        return found if self.at_most_once else []

    def rules(self, folder: Path) -> dict[str, str]:
        """The texts of the rule file and the blocks; writes the script of the effects."""
        (folder / "effect").write_text(_EFFECT, encoding="utf-8")
        (folder / "log").touch()
        action = "".join(f"      {line}\n" for line in self.action.splitlines())
        text = _HEAD + _guarded("first") + action + _guarded("last") + _REPLY
        texts = {"rule.yaml": text, **{f"blocks/{name}.yaml": block for name, block in (self.blocks or {}).items()}}
        return {name: text.replace("TOOLS", str(folder)) for name, text in texts.items()}


def _script(name: str, also: str = "") -> str:
    return f'[sh, "TOOLS/effect", "TOOLS/log", "{name}", "{_NAME}"{also}]'


def _guard(name: str) -> str:
    return f'{{run: [grep, -qx, "{name} {_NAME}", "TOOLS/log"]}}'


def _command(name: str) -> str:
    return f"command: {{run: {_script(name)}, unless: {_guard(name)}}}"


def _guarded(name: str) -> str:
    return f"      - {{name: {name}, {_command(name)}}}\n"


_PERSON = f'- {{name: person, person: {{attributes: {{LastName: Sample}}, login_from: ["{_NAME}"]}}}}\n'
_PROJECT = f'- {{name: project, project: {{grant_number: "G-{_NAME}", project_id: "{_NAME}", group: "g{_NAME}"}}}}\n'
_IN_LOOP = _command("{{ item }}")
_BLOCK = f"""\
block: both
description: two effects
actions:
  - {{name: one, {_command("one")}}}
  - {{name: two, {_command("two")}}}
"""
_IDS = f'PersonID: "{_NAME}", PrimaryPersonID: "{_NAME}", PersonIdList: ["{_NAME}"]'

KINDS = (
    CrashKind("command with unless", f"- {{name: kind, {_command('kind')}}}", effects=("kind",)),
    CrashKind(
        "command at most once",
        f"- {{name: kind, command: {{run: {_script('kind')}}}}}",
        effects=("kind",),
        at_most_once=True,
    ),
    CrashKind(
        "command read only",
        f"- {{name: kind, command: {{run: {_script('kind', ', look')}, read_only: true, ok: [0, 1]}}}}",
        looks=True,
    ),
    CrashKind(
        "user",
        _PERSON + '- {name: kind, user: {name: "{{ person.login }}", uid: "{{ person.uid }}"}}',
        others=1,
        reserves=2,
    ),
    CrashKind(
        "group",
        _PROJECT + '- {name: kind, group: {name: "{{ project.group }}", gid: "{{ project.gid }}"}}',
        others=1,
        reserves=1,
    ),
    CrashKind(
        "grid_mapfile",
        f'- {{name: kind, grid_mapfile: {{login: "a{_NAME}", add: ["/CN={_NAME}"], file: "TOOLS/grid-mapfile"}}}}',
        others=1,
    ),
    CrashKind("person", _PERSON, reserves=2),
    CrashKind("project", _PROJECT, reserves=1),
    CrashKind("allocation", _PROJECT + '- {name: kind, allocation: {start: 2026-02-01, units: "7"}}', reserves=1),
    CrashKind(
        "account",
        _PERSON + _PROJECT + '- {name: kind, account: {person: "{{ person }}", project: "{{ project }}"}}',
        reserves=3,
    ),
    CrashKind("send_packet", f"- {{name: kind, send_packet: {{type: notify_person_ids, fields: {{{_IDS}}}}}}}"),
    CrashKind("assert", "- {name: kind, assert: {that: \"packet.ProjectID != ''\", message: none}}"),
    CrashKind("use", "- {name: kind, use: both}", effects=("one", "two"), blocks={"both": _BLOCK}),
    CrashKind("for_each", f"- {{name: kind, for_each: \"['a', 'b', 'c']\", {_IN_LOOP}}}", effects=("a", "b", "c")),
    CrashKind(
        "until",
        f"- {{name: kind, command: {{run: {_script('kind', ', look')}, read_only: true}}, register: seen, "
        "until: seen.stdout == '1'}",
        looks=True,
    ),
)

_ENTRY = (
    f'{{dn: "uid={_NAME}", base: people, object_classes: [inetOrgPerson, posixAccount], attributes: '
    f'{{uidNumber: "{{{{ person.uid }}}}", cn: "{_NAME}", sn: Sample}}, '
    f'create_only: {{gidNumber: 100, homeDirectory: "/home/{_NAME}"}}}}'
)
_IN_SLURM = f'{{account: "{_NAME}", description: "of {_NAME}", limits: {{MaxJobs: 3}}, fairshare: 7}}'
_ON_NODE = f"command: {{nodes: 127.0.0.1, run: {_script('kind')}, unless: {_guard('kind')}}}"

ELSEWHERE = {
    kind.name: kind
    for kind in (
        CrashKind("ldap_entry", f"{_PERSON}- {{name: kind, ldap_entry: {_ENTRY}}}", others=1, reserves=2),
        CrashKind("command on nodes", f"- {{name: kind, {_ON_NODE}}}", effects=("kind",)),
        CrashKind("slurm_account", f"- {{name: kind, slurm_account: {_IN_SLURM}}}", others=1),
        CrashKind(
            "slurm_association",
            f"- {{name: project, slurm_account: {_IN_SLURM}}}\n"
            f'- {{name: kind, slurm_association: {{account: "{_NAME}", user: games, coordinator: true}}}}',
            others=2,
        ),
    )
}
"""Kinds that work on other servers, by name."""

_PROVABLE = [
    kind for kind in KINDS if not kind.at_most_once and not kind.looks and kind.name not in ("person", "project")
]


def _numbered(kind: CrashKind) -> str:
    """The kind's action, with names of its own among those of all."""
    return kind.action.replace("name: kind", f"name: {kind.name}")


EVERYTHING = CrashKind(
    "everything",
    _PERSON
    + _PROJECT
    + "".join(
        f"{line}\n"
        for kind in _PROVABLE
        for line in _numbered(kind).splitlines()
        if line + "\n" not in (_PERSON, _PROJECT)
    ),
    effects=tuple(effect for kind in _PROVABLE for effect in kind.effects),
    blocks={"both": _BLOCK},
)
"""All kinds of whose steps the next process can tell whether they were done, one after the other."""
