"""The graph names the columns of a quarantine without importing what makes them."""

from ingestion.quarantine import REJECTED as MADE
from ingestion.quarantine import ROW
from orchestration.lineage.endpoints import OF_THE_LOAD, OF_THE_ROW, REJECTED


def test_they_are_those_that_ingestion_writes() -> None:
    assert {*OF_THE_ROW, *OF_THE_LOAD, "key"} == {*ROW.names, "_dlt_load_id"}
    assert REJECTED == MADE
