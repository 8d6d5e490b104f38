"""Names, certificates, and their verification against the one member they claim."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import product

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from paiza_wire.errors import Rejected
from paiza_wire.identity import (
    CertificateAuthority,
    CertificateUse,
    CertificateVerifier,
    MemberAuthority,
    Role,
    SpiffeId,
    certificates,
    check_authority,
    keys,
    node_dns_name,
)
from paiza_wire.identity.certificate_profiles import MAX_CERTIFICATE_BYTES, load_certificate
from paiza_wire.identity.der import encode

FEDERATION = "paiza.example"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = 365 * DAY
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def use_for(spiffe_id: SpiffeId) -> CertificateUse:
    """Return the use of a node's certificate, or of an officer's for signing."""
    return "authentication" if spiffe_id.role == "node" else "signing"


@dataclass(frozen=True)
class Member:
    """A member's two CAs with their keys."""

    id: str
    keys: dict[Role, ec.EllipticCurvePrivateKey]
    authority: MemberAuthority

    def issue(
        self,
        spiffe_id: SpiffeId,
        *,
        by: Role | None = None,
        at: datetime = NOW,
        use: CertificateUse | None = None,
    ) -> bytes:
        """Make a certificate with one of the CAs, whether or not it may; an officer's is for signing."""
        role = by or spiffe_id.role
        ca = load_certificate(self.authority.cas(role)[0].certificate)
        use = use or use_for(spiffe_id)
        return certificates.issue(
            keys.generate_p256().public_key(), ca, self.keys[role], spiffe_id, use, at - DAY, at + YEAR
        )


def make_member(member: str, federation: str = FEDERATION) -> Member:
    """Make both CAs of a member."""
    roles: tuple[Role, ...] = ("node", "officer")
    private_keys: dict[Role, ec.EllipticCurvePrivateKey] = {role: keys.generate_p256() for role in roles}
    cas = {role: make_ca(member, role, private_keys[role], federation) for role in roles}
    return Member(member, private_keys, MemberAuthority(member, federation, (cas["node"],), (cas["officer"],)))


def make_ca(
    member: str, role: Role, key: ec.EllipticCurvePrivateKey, federation: str = FEDERATION
) -> CertificateAuthority:
    """Make a CA that is announced for its whole validity."""
    certificate = certificates.issue_ca(
        member, federation, role, key, not_before=NOW - 2 * DAY, not_after=NOW + 3 * YEAR
    )
    return CertificateAuthority.of(certificate)


KAZ = make_member("kaz")
NODE_CA = KAZ.authority.node_cas[0].certificate
TJK = make_member("tjk")
NODE = SpiffeId("kaz", FEDERATION, "node")
OFFICER = SpiffeId("kaz", FEDERATION, "officer", "liaison")


@pytest.fixture
def verifier() -> CertificateVerifier:
    """Return a verifier that knows two members."""
    return CertificateVerifier({"kaz": KAZ.authority, "tjk": TJK.authority})


def refused(reason: str, action: Callable[[], object]) -> None:
    """Demand that an action is Rejected with this reason."""
    with pytest.raises(Rejected) as caught:
        action()
    assert caught.value.reason == reason, str(caught.value)


