"""The one place that knows how to connect: one URL in, every form that a tool wants out."""

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from orchestration.embedded import EmbeddedServer
from orchestration.errors import (
    ConfigurationError,
    WarehouseForbids,
    WarehouseLost,
    WarehouseUnreachable,
)
from orchestration.settings import Settings

if TYPE_CHECKING:
    from psycopg2.extensions import connection

OLDEST_SERVER = 140000  # PostgreSQL 14, as `server_version` numbers it
LAST_PORT = 65535
# psycopg2 makes a plain DatabaseError of it at times, and goes on to take the connection for open
CUT = "server closed the connection unexpectedly"
# dlt wants a password to be there, also where the server asks for none
NONE_NEEDED = "none-needed"
EXAMPLE = "postgresql://user:password@host:5432/database"


@dataclass(frozen=True)
class Warehouse:
    """Where Postgres is. `host` is a name or the folder of a unix socket."""

    host: str
    port: int
    user: str
    password: str
    dbname: str
    sslmode: str = "prefer"
    variable: str = "ECLUSE_WAREHOUSE_URL"  # where a person would change all this
    embedded: bool = False  # the project's own server

    def url(self) -> str:
        """A URL for libpq, dlt and ADBC; holds the password.

        A socket folder is percent-encoded as the host. dlt writes what stands behind the question
        mark anew, with a plus for each space, which libpq takes for a plus.
        """
        place = f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        return self._url("postgresql", place, {})

    def sqlalchemy_url(self) -> str:
        """A URL for SQLAlchemy and pandas; holds the password.

        SQLAlchemy does not decode the host, so a socket folder goes behind the question mark.
        """
        if self.host.startswith("/"):
            return self._url("postgresql+psycopg2", "localhost", {"host": self.host})
        place = f"[{self.host}]" if ":" in self.host else self.host
        return self._url("postgresql+psycopg2", place, {})

    def _url(self, scheme: str, place: str, options: dict[str, str]) -> str:
        login = f"{quote(self.user, safe='')}:{quote(self.password or NONE_NEEDED, safe='')}"
        options |= {"sslmode": self.sslmode} if self.sslmode != "prefer" else {}
        tail = f"?{urlencode(options, quote_via=quote)}" if options else ""
        return f"{scheme}://{login}@{place}:{self.port}/{quote(self.dbname, safe='')}{tail}"

    def __str__(self) -> str:
        """Where it is, for people and logs: without the password."""
        place = "embedded" if self.embedded else f"{self.host}:{self.port}"
        return f"{self.dbname} on {place} as {self.user}"

    def environment(self) -> dict[str, str]:
        """The variables that make plain psql, dbt, dlt and a notebook find this warehouse."""
        # dbt scrubs the value of this variable from all it logs, so never a made-up one: with "x"
        # every x in every message would be scrubbed
        secret = {"DBT_ENV_SECRET_ECLUSE_PG_PASSWORD": self.password} if self.password else {}
        return {
            **secret,
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.dbname,
            "PGSSLMODE": self.sslmode,
            "ECLUSE_PG_HOST": self.host,
            "ECLUSE_PG_PORT": str(self.port),
            "ECLUSE_PG_USER": self.user,
            "ECLUSE_PG_DBNAME": self.dbname,
            "ECLUSE_PG_SSLMODE": self.sslmode,
            "DESTINATION__POSTGRES__CREDENTIALS": self.url(),
            "ECLUSE_SQLALCHEMY_URL": self.sqlalchemy_url(),
        }

    def connect(self, application: str = "ecluse") -> "connection":
        """An autocommit psycopg2 connection.

        Raises:
            WarehouseUnreachable: no answer, or these credentials are refused.
        """
        import psycopg2

        try:
            session = psycopg2.connect(
                host=self.host, port=self.port, user=self.user, password=self.password,
                dbname=self.dbname, sslmode=self.sslmode, connect_timeout=10,
                application_name=application,
            )  # fmt: skip
        except psycopg2.OperationalError as error:
            said = " ".join(str(error).split()).rstrip("?.")
            if self.password:
                said = said.replace(self.password, "***")
            raise WarehouseUnreachable(
                f"Postgres ({self}) does not let us in: {said}. "
                f"Check {self.variable} and that the server runs."
            ) from None
        session.autocommit = True
        return session

    @contextmanager
    def session(self, application: str = "ecluse") -> Iterator["connection"]:
        """`connect`, closed at the end; what Postgres refuses becomes a sentence."""
        session = self.connect(application)
        try:
            with self.explained(lambda: bool(session.closed)):
                yield session
        finally:
            session.close()

    @contextmanager
    def explained(self, lost: Callable[[], bool]) -> Iterator[None]:
        """Turn a missing right and a connection that is `lost` by now into sentences.

        Raises:
            WarehouseForbids: with the GRANT to ask for, where one statement gives the right.
            WarehouseLost: the server went away under our hands.
        """
        import psycopg2
        from psycopg2.errors import InsufficientPrivilege

        try:
            yield
        except InsufficientPrivilege as error:
            said = str(error).splitlines()[0]
            help_ = f"Give {self.user} the rights of the owner, or use another user."
            if "for database" in said:
                names = (
                    f'"{name.replace(chr(34), chr(34) * 2)}"' for name in (self.dbname, self.user)
                )
                help_ = "Let its owner run: GRANT CREATE ON DATABASE {} TO {};".format(*names)
            raise WarehouseForbids(
                f"Postgres ({self}) forbids what a run needs: {said}. {help_}"
            ) from error
        except psycopg2.Error as error:
            of_connection = isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
            if not (of_connection and lost()) and CUT not in str(error):
                raise
            said = " ".join(str(error).split())
            raise WarehouseLost(
                f"Postgres ({self}) went away: {said}. Start it and run again."
            ) from error


