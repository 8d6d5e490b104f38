"""Notes from the reference data on the substances of a draft or an opened message; they never block it.

A member's data may lag behind another's: an unknown reference id is a remark to its author and to its reader, and no
reason to refuse a message. The reference data come with the register; no function here asks the node.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from google.protobuf.message import Message

from paiza.core.v1 import message_pb2
from paiza_client.language import _, language
from paiza_client.local import reference_data
from paiza_client.sdk import messages
from paiza_client.sdk.drafts import Prepared
from paiza_client.verify.model import OpenedPart
from paiza_domain import codes, reference
from paiza_domain.reference import Mention, Reference, Substance
from paiza_domain.schema.field_errors import FieldError
from paiza_officer.profiles import Profile
from paiza_register import Register


@dataclass(frozen=True)
class Notes:
    """The substances mentioned, and the reference data that say so.

    ``left_out``: for the author, the numbers that are not filled in because they are not verified.
    """

    mentions: tuple[Mention, ...] = ()
    reference: Reference = field(default_factory=Reference)
    left_out: tuple[FieldError, ...] = ()


NOTHING: Final = Notes()


def of_opened(register: Register, opened: OpenedPart) -> Notes:
    """Return the substances of an opened main part, with their status in its author's and its recipients' states.

    The status is that at the time of writing; `NOTHING` for another part. Refused as `messages.content`.
    """
    header = opened.message.header
    if header.parts[opened.part_number].kind != message_pb2.PART_KIND_MAIN:
        return NOTHING
    members = [header.author, *(each.member for each in header.recipients)]
    return _of(register, messages.content(opened), members, header.author_time.ToDatetime(tzinfo=UTC))


def of_prepared(register: Register, own: str, prepared: Prepared, now: datetime) -> Notes:
    """Return the same of a message that was not sent, in the states of its recipients and of the member ``own``."""
    members = [*(each.member for each in prepared.envelope.recipients), own]
    found = _of(register, prepared.content, members, now)
    day = reference.day_of(prepared.content, now)
    return replace(found, left_out=tuple(reference.left_out(prepared.content, found.reference, day)))


def of_draft(profile: Profile, prepared: Prepared, now: datetime) -> Notes:
    """Return the same without the node, by the register verified last; `NOTHING` where there is none."""
    if not reference.mentions_any(prepared.content):
        return NOTHING
    register = reference_data.last_register(profile)
    return NOTHING if register is None else of_prepared(register, profile.member, prepared, now)


def numbers(substance: Substance) -> list[tuple[str, str]]:
    """Return the CAS numbers and HS codes of a substance with their labels; with a word unless they are verified."""
    known = (("CAS", substance.cas, substance.evidence), (_("HS code"), substance.hs, substance.hs_evidence))
    return [(label, reference.with_standing(found, evidence, language())) for label, found, evidence in known if found]


def states_among(members: Sequence[str]) -> tuple[str, ...]:
    """Return the states among some members: under an organisation's law no substance stands."""
    countries = codes.load("country")
    return tuple(dict.fromkeys(each for each in members if each.upper() in countries))


def _of(register: Register, content: Message, members: Sequence[str], reported: datetime) -> Notes:
    if not reference.mentions_any(content):
        return NOTHING
    data = reference_data.of(register)
    found = reference.mentions(content, data.reference, data.index, states_among(members), reported)
    return Notes(found, data.reference)