@pytest.mark.parametrize("spiffe_id", [NODE, OFFICER, SpiffeId("centre", "a.b.example", "officer", "x-1")])
def test_an_id_is_read_as_it_is_written(spiffe_id: SpiffeId) -> None:
    """Parsing what an id prints gives the id again."""
    assert SpiffeId.parse(str(spiffe_id)) == spiffe_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spiffe://",
        "kaz.paiza.example/node",
        "https://kaz.paiza.example/node",
        "SPIFFE://kaz.paiza.example/node",
        "spiffe://KAZ.paiza.example/node",
        "spiffe://kaz.Paiza.example/node",
        "spiffe://каз.paiza.example/node",
        "spiffe://kаz.paiza.example/node",  # a Cyrillic а
        "spiffe://xn--80aj.paiza.example/node",
        "spiffe://kaz/node",
        "spiffe://kaz.example/node",
        "spiffe://kaz..example/node",
        "spiffe://kaz.paiza.example./node",
        "spiffe://kaz.paiza.example:443/node",
        "spiffe://u@kaz.paiza.example/node",
        "spiffe://kaz.paiza.example/node/",
        "spiffe://kaz.paiza.example/node?x",
        "spiffe://kaz.paiza.example/node#x",
        "spiffe://kaz.paiza.example/Node",
        "spiffe://kaz.paiza.example/node\n",
        "spiffe://kaz.paiza.example\n/node",
        "spiffe://kaz.paiza.example//node",
        "spiffe://kaz.paiza.example/officer",
        "spiffe://kaz.paiza.example/officer/",
        "spiffe://kaz.paiza.example/officer/a/b",
        "spiffe://kaz.paiza.example/officer/%61",
        "spiffe://kaz.paiza.example/officer/Liaison",
        "spiffe://kaz.paiza.example/officer/" + "a" * 41,
        "spiffe://k.paiza.example/node",
        "spiffe://1az.paiza.example/node",
        "spiffe://kaz." + "a" * 60 + ".example/node",
    ],
)
def test_another_spelling_of_an_id_is_malformed(text: str) -> None:
    """There is one spelling of an id; upper case, other scripts, ports, queries and empty parts are refused."""
    refused("malformed", lambda: SpiffeId.parse(text))


@given(st.text(max_size=80) | st.from_regex(r"spiffe://[a-z]{1,4}\.[a-z.]{1,12}/(node|officer/[a-z0-9-]{0,5})"))
def test_an_id_is_refused_or_has_one_spelling(text: str) -> None:
    """Parsing any text is Rejected or returns an id that prints as that text."""
    try:
        spiffe_id = SpiffeId.parse(text)
    except Rejected:
        return
    assert str(spiffe_id) == text


def test_certificates_of_the_profiles_pass(verifier: CertificateVerifier) -> None:
    """A node's and an officer's certificates, issued through signing requests, verify with all their particulars."""
    uses: tuple[tuple[SpiffeId, CertificateUse | None], ...] = (
        (NODE, None),
        (OFFICER, "authentication"),
        (OFFICER, "signing"),
    )
    for spiffe_id, use in uses:
        key = keys.generate_p256()
        csr, ca = certificates.create_csr(spiffe_id, key), KAZ.authority.cas(spiffe_id.role)[0].certificate
        ca_key, life = KAZ.keys[spiffe_id.role], {"not_before": NOW - DAY, "not_after": NOW + YEAR}
        if use is None:
            der = certificates.issue_node(csr, ca, ca_key, spiffe_id=spiffe_id, **life)
            verified = verifier.node(der, expected_member="kaz", at=NOW)
            assert verifier.node(der, expected_member=None, at=NOW) is verified
        else:
            der = certificates.issue_officer(csr, ca, ca_key, spiffe_id=spiffe_id, use=use, **life)
            verify = verifier.signing if use == "signing" else verifier.authentication
            verified = verify(der, expected_id=str(spiffe_id), at=NOW)
        assert verified.id == spiffe_id
        assert verified.public_key == key.public_key()
        assert verified.fingerprint == sha256(der).digest()
        assert (verified.not_before, verified.not_after, verified.der) == (NOW - DAY, NOW + YEAR, der)


def test_a_node_certificate_carries_its_dns_name() -> None:
    """A node's certificate has the id and the DNS name that gRPC checks, an officer's the id alone."""
    names = {
        spiffe_id.role: load_certificate(KAZ.issue(spiffe_id)).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        for spiffe_id in (NODE, OFFICER)
    }
    assert names["node"].value.get_values_for_type(x509.DNSName) == [node_dns_name("kaz", FEDERATION)]
    assert len(list(names["officer"].value)) == 1


def test_serial_numbers_are_random() -> None:
    """Certificates and CAs have distinct serial numbers."""
    ders = [KAZ.issue(OFFICER) for _ in range(5)] + [
        ca.certificate for role in KAZ.keys for ca in KAZ.authority.cas(role)
    ]
    numbers = {load_certificate(der).serial_number for der in ders}
    assert len(numbers) == len(ders)
    assert min(numbers) > 1 << 64