def parse_url(url: str, variable: str = "ECLUSE_WAREHOUSE_URL") -> Warehouse:
    """Read any libpq URL (or key=value string), the value of `variable`.

    Raises:
        ConfigurationError: not a Postgres URL; the sentence shows the form, never the value.
    """
    import psycopg2
    from psycopg2.extensions import parse_dsn

    try:
        parts = parse_dsn(re.sub(r"^(postgres(?:ql)?)\+psycopg2?:", r"\1:", url.strip()))
        port = int(parts.get("port") or 5432)
    except (psycopg2.ProgrammingError, ValueError):
        parts, port = {}, 0
    # an @ in the host is the tail of a password whose own @ was not written as %40
    named = parts.get("host") and "@" not in parts["host"] and parts.get("dbname")
    if not named or not 0 < port <= LAST_PORT:
        raise ConfigurationError(
            f"{variable} is not a Postgres URL with host and database: give {EXAMPLE} "
            "and write @ : / ? # % in a password as %40 %3A %2F %3F %23 %25."
        )
    return Warehouse(
        host=parts["host"],
        port=port,
        user=parts.get("user", "postgres"),
        password=parts.get("password", ""),
        dbname=parts["dbname"],
        sslmode=parts.get("sslmode", "prefer"),
        variable=variable,
    )


def locate(settings: Settings) -> Warehouse:
    """The warehouse of these settings, whether or not it answers; starts nothing."""
    if settings.warehouse_url:
        return parse_url(settings.warehouse_url)
    socket = EmbeddedServer(settings.state_dir).socket_dir
    return Warehouse(str(socket), 5432, "postgres", "", "postgres", embedded=True)


def open_warehouse(settings: Settings, tell: Callable[[str], None] = lambda _: None) -> Warehouse:
    """The warehouse of these settings, started if it is the embedded one, and known to answer.

    Args:
        settings: which warehouse.
        tell: gets a sentence when the embedded server had to be brought back from the dead.

    Raises:
        ConfigurationError, WarehouseUnreachable: with the sentence to show.
    """
    warehouse = locate(settings)
    if not settings.warehouse_url:
        server = EmbeddedServer(settings.state_dir)
        killed = server.was_killed()
        if server.start() and killed:
            tell("the embedded server was found dead; it was started again and recovered")
    with warehouse.session() as session:
        version = session.server_version
    if version < OLDEST_SERVER:
        raise ConfigurationError(
            f"Postgres ({warehouse}) is version {version // 10000}: Écluse needs 14 or later."
        )
    return warehouse


def shell_exports(variables: dict[str, str]) -> str:
    """`export NAME=value` lines for `eval "$(ecluse env)"`, quoted for any POSIX shell."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
