"""What one load asks of a source, and whom the source tells what comes: handed on as one object."""

from dataclasses import dataclass, field
from datetime import date

from ingestion.contract import Contract
from ingestion.pages import Observer
from ingestion.quarantine import Aside, Quarantine


@dataclass(frozen=True)
class Window:
    """Whole days to load again, both included; either end may be open."""

    since: date | None = None
    until: date | None = None


@dataclass
class Intake:
    """One load of one source.

    Snapshots are read after the logs: whoever an order names must be in the snapshot. Read the
    other way round, a customer who comes while the orders are being fetched would be in an order
    but not among the customers, and a test would rightly fail.
    """

    quarantine: Quarantine  # where rows go that break the contract
    observer: Observer | None = None  # told of each page and each fault
    window: Window | None = None  # load only these days of the logs and leave the cursor as it is
    allow_empty: tuple[str, ...] = ()  # snapshots that may lose all their rows in this load
    logs: set[str] = field(default_factory=set)  # those still being read

    def aside(self, contract: Contract) -> Aside:
        """The part of the quarantine of one resource."""
        return self.quarantine.aside(contract)

    def snapshots_may_start(self) -> bool:
        """Whether all logs have been read."""
        return not self.logs
