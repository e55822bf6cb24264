"""The type of a column, from a sample of its values: never one that the next row could break."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from ingestion.contract import Type
from ingestion.probe.asking import Number
from ingestion.probe.names import MEASURE, MONEY

LARGEST = 2**63
WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
FIXED = re.compile(r"-?(0|[1-9]\d{0,17})\.(\d{1,9})")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
CLOCK = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d"
TIME = re.compile(CLOCK + r"(\.\d{1,6})?)?")
ZONED = re.compile(CLOCK + r"(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)")
WIDEST = (38, 18)  # room for what the sample has not shown: 0.1 + 0.2 has 17 decimals
CENTS = 4  # decimals of a price; more is a measurement


class Kind(NamedTuple):
    """A type of the contract; the digits of a decimal (all, after), the zone of a timestamp."""

    type: Type
    digits: tuple[int, int] = (18, 2)
    zoned: bool = False


TEXT = Kind("text")
JSON = Kind("json")  # whatever comes, kept as it is written


def kind_of(name: str, values: Iterable[Any], said: str = "") -> Kind:
    """What the column may be declared as.

    `said` is the type that an OpenAPI description gives it: a `number` that has been whole so far
    need not stay so. Of a number in quotes only a fixed number of decimals, or the name of a
    measure, proves that it is one: a postcode is text.
    """
    present = [value for value in values if value is not None]
    kinds = {type(value) for value in present}
    if kinds == {bool}:
        return Kind("boolean")
    if kinds in ({int}, {Number}, {int, Number}):
        return _number(name, present, said)
    return _text(name, present) if kinds == {str} else JSON


def _number(name: str, values: list[int | Number], said: str) -> Kind:
    whole = [value for value in values if isinstance(value, int)]
    if len(whole) == len(values) and said != "number" and not MEASURE.match(name):
        inside = all(-LARGEST <= value < LARGEST for value in whole)
        return Kind("whole") if inside else JSON
    numbers = [Decimal(str(value)) for value in values]
    after = max(-int(number.as_tuple().exponent) for number in numbers)
    if (MONEY.match(name) or len(whole) == len(values)) and after <= CENTS:
        return Kind("decimal", WIDEST) if all(abs(n) < 10**20 for n in numbers) else JSON
    exact = all(Decimal(repr(float(number))) == number for number in numbers)
    return Kind("float") if exact else JSON


def _text(name: str, values: list[str]) -> Kind:
    if all(DATE.fullmatch(value) for value in values):
        return Kind("date")
    for form, zoned in ((TIME, False), (ZONED, True)):
        if all(form.fullmatch(value) for value in values):
            return Kind("timestamp", zoned=zoned)
    fixed = [FIXED.fullmatch(value) for value in values]
    places = {len(found[2]) for found in fixed if found}
    if all(fixed) and len(places) == 1:
        return Kind("decimal", (38, places.pop()))
    if MEASURE.match(name) and all(WHOLE.fullmatch(value) for value in values):
        return Kind("whole")
    return TEXT
