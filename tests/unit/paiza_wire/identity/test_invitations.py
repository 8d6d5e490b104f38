"""Invitations as text: read back whole, and refused with a reason however they were damaged."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza.core.v1 import enrolment_pb2 as statements_pb2
from paiza.enrolment.v1 import enrolment_pb2 as pb
from paiza_wire.errors import Rejected
from paiza_wire.identity import certificates, invitations, keys

NOW = datetime.now(UTC)
CA = certificates.issue_ca(
    "kaz", "paiza.example", "node", keys.generate_p256(), not_before=NOW, not_after=NOW + timedelta(days=1)
)
OFFICER_CA = certificates.issue_ca(
    "kaz", "paiza.example", "officer", keys.generate_p256(), not_before=NOW, not_after=NOW + timedelta(days=1)
)
OTHERS_CA = certificates.issue_ca(
    "tjk", "paiza.example", "node", keys.generate_p256(), not_before=NOW, not_after=NOW + timedelta(days=1)
)


def invitation(**changes: Any) -> pb.Invitation:
    """Return an invitation, with some fields changed."""
    made = pb.Invitation(
        enrol_address="node.kaz:7402",
        node_address="node.kaz:7401",
        member="kaz",
        federation="paiza.example",
        officer_id="spiffe://kaz.paiza.example/officer/petrov",
        node_cas=[CA],
        first_root_sha256=bytes(32),
        newest_root_version=1,
        newest_root_sha256=bytes(32),
        secret=bytes(16),
    )
    statement = changes.pop("statement", None)
    alter(made, changes)
    made.statement = stated(made) if statement is None else statement
    return made


def stated(made: pb.Invitation, **changes: Any) -> bytes:
    """Return the statement of an invitation, with some fields changed."""
    values: dict[str, Any] = {
        "officer_id": made.officer_id,
        "envelope_sha256": invitations.envelope_sha256(made),
        **changes,
    }
    return statements_pb2.InvitationStatement(**values).SerializeToString()


def alter(made: pb.Invitation, changes: dict[str, Any]) -> None:
    """Change fields of an invitation."""
    for name, value in changes.items():
        if isinstance(value, list):
            del made.node_cas[:]
            made.node_cas.extend(value)
        else:
            setattr(made, name, value)


def test_an_invitation_is_read_back() -> None:
    """One line, and the same fields again."""
    text = invitations.to_text(invitation())
    assert "\n" not in text
    assert invitations.from_text(text) == invitation()


def test_line_breaks_of_a_mail_do_no_harm() -> None:
    """Text that a mail program has broken and indented is the same invitation."""
    text = invitations.to_text(invitation())
    broken = "\r\n  ".join(text[at : at + 70] for at in range(0, len(text), 70))
    assert invitations.from_text(f"\n{broken}\n") == invitation()


@contextmanager
def suppress_refusal() -> Iterator[None]:
    """Let a refusal pass that says what it refuses."""
    reasons = []
    try:
        yield
    except Rejected as error:
        reasons.append(error.reason)
    assert reasons in ([], ["bad_invitation"])


@given(st.integers(0), st.characters(codec="ascii"))
def test_a_changed_character_is_refused_or_harmless(at: int, character: str) -> None:
    """Whichever character is changed: an error with a reason, or another whole invitation."""
    text = invitations.to_text(invitation())
    at %= len(text)
    with suppress_refusal():
        invitations.from_text(text[:at] + character + text[at + 1 :])


@given(st.integers(0))
def test_a_cut_invitation_is_refused(at: int) -> None:
    """The end of a line that was copied badly is missed."""
    text = invitations.to_text(invitation())
    with pytest.raises(Rejected, match="bad_invitation"):
        invitations.from_text(text[: at % len(text)])


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": bytes(15)},
        {"first_root_sha256": b""},
        {"newest_root_sha256": bytes(31)},
        {"statement": b""},
        {"enrol_address": ""},
        {"node_address": ""},
        {"node_cas": [b"none"]},
        {"node_cas": [OFFICER_CA]},
        {"node_cas": [CA, OTHERS_CA]},
        {"node_cas": []},
        {"officer_id": "petrov"},
        {"officer_id": "spiffe://tjk.paiza.example/officer/petrov"},
        {"officer_id": "spiffe://kaz.paiza.example/node"},
        {"node_cas": [bytes(8 * 1024)]},
    ],
)
def test_what_is_no_invitation_is_refused(changes: dict[str, object]) -> None:
    """Fields that are missing, of another size, or contradict each other."""
    with pytest.raises(Rejected, match="bad_invitation"):
        invitations.from_text(invitations.to_text(invitation(**changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"enrol_address": "198.51.100.7:443"},
        {"node_address": "198.51.100.7:443"},
        {"node_cas": [CA, CA]},
        {"first_root_sha256": b"\1" * 32},
        {"newest_root_sha256": b"\1" * 32},
        {"newest_root_version": 2},
    ],
)
def test_an_invitation_altered_on_its_way_is_refused(changes: dict[str, Any]) -> None:
    """Its words would be the right ones, and the profile that of another node; so the statement holds what it names."""
    altered = invitation()
    alter(altered, changes)
    with pytest.raises(Rejected, match="bad_invitation"):
        invitations.from_text(invitations.to_text(altered))


def test_a_statement_of_another_invitation_is_refused() -> None:
    """A statement that cannot be read, is for another officer, or holds no digest of the rest."""
    made = invitation()
    for statement in (b"\xff", stated(made, officer_id="petrov"), stated(made, envelope_sha256=b"")):
        with pytest.raises(Rejected, match="bad_invitation"):
            invitations.from_text(invitations.to_text(invitation(statement=statement)))


def test_the_digest_of_the_keys_depends_on_each_part() -> None:
    """Other keys, keys exchanged for each other, or another invitation have other words."""
    first, second = (keys.public_key_to_spki(keys.generate_p256().public_key()) for _ in range(2))
    digests = {
        invitations.keys_digest(first, second, bytes(32)),
        invitations.keys_digest(second, first, bytes(32)),
        invitations.keys_digest(first, second, b"\1" * 32),
        invitations.keys_digest(first, first, bytes(32)),
    }
    assert len(digests) == 4
