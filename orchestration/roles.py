"""Least privilege: four roles without a login, and what each may do in the warehouse.

The statements stand in roles.sql; they give what the caller may give, so a DBA can run all of them,
and the loader's login can give its own raw schemas to the transformer after each load.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.errors import ConfigurationError, PublishBlocked, WarehouseForbids
from orchestration.lock import run_lock
from orchestration.publication.sql import role_exists
from orchestration.settings import Settings
from orchestration.warehouse import open_warehouse

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

MAY = {
    "loader": "creates and writes raw_*, reads nothing else",
    "transformer": "reads raw_*; builds and owns staging, intermediate and the marts; writes ops",
    "reader": "reads marts and nothing else; personal data is masked",
    "pii": "reads marts and nothing else, personal data in the clear",
}
ROLES, RIGHTS, MISSING = Path(__file__).with_suffix(".sql").read_text().split("----\n")
PATIENCE = 10.0  # seconds to wait for a run at work, which changes rights too
Logins = Mapping[str, Collection[str]]  # role without its prefix -> who is to be a member

# Superusers may do everything and are members of nothing.
MEMBERS = """
select rolname from pg_roles
where rolcanlogin and not rolsuper and pg_has_role(oid, %s::regrole, 'usage') order by rolname
"""


@dataclass(frozen=True)
class Role:
    """One of the four, and the logins that have its rights."""

    role: str
    may: str
    members: list[str]


@dataclass(frozen=True)
class Granted:
    """The roles by their short names, and in sentences what could not be given."""

    roles: dict[str, Role]
    missing: list[str]


def statements(settings: Settings, logins: Logins) -> str:
    """All of it as a script for psql, in one transaction."""
    members = "".join(
        f"grant {settings.role(name)} to {_quoted(login)};\n"
        for name, whom in logins.items() for login in whom
    )  # fmt: skip
    # what an earlier login has made goes to the role, for the new one to write
    rights = _rights(settings, bool(logins.get("loader")), bool(logins.get("transformer")))
    return f"{ROLES.format(**_names(settings))}{rights}\n{members}commit;\n"


def grant(settings: Settings, logins: Logins, tell: Callable[[str], None] = print) -> Granted:
    """Make the roles, give them their rights and members, and look at what has become of it.

    Raises:
        ConfigurationError: one of the logins is not there; nothing was changed.
        WarehouseForbids: the warehouse's user may not make roles.
        RunLocked: a run is at work; `tell` gets a sentence when it is waited for.
    """
    from psycopg2 import errors

    warehouse = open_warehouse(settings)
    with (
        run_lock(warehouse, "grants", PATIENCE, tell) as session,
        session.cursor() as cursor,
    ):
        _refuse_unknown(cursor, logins)
        hint = "`ecluse grants --sql` with the same options prints the statements for whoever may."
        cursor.execute(
            "select rolsuper or rolcreaterole from pg_roles where rolname = current_user"
        )
        if cursor.fetchone() != (True,):
            raise WarehouseForbids(f"{warehouse.user} may not create roles ({warehouse}). {hint}")
        try:
            cursor.execute(statements(settings, logins))
        except errors.InsufficientPrivilege as error:
            said = str(error).splitlines()[0]
            raise WarehouseForbids(f"Postgres ({warehouse}) forbids it: {said}. {hint}") from error
        except errors.LockNotAvailable as error:
            raise PublishBlocked(
                "Somebody reads what would get a new owner, and does not end. Nothing was changed; "
                "try again later."
            ) from error
        return look(session, settings)


def look(session: "connection", settings: Settings) -> Granted:
    """Who has which role, and what somebody else has still to give."""
    with session.cursor() as cursor:
        roles = {}
        for name, may in MAY.items():
            cursor.execute(MEMBERS, (settings.role(name),))
            roles[name] = Role(settings.role(name), may, [login for (login,) in cursor.fetchall()])
        cursor.execute(MISSING.format(**_names(settings)))
        return Granted(roles, [sentence for (sentence,) in cursor.fetchall()])


def share_raw(session: "connection", settings: Settings) -> None:
    """Let the transformer read what this login has loaded; nothing as long as there is no role."""
    with session.cursor() as cursor:
        if role_exists(cursor, settings.role("transformer")):
            cursor.execute(_rights(settings))


def _rights(settings: Settings, raw_handed_over: bool = False, models: bool = False) -> str:
    return RIGHTS.format(**_names(settings), hand_over_raw=raw_handed_over, hand_over_models=models)


def _names(settings: Settings) -> dict[str, str]:
    return {name: settings.role(name) for name in MAY}


def _refuse_unknown(cursor: "cursor", logins: Logins) -> None:
    named = {login for whom in logins.values() for login in whom}
    cursor.execute("select rolname from pg_roles where rolname = any(%s)", (list(named),))
    if unknown := sorted(named - {login for (login,) in cursor.fetchall()}):
        raise ConfigurationError(
            f"There is no login {', '.join(unknown)} in this warehouse: nothing was changed. Let a "
            f"DBA run: CREATE ROLE {_quoted(unknown[0])} LOGIN PASSWORD '...';"
        )


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