def test_a_ca_never_speaks_for_another_member(verifier: CertificateVerifier) -> None:
    """A certificate that kaz issued in the name of tjk is refused, in either role."""
    node = KAZ.issue(replace(NODE, member="tjk"))
    refused("bad_certificate", lambda: verifier.node(node, expected_member=None, at=NOW))
    officer = KAZ.issue(replace(OFFICER, member="tjk"))
    refused(
        "bad_certificate", lambda: verifier.signing(officer, expected_id=str(replace(OFFICER, member="tjk")), at=NOW)
    )


@pytest.mark.parametrize(("spiffe_id", "by"), [(NODE, "officer"), (OFFICER, "node")])
def test_a_ca_never_issues_for_the_other_role(verifier: CertificateVerifier, spiffe_id: SpiffeId, by: Role) -> None:
    """The officer CA cannot make a node, nor the node CA an officer."""
    der = KAZ.issue(spiffe_id, by=by)
    if spiffe_id.role == "node":
        refused("bad_certificate", lambda: verifier.node(der, expected_member=None, at=NOW))
    else:
        refused("bad_certificate", lambda: verifier.signing(der, expected_id=str(spiffe_id), at=NOW))


def test_a_certificate_of_the_other_role_is_refused(verifier: CertificateVerifier) -> None:
    """An officer's certificate is not taken for a node's, nor the other way round."""
    refused("bad_certificate", lambda: verifier.node(KAZ.issue(OFFICER), expected_member="kaz", at=NOW))
    refused("bad_certificate", lambda: verifier.signing(KAZ.issue(NODE), expected_id=str(NODE), at=NOW))


def test_an_unexpected_holder_is_refused(verifier: CertificateVerifier) -> None:
    """Another officer, another member, an unknown member and another federation are all the wrong one."""
    officer = KAZ.issue(OFFICER)
    refused("wrong_member", lambda: verifier.signing(officer, expected_id=str(replace(OFFICER, name="duty")), at=NOW))
    refused("wrong_member", lambda: verifier.node(KAZ.issue(NODE), expected_member="tjk", at=NOW))
    stranger = make_member("uzb").issue(replace(NODE, member="uzb"))
    refused("wrong_member", lambda: verifier.node(stranger, expected_member=None, at=NOW))
    elsewhere = make_member("kaz", "other.example").issue(replace(NODE, federation="other.example"))
    refused("wrong_member", lambda: verifier.node(elsewhere, expected_member=None, at=NOW))


def test_an_unknown_ca_of_the_same_name_is_refused(verifier: CertificateVerifier) -> None:
    """A CA that merely calls itself kaz's is not kaz's."""
    refused("bad_certificate", lambda: verifier.node(make_member("kaz").issue(NODE), expected_member="kaz", at=NOW))


def test_validity_counts_at_the_given_time(verifier: CertificateVerifier) -> None:
    """Before the first and after the last second a certificate is refused, on its edges it is not."""
    der = KAZ.issue(OFFICER)
    for at in (NOW - DAY, NOW + YEAR):
        verifier.signing(der, expected_id=str(OFFICER), at=at)
    for at in (NOW - DAY - timedelta(seconds=1), NOW + YEAR + timedelta(seconds=1)):
        refused("certificate_expired", lambda at=at: verifier.signing(der, expected_id=str(OFFICER), at=at))  # type: ignore[misc]


def test_a_certificate_does_not_outlive_its_ca(verifier: CertificateVerifier) -> None:
    """A certificate is expired after the end of its CA, despite its own dates."""
    der = KAZ.issue(OFFICER, at=NOW + 2.5 * YEAR)
    refused("certificate_expired", lambda: verifier.signing(der, expected_id=str(OFFICER), at=NOW + 3 * YEAR + DAY))


def test_a_certificate_serves_one_use(verifier: CertificateVerifier) -> None:
    """An authentication certificate signs nothing, and a signing certificate is not accepted in TLS."""
    der = KAZ.issue(OFFICER, use="authentication")
    assert verifier.authentication(der, expected_id=str(OFFICER), at=NOW).id == OFFICER
    refused("bad_certificate", lambda: verifier.signing(der, expected_id=str(OFFICER), at=NOW))
    der = KAZ.issue(OFFICER, use="signing")
    refused("bad_certificate", lambda: verifier.authentication(der, expected_id=str(OFFICER), at=NOW))


