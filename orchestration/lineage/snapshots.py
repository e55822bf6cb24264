"""The columns that dbt adds to a snapshot, and what of the query they are made of."""

from typing import Any

from orchestration.lineage.origins import Origin, combine

ADDED = ("dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to")


def snapshot_columns(node: dict[str, Any], columns: dict[str, Origin]) -> dict[str, Origin]:
    """dbt's own columns of a snapshot, under the names that the project gives them."""
    config = node.get("config", {})
    given = config.get("snapshot_meta_column_names") or {}
    names = {name: given.get(name) or name for name in ADDED}
    if config.get("hard_deletes") == "new_record":
        names["dbt_is_deleted"] = given.get("dbt_is_deleted") or "dbt_is_deleted"
    key = _origin(columns, config.get("unique_key"))
    changed = _origin(columns, config.get("updated_at"))
    checked = config.get("check_cols")
    versions = _origin(columns, list(columns) if checked == "all" else checked)
    when = Origin(changed.direct, versions.all() | changed.indirect, changed.shape)
    found = dict.fromkeys(names.values(), when)
    found[names["dbt_scd_id"]] = combine([key, when], "scd_id")
    if "dbt_is_deleted" in names:
        found[names["dbt_is_deleted"]] = Origin()
    return found


def _origin(columns: dict[str, Origin], names: str | list[str] | None) -> Origin:
    listed = [names] if isinstance(names, str) else names or []
    return combine((columns[name] for name in listed if name in columns), "snapshot")
