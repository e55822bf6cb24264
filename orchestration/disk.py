"""A disk that is full or not to be written: one sentence, whatever dlt and dbt made of it.

Told by words, as in `faults`: dbt and dlt hand on no errors.
"""

import errno
import re
import shutil
import tempfile
from pathlib import Path

from orchestration.embedded import EmbeddedServer
from orchestration.errors import ConfigurationError, DiskFull, EcluseError, chain, find_interrupt
from orchestration.faults import passing_fault
from orchestration.settings import Settings

FULL = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
# 'could not extend file "base/5/1249": No space left on device', and the like
OF_POSTGRES = re.compile(rf"could not [^\n:]*: ({FULL.pattern})", re.IGNORECASE)
NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
# Postgres that cannot make its next file of the log, which is as large, ends without a word to us.
SCARCE = 16 * 2**20


def explain(error: BaseException, settings: Settings) -> EcluseError | None:
    """The sentence for an error that a disk is behind; None for any other."""
    if isinstance(error, DiskFull) or find_interrupt(error):
        return None
    said = " ".join(str(each) for each in chain(error))
    data = EmbeddedServer(settings.state_dir).data
    mute = not settings.warehouse_url and passing_fault(error) and _free(data) < SCARCE
    if OF_POSTGRES.search(said) or mute:
        where = "its server has to make room" if settings.warehouse_url else _with_free(data)
        return _full(f"Postgres cannot write: {where}")
    files = [each for each in chain(error) if isinstance(each, OSError)]
    named = next((Path(str(each.filename)) for each in files if each.filename), None)
    if FULL.search(said):
        places = (settings.runs_dir, settings.dlt_dir, settings.root, Path(tempfile.gettempdir()))
        return _full(_with_free(named or min(places, key=_free)))
    if isinstance(error, OSError) and error.errno in NOT_WRITABLE:
        return ConfigurationError(
            f"{named or 'A file'} cannot be written: {error.strerror}. Make it writable and run "
            "again."
        )
    return None


def _full(where: str) -> DiskFull:
    return DiskFull(
        f"The disk is full: {where}. Make room and run again: readers keep what was published, and "
        "the next run puts right what this one left."
    )


def _with_free(place: Path) -> str:
    return f"{place} has {_free(place) / 2**20:,.1f} MB left"


def _free(place: Path) -> int:
    there = next((each for each in (place, *place.parents) if each.exists()), Path("/"))
    return shutil.disk_usage(there).free
