"""The variables that dlt, dbt, psql and notebooks need to work on the same warehouse."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.publication.sql import role_exists
from orchestration.settings import Settings
from orchestration.warehouse import Warehouse

if TYPE_CHECKING:
    from psycopg2.extensions import connection


def tool_environment(settings: Settings, warehouse: Warehouse) -> dict[str, str]:
    """What `ecluse env` prints and what a run sets for itself. Holds the warehouse's password."""
    root = settings.root
    return {
        **warehouse.environment(),
        "DBT_PROJECT_DIR": str(root),
        "DBT_PROFILES_DIR": str(root),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DLT_PROJECT_DIR": str(root / "ingestion"),
        "DLT_DATA_DIR": str(settings.dlt_dir),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DO_NOT_TRACK": "1",
    }


def shell_environment(settings: Settings, warehouse: Warehouse) -> dict[str, str]:
    """`tool_environment` for a person's shell: plain `dbt` builds into dev_* schemas.

    What a person does not select is read from the published marts, not built again (dbt's defer).
    """
    found = tool_environment(settings, warehouse)
    found["PATH"] = f"{settings.root / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    if (published_state(settings) / "manifest.json").exists():
        found |= {"DBT_DEFER": "true", "DBT_STATE": str(published_state(settings))}
    return found


def readers_environment(session: "connection", settings: Settings) -> dict[str, str]:
    """Whom dbt lets read the marts that it makes: the role of `ecluse grants`, if there is one."""
    reader = settings.role("reader")
    with session.cursor() as cursor:
        return {"ECLUSE_DBT_READERS": reader if role_exists(cursor, reader) else ""}


def replay_environment(prefix: str) -> dict[str, str]:
    """What the target `replay` of profiles.yml needs: the beginning of its schemas' names."""
    return {"ECLUSE_REPLAY_SCHEMA": prefix, "ECLUSE_DBT_READERS": ""}


def ci_environment(name: str, application: str) -> dict[str, str]:
    """What the target `ci` of profiles.yml needs. Nobody else may read what it builds."""
    return {"ECLUSE_CI_SCHEMA": name, "ECLUSE_DBT_READERS": "", "PGAPPNAME": application}


def published_state(settings: Settings) -> Path:
    """Where the manifest of the published marts is kept for dbt's `--state`."""
    return settings.root / "target" / "published"
