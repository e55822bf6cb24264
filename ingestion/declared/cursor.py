"""How a log is asked for what is new: by which parameter, and in whose way of writing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from dlt.sources import DltResource

from ingestion.contract import Contract
from ingestion.declared.shape import reshape
from ingestion.errors import WrongSetting
from ingestion.intake import Intake, Window
from ingestion.resources import Fetch, cursor_resource, snapshot_resource

DAY = timedelta(days=1)


def _seconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp())


# style -> how a moment is written, which has no zone and is UTC wherever the API has one
STYLES: dict[str, Callable[[datetime], str | int]] = {
    "timestamp": lambda moment: f"{moment:%Y-%m-%dT%H:%M:%SZ}",
    "local": lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}",
    "date": lambda moment: f"{moment:%Y-%m-%d}",
    "epoch": _seconds,
    "epoch_ms": lambda moment: 1000 * _seconds(moment),
}


@dataclass(frozen=True)
class Cursor:
    """The column that grows with every change, and the parameter that asks for rows since.

    Args:
        column: whole, date or timestamp.
        param: the parameter; whether its value is meant with or without itself is no matter.
        style: how a moment is written: one of `STYLES`, or a format of strftime. A whole number is
            written as it is.
        until: the parameter of the end, if there is one.
        lookback: how far before the newest known value a load starts again, so that rows which
            arrive late are seen: of a time a timedelta (a day), of a number a number (0).
        first: what the first load asks for, where an API wants to be asked or goes back only so
            far by itself.
    """

    column: str
    param: str
    style: str = "timestamp"
    until: str | None = None
    lookback: timedelta | int | None = None
    first: str | int | None = None

    def back(self, newest: Any) -> Any:
        """Where a load starts, given the newest value that is known."""
        if isinstance(newest, int):
            return newest - (self.lookback if isinstance(self.lookback, int) else 0)
        try:
            return newest - (self.lookback if isinstance(self.lookback, timedelta) else DAY)
        except OverflowError:
            return newest

    def params(self, since: date | int | None, until: date | None) -> dict[str, Any]:
        """What to ask for; `until` is a whole day."""
        start = self.first if since is None else self._written(since)
        asked = {} if start is None else {self.param: start}
        if until is not None and self.until:
            day = self.style == "date"
            asked[self.until] = self._written(until if day else until + DAY)
        return asked

    def check(self, contract: Contract, window: Window | None) -> None:
        """See that it fits the contract and the days that are asked for.

        Raises:
            WrongSetting: it does not.
        """
        table, types = contract.table, {each.name: each.type for each in contract.columns}
        kind = types.get(self.column)
        if kind not in {"whole", "date", "timestamp"}:
            raise WrongSetting(
                f"{table}: the cursor {self.column!r} must be a whole, date or timestamp column of "
                f"the contract, not {kind or 'missing'}."
            )
        if self.style not in STYLES and "%" not in self.style:
            raise WrongSetting(
                f"{table}: there is no cursor style {self.style!r}: give one of "
                f"{', '.join(STYLES)}, or a format such as %d.%m.%Y."
            )
        if window and kind == "whole":
            raise WrongSetting(
                f"{table} has no days to load again: its cursor {self.column} is a number."
            )
        if window and window.until and not self.until:
            raise WrongSetting(
                f"{table} cannot be asked for an end: give --from alone, without --to."
            )

    def _written(self, value: date | int) -> str | int:
        if isinstance(value, int):
            return value
        moment = value if isinstance(value, datetime) else datetime.combine(value, time())
        style = STYLES.get(self.style)
        return style(moment) if style else moment.strftime(self.style)


def log_or_snapshot(
    contract: Contract, fetch: Fetch, intake: Intake, cursor: Cursor | None, twice: bool = False
) -> DltResource:
    """The resource of a table: a log with a cursor, a full snapshot without.

    Raises:
        WrongSetting: the cursor does not fit.
    """
    if cursor is None:
        return snapshot_resource(contract, fetch, intake, reshape=reshape)
    cursor.check(contract, intake.window)
    return cursor_resource(
        contract, cursor.column, fetch, intake, cursor.back, reshape=reshape, twice=twice
    )
