"""The sources by name. A new source is one folder and one line here."""

from collections.abc import Callable
from importlib import import_module

from dlt.extract import DltSource

from ingestion.contract import Contract

# name -> where its @dlt.source function is; imported only when it is loaded
SOURCES = {
    "jaffle_shop": "ingestion.sources.jaffle_shop:jaffle_shop",
}


def find_source(name: str) -> Callable[..., DltSource]:
    """The source function of this name.

    Raises:
        KeyError: there is none; the message lists those that are.
    """
    if name not in SOURCES:
        raise KeyError(f"There is no source {name!r}. Sources: {', '.join(sorted(SOURCES))}.")
    module, _, function = SOURCES[name].partition(":")
    found: Callable[..., DltSource] = getattr(import_module(module), function)
    return found


def contracts_of(name: str) -> list[Contract]:
    """What the source's `contract.py` promises, nested tables too."""
    package = SOURCES[name].partition(":")[0]
    found = vars(import_module(f"{package}.contract")).values()
    return [each for each in found if isinstance(each, Contract)]
