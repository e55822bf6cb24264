"""The sources by name. A new source is one folder and one line here."""

from collections.abc import Callable
from importlib import import_module

from dlt.extract import DltSource

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
