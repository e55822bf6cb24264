"""What jobs, runs and datasets are called, by the naming rules of OpenLineage."""

from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from orchestration.settings import Settings
from orchestration.warehouse import Warehouse

PRODUCER = "urn:ecluse:orchestration"
OURS = UUID("6a1c9e0e-1f5c-5c59-9a53-0d0c5e0a7c11")  # the space of our uuid5; never to be changed
DEMO = "http://demo-api"  # the bundled shop, whose port is another one in each run
Name = tuple[str, str]  # namespace and name of a dataset


@dataclass(frozen=True)
class Names:
    """The names of one run on one warehouse. No user and no password is ever part of one."""

    jobs: str  # the namespace of all jobs
    database: str  # the namespace of all tables
    dbname: str
    run_id: str
    demo: bool = False  # whether the API is the bundled one

    def run(self, job: str, attempt: int = 0) -> str:
        """The UUID of a job's run: the same for the same run, whoever computes it."""
        place = f"{self.jobs} {self.database} {self.dbname}"
        return str(uuid5(OURS, f"{place} {self.run_id} {job} {attempt}"))

    def table(self, relation: str) -> Name:
        """The dataset of `schema.table`."""
        return self.database, f"{self.dbname}.{relation}"

    def endpoint(self, url: str) -> Name:
        """The dataset of an endpoint: its host, and its path."""
        parts = urlsplit(url)
        host = (parts.netloc or "unknown").rpartition("@")[2]
        return DEMO if self.demo else f"{parts.scheme}://{host}", parts.path


def names_of(settings: Settings, warehouse: Warehouse, run_id: str) -> Names:
    """The names of a run. A socket is on this machine, wherever its folder is."""
    host = "localhost" if warehouse.host.startswith("/") else warehouse.host
    place = f"[{host}]" if ":" in host else host
    return Names(
        settings.openlineage_namespace, f"postgres://{place}:{warehouse.port}", warehouse.dbname,
        run_id, demo=not settings.base_url,
    )  # fmt: skip
