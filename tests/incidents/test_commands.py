"""What people type: incidents, alerts, quality."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click
import pytest

from orchestration.cli import ecluse
from orchestration.errors import ConfigurationError, DataRejected
from orchestration.incidents.quality import spark
from orchestration.incidents.trial import ChannelsFailed
from orchestration.settings import Settings
from orchestration.warehouse import Warehouse
from tests.databases import make_database, query
from tests.incidents.sinks import REFUSES, Post, Sink, http_sink
from tests.newcomer import settings_for
from tests.orchestration.small import MODELS, SmallPipe, load

pytestmark = pytest.mark.slow
OWNED = """
groups:
  - name: sales
    owner: {name: Sales analytics, email: sales@example.org}
exposures:
  - name: morning
    label: Morning sales
    type: dashboard
    depends_on: [ref('orders')]
    owner: {name: Boardroom, email: board@example.org}
"""
GROUPED = "  - name: orders\n    config: {group: sales}\n    description: What was sold.\n"
Say = Callable[..., str]


@pytest.fixture(scope="module")
def pipe(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> SmallPipe:
    """Three real runs: good, bad, and bad again; each tells a receiver."""
    pipe = SmallPipe(tmp_path_factory.mktemp("incidents") / "p", make_database(server))
    pipe.write("models/_owners.yml", OWNED)
    pipe.write("models/marts/_models.yml", MODELS.replace("  - name: orders\n", GROUPED, 1))
    return pipe


@pytest.fixture
def settings(pipe: SmallPipe, sink: Sink) -> Settings:
    pipe.variables = {"ECLUSE_ALERTS": sink.url(), "ECLUSE_ALERTS_SALES": sink.url("sales")}
    return pipe.settings


@pytest.fixture
def say(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Say:
    """Type a command; what it prints."""

    def typed(*words: str, **variables: str) -> str:
        warehouse = settings.warehouse_url or ""
        fresh = {"ECLUSE_WAREHOUSE_URL": warehouse} | variables
        from orchestration.settings import load_settings

        given = load_settings(fresh, settings.root) if variables else settings
        monkeypatch.setattr("orchestration.cli.incidents.load_settings", lambda: given)
        ecluse.main(list(words), standalone_mode=False)
        return capsys.readouterr().out

    return typed


def test_bad_data_is_an_incident_until_it_is_mended(pipe: SmallPipe, say: Say, sink: Sink) -> None:
    """The story of `make break` and `make fix`, in small: blocked, told, looked at, mended."""
    pipe.run("collect")
    assert say("incidents") == "No incident is open.\n"
    load(pipe.warehouse, 5, -7, -8)
    for _ in range(2):
        with pytest.raises(DataRejected):
            pipe.run("collect")
    assert pipe.amounts() == [5, 7]
    assert sink.titles("sales") == ["[opened error] test no_negative_amount of marts.orders failed"]
    assert sink.titles("all") == sink.titles("sales")  # the boardroom has no channel of its own
    (said,) = {body for _, _, body in sink.taken}
    assert "Rows: 2.\nDownstream: marts.orders, dashboard Morning sales.\nReaders: nothing was" in (
        said
    )
    assert "Owner: sales (Sales analytics)." in said

    shown = say("incidents", "show", "1")
    assert "seen       by 2 runs" in shown
    assert "closer     .venv/bin/ecluse quarantine show no_negative_amount" in shown
    assert "alert      opened to ECLUSE_ALERTS_SALES#1: sent" in shown
    assert "geheim" not in shown
    (card,) = json.loads(say("quality", "--json"))
    assert (card["owner"], card["tests_passed"], card["tests_run"]) == (
        "sales (Sales analytics)", 4, 5,
    )  # fmt: skip
    assert [each["id"] for each in card["incidents"]] == [1]

    load(pipe.warehouse, 5, 9)
    pipe.run("collect")
    assert pipe.amounts() == [5, 9]
    assert sink.titles("sales")[1:] == [
        "[recovered] test no_negative_amount of marts.orders failed"
    ]
    assert "resolved" in say("incidents", "list", "--all")
    page = say("quality", "orders")
    assert "What was sold." in page
    assert page.splitlines()[1].endswith("100  █▆▆█")


def test_an_incident_is_acknowledged_muted_and_resolved_by_hand(
    pipe: SmallPipe, say: Say, sink: Sink
) -> None:
    load(pipe.warehouse, -7)
    with suppress(DataRejected):
        pipe.run("collect")
    (number,) = [str(row["id"]) for row in json.loads(say("incidents", "list", "--json"))]
    assert f"Incident {number} is acknowledged: " in say("incidents", "ack", number)
    assert "is muted to" in say("incidents", "mute", number, "--until", "3d", "--note", "holiday")
    sink.taken.clear()
    load(pipe.warehouse, *[-7] * 9)
    with suppress(DataRejected):
        pipe.run("collect")
    assert sink.taken == []
    said = json.loads(say("incidents", "show", number, "--json"))
    assert [(event["event"], event["size"]) for event in said["events"]] == [
        ("opened", 1), ("acknowledged", 1), ("muted", 1), ("worsened", 9),
    ]  # fmt: skip
    assert "holiday" in said["events"][2]["note"]
    assert "by hand" in said["events"][2]["by"]
    say("incidents", "resolve", number)
    assert say("incidents") == "No incident is open.\n"
    for words in (("ack", number), ("mute", number, "--until", "1h"), ("resolve", number)):
        with pytest.raises(ConfigurationError, match=f"Incident {number} is over since"):
            say("incidents", *words)


def test_nonsense_is_answered_with_a_sentence(say: Say) -> None:
    with pytest.raises(ConfigurationError, match=r"no incident 999: .*list --all"):
        say("incidents", "show", "999")
    with pytest.raises(click.BadParameter, match="2026-01-31T08:00, 12h, 3d or 2w"):
        say("incidents", "mute", "1", "--until", "soon")
    with pytest.raises(ConfigurationError, match="is past"):
        say("incidents", "mute", "1", "--until", "2020-01-31")
    with pytest.raises(ConfigurationError, match="no score of a mart 'nonsense'"):
        say("quality", "nonsense")


def test_alerts_test_says_of_each_channel_who_took_it(say: Say, post: Post) -> None:
    mail = f"mailto://127.0.0.1:{post.port}?from=ecluse@example.org"
    with http_sink() as fine, http_sink() as shut:
        shut.mode = REFUSES
        said = say("alerts", "test", ECLUSE_ALERTS=fine.url(), ECLUSE_ALERTS_MAIL=mail)
        assert "ECLUSE_ALERTS#1: sent\n" in said
        assert "sales@example.org: sent\n" in said
        assert sorted(to for recipients, _ in post.mails for to in recipients) == [
            "board@example.org", "sales@example.org",
        ]  # fmt: skip
        with pytest.raises(ChannelsFailed, match=r"^ECLUSE_ALERTS#2: see that"):
            say("alerts", "test", ECLUSE_ALERTS=f"{fine.url()} {shut.url()}")
    with pytest.raises(ConfigurationError, match=r"^ECLUSE_ALERTS_SALES#1: write it") as wrong:
        say("alerts", "test", "--owner", "sales", ECLUSE_ALERTS_SALES="what://geheim")
    assert "geheim" not in str(wrong.value)
    with pytest.raises(ConfigurationError, match="No channel is configured: put apprise URLs"):
        say("alerts", "test", ECLUSE_ALERTS=" ")


def test_alerts_that_wait_are_sent_by_hand(pipe: SmallPipe, say: Say, sink: Sink) -> None:
    load(pipe.warehouse, -7)
    sink.mode = REFUSES
    with suppress(DataRejected):
        pipe.run("collect")
    with pytest.raises(ChannelsFailed):
        say("alerts", "send")
    sink.mode = "ok"
    assert "ECLUSE_ALERTS_SALES#1: sent" in say("alerts", "send")
    assert say("alerts", "send") == "Nothing waits.\n"


def test_a_warehouse_that_is_away_is_told_once_and_once_more_when_it_is_back(
    tmp_path: Path, warehouse: Warehouse, sink: Sink
) -> None:
    from orchestration.console import Console
    from orchestration.errors import WarehouseUnreachable
    from orchestration.run import recorded_run

    away = f"postgresql://nobody:geheim@127.0.0.1:1/{warehouse.dbname}"
    gone = settings_for(tmp_path, warehouse, ECLUSE_ALERTS=sink.url(), ECLUSE_WAREHOUSE_URL=away)
    for _ in range(2):
        with pytest.raises(WarehouseUnreachable), recorded_run(gone, "run", Console(quiet=True)):
            pass
    assert sink.titles() == ["[opened error] the warehouse cannot be reached"]
    assert "geheim" not in sink.taken[0][2]
    back = settings_for(tmp_path, warehouse, ECLUSE_ALERTS=sink.url())
    left = gone.state_dir / f"unreachable-{gone.place}.json"
    left.rename(back.state_dir / f"unreachable-{back.place}.json")  # the same place, up again
    from orchestration.records import StepRecord

    for _ in range(2):
        with recorded_run(back, "run", Console(quiet=True)) as run:
            run.record.steps.append(StepRecord("ingest", "done"))
    _, over = sink.titles()
    assert over.startswith("[recovered] the warehouse could not be reached from 20")
    assert query(warehouse, "select key, state from ops.incidents") == [
        ("run:warehouse", "resolved")
    ]


def test_scores_are_bars_from_fifty_to_a_hundred() -> None:
    assert spark([0, 50, 75, 100]) == "▁▁▅█"
