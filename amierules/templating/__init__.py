"""The one Jinja environment: sandbox, expressions, templates, commands, *unknown* and *secret* values."""

from amierules.templating.commands import Command
from amierules.templating.compiled import Expression, Template
from amierules.templating.environment import Environment
from amierules.templating.problems import EvaluationError, TemplateSyntaxProblem
from amierules.templating.secret import Secret, secret_text
from amierules.templating.shell import VARIABLE, Script
from amierules.templating.unknown import Unknown, UnknownUsed

__all__ = [
    "VARIABLE",
    "Command",
    "Environment",
    "EvaluationError",
    "Expression",
    "Script",
    "Secret",
    "Template",
    "TemplateSyntaxProblem",
    "Unknown",
    "UnknownUsed",
    "secret_text",
]
