"""A small shop that answers like the public Jaffle Shop API, for machines with no internet.

Rows come from a generator (`generator`) or from a folder of files (`files`); `app` puts either
behind the same HTTP contract, and `faults` breaks an answer when asked to.
"""
