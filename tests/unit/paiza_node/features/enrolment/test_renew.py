"""Renewal at the node: an officer's own request, near the end of what they have, answered once."""

import asyncio
from datetime import timedelta
from functools import partial

import pytest

from paiza.officer.v1 import renewal_pb2
from paiza_node.core.access.model import CertificateState
from paiza_node.features.enrolment.issuing import OfficerCertificates, RenewalRequest
from paiza_node.features.enrolment.renew import MAX_REQUESTS
from paiza_node.features.officers.change import suspend
from paiza_wire.errors import PaizaError, Unavailable
from paiza_wire.identity import SpiffeId
from tests.unit.paiza_node.features.enrolment.enrolment_room import (
    FEDERATION,
    MEMBER,
    OPERATOR,
    EnrolmentRoom,
    OfficerKeys,
)

OFFICER = SpiffeId(MEMBER, FEDERATION, "officer", "petrov")


async def enrolled(room: EnrolmentRoom, name: str = "petrov") -> tuple[OfficerKeys, bytes]:
    """Return an active officer's keys and signing certificate, 20 days before it ends."""
    mine = OfficerKeys()
    answer = await room.enrol.enrol(room.request(room.invite(name), mine), name)
    room.confirm(name)
    room.clock.now += timedelta(days=70)
    return mine, answer.signing_certificate


async def refusal(room: EnrolmentRoom, request: renewal_pb2.RenewRequest) -> str:
    """Return the reason for which the node refuses."""
    with pytest.raises(PaizaError) as caught:
        await room.renew.renew(str(OFFICER), request)
    return caught.value.reason


async def test_new_certificates_count_at_once_beside_the_old(room: EnrolmentRoom) -> None:
    """Nobody confirms them again: the present key vouches. What is under way under the old ones goes on."""
    mine, signing = await enrolled(room)
    answer = await room.renew.renew(str(OFFICER), room.renewal("petrov", mine, signing, OfficerKeys()))
    assert {each.state for each in room.certificates("petrov")} == {CertificateState.ACTIVE}
    assert len(room.certificates("petrov")) == 4
    assert answer.signing_certificate != signing
    assert room.events()[-2:] == ["OFFICER_RENEWAL", "OFFICER_CERTIFIED"]


async def test_a_lost_answer_is_given_again(room: EnrolmentRoom) -> None:
    """The same request, also twice at one time and after a restart, has one answer."""
    mine, signing = await enrolled(room)
    request = room.renewal("petrov", mine, signing, OfficerKeys())
    both = await asyncio.gather(*(room.renew.renew(str(OFFICER), request) for _ in range(2)))
    room.restart()
    again = await room.renew.renew(str(OFFICER), request)
    assert len({each.signing_certificate for each in (*both, again)}) == 1
    assert room.events().count("OFFICER_RENEWAL") == 1


@pytest.mark.parametrize("lost", [False, True])
async def test_a_crash_at_the_issuer_costs_nothing(room: EnrolmentRoom, *, lost: bool) -> None:
    """Before it issued or after: the request stands in the log, and the same request is answered."""
    mine, signing = await enrolled(room)
    request = room.renewal("petrov", mine, signing, OfficerKeys())
    error = Unavailable("not_witnessed")
    room.issuer.lost, room.issuer.broken = (error, None) if lost else (None, error)
    assert await refusal(room, request) == "not_witnessed"
    room.restart()
    room.issuer.lost = room.issuer.broken = None
    await room.renew.renew(str(OFFICER), request)
    assert room.events()[-2:] == ["OFFICER_RENEWAL", "OFFICER_CERTIFIED"]


async def test_an_early_renewal_is_refused(room: EnrolmentRoom) -> None:
    """A stolen laptop does not get certificates that outlive those it has by months."""
    mine, signing = await enrolled(room)
    room.clock.now -= timedelta(days=60)
    assert await refusal(room, room.renewal("petrov", mine, signing, OfficerKeys())) == "renewal_early"


