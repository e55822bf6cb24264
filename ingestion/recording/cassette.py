"""Record the HTTP of a load into a file, and play it instead of the network."""

import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ingestion.errors import WrongSetting
from ingestion.recording.sanitise import Sanitiser
from ingestion.registry import contracts_of

ABOUT, CASSETTE = "recording.json", "answers.yaml"
MATCH = ("method", "path", "query")  # not the host: a test's API is on another port each time
REPLAYED = "replayed"  # what stands for a secret that nobody needs any more
WORDS = ("token", "key", "secret", "password")


@dataclass
class Recording:
    """What is known of a recording. `pages` of each resource were taken; None: all of them."""

    source: str
    recorded_at: str
    base_url: str | None
    pages: int | None
    # settings of the source that the environment held; of secrets there is the name alone
    variables: dict[str, str | None] = field(default_factory=dict)


def variables_of(source: str) -> dict[str, str]:
    """The settings of a source in the environment."""
    prefix = f"SOURCES__{source.upper()}__"
    return {name: value for name, value in os.environ.items() if name.startswith(prefix)}


@contextmanager
def recording(folder: Path, about: Recording, others: Collection[str] = ()) -> Iterator[None]:
    """Record into `folder` what the block asks of HTTP, once it has come through.

    Args:
        folder: made if need be; what was recorded there before is replaced.
        about: kept beside the answers.
        others: hosts whose answers are no business of the recording.
    """
    variables = variables_of(about.source)
    if about.base_url:
        variables.pop(f"SOURCES__{about.source.upper()}__BASE_URL", None)  # it may hold a login
    secrets = [value for name, value in variables.items() if _is_secret(name)]
    sanitiser = Sanitiser(secrets, _personal(about.source))
    part = folder / f"{CASSETTE}.part"
    part.unlink(missing_ok=True)
    with _vcr(sanitiser, others, "all").use_cassette(str(part)) as cassette:
        yield
        for request, response in cassette.data:
            sanitiser.response(request, response)
    about.variables = {n: None if _is_secret(n) else v for n, v in sorted(variables.items())}
    folder.mkdir(parents=True, exist_ok=True)
    if not part.exists():
        part.write_text("interactions: []\nversion: 1\n")
    part.replace(folder / CASSETTE)
    (folder / ABOUT).write_text(json.dumps(asdict(about), indent=1) + "\n")


@contextmanager
def replaying(folder: Path, others: Collection[str] = ()) -> Iterator[Recording]:
    """Answer HTTP from the recording; what is not in it is refused, and nothing is asked outside.

    Raises:
        WrongSetting: there is no recording.
    """
    about = read_about(folder)
    given = variables_of(about.source).items()
    secrets = [REPLAYED, *(value for name, value in given if _is_secret(name))]
    before = dict(os.environ)
    os.environ.update({n: os.environ.get(n, REPLAYED) if v is None else v
                       for n, v in about.variables.items()})  # fmt: skip
    vcr = _vcr(Sanitiser(secrets, {}), others, "none")
    try:
        with vcr.use_cassette(str(folder / CASSETTE), allow_playback_repeats=True):
            yield about
    finally:
        for name in about.variables:
            os.environ.pop(name, None)
            os.environ.update({name: before[name]} if name in before else {})


def read_about(folder: Path) -> Recording:
    """What is known of the recording in a folder.

    Raises:
        WrongSetting: there is none.
    """
    try:
        return Recording(**json.loads((folder / ABOUT).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise WrongSetting(
            f"There is no recording in {folder} ({type(error).__name__}): "
            f"`.venv/bin/ecluse record {folder.name}` makes one."
        ) from None


def interactions(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Path and response of all that was asked, in order."""
    from vcr.persisters.filesystem import FilesystemPersister
    from vcr.serializers import yamlserializer

    requests, responses = FilesystemPersister.load_cassette(folder / CASSETTE, yamlserializer)
    paths = [urlsplit(request.uri).path for request in requests]
    return list(zip(paths, responses, strict=True))


def _is_secret(variable: str) -> bool:
    return any(word in variable.lower() for word in WORDS)


def _vcr(sanitiser: Sanitiser, others: Collection[str], mode: str) -> Any:
    from vcr import VCR

    def before(request: Any) -> Any:
        return None if request.host in others else sanitiser.request(request)

    return VCR(
        record_mode=mode,
        match_on=MATCH,
        before_record_request=before,
        decode_compressed_response=True,
    )


def _personal(source: str) -> dict[str | None, set[str]]:
    """The personal fields of each resource, as its contract names them; for other paths all."""
    found: dict[str | None, set[str]] = {None: set()}
    for contract in contracts_of(source):
        # a flattened column is named after its parents
        names = {column.name.rpartition("__")[2] for column in contract.columns if column.pii}
        found[contract.table] = names | {c.name for c in contract.columns if c.pii}
        found[None] |= names
    return found
