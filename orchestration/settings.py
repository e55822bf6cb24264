"""The only reader of the environment: every setting of the project, in one frozen dataclass."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from orchestration.errors import ConfigurationError

Number = TypeVar("Number", int, float)

ROOT = Path(__file__).resolve().parents[1]

ALERTS = ("ECLUSE_ALERTS", "ECLUSE_ALERTS_MAIL")
# name -> what it means; `ecluse settings` prints them and a test holds them against the docs
VARIABLES = {
    "ECLUSE_WAREHOUSE_URL": "a Postgres to use instead of the embedded one (postgresql://...)",
    "SOURCES__JAFFLE_SHOP__BASE_URL": "a shop API to load instead of the bundled demo",
    "SOURCES__SUPPORT__BASE_URL": "a help desk API to load instead of the demo's",
    "ECLUSE_RUN_ID": "the id of the run, when something else names it (default: a new one)",
    "ECLUSE_LOCK_WAIT_SECONDS": "how long `run --wait` waits for another run (default 3600)",
    "ECLUSE_SCHEDULE": "cron expressions for `ecluse schedule`, separated by ; (ECLUSE_SENSOR_"
    "<NAME>_URL: the database of a sensor)",
    "ECLUSE_SCHEDULE_ZONE": "the time zone that they mean (default UTC)",
    "ECLUSE_TRIGGER_SECRET": "what callers of `ecluse schedule --listen` must know",
    "ECLUSE_PUBLISH_TIMEOUT_SECONDS": "when publication stops waiting for readers (default 300)",
    "ECLUSE_KEEP_VERSIONS": "versions of the marts to keep, the live one included (default 2)",
    "ECLUSE_OUTSIDE_VIEWS": "views of people on the marts: follow (default), keep, or block",
    "ECLUSE_LOADER_URL": "another login for dlt alone, one that may write raw and nothing else",
    "ECLUSE_ROLE_PREFIX": "what the roles of `ecluse grants` begin with (default ecluse)",
    "ECLUSE_ALERTS": "apprise URLs that hear of incidents; ECLUSE_ALERTS_<OWNER> for an owner's",
    "ECLUSE_ALERTS_MAIL": "a mailto:// URL to reach owners by the e-mail that dbt knows of them",
    "ECLUSE_DEMO_ORDERS": "orders in the demo's year (default 60000)",
    "ECLUSE_DEMO_DAYS": "days the demo shop has been open, fixed (default: one more each run)",
    "ECLUSE_DEMO_DATA": "a folder of raw_*.csv[.gz] files that the demo serves instead",
    "ECLUSE_DEMO_FAULTS": "faults the demo commits, separated by spaces (ecluse demo-api --help)",
    "ECLUSE_REPLAY": "a folder of `ecluse record` to load from instead of the APIs",
    "ECLUSE_ARTIFACTS": "where each run's folder is copied: a folder, or a URL such as s3://bucket",
    "ECLUSE_METRICS_FILE": "a file to write Prometheus metrics to at the end of each run",
    "GITHUB_STEP_SUMMARY": "a file that `ecluse ci` adds its report to; GitHub Actions sets it",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "where spans of each run go: OTLP over HTTP, in JSON",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "the same, taken as it is, without /v1/traces after it",
    "OTEL_EXPORTER_OTLP_HEADERS": "headers for it, such as api-key=secret,tenant=shop",
    "OTEL_SDK_DISABLED": "true: no spans are sent",
    "OTEL_SERVICE_NAME": "the name of this pipe there (default ecluse)",
    "ECLUSE_DBT_THREADS": "dbt threads (default 4; more do not help on two cores)",
    "ECLUSE_OPENLINEAGE_URL": "where OpenLineage events are sent as well, such as Marquez",
    "ECLUSE_OPENLINEAGE_API_KEY": "what is shown there as a bearer token",
    "ECLUSE_OPENLINEAGE_NAMESPACE": "the namespace of our jobs there (default ecluse)",
}


@dataclass(frozen=True)
class Settings:
    """What a run needs to know. Paths are absolute; durations are seconds."""

    root: Path
    warehouse_url: str | None
    base_url: str | None
    desk_url: str | None
    run_id: str | None
    lock_wait: float
    publish_timeout: float
    keep_versions: int
    outside_views: str
    loader_url: str | None
    role_prefix: str
    demo_orders: int
    demo_days: int | None
    demo_data: Path | None
    demo_faults: tuple[str, ...]
    dbt_threads: int
    # the routes of alerts: name of the variable -> URLs, which hold secrets
    alerts: Mapping[str, tuple[str, ...]] = field(repr=False, hash=False)
    openlineage_url: str | None
    openlineage_key: str | None = field(repr=False)
    openlineage_namespace: str
    replay: Path | None
    artifacts: str | None = field(repr=False)  # a path, or a URL that may hold secrets
    metrics_file: Path | None
    step_summary: Path | None
    otlp_endpoint: str | None = field(repr=False)  # of traces, whole
    otlp_headers: str | None = field(repr=False)
    service_name: str
    schedule: str | None
    schedule_zone: str | None
    trigger_secret: str | None = field(repr=False)
    sensor_urls: Mapping[str, str] = field(repr=False, hash=False)  # by the sensor's name

    @property
    def state_dir(self) -> Path:
        """Everything local that is not a record: the embedded server, dlt's working folder."""
        return self.root / ".warehouse"

    def role(self, name: str) -> str:
        """The role `name` (loader, transformer, reader, pii) in this warehouse."""
        return f"{self.role_prefix}_{name}"

    @property
    def place(self) -> str:
        """A folder name for this warehouse: runs of one clone on two warehouses share no file."""
        url = self.warehouse_url
        return hashlib.sha256(url.encode()).hexdigest()[:12] if url else "embedded"

    @property
    def dlt_dir(self) -> Path:
        """dlt's working folder; holds nothing that outlives a load."""
        return self.state_dir / "dlt" / self.place

    @property
    def runs_dir(self) -> Path:
        """One folder for each run."""
        return self.root / "runs"


