"""What the sources promise: the contract of each raw table, as the newest load had it."""

from dataclasses import dataclass

from orchestration.site.facts import Facts, Row

POLICIES = {
    "evolve": "comes into raw, as text",
    "freeze": "stops the load",
    "quarantine": "sets its rows aside",
}


@dataclass(frozen=True)
class Promise:
    """A raw table. `meanings` are the YAML's descriptions of its columns."""

    contract: Row
    description: str
    meanings: dict[str, str]
    endpoint: str
    rejected: int

    @property
    def unknown(self) -> str:
        """What happens to a column that the contract does not know."""
        return POLICIES[self.contract["unknown"]]


def promised(facts: Facts) -> dict[str, list[Promise]]:
    """The tables of each source, in the order of its contract."""
    return {
        source: [_promise(facts, source, contract) for contract in contracts]
        for source, contracts in facts.contracts.items()
    }


def _promise(facts: Facts, source: str, contract: Row) -> Promise:
    table = contract["table"]
    nodes = facts.manifest.get("sources", {}).values()
    node: Row = next((n for n in nodes if (n["source_name"], n["name"]) == (source, table)), {})
    loads = (load for load in facts.newest("loads").get("loads", []) if load["source"] == source)
    load: Row = next(loads, {})
    return Promise(
        contract, node.get("description", ""),
        {name: column.get("description", "") for name, column in node.get("columns", {}).items()},
        load.get("endpoints", {}).get(table, ""), load.get("rejected", {}).get(table, 0),
    )  # fmt: skip
