"""Names, certificates, and their verification against the one member they claim."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import product

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
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
from paiza_wire.identity.certificate_profiles import (
    MAX_CERTIFICATE_BYTES,
    ca_key_usage,
    extended_uses,
    key_usage,
    load_certificate,
    name_constraints,
    subject_names,
)

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
    for at in (announced.begins - timedelta(seconds=1), announced.ends + timedelta(seconds=1)):
        refused("certificate_expired", lambda at=at: verifier.signing(der, expected_id=str(OFFICER), at=at))  # type: ignore[misc]


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


def test_a_revoked_certificate_does_not_return_under_another_hash() -> None:
    """The mirrored ECDSA signature makes the same certificate with another hash; its revoked key still refuses it."""
    der = KAZ.issue(OFFICER)
    certificate = load_certificate(der)
    r, s = decode_dss_signature(certificate.signature)
    mirrored = encode_dss_signature(r, P256_ORDER - s)
    twin = der_sequence(
        certificate.tbs_certificate_bytes + ECDSA_SHA256 + b"\x03" + der_length(len(mirrored) + 1) + b"\0" + mirrored
    )
    assert twin != der
    assert CertificateVerifier({"kaz": KAZ.authority}).signing(twin, expected_id=str(OFFICER), at=NOW).id == OFFICER
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    revoked = frozenset({sha256(der).digest(), keys.fingerprint(key)})
    verifier = CertificateVerifier({"kaz": replace(KAZ.authority, revoked=revoked)})
    refused("certificate_revoked", lambda: verifier.signing(twin, expected_id=str(OFFICER), at=NOW))


ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def der_length(size: int) -> bytes:
    """Encode a DER length."""
    return bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")


def der_sequence(content: bytes) -> bytes:
    """Encode a DER SEQUENCE."""
    return b"\x30" + der_length(len(content)) + content


@dataclass(frozen=True)
class Odd:
    """A certificate that differs from the profile in one point; the signature is kaz's own CA's."""

    spiffe_id: SpiffeId = OFFICER
    names: tuple[x509.GeneralName, ...] | None = None
    usage: x509.KeyUsage | None = None
    usage_critical: bool = True
    uses: x509.ExtendedKeyUsage | None = None
    basic: x509.BasicConstraints = field(default_factory=lambda: x509.BasicConstraints(ca=False, path_length=None))
    more: tuple[x509.ExtensionType, ...] = ()
    without: type[x509.ExtensionType] | None = None
    key: ec.EllipticCurvePrivateKey = field(default_factory=keys.generate_p256)
    digest: hashes.SHA256 | hashes.SHA384 = field(default_factory=hashes.SHA256)
    issuer: x509.Name | None = None

    def der(self) -> bytes:
        """Sign it."""
        ca_key, use = KAZ.keys[self.spiffe_id.role], use_for(self.spiffe_id)
        ca = load_certificate(KAZ.authority.cas(self.spiffe_id.role)[0].certificate)
        names = subject_names(self.spiffe_id) if self.names is None else x509.SubjectAlternativeName(self.names)
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (self.basic, True),
            (self.usage or key_usage(use), self.usage_critical),
            (self.uses or extended_uses(self.spiffe_id.role, use), False),
            (names, False),
            (x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False),
            *((extension, False) for extension in self.more),
        ]
        builder = (
            x509.CertificateBuilder()
            .subject_name(ca.subject)
            .issuer_name(self.issuer or ca.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - DAY)
            .not_valid_after(NOW + YEAR)
        )
        for extension, critical in extensions:
            if self.without is None or not isinstance(extension, self.without):
                builder = builder.add_extension(extension, critical)
        return builder.sign(ca_key, self.digest).public_bytes(serialization.Encoding.DER)


def both_usages() -> x509.KeyUsage:
    """Return the key usage of both uses at once."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def uri(spiffe_id: SpiffeId) -> x509.UniformResourceIdentifier:
    """Return an id as a general name."""
    return x509.UniformResourceIdentifier(str(spiffe_id))


