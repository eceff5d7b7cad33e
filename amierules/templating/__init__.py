"""The one Jinja environment: sandbox, expressions, templates, commands, *unknown* and *secret* values."""

from amierules.templating.commands import Command
from amierules.templating.compiled import Expression, Template
from amierules.templating.environment import Environment
from amierules.templating.problems import EvaluationError, TemplateSyntaxProblem
from amierules.templating.secret import Secret, secret_text
from amierules.templating.unknown import Unknown, UnknownUsed

__all__ = [
    "Command",
    "Environment",
    "EvaluationError",
    "Expression",
    "Secret",
    "Template",
    "TemplateSyntaxProblem",
    "Unknown",
    "UnknownUsed",
    "secret_text",
]
