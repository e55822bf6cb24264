"""Rebuild a published version from its code and the raw rows it saw, and compare.

Raw keeps history, so "as of load X" is a filter of the staging models (var as_of_load); the code
comes out of git; the checksums that were entered when the version was sealed say whether the result
is the same to the last cent.
"""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import dbt
from orchestration.environment import replay_environment
from orchestration.errors import BuildBroke, ConfigurationError, ReplayDiffers
from orchestration.history.compactions import oldest_replayable
from orchestration.history.diff import compare
from orchestration.history.version_diff import details, headline
from orchestration.provenance import restore_models, versions
from orchestration.publication.checksums import checksums
from orchestration.publication.sql import ddl, schema_exists
from orchestration.publication.versions import Version, all_versions, find_ever, marts_of, refresh

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

    from orchestration.run import Run

SEALED = "select mart, row_count, checksum from ops.version_marts where version = %s order by mart"
LEFTOVERS = r"select nspname from pg_namespace where nspname like 'replay\_%' order by 1"
SHAPING = ("dbt-core", "dbt-postgres")  # packages that decide what SQL a model becomes


@dataclass
class Replay:
    """The steps of one replay; each says in a sentence what it did."""

    run: "Run"
    name: str
    limit: int
    keep: bool
    version: Version | None = None
    sealed: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """What dbt puts before the names of the folders' schemas."""
        return "replay_" + self.run.record.run_id.lower().replace("-", "_").replace(".", "_")[:40]

    def rebuild(self) -> str:
        """Build the version's models into schemas of their own, as of the newest load it saw.

        Raises:
            ConfigurationError: no such version, or its code or its raw rows are gone.
            BuildBroke: the models do not build any more.
        """
        with self.run.session.cursor() as cursor:
            self._drop_leftovers(cursor)
            self.version = version = self._find(cursor)
        with tempfile.TemporaryDirectory(prefix="ecluse-replay-") as folder:
            ran = self.run.settings.runs_dir / (version.run_id or "")
            where = restore_models(
                self.run.settings.root, ran, version.git_commit, project := Path(folder)
            )
            os.environ.update(replay_environment(self.prefix))
            args = dbt.rebuild_args(
                self.run.settings, self.run.folder.path / "logs", project, version.watermark
            )
            outcome = dbt.run_dbt(args, self.run.show_node)
        if not outcome.success:
            raise BuildBroke(f"The models of {where} do not build: {'; '.join(outcome.said[:2])}")
        return f"version {version.number} from {where}, as of load {version.watermark}"

    def compare(self) -> str:
        """Hold checksum against checksum, and name the rows that differ where that can be said.

        Raises:
            ReplayDiffers: a mart is not what was published.
        """
        assert self.version  # noqa: S101 - rebuild has found it
        with self.run.session.cursor() as cursor:
            found = checksums(cursor, f"{self.prefix}_marts")
            wrong = {m for m in {*self.sealed, *found} if self.sealed.get(m) != found.get(m)}
            said = [self._difference(cursor, mart, found.get(mart)) for mart in sorted(wrong)]
        if not wrong:
            rows = sum(count for count, _ in found.values())
            return f"identical: {len(found)} marts, {rows:,} rows"
        for sentence in said:
            self.run.note(sentence)
        raise ReplayDiffers(
            f"Version {self.version.number} cannot be rebuilt as it was published: "
            f"{', '.join(sorted(wrong))} differ (of {len(self.sealed)} marts). Its raw rows or its "
            f"models are not what they were; which rows: "
            f"`.venv/bin/ecluse runs show {self.run.record.run_id}`"
        )

    def clean(self) -> str:
        """Drop the rebuilt schemas."""
        if self.keep:
            return f"kept in {self.prefix}_marts"
        with self.run.session.cursor() as cursor:
            self._drop_leftovers(cursor)
        return "rebuilt schemas dropped"

    def _find(self, cursor: "cursor") -> Version:
        refresh(cursor)
        version = find_ever(all_versions(cursor), self.name)
        cursor.execute(SEALED, (version.number,))
        self.sealed = {mart: (rows, checksum) for mart, rows, checksum in cursor.fetchall()}
        if not self.sealed or version.run_id is None:
            raise ConfigurationError(
                f"Version {version.number} cannot be replayed: Écluse found it here and did not "
                "build it."
            )
        oldest = oldest_replayable(self.run.session)
        if oldest and version.watermark and version.watermark < oldest:
            raise ConfigurationError(
                f"Version {version.number} cannot be replayed: raw history before load {oldest} "
                "was compacted, and it was built from an earlier one."
            )
        self._tell_of_other_versions(cursor, version)
        return version

    def _tell_of_other_versions(self, cursor: "cursor", version: Version) -> None:
        cursor.execute("select versions from ops.runs where run_id = %s", (version.run_id,))
        then, now = (cursor.fetchone() or ({},))[0], versions()
        for name in SHAPING:
            if then.get(name) not in {None, now.get(name)}:
                self.run.note(f"built with {name} {then[name]}, replayed with {now.get(name)}")

    def _difference(self, cursor: "cursor", mart: str, found: tuple[int, str] | None) -> str:
        version = self.version
        assert version  # noqa: S101 - rebuild has found it
        if found is None or mart not in self.sealed:
            return f"{mart} was {'published but not rebuilt' if found is None else 'not published'}"
        if version.schema is None:
            return (
                f"{mart}: {self.sealed[mart][0]:,} rows were published, {found[0]:,} rebuilt; "
                f"which rows differ cannot be said, because version {version.number} was dropped"
            )
        masked = marts_of(cursor, version).get(mart, [])
        where = version.clear_schema if masked else version.schema
        new = (f"{self.prefix}_marts", mart)
        change = compare(cursor, (where, mart), new, masked, self.limit)
        return "; ".join((f"{mart}: {headline(change)}", *details(change)))

    def _drop_leftovers(self, cursor: "cursor") -> None:
        """Ours, and those of a replay that was killed: we hold the lock."""
        cursor.execute(LEFTOVERS)
        for (schema,) in cursor.fetchall():
            if schema_exists(cursor, schema):
                ddl(cursor, "drop schema if exists {} cascade", schema)
