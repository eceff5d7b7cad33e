"""The directory, as `doctor` sees it: can we bind, and read what stands below the bases."""

from collections.abc import Iterator

from amierules.diagnostics import printable
from amierules.engine.directories import directory_of
from amierules.engine.health.check import Check, error, ok
from amierules.ports import DirectoryError
from amierules.ports.ldap_directory import NOT_INSTALLED
from amierules.rulebook.configuration import Configuration


def check_directory(configuration: Configuration) -> Iterator[Check]:
    """Whether the directory can be used, where one is configured, and is configured where the settings ask for it."""
    section = configuration.ldap
    if section is None:
        if configuration.settings.get("accounts") == "ldap":
            hint = "add the section, or set `accounts` to another"
            yield error("directory", "`accounts: ldap` is set, and there is no section `ldap`", hint)
        return
    directory = directory_of(configuration)
    try:
        missing = [base for base in dict.fromkeys(section.named.values()) if directory.read(base) is None]
    except DirectoryError as reason:
        hint = "" if str(reason) == NOT_INSTALLED else "check `ldap` in the configuration, and the server"
        yield error("directory", printable(reason), hint)
        return
    if missing:
        yield error("directory", f"there is no entry {printable(missing[0])}, or we may not read it", "correct `ldap`")
    else:
        who = "by the unix socket" if section.external else f"as {section.bind_dn}" if section.bind_dn else "as nobody"
        yield ok("directory", f"{section.uri}, {printable(who)}: {', '.join(map(printable, section.named.values()))}")
