"""Names that a source, its models and their columns may have."""

import keyword
import re
from pathlib import Path

from orchestration.errors import ConfigurationError

PLAIN = re.compile(r"[a-z][a-z0-9_]{0,39}")
# what is ours in the warehouse, in the project, or of dlt and dbt
TAKEN = {"ops", "staging", "intermediate", "marts", "quarantine", "public", "dlt", "dbt", "rest"}
VAGUE = {"id", "name", "type", "value", "key", "number", "code"}  # columns that say nothing alone
# words that Postgres wants in quotes as the name of a column
RESERVED = frozenset(Path(__file__).with_name("reserved.txt").read_text().split())


def check_name(name: str, sources: list[str]) -> None:
    """Whether a new source may be called so.

    Raises:
        ConfigurationError: it may not; says why and what would do.
    """
    if not PLAIN.fullmatch(name) or "__" in name or name.endswith("_"):
        raise ConfigurationError(
            f"{name!r} cannot be the name of a source: give small letters, digits and single "
            "underscores, a letter first, at most 40, such as help_desk."
        )
    if keyword.iskeyword(name) or name in TAKEN:
        raise ConfigurationError(f"{name!r} means something else already: give another name.")
    if name in sources:
        raise ConfigurationError(
            f"There is a source {name!r} already: give another name, --force to write its files "
            "anew, or `ecluse sync` to bring them up to date."
        )
