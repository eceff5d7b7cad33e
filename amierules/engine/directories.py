"""The directory of a site, as its configuration says; nothing is asked of it before a rule does."""

from amierules.engine.packet_names import Secrets
from amierules.ports import Directory, NoDirectory
from amierules.ports.ldap_directory import Access, LdapDirectory
from amierules.rulebook.configuration import Configuration
from amierules.templating import EvaluationError, Secret


def directory_of(configuration: Configuration) -> Directory:
    """The site's directory."""
    section = configuration.ldap
    if section is None:
        return NoDirectory()
    return LdapDirectory(
        Access(
            uri=section.uri,
            start_tls=section.start_tls,
            ca_file=section.ca_file,
            bind_dn=section.bind_dn,
            password=lambda: _password(configuration),
            external=section.external,
            timeout=section.timeout,
        )
    )


def _password(configuration: Configuration) -> str:
    """The password, read when it is needed. Raises `ValueError`."""
    section = configuration.ldap
    if section is None or section.password is None:
        return ""
    try:
        value = section.password.evaluate({"secret": Secrets(configuration.secrets)})
    except EvaluationError as error:
        raise ValueError(str(error)) from error
    return value.reveal() if isinstance(value, Secret) else str(value)