def load_settings(environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> Settings:
    """Read the settings from `environ`.

    Raises:
        ConfigurationError: a value does not parse; the sentence names the variable.
    """

    def number(name: str, kind: type[Number], default: Number, least: int = 0) -> Number:
        return default if not environ.get(name) else _parse(name, environ[name], kind, least)

    data = environ.get("ECLUSE_DEMO_DATA")
    replay = environ.get("ECLUSE_REPLAY")
    metrics = environ.get("ECLUSE_METRICS_FILE")
    summary = environ.get("GITHUB_STEP_SUMMARY")
    days = environ.get("ECLUSE_DEMO_DAYS")
    return Settings(
        root=root,
        warehouse_url=environ.get("ECLUSE_WAREHOUSE_URL") or None,
        base_url=environ.get("SOURCES__JAFFLE_SHOP__BASE_URL") or None,
        desk_url=environ.get("SOURCES__SUPPORT__BASE_URL") or None,
        run_id=environ.get("ECLUSE_RUN_ID") or None,
        lock_wait=number("ECLUSE_LOCK_WAIT_SECONDS", float, 3600.0),
        publish_timeout=number("ECLUSE_PUBLISH_TIMEOUT_SECONDS", float, 300.0),
        keep_versions=number("ECLUSE_KEEP_VERSIONS", int, 2, least=1),
        outside_views=_choice("ECLUSE_OUTSIDE_VIEWS", environ, ("follow", "keep", "block")),
        loader_url=environ.get("ECLUSE_LOADER_URL") or None,
        role_prefix=_prefix(environ.get("ECLUSE_ROLE_PREFIX") or "ecluse"),
        demo_orders=number("ECLUSE_DEMO_ORDERS", int, 60_000, least=1),
        demo_days=_parse("ECLUSE_DEMO_DAYS", days, int, least=1) if days else None,
        demo_data=Path(data).expanduser().resolve() if data else None,
        demo_faults=tuple(environ.get("ECLUSE_DEMO_FAULTS", "").split()),
        dbt_threads=number("ECLUSE_DBT_THREADS", int, 4, least=1),
        alerts=_routes(environ),
        openlineage_url=_http_url("ECLUSE_OPENLINEAGE_URL", environ),
        openlineage_key=environ.get("ECLUSE_OPENLINEAGE_API_KEY") or None,
        openlineage_namespace=environ.get("ECLUSE_OPENLINEAGE_NAMESPACE") or "ecluse",
        replay=Path(replay).expanduser().resolve() if replay else None,
        artifacts=_store(environ.get("ECLUSE_ARTIFACTS")),
        metrics_file=Path(metrics).expanduser().resolve() if metrics else None,
        step_summary=Path(summary).resolve() if summary else None,
        otlp_endpoint=_otlp_endpoint(environ),
        otlp_headers=environ.get("OTEL_EXPORTER_OTLP_HEADERS") or None,
        service_name=environ.get("OTEL_SERVICE_NAME") or "ecluse",
        schedule=environ.get("ECLUSE_SCHEDULE") or None,
        schedule_zone=environ.get("ECLUSE_SCHEDULE_ZONE") or None,
        trigger_secret=environ.get("ECLUSE_TRIGGER_SECRET") or None,
        sensor_urls={
            name[1].lower(): url
            for variable, url in environ.items()
            if (name := re.fullmatch(r"ECLUSE_SENSOR_([A-Z0-9_]+)_URL", variable))
        },
    )


def _routes(environ: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    names = {name for name in environ if re.fullmatch(r"ECLUSE_ALERTS_[A-Z0-9_]+", name)}
    named = {name: environ.get(name, "") for name in (*sorted(names), *ALERTS)}
    return {name: tuple(urls.split()) for name, urls in named.items() if urls.strip()}


def _parse(name: str, text: str, kind: type[Number], least: int) -> Number:
    try:
        value = kind(text)
    except ValueError:
        value = kind(-1)
    if not value >= least:  # not a number ("nan") is neither less nor more
        word = "whole number" if kind is int else "number of seconds"
        raise ConfigurationError(f"{name} is {text!r}: give a {word}, {least} or more.")
    return value


def _choice(name: str, environ: Mapping[str, str], choices: tuple[str, ...]) -> str:
    """One of the choices; the first when nothing is said."""
    value = environ.get(name) or choices[0]
    if value not in choices:
        raise ConfigurationError(f"{name} is {value!r}: give one of {', '.join(choices)}.")
    return value


def _http_url(name: str, environ: Mapping[str, str]) -> str | None:
    value = environ.get(name) or None
    if value and not re.match(r"https?://[^/?#]", value):  # not quoted: it may hold a password
        raise ConfigurationError(f"{name} is no web address: give one such as http://host:5000.")
    return value


def _store(text: str | None) -> str | None:
    """A folder as an absolute path, a URL as it is."""
    if not text or "://" in text:
        return text or None
    return str(Path(text).expanduser().resolve())


def _otlp_endpoint(environ: Mapping[str, str]) -> str | None:
    """Where traces go: the variables of OpenTelemetry, the one for traces alone first."""
    own = _http_url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", environ)
    base = _http_url("OTEL_EXPORTER_OTLP_ENDPOINT", environ)
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    return own or (f"{base.rstrip('/')}/v1/traces" if base else None)


def _prefix(text: str) -> str:
    # Postgres keeps names that begin with pg_ for itself
    if not re.fullmatch(r"(?!pg(_|$))[a-z][a-z0-9_]{0,39}", text):
        raise ConfigurationError(
            f"ECLUSE_ROLE_PREFIX is {text!r}: use up to 40 small letters, digits and _, and begin "
            "with a letter, but not with pg_."
        )
    return text
