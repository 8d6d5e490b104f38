"""Admission of officers whose certificates were made apart from the node."""

import json
import ssl
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from ssl import DER_cert_to_PEM_cert
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from paiza.admin.v1 import officer_pb2
from paiza_node.core.access.model import OfficerState
from paiza_node.features.officers import admit, change
from paiza_node.features.officers.model import Admission
from paiza_wire.errors import Rejected
from paiza_wire.identity import keys
from tests.unit.paiza_node.office import ACTOR, Office, officer_id
from tests.unit.paiza_wire.minting import mint_member

PETROV, SIDOROVA = officer_id("petrov"), officer_id("sidorova")


def listed(office: Office, name: str = "petrov", **changes: Any) -> officer_pb2.AdmittedOfficer:
    """Return an officer as a file lists them."""
    pair = office.pair(name)
    values: dict[str, Any] = {
        "id": officer_id(name),
        "roles": ["liaison"],
        "unit": "bureau",
        "authentication_certificate": pair.authentication.der,
        "signing_certificate": pair.signing.der,
    }
    return officer_pb2.AdmittedOfficer(**{**values, **changes})


def checked(office: Office, *officers: officer_pb2.AdmittedOfficer, duty_unit: str = "desk") -> list[Admission]:
    """Check officers at the office's time."""
    return admit.check(officers, verifier=office.verifier(), member="kaz", duty_unit=duty_unit, now=office.clock.now)


def as_json(officer: officer_pb2.AdmittedOfficer) -> dict[str, Any]:
    """Return an officer as a file has them."""
    return {
        "id": officer.id,
        "roles": list(officer.roles),
        "unit": officer.unit,
        "authentication_certificate": DER_cert_to_PEM_cert(officer.authentication_certificate),
        "signing_certificate": DER_cert_to_PEM_cert(officer.signing_certificate),
    }


def test_a_file_is_an_array_or_an_object_a_line(office: Office) -> None:
    """Both say the same."""
    officers = [listed(office), listed(office, "sidorova")]
    objects = [as_json(each) for each in officers]
    assert admit.read_file(json.dumps(objects, indent=1).encode()) == officers
    assert admit.read_file("\n".join(map(json.dumps, objects)).encode() + b"\n") == officers


OTHER_TYPES = json.dumps([
    {
        "id": "x", "roles": ["liaison"], "unit": "", "signing_certificate": 1.5,
        "authentication_certificate": ssl.DER_cert_to_PEM_cert(b"x"),
    }
]).encode()  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        OTHER_TYPES,
        b"\xff",
        b"{",
        b"[1]",
        b"[{}]",
        b'{"id": "x"}',
        b"[" * 100_000,
        b'[{"id": 1, "roles": 2, "unit": 3}]',
    ],
    ids=["other types", "bytes", "open", "number", "empty", "fields", "deep", "types"],
)
def test_anything_else_is_no_file_of_officers(data: bytes) -> None:
    """It is named as such, whatever it is."""
    with pytest.raises(Rejected, match="malformed"):
        admit.read_file(data)


def test_admitted_officers_act_at_once(office: Office) -> None:
    """A repeat changes nothing and writes no entry."""
    admissions = checked(office, listed(office), listed(office, "sidorova", roles=["duty"]))
    assert office.run(lambda tx: admit.admit(tx, admissions, actor=ACTOR)) == 0
    assert office.run(lambda tx: admit.admit(tx, admissions, actor=ACTOR)) == 2
    assert [event for event, _text in office.logged()] == ["OFFICER_CERTIFIED", "OFFICER_CERTIFIED"]
    officer = office.officer("sidorova")
    assert officer is not None
    assert (officer.is_active, officer.roles) == (True, frozenset({"duty"}))
    assert office.findings() == []


def test_new_certificates_end_the_old_ones(office: Office) -> None:
    """Also a suspension: the operator lists the officer as one who acts."""
    office.run(lambda tx: admit.admit(tx, checked(office, listed(office)), actor=ACTOR))
    office.run(lambda tx: change.suspend(tx, PETROV, "lost", stolen=True, actor=ACTOR))
    office.run(lambda tx: admit.admit(tx, checked(office, listed(office)), actor=ACTOR))
    assert sorted(office.states("petrov").values()) == ["active", "active", "ended", "ended"]
    officer = office.officer("petrov")
    assert officer is not None
    assert officer.state is OfficerState.ACTIVE
    assert office.findings() == []


