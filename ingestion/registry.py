"""The sources by name. A source is a folder in `sources/`; its name is that of its function."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from dlt.extract import DltSource

from ingestion.contract import Contract
from ingestion.errors import WrongSetting

FOLDER = Path(__file__).parent / "sources"
# in the order in which they are loaded
SOURCES = tuple(sorted(path.parent.name for path in FOLDER.glob("[a-z]*/__init__.py")))


def find_source(name: str) -> Callable[..., DltSource]:
    """The source function of this name.

    Raises:
        KeyError: there is none; the message lists those that are.
        WrongSetting: its folder cannot be imported, or has no such function.
    """
    if name not in SOURCES:
        raise KeyError(f"There is no source {name!r}. Sources: {', '.join(SOURCES)}.")
    found: Callable[..., DltSource] | None = getattr(_module(name), name, None)
    if found is None:
        raise WrongSetting(
            f"ingestion/sources/{name}/__init__.py has no @dlt.source function {name}: add it, or "
            "take the folder away."
        )
    return found


def contracts_of(name: str) -> list[Contract]:
    """What the source's `contract.py` promises, nested tables too.

    Raises:
        WrongSetting: it cannot be imported.
    """
    found = [each for each in vars(_module(f"{name}.contract")).values()
             if isinstance(each, Contract)]  # fmt: skip
    every = [part for each in found for part in (each, *each.nested())]
    return list({contract.table: contract for contract in every}.values())


def _module(name: str) -> ModuleType:
    try:
        return import_module(f"ingestion.sources.{name}")
    except Exception as error:  # whatever somebody has written into their source
        folder, _, part = name.partition(".")
        said = f"{type(error).__name__}: {error}"
        raise WrongSetting(
            f"ingestion/sources/{folder}/{part or '__init__'}.py cannot be imported ({said}): mend "
            "it, or take the folder away."
        ) from error
