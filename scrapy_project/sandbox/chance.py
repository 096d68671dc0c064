"""Numbers that look drawn by lot but depend on their arguments alone: the same in every process, on every machine."""

import hashlib
import struct
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def fractions(*parts: object) -> tuple[float, float, float, float]:
    """Return four independent numbers in [0, 1) that are a function of the text of `parts`."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=32).digest()
    one, two, three, four = (number / 2**64 for number in struct.unpack("<4Q", digest))
    # The largest 64-bit numbers would round up to 1.0.
    return min(one, _BELOW_ONE), min(two, _BELOW_ONE), min(three, _BELOW_ONE), min(four, _BELOW_ONE)


def fraction(*parts: object) -> float:
    """Return the first of `fractions`."""
    return fractions(*parts)[0]


def pick(options: Sequence[T], *parts: object) -> T:
    """Return one of `options` (not empty), always the same for the same `parts`."""
    return options[int(fraction(*parts) * len(options))]


_BELOW_ONE = 1 - 2**-53