def test_certificates_that_are_to_be_revoked_are_not_admitted_again(office: Office) -> None:
    """Not even before the register has them as revoked."""
    admissions = checked(office, listed(office))
    office.run(lambda tx: admit.admit(tx, admissions, actor=ACTOR))
    office.run(lambda tx: change.suspend(tx, PETROV, "lost", stolen=True, actor=ACTOR))
    with pytest.raises(Rejected, match="certificate_revoked"):
        office.run(lambda tx: admit.admit(tx, admissions, actor=ACTOR))


def test_replaced_certificates_are_not_admitted_again(office: Office) -> None:
    """The file from before the replacement is still at hand."""
    admissions = checked(office, listed(office))
    office.run(lambda tx: admit.admit(tx, admissions, actor=ACTOR))
    office.run(lambda tx: admit.admit(tx, checked(office, listed(office)), actor=ACTOR))
    with pytest.raises(Rejected, match="wrong_certificate"):
        office.run(lambda tx: admit.admit(tx, admissions, actor=ACTOR))


def pair_of(office: Office, name: str, **held: EllipticCurvePrivateKey) -> Admission:
    """Return an admission of an officer with certificates for these keys."""
    return Admission(officer_id(name), frozenset({"liaison"}), "", office.pair(name, **held))


def test_a_key_has_one_use_and_one_officer(office: Office) -> None:
    """Within a file and against all that was ever stored; nothing of the file is admitted then."""
    key, other = keys.generate_p256(), keys.generate_p256()
    refusals = (
        [pair_of(office, "petrov", authentication=key, signing=key)],
        [pair_of(office, "petrov", signing=key), pair_of(office, "sidorova", signing=key)],
        [pair_of(office, "petrov", signing=key), pair_of(office, "sidorova", authentication=key)],
    )
    for refused in refusals:
        with pytest.raises(Rejected, match="bad_certificate"):
            office.run(partial(admit.admit, admissions=refused, actor=ACTOR))
    assert office.logged() == []
    office.run(lambda tx: admit.admit(tx, [pair_of(office, "petrov", signing=key)], actor=ACTOR))
    office.run(lambda tx: admit.admit(tx, [pair_of(office, "petrov", signing=other)], actor=ACTOR))
    with pytest.raises(Rejected, match="bad_certificate"):
        office.run(lambda tx: admit.admit(tx, [pair_of(office, "sidorova", signing=key)], actor=ACTOR))
    office.run(lambda tx: admit.admit(tx, [pair_of(office, "petrov", signing=key)], actor=ACTOR))


REFUSED: dict[str, tuple[Callable[[Office], officer_pb2.AdmittedOfficer], str]] = {
    "uses exchanged": (
        lambda office: listed(
            office,
            authentication_certificate=(pair := office.pair("petrov")).signing.der,
            signing_certificate=pair.authentication.der,
        ),
        "bad_certificate",
    ),
    "another's certificates": (lambda office: listed(office, "sidorova", id=PETROV), "wrong_member"),
    "another member's officer": (
        lambda office: listed(office, id=PETROV.replace("kaz", "tjk")),
        "wrong_member",
    ),
    "a node": (lambda office: listed(office, id=PETROV.rpartition("/officer")[0] + "/node"), "wrong_member"),
    "no id": (lambda office: listed(office, id="petrov"), "malformed"),
    "another CA": (
        lambda office: listed(office, signing_certificate=mint_member("kaz").certify("petrov").certificate),
        "bad_certificate",
    ),
    "no role": (lambda office: listed(office, roles=[]), "malformed"),
    "an unknown role": (lambda office: listed(office, roles=["king"]), "malformed"),
    "no unit": (lambda office: listed(office, unit=""), "unit_missing"),
    "a unit of two lines": (lambda office: listed(office, unit="a\nb"), "malformed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_one_officer_that_does_not_fit_stops_all(office: Office, name: str) -> None:
    """The refusal names them."""
    build, reason = REFUSED[name]
    bad = build(office)
    with pytest.raises(Rejected, match=reason) as caught:
        checked(office, listed(office, "sidorova"), bad)
    assert bad.id in caught.value.detail


def test_an_expired_certificate_is_not_admitted(office: Office) -> None:
    """Nor one that is not valid yet."""
    officer = listed(office)
    office.clock.now += timedelta(days=400)
    with pytest.raises(Rejected, match="certificate_expired"):
        checked(office, officer)


def test_nobody_is_listed_twice(office: Office) -> None:
    """It would not be clear which roles count."""
    with pytest.raises(Rejected, match="malformed"):
        checked(office, listed(office), listed(office))


def test_a_unit_is_needed_only_where_there_is_a_duty_unit(office: Office) -> None:
    """A small member has one common unit."""
    (admission,) = checked(office, listed(office, unit=""), duty_unit="")
    assert admission.unit == ""
