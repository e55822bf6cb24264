"""What is told at the end of a run to those who watch over it. What fails is a note, no more."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.live.metrics import metrics
from orchestration.live.progress import forget_progress, read_progress
from orchestration.live.spans import endpoint_host, send, trace
from orchestration.records import RunRecord, to_json, write_whole
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


def tell_at_the_end(settings: Settings, record: RunRecord, folder: Path) -> bool:
    """Send the run's spans, if somebody collects them; whether a note has come to the record."""
    problem = None
    if settings.otlp_endpoint:
        try:
            run = json.loads(to_json(record))
            spans = trace(run, folder, read_progress(folder), settings.service_name)
            problem = send(settings, spans)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
    forget_progress(folder)
    if problem:
        host = endpoint_host(settings)
        record.notes.append(f"the spans of this run could not be sent to {host}: {problem}")
    return bool(problem)
