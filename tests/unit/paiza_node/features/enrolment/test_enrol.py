"""Invitations at the node: used once, by whom they were meant for, whatever breaks off in between."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from paiza.enrolment.v1 import enrolment_pb2
from paiza_node.core.access.model import CertificateState, InvitationAlarm, InvitationState
from paiza_node.features.enrolment import attempts
from paiza_node.features.enrolment.attempts import Attempts
from paiza_node.features.enrolment.enrol import MAX_GUESSES
from paiza_node.features.enrolment.expected import expected_until
from paiza_node.features.officers.enrol import sign_invitation
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.identity import SpiffeId, certificates, invitations, keys, load_certificate
from paiza_wire.identity.certificate_profiles import p256_key
from tests.unit.paiza_node.features.enrolment.enrolment_room import (
    FEDERATION,
    FIRST_ROOT,
    MEMBER,
    EnrolmentRoom,
    OfficerKeys,
)

HERE = "ipv4:192.0.2.1"
_addresses = iter(range(1_000_000))


class Unbounded(Attempts):
    """As many attempts as somebody likes, so that what lies behind the bound is tested."""

    @override
    def take(self, address: str) -> None:
        """Count nothing."""


async def ask(room: EnrolmentRoom, request: enrolment_pb2.EnrolRequest) -> enrolment_pb2.EnrolResponse:
    """Ask the node from an address of its own, so that attempts are not counted together."""
    return await room.enrol.enrol(request, f"ipv4:{next(_addresses)}")


async def refusal(room: EnrolmentRoom, request: enrolment_pb2.EnrolRequest) -> str:
    """Return the reason for which the node refuses."""
    with pytest.raises(PaizaError) as caught:
        await ask(room, request)
    return caught.value.reason


def spki(der: bytes) -> bytes:
    """Return the public key of a certificate."""
    return keys.public_key_to_spki(p256_key(load_certificate(der)))


async def test_an_invitation_becomes_two_certificates_that_sleep(room: EnrolmentRoom) -> None:
    """The answer has certificates of the keys shown, the first root and the node's time; nothing counts yet."""
    invitation, mine = room.invite("petrov"), OfficerKeys()
    answer = await ask(room, room.request(invitation, mine))
    assert spki(answer.authentication_certificate) == keys.public_key_to_spki(mine.authentication.public_key())
    assert spki(answer.signing_certificate) == keys.public_key_to_spki(mine.signing.public_key())
    assert answer.first_root == FIRST_ROOT
    assert answer.node_time.ToDatetime(tzinfo=room.clock.now.tzinfo) == room.clock.now
    assert {each.state for each in room.certificates("petrov")} == {CertificateState.ASLEEP}
    assert room.stored(invitation).state is InvitationState.USED
    assert room.events() == ["OFFICER_INVITED", "OFFICER_CERTIFIED"]
    digest = invitations.keys_digest(
        keys.public_key_to_spki(mine.authentication.public_key()),
        keys.public_key_to_spki(mine.signing.public_key()),
        invitations.invitation_sha256(invitation.statement),
    )
    assert room.stored(invitation).keys_sha256 == digest, "officer and administrator compare the same words"


async def test_a_lost_answer_is_given_again(room: EnrolmentRoom) -> None:
    """The same keys get the same certificates, also after a restart and after the invitation's time."""
    invitation, mine = room.invite("petrov"), OfficerKeys()
    first = await ask(room, room.request(invitation, mine))
    room.restart()
    again = await ask(room, room.request(invitation, mine))
    room.clock.now += timedelta(days=2)
    late = await ask(room, room.request(invitation, mine))
    assert {each.signing_certificate for each in (first, again, late)} == {first.signing_certificate}
    assert room.events().count("OFFICER_CERTIFIED") == 1


async def test_who_photographed_the_invitation_is_found_out(room: EnrolmentRoom) -> None:
    """Another used it first: the second is told, the operator is alarmed, and the first one's words are not theirs."""
    invitation, thief, officer = room.invite("petrov"), OfficerKeys(), OfficerKeys()
    await ask(room, room.request(invitation, thief))
    with capture_logs() as logged:
        assert await refusal(room, room.request(invitation, officer)) == "invitation_used"
    assert [(each["event"], each["officer"]) for each in logged if each["log_level"] == "error"] == [
        ("invitation_used_with_other_keys", invitation.officer_id)
    ]
    assert room.stored(invitation).alarm is InvitationAlarm.OTHER_KEYS
    assert await refusal(room, room.request(invitation, officer)) == "invitation_used"
    again = await ask(room, room.request(invitation, thief))
    assert again.signing_certificate, "the alarm changes nothing by itself"


