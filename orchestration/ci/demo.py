"""`make pr-demo`: a pull request with a wrong join, and what `ecluse ci` says about it."""

import difflib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from orchestration.ci.baseline import Baseline, find_baseline
from orchestration.errors import BAD_DATA, EcluseError
from orchestration.settings import ROOT, Settings, load_settings
from orchestration.warehouse import Warehouse, open_warehouse

COPIED = (
    "dbt_project", "dbt_project.yml", "profiles.yml", "pyproject.toml", ".sqlfluff", "ingestion",
    "orchestration",
)  # fmt: skip
MODEL = "dbt_project/models/marts/customers/customers.sql"
# Somebody wants the spend of customers who came back, and takes the others away from everybody.
RIGHT = "    left join orders_summed on customers.customer_id = orders_summed.customer_id\n"
WRONG = """\
    inner join orders_summed
        on
            customers.customer_id = orders_summed.customer_id
            and orders_summed.count_lifetime_orders > 1
"""


def copy_changed(root: Path, into: Path) -> str:
    """Copy the project with the wrong join in it; returns the change as a diff.

    Raises:
        EcluseError: the model is not what it was when the change was prepared.
    """
    for name in COPIED:
        if (root / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(root / name, into / name, ignore=ignored)
        elif (root / name).exists():
            shutil.copy2(root / name, into / name)
    before = (root / MODEL).read_text()
    if before.count(RIGHT) != 1:
        raise EcluseError(f"{MODEL} has changed: the prepared change does not fit it any more.")
    after = before.replace(RIGHT, WRONG)
    (into / MODEL).write_text(after)
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"a/{MODEL}", f"b/{MODEL}", lineterm=""
    )
    return "\n".join(lines)


def demonstrate(settings: Settings, limit: int = 10) -> int:
    """Publish something if nothing is, and show the pull request; returns what `ecluse ci` does."""
    warehouse = open_warehouse(settings)
    found = _live(settings, warehouse)
    if found.version is None:
        subprocess.run(
            [sys.executable, "-m", "orchestration", "run"], cwd=settings.root, check=True
        )
        found = _live(settings, warehouse)
    with tempfile.TemporaryDirectory(prefix="ecluse-pr-") as folder:
        copy = Path(folder)
        print(f"A pull request changes this:\n\n{copy_changed(settings.root, copy)}\n", flush=True)
        state = ("--state", str(found.state)) if found.state else ()
        done = subprocess.run(
            [sys.executable, "-m", "orchestration", "ci", "--limit", str(limit), *state],
            cwd=copy, check=False,
            env=os.environ | {"ECLUSE_WAREHOUSE_URL": warehouse.url(), "PYTHONPATH": str(copy)},
        )  # fmt: skip
    return done.returncode


def _live(settings: Settings, warehouse: Warehouse) -> Baseline:
    with warehouse.session() as session:
        return find_baseline(session, settings, None)


def main() -> None:
    """The gate is expected to be closed."""
    try:
        code = demonstrate(load_settings(root=ROOT))
    except (EcluseError, subprocess.CalledProcessError) as error:
        sys.exit(f"ecluse: {error}")
    if code == BAD_DATA:
        print("Exit code 3: a CI job would stop here. The clone and the marts are as they were.")
    sys.exit(0 if code == BAD_DATA else code)


if __name__ == "__main__":
    main()
