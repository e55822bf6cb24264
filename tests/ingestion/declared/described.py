"""Load what is described in data, without a folder for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import pytest

from ingestion.load import LoadRecord, load
from orchestration.warehouse import Warehouse
from tests.databases import query

Resources = Callable[[Any], list[Any]]  # of an intake


class Desk:
    """The source `desk`, whose resources a test gives; loaded into a database of its own."""

    def __init__(self, warehouse: Warehouse, work: Path, patch: pytest.MonkeyPatch) -> None:
        self.warehouse, self._work, self._patch = warehouse, work, patch

    def load(self, resources: Resources, **options: Any) -> LoadRecord:
        @dlt.source(name="desk")
        def desk(intake: Any) -> Any:
            return resources(intake)

        self._patch.setattr("ingestion.load.find_source", lambda name: desk)
        return load("desk", self.warehouse.url(), self._work, **options)

    def rows(self, table: str, columns: str = "*", where: str = "true") -> list[tuple]:
        sql = f"select {columns} from raw_desk.{table} where {where} order by 1, 2"
        return query(self.warehouse, sql)

    def count(self, table: str, where: str = "true") -> int:
        return len(self.rows(table, "1, 2", where))
