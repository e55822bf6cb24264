"""What readers see, and when it changes: all marts at one instant, or none.

dbt builds and tests the marts in `marts__next`, which nobody reads (`chamber.py` empties it before
and seals it after). Publication and rollback are the same act (`switch.py`): the live schema
`marts` becomes `marts__v<N>` and another becomes `marts`. `versions.py` is the register of it all.
"""