def test_a_certificate_counts_while_its_ca_is_announced(verifier: CertificateVerifier) -> None:
    """Outside the time for which the member announced the CA, a certificate that is valid by itself is refused."""
    der = KAZ.issue(OFFICER)
    (ca,) = KAZ.authority.officer_cas
    announced = replace(ca, begins=NOW - timedelta(hours=1), ends=NOW + timedelta(hours=1))
    verifier = CertificateVerifier({"kaz": replace(KAZ.authority, officer_cas=(announced,))})
    found = verifier.signing(der, expected_id=str(OFFICER), at=NOW)
    assert (found.not_before, found.not_after) == (announced.begins, announced.ends)
    assert verifier.expiry_time(der) == announced.ends
    for at in (announced.begins - timedelta(seconds=1), announced.ends + timedelta(seconds=1)):
        refused("certificate_expired", lambda at=at: verifier.signing(der, expected_id=str(OFFICER), at=at))  # type: ignore[misc]


def test_a_certificate_ends_by_itself_before_its_ca(verifier: CertificateVerifier) -> None:
    """The earlier of both ends holds; a CA that nobody announces issued nothing."""
    der = KAZ.issue(OFFICER)
    assert verifier.expiry_time(der) == load_certificate(der).not_valid_after_utc
    refused("bad_certificate", lambda: verifier.expiry_time(make_member("kaz").issue(OFFICER)))
    refused("wrong_member", lambda: CertificateVerifier({}).expiry_time(der))


def test_two_cas_of_a_role_are_valid_at_once() -> None:
    """While a CA replaces another one, certificates of both pass, each within the time of its own CA."""
    key = keys.generate_p256()
    following = replace(make_ca("kaz", "officer", key), begins=NOW - timedelta(hours=1))
    (present,) = KAZ.authority.officer_cas
    leaving = replace(present, ends=NOW + timedelta(hours=1))
    authority = replace(KAZ.authority, officer_cas=(leaving, following))
    check_authority(authority)
    verifier, renewed = CertificateVerifier({"kaz": authority}), replace(KAZ, keys={**KAZ.keys, "officer": key})
    renewed = replace(renewed, authority=replace(KAZ.authority, officer_cas=(following,)))
    assert verifier.signing(KAZ.issue(OFFICER), expected_id=str(OFFICER), at=NOW).not_after == leaving.ends
    assert verifier.signing(renewed.issue(OFFICER), expected_id=str(OFFICER), at=NOW).not_before == following.begins


def test_a_revoked_certificate_is_refused() -> None:
    """A certificate whose hash its member published as revoked is refused; others are not."""
    der, other = KAZ.issue(OFFICER), KAZ.issue(OFFICER)
    verifier = CertificateVerifier({"kaz": replace(KAZ.authority, revoked=frozenset({sha256(der).digest()}))})
    refused("certificate_revoked", lambda: verifier.signing(der, expected_id=str(OFFICER), at=NOW))
    assert verifier.signing(other, expected_id=str(OFFICER), at=NOW).id == OFFICER
    assert [verifier.is_revoked(each) for each in (der, other)] == [True, False]


def test_a_revoked_certificate_does_not_return_under_another_hash() -> None:
    """The mirrored ECDSA signature makes the same certificate with another hash; its revoked key still refuses it."""
    der = KAZ.issue(OFFICER)
    certificate = load_certificate(der)
    r, s = decode_dss_signature(certificate.signature)
    mirrored = encode_dss_signature(r, P256_ORDER - s)
    twin = encode(0x30, certificate.tbs_certificate_bytes + ECDSA_SHA256 + encode(0x03, b"\0" + mirrored))
    assert twin != der
    assert CertificateVerifier({"kaz": KAZ.authority}).signing(twin, expected_id=str(OFFICER), at=NOW).id == OFFICER
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    revoked = frozenset({sha256(der).digest(), keys.fingerprint(key)})
    verifier = CertificateVerifier({"kaz": replace(KAZ.authority, revoked=revoked)})
    refused("certificate_revoked", lambda: verifier.signing(twin, expected_id=str(OFFICER), at=NOW))


ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def test_every_changed_byte_of_a_certificate_is_refused(verifier: CertificateVerifier) -> None:
    """Flipping any one byte gives Rejected and nothing else."""
    der = KAZ.issue(OFFICER)
    for at in range(len(der)):
        changed = der[:at] + bytes([der[at] ^ 0x21]) + der[at + 1 :]
        with pytest.raises(Rejected):
            verifier.signing(changed, expected_id=str(OFFICER), at=NOW)


