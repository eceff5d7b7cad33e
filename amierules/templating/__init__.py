"""The one Jinja environment: sandbox, expressions, templates, commands, *unknown* and *secret* values."""

from amierules.templating.commands import Command
from amierules.templating.compiled import Expression, Template
from amierules.templating.complaints import Doubt
from amierules.templating.environment import Environment
from amierules.templating.facts import Facts
from amierules.templating.foreign import name_hint
from amierules.templating.inference import StaticNames
from amierules.templating.ldap_texts import DistinguishedName, Filter
from amierules.templating.problems import EvaluationError, TemplateSyntaxProblem, located
from amierules.templating.secret import WITHHELD, Secret, SecretName, Unread, Withheld, secret_text, secrets_in
from amierules.templating.shell import VARIABLE, Script
from amierules.templating.static import Nothing, Static
from amierules.templating.unknown import Unknown, UnknownUsed

__all__ = [
    "VARIABLE",
    "WITHHELD",
    "Command",
    "DistinguishedName",
    "Doubt",
    "Environment",
    "EvaluationError",
    "Expression",
    "Facts",
    "Filter",
    "Nothing",
    "Script",
    "Secret",
    "SecretName",
    "Static",
    "StaticNames",
    "Template",
    "TemplateSyntaxProblem",
    "Unknown",
    "UnknownUsed",
    "Unread",
    "Withheld",
    "located",
    "name_hint",
    "secret_text",
    "secrets_in",
]
