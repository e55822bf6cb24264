"""One walk along the cursor of a log: what raw holds of it, what came before, how far it got."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

NEIGHBOURS = 4  # pages; as many as are decoded at the same time


@dataclass
class Walk:
    """One walk along the cursor; pages are decoded in several threads at once."""

    state: dict[str, Any]
    known: pa.Array
    first: bool
    all_known: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    recent: deque[set[str]] = field(default_factory=lambda: deque(maxlen=NEIGHBOURS))

    def fresh(self, ids: pa.Array) -> pa.Array | None:
        """Which rows are neither in raw nor on this page or a neighbouring one already.

        None stands for all of them. An order that comes while we page pushes another one from a
        page down to the next.
        """
        own = set(ids.to_pylist())
        with self.lock:
            before = list(self.recent)
            self.recent.append(own)
        doubled = len(own) < len(ids) or not all(map(own.isdisjoint, before))
        if not doubled and not len(self.known):
            return None
        mask = pc.invert(pc.is_in(ids, value_set=self.known))
        return pc.and_(mask, first_of_each(ids, before)) if doubled else mask

    def saw(self, newest: Any) -> None:
        """Move the cursor on to `newest`, never back, nor far beyond today: one wrong year would
        leave nothing to ask for.
        """
        if isinstance(newest, date):
            limit = datetime.now() + timedelta(days=1)
            newest = min(newest, limit if isinstance(newest, datetime) else limit.date())
        found = newest.isoformat() if isinstance(newest, date) else newest
        with self.lock:
            self.state["newest"] = max(self.state.get("newest", found), found)

    def heed(self, since: Any, oldest: Any, everything: Callable[[], pa.Array]) -> None:
        """See whether the API has heeded from when on we wanted rows.

        If not, all that raw holds must be known, or the older rows would come in again each time.
        """
        if since is None or oldest is None or _moment(oldest) >= _moment(since):
            return
        with self.lock:
            if not self.all_known:
                self.known, self.all_known = everything(), True


def _moment(value: Any) -> Any:
    day = isinstance(value, date) and not isinstance(value, datetime)
    return datetime.combine(value, time()) if day else value


def first_of_each(ids: pa.Array, before: Sequence[set[str]] = ()) -> pa.Array:
    """Where an id stands for the first time, in `before` or here."""
    earlier = pa.array(set().union(*before), pa.string())
    found = pc.index_in(ids, value_set=pa.concat_arrays([earlier, ids]))
    start = len(earlier)
    return pc.equal(found, pa.array(range(start, start + len(ids)), pa.int32()))
