"""What can go wrong while loading a source, each as a sentence for the person who reads it."""


class SourceFailed(Exception):
    """The API or the load broke; nothing of this load is visible. Trying again may help."""


class WrongSetting(SourceFailed):
    """A setting of the source is wrong: nothing was asked of the API."""


class RowsRejected(Exception):
    """Rows broke the contract; nothing of this load is visible. Trying again does not help."""


def find_cause(error: BaseException | None) -> SourceFailed | RowsRejected | None:
    """Our own error inside the layers that dlt wraps around what a resource raises."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, SourceFailed | RowsRejected):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
