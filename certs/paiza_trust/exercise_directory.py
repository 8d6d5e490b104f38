"""Makes the directories of a development federation: for each member an invented liaison officer and duty desk."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from paiza_domain import directory
from paiza_domain.directory import ALL, Confirmation, Directory, DutyRoster, Interval, LiaisonOfficer, Shift

_ROSTER: Final = timedelta(days=365)
_POSTING: Final = timedelta(days=365)


def exercise_directory(member: str, members: Sequence[str], now: datetime) -> dict[str, bytes]:
    """Return a member's directory, by target path: an officer at the next member, who confirms it, and a desk."""
    at = members.index(member)
    host, guest = members[(at + 1) % len(members)], members[at - 1]
    begin = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    alone = len(members) == 1
    made = Directory(
        member=member,
        officers=(_officer(member, host, () if alone else (host,), now),),
        duty=DutyRoster(
            time_zone="Asia/Almaty",
            contacts={"telephone": "+00 000 000 00 01", "email": f"duty@{member}.paiza.example"},
            shifts=(Shift(Interval(begin, begin + _ROSTER), "", f"Duty desk {member} (exercise)", {}),),
        ),
        confirmed=() if alone else (Confirmation(guest, "vymyshlenny", _name(guest)),),
    )
    return {directory.path_of(member): directory.to_bytes(made)}


def _name(member: str) -> str:
    return f"Вымышленный {member.upper()} (Vymyshlenny)"


def _officer(member: str, host: str, accredited_to: tuple[str, ...], now: datetime) -> LiaisonOfficer:
    return LiaisonOfficer(
        member=member,
        id="vymyshlenny",
        name=_name(member),
        posted_in=host,
        posting="",
        accredited_to=accredited_to,
        covers=(ALL,),
        kinds=(),
        languages=("ru", "en"),
        contacts={"telephone": "+00 000 000 00 00", "email": f"liaison@{member}.paiza.example"},
        hours=None,
        expiry=(now + _POSTING).date(),
    )
