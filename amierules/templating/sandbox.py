"""Jinja's sandbox with the language's own meaning of names, attributes, operators and text."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn

from jinja2 import StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Namespace

from amierules.diagnostics import printable
from amierules.templating.access import attribute_of, item_of, slice_of
from amierules.templating.arithmetic import BINARY, UNARY, binary, unary
from amierules.templating.filters import filters
from amierules.templating.guards import VALUE_ERRORS, as_evaluation_error, refuse_unknown_arguments
from amierules.templating.limits import check_length
from amierules.templating.predicates import predicates
from amierules.templating.problems import EvaluationError, meant
from amierules.templating.secret import Secret, secret_text
from amierules.templating.values import FUNCTION, as_text, compare, kind_of

GLOBALS: Final[Mapping[str, Callable[..., Any]]] = {"range": safe_range, "dict": dict, "namespace": Namespace}
_COLLECTING = (dict, Namespace)


class NoValue(StrictUndefined):
    """Jinja's undefined, which here cannot even be made: what has no value is an error at once."""

    __slots__ = ()

    def __init__(self, hint: str | None = None, obj: object = None, name: str | None = None, *_: object) -> None:
        message = hint or f"{printable(name, 60)} has no value"
        raise EvaluationError(printable(message), "undefined-name" if name else "no-value", name or "")


class Scope(Context):
    """What a compiled expression runs in: the names are asked for one by one, when they are needed."""

    names: Mapping[str, object]


class Generator(CodeGenerator):
    """Makes Python code that asks the sandbox wherever Jinja would use Python's own operators."""

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: D102, N802
        if isinstance(node.node, nodes.ContextReference) and isinstance(node.arg, nodes.Const):
            self.write(f"environment.lookup(context, {node.arg.value!r})")
        elif isinstance(node.arg, nodes.Slice):
            self.write("environment.slice(")
            self.visit(node.node, frame)
            for part in (node.arg.start, node.arg.stop, node.arg.step):
                self.write(", ")
                self.visit(part or nodes.Const(None), frame)
            self.write(")")
        else:
            super().visit_Getitem(node, frame)

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:  # noqa: D102, N802
        if len(node.ops) == 1:
            self.write(f"environment.compare({node.ops[0].op!r}, ")
            self.visit(node.expr, frame)
            self.write(", ")
            self.visit(node.ops[0].expr, frame)
        else:
            self.write("environment.compare_chain(")
            self.visit(node.expr, frame)
            for operand in node.ops:
                self.write(f", ({operand.op!r}, lambda: ")
                self.visit(operand.expr, frame)
                self.write(")")
        self.write(")")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: D102, N802
        self.write("environment.concatenated((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    # Jinja would wrap each piece in str(), which hides secrets, and would fold constants by Python's own rules.
    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        self.write("environment.finalize(")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        self.write(")")


class Sandbox(ImmutableSandboxedEnvironment):
    """The one Jinja environment. It has no loader, no autoescape, and no undefined values."""

    code_generator_class = Generator
    context_class = Scope
    intercepted_binops = frozenset(BINARY)
    intercepted_unops = frozenset(UNARY)
    concat = staticmethod(secret_text)  # type: ignore[assignment]
    compare = staticmethod(compare)
    slice = staticmethod(slice_of)

    def __init__(self) -> None:
        super().__init__(undefined=NoValue, finalize=as_text, keep_trailing_newline=True, optimized=False)
        self.globals = dict(GLOBALS)
        self.filters = filters()
        # Jinja gives its own table the type that its first test happens to have.
        self.tests = predicates()  # type: ignore[assignment]

    def lookup(self, context: Scope, name: str) -> object:
        """The value of a name, computed now if it is a computed one."""
        if name in context.names:
            return context.names[name]
        if name in GLOBALS:
            return GLOBALS[name]
        raise EvaluationError(f"{name} is not defined{meant(name, context.names)}", "undefined-name", name)

    def getattr(self, obj: object, attribute: str) -> object:
        """`obj.attribute` in a rule."""
        return attribute_of(obj, attribute)

    def getitem(self, obj: object, argument: object) -> object:
        """`obj[argument]` in a rule."""
        return item_of(obj, argument)

    def unsafe_undefined(self, obj: object, attribute: str) -> NoReturn:
        """Never asked, since attributes never reach Python's own; an error if it were."""
        raise EvaluationError(f"{printable(attribute, 60)} cannot be reached", "undefined-attribute", attribute)

    def compare_chain(self, first: object, *rest: tuple[str, Callable[[], object]]) -> bool:
        """`first OP second OP third`, from left to right, stopping at the first that does not hold."""
        left = first
        for operation, operand in rest:
            right = operand()
            if not compare(operation, left, right):
                return False
            left = right
        return True

    def concatenated(self, parts: Iterable[object]) -> str | Secret:
        """The parts of a `~` as one text."""
        texts = [as_text(part) for part in parts]
        check_length(sum(len(text) for text in texts if isinstance(text, str)))
        return secret_text(texts)

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        """`left OPERATOR right` in a rule."""
        return binary(operator, left, right)

    def call_unop(self, context: Context, operator: str, arg: object) -> object:
        """`OPERATOR arg` in a rule."""
        return unary(operator, arg)

    def call(self, context: Context, obj: object, /, *args: object, **kwargs: object) -> object:
        """A call in a rule: of a function in scope, of a text's method, of one of the globals."""
        if kind_of(obj) != FUNCTION or not callable(obj):
            raise EvaluationError(f"{kind_of(obj)} is no function", "different-types")
        if obj not in _COLLECTING:
            refuse_unknown_arguments(args, kwargs)
        try:
            return obj(*args, **kwargs)
        except VALUE_ERRORS as error:
            raise as_evaluation_error(error, f"{_function_name(obj)}()") from error


def _function_name(function: object) -> str:
    ours = (name for name, known in GLOBALS.items() if known is function)
    return printable(next(ours, getattr(function, "__name__", "the function")), 60)
