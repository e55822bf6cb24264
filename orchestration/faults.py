"""Faults of Postgres that pass by themselves: a step that met one is worth another try.

Told by what Postgres and libpq say, because dbt and dlt hand on words, not errors. Faults of an API
are not here: the loader retries a request itself, as often as dlt's settings say.
"""

import re

PAUSES = (1.0, 5.0, 20.0)  # seconds before the second, third and fourth try
PASSING = re.compile(
    r"deadlock detected|could not serialize access|server closed the connection unexpectedly"
    r"|terminating connection due to|connection (?:already|is|was|has been) closed"
    r"|could not receive data from server|no connection to the server|SSL SYSCALL error"
    r"|the database system is (?:starting up|shutting down|in recovery mode)"
    r"|sorry, too many clients already|remaining connection slots are reserved"
    r"|connection to server [^\n]* failed: (?!.*FATAL)",
    re.IGNORECASE,
)


def passing_fault(error: BaseException) -> str | None:
    """What tells of a fault that passes, or None where a second try would meet it again."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        if isinstance(each, KeyboardInterrupt):
            return None
        seen.add(id(each))
        if found := PASSING.search(str(each)):
            return found.group()
        each = each.__cause__ or each.__context__
    return None