async def test_requests_are_bounded(room: EnrolmentRoom) -> None:
    """A program that makes request after request fills neither log nor journal."""
    mine, signing = await enrolled(room)
    room.issuer.broken = Unavailable("not_witnessed")
    for _ in range(MAX_REQUESTS):
        assert await refusal(room, room.renewal("petrov", mine, signing, OfficerKeys())) == "not_witnessed"
    assert await refusal(room, room.renewal("petrov", mine, signing, OfficerKeys())) == "busy"
    room.clock.now += timedelta(days=1, seconds=1)
    assert await refusal(room, room.renewal("petrov", mine, signing, OfficerKeys())) == "not_witnessed"


async def test_a_request_of_another_officer_is_refused(room: EnrolmentRoom) -> None:
    """The statement, its signature and both requests in it are the caller's own."""
    mine, signing = await enrolled(room)
    theirs, their_signing = await enrolled(room, "sidorov")
    room.clock.now -= timedelta(days=60)
    foreign = room.renewal("sidorov", theirs, their_signing, OfficerKeys())
    assert await refusal(room, foreign) == "malformed"
    not_signed = room.renewal("petrov", theirs, signing, OfficerKeys())
    assert await refusal(room, not_signed) == "bad_signature"
    one_key = OfficerKeys(signing=mine.authentication, authentication=mine.authentication)
    assert await refusal(room, room.renewal("petrov", mine, signing, one_key)) == "bad_certificate"
    other_signer = room.renewal("petrov", theirs, their_signing, OfficerKeys())
    assert await refusal(room, other_signer) in {"wrong_member", "bad_certificate"}
    assert "OFFICER_RENEWAL" not in room.events()


async def test_keys_that_wait_to_be_confirmed_renew_nothing(room: EnrolmentRoom) -> None:
    """Who enrolled with a photographed invitation cannot get round the confirmation."""
    mine = OfficerKeys()
    answer = await room.enrol.enrol(room.request(room.invite("petrov"), mine), "")
    room.restart()
    room.clock.now += timedelta(days=70)
    request = room.renewal("petrov", mine, answer.signing_certificate, OfficerKeys())
    assert await refusal(room, request) == "officer_unconfirmed"


async def test_a_renewal_under_way_does_not_outlive_a_replacement(
    room: EnrolmentRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder of a stolen key, who asks just before the officer's new keys are confirmed, gets nothing."""
    stolen, signing = await enrolled(room)
    await room.enrol.enrol(room.request(room.invite("petrov"), OfficerKeys()), "new")
    request = room.renewal("petrov", stolen, signing, OfficerKeys())
    issue = room.issuer.renew

    async def late(asked: RenewalRequest) -> OfficerCertificates:
        issued = await issue(asked)
        room.confirm("petrov")
        return issued

    monkeypatch.setattr(room.issuer, "renew", late)
    assert await refusal(room, request) == "wrong_certificate"
    states = [each.state for each in room.certificates("petrov")]
    assert states == [CertificateState.ENDED] * 2 + [CertificateState.ACTIVE] * 2


async def test_a_suspended_officer_requests_nothing(room: EnrolmentRoom) -> None:
    """Nothing of theirs comes after their suspension in the log, also if they asked just before."""
    mine, signing = await enrolled(room)
    async with room.renew._turn:
        waiting = asyncio.create_task(refusal(room, room.renewal("petrov", mine, signing, OfficerKeys())))
        await asyncio.sleep(0)
        work = partial(suspend, officer_id=str(OFFICER), reason_text="on leave", stolen=False, actor=OPERATOR)
        await room.directory.commit(room.core.ledger, work)
    assert await waiting == "officer_suspended"
    assert room.events()[-1] == "OFFICER_SUSPENDED"


async def test_an_authentication_key_renews_nothing(room: EnrolmentRoom) -> None:
    """A certificate for TLS is no signature's."""
    mine, _ = await enrolled(room)
    authentication = next(each.der for each in room.certificates("petrov") if each.use == "authentication")
    swapped = OfficerKeys(authentication=mine.signing, signing=mine.authentication)
    assert await refusal(room, room.renewal("petrov", swapped, authentication, OfficerKeys())) == "bad_certificate"