ODD = {
    "two URI SANs": Odd(names=(uri(OFFICER), uri(replace(OFFICER, name="duty")))),
    "the same URI SAN twice": Odd(names=(uri(OFFICER), uri(OFFICER))),
    "no URI SAN": Odd(names=(x509.DNSName("node.kaz.paiza.example"),)),
    "a URI SAN that is no id": Odd(
        names=(x509.UniformResourceIdentifier("https://kaz.paiza.example/officer/liaison"),)
    ),
    "an upper-case URI SAN": Odd(names=(x509.UniformResourceIdentifier("spiffe://KAZ.paiza.example/officer/liaison"),)),
    "an IDN URI SAN": Odd(names=(x509.UniformResourceIdentifier("spiffe://xn--80aj.paiza.example/officer/liaison"),)),
    "an officer with a DNS name": Odd(names=(uri(OFFICER), x509.DNSName("node.kaz.paiza.example"))),
    "a node without its DNS name": Odd(NODE, names=(uri(NODE),)),
    "a node with another DNS name": Odd(NODE, names=(uri(NODE), x509.DNSName("node.tjk.paiza.example"))),
    "a node with a wildcard": Odd(NODE, names=(uri(NODE), x509.DNSName("*.kaz.paiza.example"))),
    "no alternative name": Odd(without=x509.SubjectAlternativeName),
    "an officer with server use": Odd(uses=extended_uses("node", "authentication")),
    "a node without server use": Odd(NODE, uses=extended_uses("officer", "authentication")),
    "both key usages": Odd(usage=both_usages()),
    "both extended uses": Odd(
        uses=x509.ExtendedKeyUsage([*extended_uses("officer", "authentication"), *extended_uses("officer", "signing")])
    ),
    "the key usage of authentication": Odd(usage=key_usage("authentication")),
    "the extended use of authentication": Odd(uses=extended_uses("officer", "authentication")),
    "any extended use": Odd(uses=x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])),
    "no extended use": Odd(without=x509.ExtendedKeyUsage),
    "a CA": Odd(basic=x509.BasicConstraints(ca=True, path_length=0)),
    "no basic constraints": Odd(without=x509.BasicConstraints),
    "CA key usage": Odd(usage=ca_key_usage()),
    "key usage not critical": Odd(usage_critical=False),
    "no key usage": Odd(without=x509.KeyUsage),
    "no authority key id": Odd(without=x509.AuthorityKeyIdentifier),
    "one extension more": Odd(more=(x509.OCSPNoCheck(),)),
    "a key on another curve": Odd(key=ec.generate_private_key(ec.SECP384R1())),
    "another digest": Odd(digest=hashes.SHA384()),
    "another issuer name": Odd(issuer=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kaz officer CA")])),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_a_certificate_off_its_profile_is_refused(verifier: CertificateVerifier, odd: Odd) -> None:
    """One deviation from the profile is enough, even when the right CA has signed it."""
    if odd.spiffe_id.role == "node":
        refused("bad_certificate", lambda: verifier.node(odd.der(), expected_member="kaz", at=NOW))
    else:
        refused("bad_certificate", lambda: verifier.signing(odd.der(), expected_id=str(OFFICER), at=NOW))


def test_the_odd_ones_differ_only_where_they_say(verifier: CertificateVerifier) -> None:
    """The same builder makes valid certificates if nothing deviates."""
    assert verifier.signing(Odd().der(), expected_id=str(OFFICER), at=NOW).id == OFFICER
    assert verifier.node(Odd(NODE).der(), expected_member="kaz", at=NOW).id == NODE


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


def wrong_cas() -> Iterator[tuple[str, x509.CertificateBuilder, ec.EllipticCurvePrivateKey]]:
    """Make CAs of kaz that are off the profile, with the key that signs them."""
    for name, (path_length, ca_usage, domain, critical) in {
        "longer path": (1, True, "kaz.paiza.example", True),
        "no path length": (None, True, "kaz.paiza.example", True),
        "leaf key usage": (0, False, "kaz.paiza.example", True),
        "another member's name": (0, True, "tjk.paiza.example", True),
        "the whole federation": (0, True, "paiza.example", True),
        "constraints not critical": (0, True, "kaz.paiza.example", False),
    }.items():
        key = keys.generate_p256()
        subject = load_certificate(NODE_CA).subject
        yield (
            name,
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - DAY)
            .not_valid_after(NOW + YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
            .add_extension(ca_key_usage() if ca_usage else key_usage("authentication"), critical=True)
            .add_extension(name_constraints(domain), critical=critical)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False),
            key,
        )


def with_node_ca(der: bytes) -> MemberAuthority:
    """Return kaz with another node CA."""
    return replace(KAZ.authority, node_cas=(CertificateAuthority.of(der),))


@pytest.mark.parametrize(
    ("name", "builder", "key"), list(wrong_cas()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_ca_off_its_profile_is_refused(
    name: str, builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey
) -> None:
    """A CA certificate that deviates in one point is refused before anything is checked against it."""
    der = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    refused("bad_certificate", lambda: check_authority(with_node_ca(der)))
    assert name


def test_a_ca_signed_by_another_key_is_refused() -> None:
    """A CA must have signed itself."""
    _, builder, _ = next(wrong_cas())
    der = builder.sign(keys.generate_p256(), hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    refused("bad_certificate", lambda: check_authority(with_node_ca(der)))


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
