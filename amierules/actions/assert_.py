"""The kind `assert`: go on only if something holds."""

from amierules.actions.base import Doubt, Params, Plan, Surroundings
from amierules.templating import Unknown


class AssertionFailed(Exception):
    """An assertion that does not hold. `otherwise` is what its `else` says: `park`, `hold`, `defer` or `fail`."""

    def __init__(self, message: str, otherwise: str) -> None:
        super().__init__(message)
        self.otherwise = otherwise


def doubt(params: Params) -> Doubt:
    """Nothing is done, so nothing is in doubt."""
    return Doubt.STAGED


def target(params: Params) -> str:
    """Assertions read nothing but what is in scope."""
    return ""


def probe(params: Params, surroundings: Surroundings) -> object:
    """Whether all of `that` holds: a bool, or the `Unknown` that was reached first."""
    holds = params["that"]
    return holds if isinstance(holds, Unknown) else bool(holds)


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """Nothing to change. Raises `AssertionFailed` where `that` does not hold."""
    if isinstance(state, Unknown):
        return Plan(reason=f"known after {state.step}", result=state)
    if not state:
        raise AssertionFailed(str(params["message"]), str(params.get("else", "park")))
    return Plan(reason="holds")


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Nothing."""
    return plan.result
