"""Faults of Postgres that pass by themselves: a step that met one is worth another try.

Told by what Postgres and libpq say, because dbt and dlt hand on words, not errors. Faults of an API
are not here: the loader retries a request itself, as often as dlt's settings say.
"""

import re

from orchestration.errors import chain, find_interrupt

PAUSES = (1.0, 5.0, 20.0)  # seconds before the second, third and fourth try
PASSING = re.compile(
    r"deadlock detected|could not serialize access|server closed the connection unexpectedly"
    r"|terminating connection due to|connection (?:already|is|was|has been) closed"
    r"|could not receive data from server|no connection to the server|SSL SYSCALL error"
    r"|the database system is (?:starting up|shutting down|in recovery mode)"
    r"|the database system is not (?:yet )?accepting connections"
    r"|sorry, too many clients already|remaining connection slots are reserved"
    r"|connection to server [^\n]* failed: (?!.*FATAL)",
    re.IGNORECASE,
)


def passing_fault(error: BaseException) -> str | None:
    """What tells of a fault that passes, or None where a second try would meet it again."""
    if find_interrupt(error):
        return None
    found = (PASSING.search(str(each)) for each in chain(error))
    return next((match.group().rstrip(": ") for match in found if match), None)