def test_every_cut_certificate_is_refused(verifier: CertificateVerifier) -> None:
    """A certificate cut anywhere, extended, or larger than the limit is refused."""
    der = KAZ.issue(OFFICER)
    for wrong in [*(der[:at] for at in range(0, len(der), 7)), der + b"\0", der + bytes(MAX_CERTIFICATE_BYTES)]:
        refused("bad_certificate", lambda wrong=wrong: verifier.signing(wrong, expected_id=str(OFFICER), at=NOW))  # type: ignore[misc]


@settings(max_examples=300)
@given(st.data())
def test_nothing_but_rejected_leaves_the_verifier(data: st.DataObject) -> None:
    """Certificates with random splices of bytes are Rejected, never anything else."""
    der = NODE_CA if data.draw(st.booleans()) else LEAF
    start = data.draw(st.integers(0, len(der)))
    wrong = der[:start] + data.draw(st.binary(max_size=40)) + der[data.draw(st.integers(start, len(der))) :]
    verifier = CertificateVerifier({"kaz": KAZ.authority})
    if wrong != LEAF:
        with pytest.raises(Rejected):
            verifier.signing(wrong, expected_id=str(OFFICER), at=NOW)


LEAF = KAZ.issue(OFFICER)


def test_a_member_has_two_different_authorities() -> None:
    """One CA, or one key, for both roles or twice for one is refused, and so is a member without a CA."""
    check_authority(KAZ.authority)
    refused("bad_certificate", lambda: check_authority(replace(KAZ.authority, node_cas=())))
    refused("bad_certificate", lambda: check_authority(replace(KAZ.authority, node_cas=KAZ.authority.node_cas * 2)))
    refused("bad_certificate", lambda: check_authority(replace(KAZ.authority, officer_cas=KAZ.authority.node_cas)))
    refused("bad_certificate", lambda: check_authority(replace(KAZ.authority, officer_cas=TJK.authority.officer_cas)))


def issue_to(spiffe_id: SpiffeId, csr: bytes, issuer: Member = KAZ, by: Role = "officer") -> bytes:
    """Ask for an officer certificate."""
    return certificates.issue_officer(
        csr,
        issuer.authority.cas(by)[0].certificate,
        issuer.keys[by],
        spiffe_id=spiffe_id,
        use="signing",
        not_before=NOW - DAY,
        not_after=NOW + YEAR,
    )


def test_an_issuer_refuses_what_it_may_not_certify() -> None:
    """Another id, another member, the wrong CA and a node are refused when a certificate is asked for."""
    csr = certificates.create_csr(OFFICER, keys.generate_p256())
    for spiffe_id, issuer, by in product([OFFICER], [KAZ, TJK], ["node", "officer"]):
        if (issuer, by) != (KAZ, "officer"):
            refused("bad_certificate", lambda i=issuer, b=by, s=spiffe_id: issue_to(s, csr, i, b))  # type: ignore[misc]
    refused("bad_certificate", lambda: issue_to(replace(OFFICER, name="duty"), csr))
    refused("bad_certificate", lambda: issue_to(NODE, csr))
    assert issue_to(OFFICER, csr)


def test_every_changed_byte_of_a_signing_request_is_refused() -> None:
    """A signing request proves possession of its key over every one of its bytes."""
    csr = certificates.create_csr(OFFICER, keys.generate_p256())
    for at in range(len(csr)):
        changed = csr[:at] + bytes([csr[at] ^ 0x21]) + csr[at + 1 :]
        with pytest.raises(Rejected):
            issue_to(OFFICER, changed)
    refused("bad_certificate", lambda: issue_to(OFFICER, b""))
    refused("bad_certificate", lambda: issue_to(OFFICER, csr + bytes(MAX_CERTIFICATE_BYTES)))
