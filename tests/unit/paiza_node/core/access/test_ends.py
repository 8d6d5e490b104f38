"""When officers' certificates end: no later than their CA."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from paiza_node.core.access import store as access_store
from paiza_node.core.access.ends import certificate_ends, within_ca
from paiza_node.features.officers import admit
from paiza_node.features.officers.model import Admission
from paiza_wire.identity import CertificateVerifier
from tests.unit.paiza_node.office import ACTOR, Office, officer_id
from tests.unit.paiza_wire.minting import NOW


@pytest.mark.parametrize("days", [5, None])
def test_certificates_end_with_their_ca(office: Office, days: int | None) -> None:
    """The announced end of the CA counts, and that of the register from which it is gone."""
    admission = Admission(officer_id("petrov"), frozenset({"liaison"}), "", office.pair("petrov"))
    office.run(lambda tx: admit.admit(tx, [admission], actor=ACTOR))
    authority = office.member.authority
    (ca,) = authority.officer_cas
    announced = replace(ca, ends=NOW + timedelta(days=days or 0)) if days else authority.node_cas[0]
    verifier = CertificateVerifier({"kaz": replace(authority, officer_cas=(announced,))})
    register: Any = SimpleNamespace(certificate_verifier=lambda: verifier, issued_time=NOW - timedelta(hours=1))
    with office.store.reads() as reads:
        certificates = access_store.officer_certificates(reads, officer_id("petrov"))
    end = register.issued_time if days is None else announced.ends
    assert all(each.not_after > end for each in certificates)
    assert {each.not_after for each in within_ca(certificates, register)} == {end}


def test_a_certificate_whose_officer_is_missing_counts_for_nothing(office: Office) -> None:
    """A damaged row ends nothing that looks at all of them."""
    admission = Admission(officer_id("petrov"), frozenset({"liaison"}), "", office.pair("petrov"))
    office.run(lambda tx: admit.admit(tx, [admission], actor=ACTOR))
    with office.store.reads() as reads:
        certificates = access_store.officer_certificates(reads, officer_id("petrov"))
        assert certificate_ends(access_store.officers(reads), certificates)
    assert certificate_ends({}, certificates) == {}
