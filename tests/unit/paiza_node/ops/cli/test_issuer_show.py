"""`paiza-node issuer show` says whose last certificate is of a former CA."""

from dataclasses import replace
from datetime import timedelta

from paiza_node.ops.cli.issuer.show import former_cas
from paiza_node.ops.issuer.journal import Issued, KnownLog
from tests.unit.paiza_node.office import Office
from tests.unit.paiza_wire.minting import NOW, mint_member


def test_the_last_certificate_of_a_former_ca_is_noticed(office: Office) -> None:
    """Once a newer CA has begun; not before, and not of the other role."""
    pair = office.pair("petrov")
    issued = Issued(
        kind="enrolment",
        id="petrov",
        index=0,
        log=KnownLog("origin", 1, bytes(32)),
        keys=(),
        statement=b"",
        certificates=(pair.authentication.der, pair.signing.der),
        time=NOW,
    )
    authority = office.member.authority
    assert former_cas([issued], authority, NOW) == []
    (newer,) = mint_member("kaz").authority.officer_cas
    later = replace(newer, begins=NOW + timedelta(days=1))
    assert former_cas([issued], replace(authority, officer_cas=(*authority.officer_cas, later)), NOW) == []
    begun = replace(newer, begins=NOW - timedelta(seconds=1))
    both = replace(authority, officer_cas=(*authority.officer_cas, begun))
    assert former_cas([issued], both, NOW) == ["officer"]
    assert former_cas([], both, NOW) == []
