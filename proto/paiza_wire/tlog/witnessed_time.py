"""Trusted time without a single authority, from the cosignatures of independent members.

The times of one note's cosignatures come from independent clocks. With more than two thirds of the witnesses in
the quorum and fewer than a third of them lying, the median lies between the times of two honest ones. So an entry
was there by the median time of the first quorum note that holds it, and was not by that of the last that does not.
"""

from collections.abc import Iterable
from datetime import datetime

from paiza_wire.tlog.cosignatures import Cosignature


def witnessed_time(cosignatures: Iterable[Cosignature], k: int) -> datetime | None:
    """Return the median of these cosignatures' times (the lower one of an even number); None if fewer than k.

    All of them count, each name once. The caller passes only witnesses that may count: active members of the register
    at that time, by one key each, without the log's own. ``k`` is the `cosignatures.quorum` of the number of witnesses.
    """
    assert k > 0, "nobody is no quorum"
    times = sorted({one.name: one.time for one in cosignatures}.values())
    return times[(len(times) - 1) // 2] if len(times) >= k else None
