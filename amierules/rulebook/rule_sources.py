"""One file each: read, checked by schema and by what a schema cannot say, compiled."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.protocol.catalogue import catalogue
from amierules.rulebook.blocks import BlockUse, parameters_of, uses_in_actions, uses_in_rules
from amierules.rulebook.checks.view import FileView
from amierules.rulebook.compiler import Compiler
from amierules.rulebook.files import read_text, shown
from amierules.rulebook.model import Block, RuleFile
from amierules.rulebook.naming import check_block_names, check_rule_file_names
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode
from amierules.rulebook.notices import check_notices
from amierules.rulebook.reading import packet_types, read_block, read_rule_file
from amierules.rulebook.replies import check_replies
from amierules.rulebook.schema_check import check, schemas_with
from amierules.rulebook.scopes import Scopes
from amierules.rulebook.sending import check_send
from amierules.rulebook.structure import check_action, check_rule, mappings_in, registered_amiss
from amierules.rulebook.templates import TemplateFiles
from amierules.rulebook.yaml_reader import load_yaml
from amierules.templating import Environment

_DECORATIONS = frozenset({"alias", "anchor", "merge-key", "tag"})


@dataclass
class RuleSource:
    """A rule file as found. `types` are the known packet types that it is for, or most likely meant for."""

    path: str
    types: tuple[str, ...] = ()
    places: dict[str, Place] = field(default_factory=dict)
    """The place where each packet type is named."""
    findings: list[Finding] = field(default_factory=list)
    uses: tuple[BlockUse, ...] = ()
    file: RuleFile | None = None
    view: FileView | None = None
    """What checks see of it; None where it cannot be read."""
    elsewhere: list[Finding] = field(default_factory=list)
    """What is wrong in other files as it uses them: in templates, which breaks messages and no rule, and in blocks."""


@dataclass
class BlockSource:
    """A block as found; its name is that of its file."""

    name: str
    path: str
    findings: list[Finding] = field(default_factory=list)
    uses: tuple[BlockUse, ...] = ()
    parameters: Mapping[str, bool] | None = None
    """None where they cannot be read."""
    block: Block | None = None
    view: FileView | None = None
    """What checks see of it; None where it cannot be read."""
    elsewhere: list[Finding] = field(default_factory=list)
    """What is wrong in other blocks as it uses them."""


def first_error(findings: list[Finding]) -> Finding | None:
    """The first finding that makes a file unusable."""
    errors = (finding for finding in findings if finding.severity is Severity.ERROR)
    return min(errors, key=Finding.sort_key, default=None)


def apart(findings: list[Finding], path: str) -> tuple[list[Finding], list[Finding]]:
    """The findings in this file, and those in others."""
    own = [finding for finding in findings if finding.place is None or finding.place.file == path]
    return own, [finding for finding in findings if finding not in own]


class SourceReader:
    """Reads the files of one rulebook."""

    def __init__(self, kinds: Mapping[str, dict[str, Any]], environment: Environment, templates: TemplateFiles) -> None:
        self._kinds = kinds
        self._templates = templates
        self._environment = environment
        self._schemas = schemas_with(kinds)
        self._catalogue = catalogue()
        self.blocks: dict[str, FileView] = {}
        """What checks see of the blocks, once all are known."""

    def rule_file(self, path: Path) -> RuleSource:
        """A rule file with all its findings, but those that need other files."""
        source = RuleSource(shown(path))
        text, root = self._read(path, "rule-file.schema", source.findings)
        if not isinstance(root, MappingNode):
            source.types = self._guess_types(path, text or "")
            return source
        source.types = self._types(packet_types(root)) or self._guess_types(path, text or "")
        source.places = _type_places(root)
        source.uses = uses_in_rules(root)
        rules = list(mappings_in(root.get("rules")))
        actions = [action for rule in rules for action in mappings_in(rule.get("actions"))]
        source.findings += [finding for rule in rules for finding in check_rule(rule)]
        source.findings += self._actions(actions)
        source.findings += [finding for rule in rules for finding in check_notices(rule.get("notify"))]
        source.findings += check_rule_file_names(root)
        source.findings += check_replies(root, source.types, self._catalogue)
        compiler = Compiler(self._environment, self._kinds, self._templates)
        file = read_rule_file(root, source.path, compiler)
        scopes = Scopes(self._catalogue, registered_amiss(actions, self._kinds))
        scopes.rule_file(file)
        own, source.elsewhere = apart([*compiler.findings, *scopes.findings], source.path)
        source.findings = _once([*source.findings, *own])
        types = tuple(self._catalogue.types[name] for name in source.types)
        source.view = FileView(source.path, text or "", root, types, file=file, blocks=self.blocks)
        source.file = file if first_error(source.findings) is None else None
        return source

    def block(self, path: Path) -> BlockSource:
        """A block with all its findings, but those that need other files."""
        source = BlockSource(path.stem, shown(path))
        text, root = self._read(path, "block.schema", source.findings)
        if not isinstance(root, MappingNode):
            return source
        source.uses = uses_in_actions(root.get("actions"))
        source.findings += _check_block_name(root, source.name)
        actions = list(mappings_in(root.get("actions")))
        source.findings += self._actions(actions)
        source.findings += check_block_names(root)
        source.parameters = parameters_of(root, source.findings)
        compiler = Compiler(self._environment, self._kinds)
        block = read_block(root, source.path, compiler)
        scopes = Scopes(self._catalogue, registered_amiss(actions, self._kinds))
        scopes.block(block)
        # Without its parameters nobody can tell which names a block has.
        unknown = scopes.findings if source.parameters is not None else []
        source.findings = _once([*source.findings, *compiler.findings, *unknown])
        source.view = FileView(source.path, text or "", root, block=block, blocks=self.blocks)
        source.block = block if first_error(source.findings) is None else None
        return source

    def _read(self, path: Path, schema: str, findings: list[Finding]) -> tuple[str | None, Node | None]:
        text, found = read_text(path)
        findings += found
        if text is None:
            return None, None
        root, found = load_yaml(text, shown(path))
        findings += found
        if isinstance(root, MappingNode) and (astray := _in_wrong_folder(root, schema)) is not None:
            findings.append(astray)
            return text, None
        if root is not None:
            # What has an anchor, alias or tag is no value yet: nothing is to be said of its type.
            decorated = {finding.place.line for finding in found if finding.place and finding.code in _DECORATIONS}
            findings += [
                finding
                for finding in check(root, schema, self._schemas)
                if finding.place is None or finding.place.line not in decorated
            ]
        return text, root

    def _actions(self, actions: list[MappingNode]) -> list[Finding]:
        return [
            finding
            for action in actions
            for finding in (*check_action(action, self._kinds), *check_send(action, self._catalogue))
        ]

    def _types(self, names: tuple[str, ...]) -> tuple[str, ...]:
        known = self._catalogue.types
        meant = (name if name in known else did_you_mean(name, known) for name in names)
        return tuple(dict.fromkeys(name for name in meant if name is not None))

    def _guess_types(self, path: Path, text: str) -> tuple[str, ...]:
        """What a file that cannot be parsed is most likely for: packets must not be answered by other rules instead."""
        line = re.search(r"^[ \t]*packet[ \t]*:(.*(?:\n[ \t-].*)*)", text, re.MULTILINE)
        named = re.findall(r"\w+", line[1]) if line else []
        return self._types(tuple(named)) or self._types((path.stem,))


def _in_wrong_folder(root: MappingNode, schema: str) -> Finding | None:
    """A block among the rule files, or a rule file among the blocks."""
    is_block = schema == "block.schema"
    mine, other, key = ("block", "packet", "rules") if is_block else ("packet", "block", "actions")
    if mine in root.keys or other not in root.keys or key not in root.keys:
        return None
    what, hint = (
        ("a rule file", "move it out of blocks/") if is_block else ("a block", "move it into the folder blocks/")
    )
    return Finding("wrong-folder", f"this is {what}, and stands in the wrong folder", root.key_place(other), hint)


def _once(findings: list[Finding]) -> list[Finding]:
    """Of findings of one code at one place the first: two steps of the loader may stumble over the same value."""
    return list({(finding.code, finding.place): finding for finding in reversed(findings)}.values())[::-1]


def _type_places(root: MappingNode) -> dict[str, Place]:
    named = root.get("packet")
    items = named.items if isinstance(named, ListNode) else (named,)
    return {item.text: item.place for item in items if isinstance(item, ScalarNode)}


def _check_block_name(root: MappingNode, name: str) -> list[Finding]:
    given = root.get("block")
    if not isinstance(given, ScalarNode) or given.text == name:
        return []
    message = f"the file is called {printable(name, 60)}, its block '{printable(given.text, 60)}'"
    return [Finding("block-name", message, given.place, "a block has the name of its file")]
