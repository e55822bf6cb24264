"""What moves slowly, a step a day: renamed customers, supplies' costs, touched descriptions.

Prices of products never change: an item carries no price, so a changed one would make the totals of
older orders wrong.
"""

from collections import Counter

import numpy as np

from ingestion.demo_api.catalogue import PRODUCTS, SUPPLIES
from ingestion.demo_api.draw import Ints, Use, bits

DAYS_PER_COST_CHANGE = 5
DAYS_PER_DESCRIPTION = 73
_NOTES = ("", ", new recipe", ", back by popular demand", ", now a house favourite")


def renames(seed: int, customers: Ints) -> tuple[Ints, Ints]:
    """Return the customers renamed so far, in order, and how often: one rename a day.

    `customers` counts those known on each day; nobody is renamed on the first day.
    """
    days = np.arange(1, len(customers))
    chosen = bits(seed, Use.RENAMED, days) % customers[:-1].astype(np.uint64)
    who, times = np.unique(chosen.astype(np.int64), return_counts=True)
    return who, times.astype(np.int64)


def times_renamed(customers: Ints, who: Ints, times: Ints) -> Ints:
    """Look up how often each of `customers` was renamed, given the answer of `renames`."""
    if not len(who):
        return np.zeros(len(customers), dtype=np.int64)
    place = np.minimum(np.searchsorted(who, customers), len(who) - 1)
    return np.where(who[place] == customers, times[place], 0)


def costs(seed: int, days: int) -> dict[str, int]:
    """Return what each supply costs after `days` days, in cents: one changes every fifth day."""
    moved = Counter(_chosen(seed, Use.COST, days, DAYS_PER_COST_CHANGE, len(SUPPLIES)))
    # Three steps of about 5 % up, then back to the start: costs wander, and never run away.
    return {
        id_: supply.cost + max(1, supply.cost // 20) * (moved[place] % 4)
        for place, (id_, supply) in enumerate(SUPPLIES.items())
    }


def descriptions(seed: int, days: int) -> dict[str, str]:
    """Return the description of each product after `days` days, by SKU."""
    touched = Counter(_chosen(seed, Use.DESCRIPTION, days, DAYS_PER_DESCRIPTION, len(PRODUCTS)))
    return {
        product.sku: product.description + _NOTES[touched[place] % len(_NOTES)]
        for place, product in enumerate(PRODUCTS)
    }


def _chosen(seed: int, use: Use, days: int, every: int, among: int) -> list[int]:
    moments = np.arange(every, days, every)
    return [int(place) for place in bits(seed, use, moments) % np.uint64(among)]
