"""Whose an account in Slurm is: the mark that we leave on it, and what proves it ours."""

from amierules.actions.base import Params, Surroundings, expected
from amierules.actions.slurm_calls import fit_text, folded
from amierules.actions.slurm_reading import Account
from amierules.actions.words import shown

_ORGANIZATION = "amie"


def wanted_texts(params: Params) -> dict[str, str]:
    """Description and organization, which are also the mark by which an account is known as ours."""
    name = expected(folded(params["account"]))
    description = fit_text(str(expected(params.get("description", "")))) or f"{_ORGANIZATION} {name}"
    return {
        "description": description,
        "organization": fit_text(str(expected(params.get("organization", "")))) or _ORGANIZATION,
    }


def not_ours(params: Params, account: Account, surroundings: Surroundings) -> str:
    """'' if there is no such account or it is provably ours, else why it is not.

    Ours is one whose description and organization are the wanted ones, as we write them in one call with the name, and
    one that is the group of a project which the registry had before this run. A name alone proves nothing.
    """
    if not account.exists:
        return ""
    wanted = wanted_texts(params)
    if (account.description, account.organization) == (wanted["description"], wanted["organization"]):
        return ""
    registry = surroundings.registry
    for name in dict.fromkeys((expected(params["account"]), account.name)):
        project = registry.project_by_group(name)
        if project is not None and not registry.created(project.key):
            return ""
    return (
        f"account {shown(account.name)} exists in Slurm, described as '{shown(account.description)}' of "
        f"'{shown(account.organization)}', and the registry knew no project with this group"
    )
