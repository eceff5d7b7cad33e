"""Watches the engine at work on rules, and notes each feature of the language when it is really used."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from amierules.actions.schemas import kind_schemas
from amierules.engine import messages, walk
from amierules.engine.row_views import RowView
from amierules.engine.scope import Scope, Variables
from amierules.engine.site import Site
from amierules.protocol.catalogue import catalogue
from amierules.rulebook import model
from amierules.rulebook.notices import NOTICE_NAMES
from amierules.templating import access
from amierules.templating.sandbox import Sandbox
from tests.support.language_features import FINDERS, FORMS

_TITLES: Mapping[type, str] = {
    model.RuleFile: "rule file",
    model.Rule: "rule",
    model.Reply: "reply",
    model.Defer: "defer",
    model.Action: "action",
    model.Repetition: "action",
    model.Block: "block",
    model.BlockParameter: "parameter",
    model.Notice: "message",
}
_KEYS: Mapping[str, str] = {"packet_types": "packet", "with_": "with", "parameters": "params"}
"""Fields of the model that are called otherwise in rule files."""

Patch = tuple[Any, str, Callable[[Any], Any]]


class Params(dict[str, Any]):
    """The parameters of a step, which say when its kind asks for one."""

    def __init__(self, watch: "Watch", title: str, given: Mapping[str, Any], raw: Any) -> None:
        super().__init__(given)
        self._watch = watch
        self._title = title
        self._raw = raw if isinstance(raw, dict) else {}

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        self._watch.key(self._title, name, value)
        if name in self._raw:
            self._watch.key(self._title, name, self._raw[name])
        if isinstance(value, dict) and isinstance(self._raw.get(name), dict):
            return Params(self._watch, f"{self._title}.{name}", value, self._raw[name])
        return value

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default


class Watch:
    """What was used so far. Only what happens inside of `watching` counts: loading and checking rules use nothing."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        self._rules: dict[str, Any] = {}
        self._files: dict[str, Any] = {}
        self._rule: Any = {}
        self._action: Any = {}
        self._message: Any = {}
        self._notices: tuple[model.Notice, ...] = ()
        self._labels: dict[int, tuple[str, object]] = {}

    def key(self, title: str, name: str, value: Any) -> None:
        """A key was used; with the form that its value has, and the value itself where it is a text."""
        feature = f"{title}: {name}"
        self.used |= {feature, f"{feature} ({FORMS.get(type(value), '')})"}
        if isinstance(value, str):
            self.used.add(f"{feature}={value}")

    @contextmanager
    def watching(self, site: Site) -> Iterator[None]:
        """The engine works on the packets of this site."""
        self._files = {path: yaml.safe_load(Path(path).read_text("utf-8")) for path in site.rulebook.files}
        self._rules = {one["name"]: one for file in self._files.values() for one in file.get("rules", ())}
        patches = [*self._of_the_model(), *self._of_the_engine(), *self._of_expressions()]
        originals = [(owner, name, owner.__dict__.get(name)) for owner, name, _ in patches]
        try:
            for owner, name, made in patches:
                setattr(owner, name, made(getattr(owner, name)))
            yield
        finally:
            for owner, name, original in originals:
                if original is None:
                    delattr(owner, name)
                else:
                    setattr(owner, name, original)
            self._labels.clear()

    # ---------------------------------------------------------------- rule files, rules, actions, outcomes

    def _of_the_model(self) -> list[Patch]:
        def watched(original: Any) -> Any:
            def read(instance: Any, name: str) -> Any:
                if not name.startswith("_"):
                    self._read(instance, name)
                return original(instance, name)

            return read

        return [(cls, "__getattribute__", watched) for cls in (*_TITLES, model.Ending)]

    def _read(self, instance: Any, name: str) -> None:
        plain = object.__getattribute__(instance, "__dict__")
        title, key = _TITLES.get(type(instance), ""), _KEYS.get(name, name)
        match instance:
            case model.RuleFile() | model.Block():
                raw = self._files[plain["path"]]
                if name in ("rules", "actions"):
                    # By these two the engine found the file, or the block.
                    found = "packet" if name == "rules" else "block"
                    self.key(title, found, raw[found])
            case model.Rule():
                # Each rule is asked what its outcome is; that of the chosen one is read, too.
                raw = self._rule = self._rules[plain["name"]]
                self._notices = plain["notify"]
            case model.Reply() | model.Defer():
                raw = self._rule.get(title)
                self._outcome()
            case model.Ending() if name == "text":
                title, raw, key = "hold", self._rule.get("hold"), "reason"
                self._outcome()
            case model.Ending():
                raw, title = self._rule.get("hold"), "hold"
            case model.Action():
                self._action = raw = json.loads(plain["source"])
            case model.Repetition():
                raw = self._action
            case model.Notice():
                raw = self._message = self._message_of(instance)
            case model.BlockParameter():
                raw = {name: ""}
            case _:
                raise TypeError(instance)
        if isinstance(raw, dict) and key in raw and key != "vars":
            self.key(title, key, raw[key])

    def _message_of(self, notice: model.Notice) -> Any:
        place = next(at for at, one in enumerate(self._notices) if one is notice)
        return self._rule["notify"][place]

    def _outcome(self) -> None:
        for kind in ("reply", "complete", "ignore", "defer", "hold", "fail"):
            if kind in self._rule:
                self.key("rule", kind, self._rule[kind])

    # ---------------------------------------------------------------- parameters and vars

    def _of_the_engine(self) -> list[Patch]:
        def checked(original: Any) -> Any:
            def check(schema: Mapping[str, Any], rendered: Mapping[str, Any]) -> tuple[Any, list[str]]:
                params, problems = original(schema, rendered)
                kind = str(schema["title"])
                self.key("action", kind, self._action[kind])
                return Params(self, kind, params, self._action.get(kind)), problems

            return check

        def made(original: Any) -> Any:
            def content_of(channel: str, rendered: Mapping[str, Any], subject: str) -> Any:
                content = original(channel, rendered, subject)
                self.key("message", channel, "")
                for name, value in self._message[channel].items():
                    self.key(channel, name, value)
                return content

            return content_of

        def variable(original: Any) -> Any:
            def value(variables: Variables, name: str) -> object:
                compiled = variables._compiled[name]
                self.used.add("block: vars" if "block" in self._files[compiled.place.file] else "rule file: vars")
                return original(variables, name)

            return value

        def used(original: Any) -> Any:
            def use(walking: walk.Walk, action: model.Action, *rest: Any) -> object:
                self.key("action", action.kind, "")
                return original(walking, action, *rest)

            return use

        return [
            (walk, "check_params", checked),
            (Variables, "value", variable),
            (walk.Walk, "_use", used),
            (messages, "content_of", made),
        ]

    # ---------------------------------------------------------------- names and attributes

    def _of_expressions(self) -> list[Patch]:
        def looked_up(original: Any) -> Any:
            def lookup(sandbox: Sandbox, context: Any, name: str) -> object:
                value = original(sandbox, context, name)
                if isinstance(context.names, Scope):
                    self._name(context.names, name, value)
                return value

            return lookup

        def item(original: Any) -> Any:
            def got(value: Mapping[Any, object], name: object) -> object:
                found = original(value, name)
                self._attribute(value, str(name), found)
                return found

            return got

        def called(original: Any) -> Any:
            def call(sandbox: Sandbox, context: Any, function: Any, /, *args: object, **named: object) -> object:
                if getattr(function, "__name__", "") == "find_person":
                    given = (*FINDERS[: len(args)], *named)
                    self.used |= {f"find_person({one})" for one in given}
                return original(sandbox, context, function, *args, **named)

            return call

        return [(Sandbox, "lookup", looked_up), (access, "_item_of_mapping", item), (Sandbox, "call", called)]

    def _name(self, names: Scope, name: str, value: object) -> None:
        if name == "item":
            self.used.add("name: item")
        elif name in names.local:
            self._local(name, value)
        elif names.variables is not None and name in names.variables:
            self.used.add("name: a variable")
        else:
            self.used.add(f"name: {name}")
            self._labels[id(value)] = (name, value)

    def _local(self, name: str, value: object) -> None:
        action = next((one for one in self._registering() if one["register"] == name), None)
        if action is None:
            # What is known of the occasion stands beside them, in messages only.
            self.used.add(f"name: {name}" if name in NOTICE_NAMES else "name: a parameter")
            return
        self.used.add("name: a result")
        kind = next(key for key in action if key in kind_schemas())
        if "for_each" in action and isinstance(value, list):
            self.used.add("result of for_each: list")
        elif value is None:
            self.used.add("result of a skipped action: none")
        elif kind == "use":
            self.used.add("result of use: mapping")
        elif isinstance(value, Mapping):
            self._labels[id(value)] = (f"result of {kind}", value)

    def _registering(self) -> Iterator[dict[str, Any]]:
        for file in self._files.values():
            for holder in (file, *file.get("rules", ())):
                yield from (one for one in holder.get("actions", ()) if "register" in one)

    def _attribute(self, value: object, name: str, found: object) -> None:
        if isinstance(value, RowView):
            self.used.add(f"{type(value.row).__name__.lower()}.{name}")
            return
        label = self._labels.get(id(value), ("", None))[0]
        if label.startswith("result of "):
            self.used.add(f"result: {name}" if name in ("failed", "error") else f"{label}: {name}")
        elif label == "transaction" and name in catalogue().types:
            self.used |= {"transaction.TYPE"} if found is not None else set()
        elif label == "approval" and name not in ("by", "reason"):
            self.used.add("approval.NAME")
        elif label:
            self.used.add(f"{label}.{name}")
