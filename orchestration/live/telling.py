"""What is told at the end of a run to those who watch over it. What fails is a note, no more."""

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestration.errors import ConfigurationError
from orchestration.live.metrics import metrics
from orchestration.live.progress import forget_progress, read_progress
from orchestration.live.spans import endpoint_host, send, trace
from orchestration.records import RunFolder, RunRecord, to_json, write_whole
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.run import Run


def write_metrics_after(run: "Run") -> bool:
    """Write the file of metrics, if one is named; whether a note has come to the record."""
    path = run.settings.metrics_file
    if path is None:
        return False
    try:
        write_whole(path, metrics(run.session))
    except Exception as error:
        run.note(f"the metrics could not be written to {path}: {type(error).__name__}: {error}")
        return True
    return False


def tell_at_the_end(settings: Settings, record: RunRecord, folder: RunFolder) -> None:
    """Send the spans of a run whose record is whole, if somebody collects them."""
    problem = None
    if settings.otlp_endpoint:
        try:
            run, progress = json.loads(to_json(record)), read_progress(folder.path)
            problem = send(settings, trace(run, folder.path, progress, settings.service_name))
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
    forget_progress(folder.path)
    if problem:
        host = endpoint_host(settings)
        record.notes.append(f"the spans of this run could not be sent to {host}: {problem}")
        with suppress(ConfigurationError):  # the folder may be what broke the run
            folder.save(record)