async def test_two_at_one_time_get_one_pair(room: EnrolmentRoom) -> None:
    """Of many callers with one invitation, each with other keys, one is served."""
    invitation = room.invite("petrov")
    asked = [ask(room, room.request(invitation, OfficerKeys())) for _ in range(8)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [each.reason for each in answers if isinstance(each, Rejected)]
    assert refused == ["invitation_used"] * 7
    assert len(room.certificates("petrov")) == 2


async def test_a_crash_before_the_commit_costs_nothing(room: EnrolmentRoom) -> None:
    """The issuer issued and the node stopped: the same keys get the same certificates, which the log then names."""
    invitation, mine = room.invite("petrov"), OfficerKeys()
    room.issuer.lost = Unavailable("issuer_unreachable", "the machine stopped")
    assert await refusal(room, room.request(invitation, mine)) == "issuer_unreachable"
    assert room.stored(invitation).state is InvitationState.OPEN
    assert room.certificates("petrov") == []
    room.restart()
    room.issuer.lost = None
    answer = await ask(room, room.request(invitation, mine))
    ((_, issued),) = room.issuer.journal.values()
    assert (answer.authentication_certificate, answer.signing_certificate) == (issued.authentication, issued.signing)


async def test_other_keys_after_a_crash_are_refused_and_alarm(room: EnrolmentRoom) -> None:
    """The issuer remembers for whom it signed, although the node does not."""
    invitation = room.invite("petrov")
    room.issuer.lost = Unavailable("issuer_unreachable", "the machine stopped")
    await refusal(room, room.request(invitation, OfficerKeys()))
    room.restart()
    room.issuer.lost = None
    assert await refusal(room, room.request(invitation, OfficerKeys())) == "invitation_used"
    assert room.stored(invitation).alarm is InvitationAlarm.OTHER_KEYS


async def test_without_the_issuer_nothing_is_used_up(room: EnrolmentRoom) -> None:
    """A refusal of the issuer, for now or for good, leaves the invitation open."""
    invitation, mine = room.invite("petrov"), OfficerKeys()
    for broken in (Unavailable("not_witnessed"), Rejected("administrator_missing")):
        room.issuer.broken = broken
        assert await refusal(room, room.request(invitation, mine)) == broken.reason
        assert room.stored(invitation).state is InvitationState.OPEN
    room.issuer.broken = None
    await ask(room, room.request(invitation, mine))


async def test_an_administrators_signature_goes_to_the_issuer(room: EnrolmentRoom) -> None:
    """It is stored beside an open invitation, and not beside one that was used."""
    invitation = room.invite("petrov")
    digest = invitations.invitation_sha256(invitation.statement)
    room.commit(lambda tx: sign_invitation(tx, digest, b"signature"))
    await ask(room, room.request(invitation, OfficerKeys()))
    assert room.issuer.signatures == [[b"signature"]]
    with pytest.raises(Rejected, match="invitation_unknown"):
        room.commit(lambda tx: sign_invitation(tx, digest, b"late"))


async def test_certificates_of_other_keys_are_not_stored(room: EnrolmentRoom) -> None:
    """An issuer that answers with certificates for somebody else's keys is not believed."""
    one, other = room.invite("petrov"), room.invite("sidorov")
    request = room.request(one, OfficerKeys())
    foreign = await ask(room, room.request(other, OfficerKeys()))
    digest = b"".join(
        keys.fingerprint(certificates.read_csr(csr)[1])
        for csr in (request.authentication_request, request.signing_request)
    )
    ((_, issued),) = room.issuer.journal.values()
    assert issued.signing == foreign.signing_certificate
    room.issuer.journal[room.stored(one).log_index] = digest, issued
    assert await refusal(room, request) == "wrong_member"
    assert room.certificates("petrov") == []
    assert room.stored(one).state is InvitationState.OPEN


async def test_a_hundred_guesses_end_the_invitation(room: EnrolmentRoom) -> None:
    """Wrong secrets are not told from an unknown invitation; ten of them make it void, and alarm."""
    invitation, mine = room.invite("petrov"), OfficerKeys()
    request = room.request(invitation, mine)
    wrong = enrolment_pb2.EnrolRequest()
    wrong.CopyFrom(request)
    unknown = enrolment_pb2.EnrolRequest()
    unknown.CopyFrom(request)
    unknown.invitation_sha256 = bytes(32)
    room.enrol._attempts = Unbounded()
    with capture_logs() as logged:
        for number in range(100):
            wrong.secret = number.to_bytes(16, "big")
            assert await refusal(room, wrong) == await refusal(room, unknown) == "invitation_unknown"
    stored = room.stored(invitation)
    assert (stored.state, stored.guesses, stored.alarm) == (InvitationState.VOID, MAX_GUESSES, InvitationAlarm.GUESSED)
    assert [each["event"] for each in logged if each["log_level"] == "error"] == ["invitation_guessed"]
    assert await refusal(room, request) == "invitation_void"
    assert room.events() == ["OFFICER_INVITED"]


async def test_few_guesses_do_no_harm(room: EnrolmentRoom) -> None:
    """A damaged file or two, and the officer enrols with the right one."""
    invitation = room.invite("petrov")
    request = room.request(invitation, OfficerKeys())
    wrong = enrolment_pb2.EnrolRequest()
    wrong.CopyFrom(request)
    wrong.secret = b""
    for _ in range(MAX_GUESSES - 1):
        await refusal(room, wrong)
    await ask(room, request)


async def test_attempts_are_bounded(room: EnrolmentRoom) -> None:
    """A hundred attempts at once from one address: a few are looked at, the others cost nothing."""
    request = room.request(room.invite("petrov"), OfficerKeys())
    request.secret = b""
    reasons = []
    for _ in range(100):
        with pytest.raises(PaizaError) as caught:
            await room.enrol.enrol(request, HERE)
        reasons.append(caught.value.reason)
    assert reasons.count("busy") > 80
    assert (await room.enrol.enrol(room.request(room.invite("sidorov"), OfficerKeys()), "ipv4:192.0.2.2")).first_root


def test_a_flood_from_everywhere_is_bounded() -> None:
    """Every address has few attempts, all together have few too, and few addresses are remembered."""
    now = 0.0
    counted = Attempts(lambda: now)

    def passed(addresses: int, each: int) -> int:
        found = 0
        for number in range(addresses * each):
            try:
                counted.take(str(number % addresses))
            except Unavailable:
                continue
            found += 1
        return found

    assert passed(1, 100) == attempts.BURST_PER_ADDRESS
    assert passed(5000, 2) <= attempts.BURST_IN_ALL
    assert len(counted._by_address) <= attempts.MAX_ADDRESSES
    now += 1.0
    assert passed(5000, 1) == attempts.IN_ALL


async def test_an_invitation_has_its_time(room: EnrolmentRoom) -> None:
    """After it, the invitation is over."""
    invitation = room.invite("petrov", timedelta(hours=24))
    room.clock.now += timedelta(hours=24)
    assert await refusal(room, room.request(invitation, OfficerKeys())) == "invitation_expired"
    assert room.issuer.journal == {}


async def test_a_newer_invitation_replaces_the_older(room: EnrolmentRoom) -> None:
    """The former one is void, and its holder is told so."""
    former, newer = room.invite("petrov"), room.invite("petrov")
    assert await refusal(room, room.request(former, OfficerKeys())) == "invitation_void"
    await ask(room, room.request(newer, OfficerKeys()))


@pytest.mark.parametrize("fault", ["other officer", "one key", "no request", "foreign signature"])
async def test_signing_requests_are_checked(room: EnrolmentRoom, fault: str) -> None:
    """Both are for the invited officer, for two keys, each signed by its own."""
    invitation, mine = room.invite("petrov"), OfficerKeys()
    request = room.request(invitation, mine)
    officer = SpiffeId(MEMBER, FEDERATION, "officer", "petrov")
    if fault == "other officer":
        request.signing_request = mine.requests(SpiffeId(MEMBER, FEDERATION, "officer", "sidorov"))[1]
    elif fault == "one key":
        request.signing_request = certificates.create_csr(officer, mine.authentication)
    elif fault == "no request":
        request.signing_request = b""
    else:
        csr = bytearray(request.signing_request)
        csr[-1] ^= 1
        request.signing_request = bytes(csr)
    assert await refusal(room, request) == "bad_certificate"
    assert room.stored(invitation).state is InvitationState.OPEN


async def test_somebody_is_expected_only_while_an_invitation_is_open(room: EnrolmentRoom) -> None:
    """From the invitation to the confirmation, at most until its end."""

    def expected() -> object:
        with room.core.store.reads() as reads:
            return expected_until(reads, room.clock.now)

    assert expected() is None
    invitation = room.invite("petrov")
    assert expected() == room.stored(invitation).expiry_time
    await ask(room, room.request(invitation, OfficerKeys()))
    assert expected() == room.stored(invitation).expiry_time, "the answer may have been lost"
    room.confirm("petrov")
    assert expected() is None
    room.invite("sidorov")
    room.clock.now += timedelta(hours=24)
    assert expected() is None
