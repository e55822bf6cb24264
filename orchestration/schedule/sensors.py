"""Sensors: a run when a source has new data, told by files or by one value of a query."""

import glob
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from orchestration.errors import EcluseError, without_values
from orchestration.schedule import slots
from orchestration.schedule.plan import Sensor

if TYPE_CHECKING:
    from orchestration.warehouse import Warehouse

STATE = "select state from ops.triggers where name = %s"
PROBLEM = """
insert into ops.triggers (name, at, problem) values (%s, %s, %s)
on conflict (name) do update set problem = excluded.problem
"""
LOGIN = re.compile(r"//[^/@\s]+@")  # in a URL that a driver quotes
PATIENCE_MS = 60_000  # for a query on the warehouse


class Watch:
    """One sensor, looked at again and again."""

    def __init__(self, sensor: Sensor, warehouse: "Warehouse") -> None:
        """Nothing was seen yet."""
        self.sensor, self.warehouse = sensor, warehouse
        self.name = f"sensor {sensor.name}"
        self._moving: tuple[str, datetime] | None = None  # files as last seen, and since when

    def look(self, now: datetime) -> str | None:
        """Ask for a run if there is new data; the first data ever seen is new.

        Returns:
            The run's id.

        Raises:
            EcluseError: the sensor cannot see; kept for `ecluse schedule status`.
        """
        try:
            seen = self._files(now) if self.sensor.files else self._value()
        except Exception as error:
            first = (str(error).strip() or repr(error)).splitlines()[0]
            why = LOGIN.sub("//***@", without_values(first))
            with self.warehouse.session() as session, slots.queue(session) as cursor:
                cursor.execute(PROBLEM, (self.name, now, why))
            raise EcluseError(f"{self.name} cannot see: {why}") from error
        return None if seen is None else self._ask_for_run(seen, now)

    def _ask_for_run(self, seen: str, now: datetime) -> str | None:
        with self.warehouse.session() as session, slots.queue(session) as cursor:
            cursor.execute(STATE, (self.name,))
            before = (cursor.fetchone() or (None,))[0]
            slots.keep(cursor, self.name, seen, now)
            if not self._is_news(before, seen):
                return None
            return slots.add_trigger(cursor, self.name, now)[0]

    def _is_news(self, before: str | None, seen: str) -> bool:
        if not self.sensor.files:
            return before != seen
        return not set(json.loads(seen)) <= set(json.loads(before or "[]"))  # a file may go

    def _files(self, now: datetime) -> str | None:
        """Names, sizes and times of the files once they have stayed the same for a while."""
        seen = json.dumps(sorted(_as_they_are(self.sensor.files)))
        if self._moving is None or self._moving[0] != seen:
            self._moving = seen, now
        return seen if now - self._moving[1] >= self.sensor.settle else None

    def _value(self) -> str | None:
        """The value of the query; None, and so nothing new, where there is no row or NULL."""
        import sqlalchemy

        url = sqlalchemy.make_url(self.sensor.url or self.warehouse.sqlalchemy_url())
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            if url.get_backend_name() == "postgresql":
                connection.execute(sqlalchemy.text(f"set statement_timeout = {PATIENCE_MS}"))
            value = connection.execute(sqlalchemy.text(self.sensor.sql or "")).scalar()
        return None if value is None else str(value)


def _as_they_are(patterns: tuple[str, ...]) -> Iterator[str]:
    for name in {name for each in patterns for name in glob.glob(each, recursive=True)}:  # noqa: PTH207 - patterns may be absolute
        with suppress(FileNotFoundError):  # gone since
            stat = Path(name).stat()
            if S_ISREG(stat.st_mode):
                yield f"{name} {stat.st_size} {stat.st_mtime_ns}"


def watch(
    sensors: tuple[Sensor, ...],
    connect: "Callable[[], Warehouse]",
    is_ready: Callable[[], bool],
    news: Callable[[], None],
    say: Callable[[str], None],
) -> threading.Event:
    """Look at each sensor from a thread of its own, so that one that hangs holds up no other.

    Args:
        sensors: what to look at.
        connect: makes sure that the warehouse answers, and says where it is.
        is_ready: whether there are tables to remember things in.
        news: is called when a run was asked for.
        say: gets a sentence, and one about a trouble when it begins.

    Returns:
        What ends them when it is set.
    """
    over = threading.Event()

    def look_again_and_again(sensor: Sensor) -> None:
        found: Watch | None = None
        trouble = ""
        while not is_ready():
            if over.wait(0.5):
                return
        while not over.is_set():
            try:
                found = found or Watch(sensor, connect())
                if run_id := found.look(datetime.now(UTC)):
                    say(f"sensor {sensor.name}: new data, run {run_id}")
                    news()
                trouble = ""
            except Exception as error:  # a thread that ends would be a sensor gone blind
                if str(error) != trouble:
                    trouble = str(error)
                    say(f"{trouble.rstrip('.')}; looking on")
            over.wait(sensor.every.total_seconds())

    for each in sensors:
        threading.Thread(target=look_again_and_again, args=(each,), daemon=True).start()
    return over
