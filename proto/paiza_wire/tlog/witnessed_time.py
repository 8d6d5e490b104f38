"""Trusted time without a single authority: what the cosignatures of independent members say of when a tree was seen.

The times of one note's cosignatures are those of so many clocks. With more than two thirds of the witnesses in
the quorum and fewer than a third of them lying, the median lies between the times of two honest ones. So an entry
was there by the median time of the first quorum note that holds it, and was not by that of the last that does not.
"""

from collections.abc import Iterable
from datetime import datetime

from paiza_wire.tlog.cosignatures import Cosignature


def witnessed_time(cosignatures: Iterable[Cosignature], k: int) -> datetime | None:
    """Return the median of these cosignatures' times, of an even number the earlier; None if they are fewer than k.

    All of them count, each name once: who may count (an active member of the register at that time, by one key,
    and not the log's own) is the caller's word. ``k`` is `cosignatures.quorum` of how many there are to ask.
    """
    assert k > 0, "nobody is no quorum"
    times = sorted({one.name: one.time for one in cosignatures}.values())
    return times[(len(times) - 1) // 2] if len(times) >= k else None
