"""How much of a truth was found, and how much that is not true."""

from dataclasses import dataclass

from orchestration.lineage.columns import Derived
from tests.lineage.hard import TABLES, Hard

Found = set[tuple[str, str, str]]  # column of the result ("" for its rows), origin, kind


@dataclass
class Score:
    """Edges that are right, wrong and missing."""

    right: int = 0
    wrong: int = 0
    missing: int = 0

    def add(self, found: Found, truth: Found) -> None:
        """Count one query."""
        self.right += len(found & truth)
        self.wrong += len(found - truth)
        self.missing += len(truth - found)

    def __str__(self) -> str:
        """The usual two figures."""
        precision = self.right / ((self.right + self.wrong) or 1)
        recall = self.right / ((self.right + self.missing) or 1)
        return f"precision {precision:.4f}, recall {recall:.4f} of {self.right + self.missing}"


SCHEMA = {
    name: [part.strip().partition(" ")[0] if part.strip()[0] != '"' else part.split('"')[1]
           for part in columns.split(",")]
    for name, columns in TABLES.items()
} | {"one.things": ["sku", "name"], "two.things": ["sku", "name"]}  # fmt: skip


def truth_of(query: Hard) -> Found:
    """What is written down, as edges."""
    found: Found = set()
    for column, told in query.columns.items():
        direct, _, indirect = told.partition("~")
        found |= {(column, each, "direct") for each in _split(direct)}
        found |= {(column, each, "indirect") for each in _split(indirect)}
    return found | {("", each, "indirect") for each in _split(query.rows)}


def edges_of(derived: Derived) -> Found:
    """What was derived, as edges; that rows come from a table at all is left out."""
    found: Found = set()
    for column, origin in derived.columns.items():
        found |= {(column, f"{t}.{c or '*'}", "direct") for t, c in origin.direct}
        found |= {(column, f"{t}.{c or '*'}", "indirect") for t, c in origin.indirect}
    return found | {
        ("", f"{table}.{column}", "indirect") for table, column in derived.rows if column
    }


def _split(told: str) -> list[str]:
    """Origins are parted by spaces; one name holds a space itself."""
    return [each.replace("Some_Name", "Some Name") for each in told.split()]
