"""Random numbers and ids looked up by position, so that any row can be made without its neighbours.

Each number is a hash of (seed, what it is for, key). Nothing is drawn in sequence: page 9,000 costs
what page 1 costs, and a day has the same rows whatever days come after it.
"""

from enum import IntEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Texts = NDArray[np.bytes_]

_HEX = np.array([f"{byte:02x}".encode() for byte in range(256)]).view(np.uint16)
_GROUPS = ((0, 8, 0), (9, 13, 8), (14, 18, 12), (19, 23, 16), (24, 36, 20))  # to, to, from


class Use(IntEnum):
    """What a number is for; two uses of one key share nothing."""

    CUSTOMER_ID = 1
    STORE_ID = 2
    ORDER_ID = 3
    ITEM_ID = 4
    TRADE = 5
    LATE_ONE_DAY = 6
    LATE_TWO_DAYS = 7
    BUYER = 8
    REGULAR = 9
    STORE = 10
    MINUTE = 11
    SECOND_MINUTE = 12
    SKU = 13
    FIRST_NAME = 14
    LAST_NAME = 15
    RENAMED = 16
    COST = 17
    DESCRIPTION = 18
    TICKET = 19
    OPENED = 20
    TOPIC = 21
    CHANNEL = 22
    REPLIED = 23
    SOLVED = 24
    RATED = 25
    STARS = 26
    REFUND = 27


def keys(days: Ints, rows: Ints) -> Keys:
    """Make one key of a day and a row's place in that day."""
    return (days.astype(np.uint64) << np.uint64(32)) | rows.astype(np.uint64)


def bits(seed: int, use: Use, of: Keys | Ints) -> Keys:
    """Return 64 random bits for each key; different keys never give the same bits."""
    return _mixed(of.astype(np.uint64) + _salt(seed, use, 0))


def unit(seed: int, use: Use, of: Keys | Ints) -> Floats:
    """Return a random number in [0, 1) for each key."""
    return (bits(seed, use, of) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def drawn(seed: int, of: Keys | Ints, share: float) -> tuple[NDArray[np.bool_], Keys]:
    """Choose about `share` of the orders with these keys; returns which, and the lot of each."""
    lots = bits(seed, Use.TICKET, of)
    chosen = lots < np.uint64(share * 2.0**64)
    return chosen, lots[chosen]


def uuids(seed: int, use: Use, of: Keys | Ints) -> Texts:
    """Return an id in the form of a version 4 UUID, 36 ASCII bytes, for each key."""
    high = bits(seed, use, of)
    low = _mixed(high ^ _salt(seed, use, 1))
    words = np.empty((len(of), 2), dtype=">u8")
    words[:, 0] = (high & np.uint64(0xFFFFFFFFFFFF0FFF)) | np.uint64(0x4000)
    words[:, 1] = (low >> np.uint64(2)) | np.uint64(1 << 63)
    return _hyphenated(words.view(np.uint8))


def _hyphenated(octets: NDArray[np.uint8]) -> Texts:
    digits = _HEX[octets].view(np.uint8).reshape(len(octets), 32)
    text = np.full((len(octets), 36), ord("-"), dtype=np.uint8)
    for begin, end, source in _GROUPS:
        text[:, begin:end] = digits[:, source : source + end - begin]
    return text.reshape(-1).view("S36")


@cache
def _salt(seed: int, use: Use, part: int) -> np.uint64:
    return np.random.SeedSequence([seed, use]).generate_state(2, np.uint64)[part]


def _mixed(words: Keys) -> Keys:
    # The finaliser of splitmix64: a bijection on 64 bits, so ids cannot collide within one use.
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
