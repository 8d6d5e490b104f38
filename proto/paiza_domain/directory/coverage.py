"""Who can be reached when: who is on duty, and where a roster or the coverage of a directory has holes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from paiza_domain.directory import times
from paiza_domain.directory.model import DAYS, Directory, Interval, LiaisonOfficer, Shift


@dataclass(frozen=True, slots=True)
class Hole:
    """What nobody covers: messages of ``kinds`` with ``member``, in these ``intervals``.

    Without intervals no officer is there for them at all. ``kinds`` are empty if all of them are meant.
    """

    member: str
    kinds: tuple[str, ...]
    intervals: tuple[Interval, ...]


def on_duty(directory: Directory, at: datetime) -> tuple[Shift, ...]:
    """Return the shifts that a time is in."""
    return () if directory.duty is None else tuple(each for each in directory.duty.shifts if each.interval.contains(at))


def roster_gaps(directory: Directory, within: Interval) -> tuple[Interval, ...]:
    """Return when nobody is on duty by the roster; all of the time if there is none."""
    return _free(_shifts(directory), within)


def holes(directory: Directory, members: Iterable[str], kinds: Sequence[str], within: Interval) -> tuple[Hole, ...]:
    """Return what nobody covers in an interval, by member, with the kinds that have the same holes together.

    Somebody on duty covers everything; an officer what the directory says, in their hours, until the posting ends.
    """
    shifts = _merged(_shifts(directory), within)
    posted = [each for each in directory.officers if not each.is_expired(within.begin.date())]
    reached = {each.id: _merged(_reached(each, within), within) for each in posted}
    known: dict[tuple[str, ...], tuple[Interval, ...] | None] = {}

    def free(member: str, kind: str) -> tuple[Interval, ...] | None:
        """Return the holes of one member and kind; None if no officer is there for them."""
        key = tuple(each.id for each in posted if each.works_with(member, kind))
        if key not in known:
            intervals = {interval for officer in key for interval in reached[officer]}
            known[key] = _free([*shifts, *intervals], within) if key else None
        return known[key]

    found: list[Hole] = []
    for member in members:
        by_holes: dict[tuple[Interval, ...] | None, list[str]] = {}
        for kind in kinds:
            by_holes.setdefault(free(member, kind), []).append(kind)
        for intervals, concerned in by_holes.items():
            if intervals is None or intervals:
                named = () if len(concerned) == len(kinds) else tuple(concerned)
                found.append(Hole(member, named, intervals or ()))
    return tuple(found)


def _shifts(directory: Directory) -> list[Interval]:
    return [] if directory.duty is None else [each.interval for each in directory.duty.shifts]


def _reached(officer: LiaisonOfficer, within: Interval) -> list[Interval]:
    """Return when an officer can be reached: their hours on each day, until the posting ends."""
    hours = officer.hours
    if hours is None:
        zone, spans = None, [(within.begin, within.end)]
    else:
        zone = times.zone(hours.time_zone) or UTC
        day = within.begin.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
        days = [day + timedelta(days=each) for each in range((within.end - within.begin).days + 4)]
        spans = [times.local_span(each, hours.begin, hours.end) for each in days if DAYS[each.weekday()] in hours.days]
    last = datetime.combine(officer.expiry, datetime.max.time(), zone or within.begin.tzinfo)
    return [Interval(begin, min(end, last)) for begin, end in spans if begin < last]


def _merged(taken: Iterable[Interval], within: Interval) -> list[Interval]:
    """Return the parts of an interval that others cover, joined."""
    found, at = list[Interval](), within.begin
    for gap in (*_free(taken, within), Interval(within.end, within.end)):
        if gap.begin > at:
            found.append(Interval(at, gap.begin))
        at = gap.end
    return found


def _free(taken: Iterable[Interval], within: Interval) -> tuple[Interval, ...]:
    """Return the parts of an interval that no other one covers."""
    found, at = list[Interval](), within.begin
    for each in sorted(taken):
        if each.end <= at:
            continue
        if each.begin >= within.end:
            break
        if each.begin > at:
            found.append(Interval(at, each.begin))
        at = each.end
    if at < within.end:
        found.append(Interval(at, within.end))
    return tuple(found)
