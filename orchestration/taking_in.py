"""What ingestion raises, in the words of a run: for everything that asks a source."""

from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.errors import (
    ConfigurationError,
    DataRejected,
    IngestionStopped,
    find_interrupt,
)


@contextmanager
def as_errors_of_a_run() -> Iterator[None]:
    """Raise what the block raises as the error with the right exit code.

    Raises:
        IngestionStopped: an API or a load broke.
        DataRejected: rows broke their contract.
        ConfigurationError: a setting of the source is wrong.
        KeyboardInterrupt: the one that a thread of dlt has wrapped.
    """
    from ingestion.errors import RowsRejected, SourceFailed, WrongSetting

    try:
        yield
    except RowsRejected as error:
        raise DataRejected(str(error)) from error
    except WrongSetting as error:
        raise ConfigurationError(str(error)) from error
    except SourceFailed as error:
        if interrupt := find_interrupt(error):
            raise interrupt from None
        raise IngestionStopped(str(error)) from error
