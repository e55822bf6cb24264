"""A load whose answers come from a recording: what ECLUSE_REPLAY asks for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestration.errors import ConfigurationError, IngestionStopped, chain
from orchestration.settings import Settings

if TYPE_CHECKING:
    from ingestion.recording.cassette import Recording


@contextmanager
def replayed(settings: Settings, source: str) -> "Iterator[Recording | None]":
    """The answers of a load from the recording, where ECLUSE_REPLAY names a folder of them.

    Raises:
        ConfigurationError: it holds none of this source.
        IngestionStopped: something was asked that is not in the recording.
    """
    if settings.replay is None:
        yield None
        return
    from ingestion.errors import WrongSetting
    from ingestion.recording.cassette import replaying

    try:
        with replaying(settings.replay / source, others(settings)) as about:
            yield about
    except WrongSetting as error:
        raise ConfigurationError(str(error)) from error
    except IngestionStopped as error:
        from vcr.errors import CannotOverwriteExistingCassetteException as NotRecorded

        asked = next((each for each in chain(error) if isinstance(each, NotRecorded)), None)
        if not asked:
            raise
        raise IngestionStopped(
            f"{source}: {_asked(asked)} is not in the recording {settings.replay / source}: a "
            "later load asks for other rows than the first. Replay into an empty warehouse, or "
            f"record anew with `.venv/bin/ecluse record {source}`."
        ) from error


def others(settings: Settings) -> set[str]:
    """Whom else we talk to over HTTP meanwhile."""
    urls = (settings.openlineage_url, settings.otlp_endpoint)
    return {str(urlsplit(url).hostname) for url in urls if url}


def _asked(error: BaseException) -> str:
    request = getattr(error, "failed_request", None)
    return urlsplit(request.uri).path if request else "a request"
