"""Hostile certificates and chains: each differs in one point, all are refused, and a second program agrees.

Officers' signing certificates and the CAs are also judged by the second verifier, which reads the same register.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from paiza_wire.errors import Rejected
from paiza_wire.identity import (
    CertificateAuthority,
    CertificateUse,
    CertificateVerifier,
    Role,
    SpiffeId,
    certificates,
    check_authority,
    keys,
    load_certificate,
)
from paiza_wire.identity.der import encode, encode_integer
from tests.two_verifiers import second_verifier
from tests.unit.paiza_wire.identity import certificate_parts as x
from tests.unit.paiza_wire.identity.certificate_parts import Extension, Parts
from tests.unit.paiza_wire.identity.test_verification import (
    DAY,
    FEDERATION,
    KAZ,
    NODE,
    NOW,
    OFFICER,
    TJK,
    YEAR,
    make_ca,
    refused,
)

pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")

SECOND: Final = second_verifier()
P256: Final = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
POLICY: Final = Extension(b"\x55\x1d\x20", critical=False, value=bytes.fromhex("3008300606042a030405"))
SIGNING: Final = Parts.of(KAZ.issue(OFFICER, use="signing"))
AUTHENTICATION: Final = Parts.of(KAZ.issue(OFFICER, use="authentication"))
OWN_NODE: Final = Parts.of(KAZ.issue(NODE))
OFFICER_CA: Final = KAZ.authority.officer_cas[0].certificate
CA_PARTS: Final = Parts.of(OFFICER_CA)
CLIENT, SERVER, ANY = (
    ExtendedKeyUsageOID.CLIENT_AUTH,
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
)
DOCUMENT: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
O_AND_CN: Final = ((x.ORGANIZATION, FEDERATION), (x.COMMON_NAME, "kaz liaison"))
ISSUER: Final = ((x.ORGANIZATION, FEDERATION), (x.COMMON_NAME, "kaz officer CA"))


def spki(key: PublicKeyTypes) -> bytes:
    """Return a public key as it stands in a certificate."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def serial(content: str) -> bytes:
    """Return a serial number of this content, in hex."""
    return encode(x.INTEGER, bytes.fromhex(content))


def uses(*kinds: x509.ObjectIdentifier) -> bytes:
    """Return the value of an extended key usage."""
    return x509.ExtendedKeyUsage(kinds).public_bytes()


def usage(bits: str) -> bytes:
    """Return the value of a key usage: a BIT STRING of this content, in hex."""
    return encode(x.BITS, bytes.fromhex(bits))


def named(*general: x509.GeneralName) -> bytes:
    """Return the value of alternative names."""
    return x509.SubjectAlternativeName(general).public_bytes()


def uri(text: str) -> x509.UniformResourceIdentifier:
    """Return a URI as a general name."""
    return x509.UniformResourceIdentifier(text)


def dns(text: str) -> x509.DNSName:
    """Return a DNS name as a general name."""
    return x509.DNSName(text)


def compressed() -> bytes:
    """Return a key on P-256 whose point is compressed."""
    point = keys.generate_p256().public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return encode(
        x.SEQUENCE, bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107") + encode(x.BITS, b"\0" + point)
    )


def swapped(parts: Parts) -> Parts:
    """Return a certificate whose last two extensions stand in the other order."""
    *first, one, two = parts.extensions
    return replace(parts, extensions=(*first, two, one))


OWN_ID: Final = str(OFFICER)
OTHER_KEY_ID: Final = x509.SubjectKeyIdentifier.from_public_key(keys.generate_p256().public_key()).public_bytes()

Change = Callable[[Parts], Parts]

COMMON: Final[Mapping[str, Change]] = {
    "no version": lambda p: replace(p, version=b""),
    "version 2": lambda p: replace(p, version=encode(x.VERSION, encode_integer(1))),
    "version 4": lambda p: replace(p, version=encode(x.VERSION, encode_integer(3))),
    "a serial number of 7 octets": lambda p: replace(p, serial_number=serial("01020304050607")),
    "a serial number of 21 octets": lambda p: replace(p, serial_number=serial("01" * 21)),
    "a serial number of 20 octets and a sign": lambda p: replace(p, serial_number=serial("00" + "ff" * 20)),
    "serial number zero": lambda p: replace(p, serial_number=serial("00")),
    "a negative serial number": lambda p: replace(p, serial_number=serial("f1" * 12)),
    "a serial number with a leading zero": lambda p: replace(p, serial_number=serial("00" + "11" * 12)),
    "an algorithm with parameters": lambda p: replace(p, algorithm=x.WITH_NULL, outer_algorithm=x.WITH_NULL),
    "parameters of the algorithm inside": lambda p: replace(p, algorithm=x.WITH_NULL),
    "parameters of the algorithm outside": lambda p: replace(p, outer_algorithm=x.WITH_NULL),
    "another algorithm inside": lambda p: replace(p, algorithm=x.ECDSA_SHA384),
    "another algorithm outside": lambda p: replace(p, outer_algorithm=x.ECDSA_SHA384),
    "times of another kind": lambda p: replace(
        p, validity=x.validity(NOW - DAY, NOW + YEAR, x.GENERALIZED, "%Y%m%d%H%M%SZ")
    ),
    "times without seconds": lambda p: replace(p, validity=x.validity(NOW - DAY, NOW + YEAR, pattern="%y%m%d%H%MZ")),
    "times with an offset": lambda p: replace(
        p, validity=x.validity(NOW - DAY, NOW + YEAR, pattern="%y%m%d%H%M%S+0000")
    ),
    "an end before its beginning": lambda p: replace(p, validity=x.validity(NOW + DAY, NOW - DAY)),
    "an end at its beginning": lambda p: replace(p, validity=x.validity(NOW, NOW)),
    "an empty subject": lambda p: replace(p, subject=x.name()),
    "another subject": lambda p: replace(p, subject=x.name((x.ORGANIZATION, FEDERATION), (x.COMMON_NAME, "kaz duty"))),
    "a subject without organisation": lambda p: replace(p, subject=x.name((x.COMMON_NAME, "kaz liaison"))),
    "a key on another curve": lambda p: replace(p, key=spki(ec.generate_private_key(ec.SECP384R1()).public_key())),
    "a key on secp256k1": lambda p: replace(p, key=spki(ec.generate_private_key(ec.SECP256K1()).public_key())),
    "an Ed25519 key": lambda p: replace(p, key=spki(ed25519.Ed25519PrivateKey.generate().public_key())),
    "an RSA key": lambda p: replace(p, key=spki(rsa.generate_private_key(65537, 2048).public_key())),
    "a compressed key": lambda p: replace(p, key=compressed()),
    "an id of the issuer": lambda p: replace(p, more=encode(x.ISSUER_ID, b"\0\1")),
    "no extensions": lambda p: replace(p, extensions=()),
    "extensions in another order": swapped,
    "an unknown extension": lambda p: p.add(Extension(x.UNKNOWN, critical=False, value=b"\5\0")),
    "an unknown critical extension": lambda p: p.add(Extension(x.UNKNOWN, critical=True, value=b"\5\0")),
    "a policy": lambda p: p.add(POLICY),
    "basic constraints twice": lambda p: p.add(p.extension(x.BASIC)),
    "key usage twice": lambda p: p.add(p.extension(x.USAGE)),
    "no basic constraints": lambda p: p.without(x.BASIC),
    "no key usage": lambda p: p.without(x.USAGE),
    "no subject key id": lambda p: p.without(x.SUBJECT_KEY),
    "basic constraints not critical": lambda p: p.change(x.BASIC, critical=False),
    "key usage not critical": lambda p: p.change(x.USAGE, critical=False),
    "a critical subject key id": lambda p: p.change(x.SUBJECT_KEY, critical=True),
    "a subject key id said not to be critical": lambda p: p.change(x.SUBJECT_KEY, with_default=True),
    "the subject key id of another key": lambda p: p.change(x.SUBJECT_KEY, value=OTHER_KEY_ID),
    "every key usage": lambda p: p.change(x.USAGE, value=usage("00ff")),
    "no key usage set": lambda p: p.change(x.USAGE, value=usage("00")),
    "basic constraints with a trailing byte": lambda p: p.change(x.BASIC, value=p.extension(x.BASIC).value + b"\0"),
}
"""Defects of any certificate of ours."""

LEAVES: Final[Mapping[str, Change]] = {
    **COMMON,
    "a CA": lambda p: p.change(x.BASIC, value=bytes.fromhex("30060101ff020100")),
    "a CA of any path": lambda p: p.change(x.BASIC, value=bytes.fromhex("30030101ff")),
    "said to be no CA": lambda p: p.change(x.BASIC, value=bytes.fromhex("3003010100")),
    "the key usage of a CA": lambda p: p.change(x.USAGE, value=usage("0106")),
    "both key usages": lambda p: p.change(x.USAGE, value=usage("06c0")),
    "both uses": lambda p: p.change(x.USAGE, value=usage("06c0")).change(x.EXTENDED, value=uses(CLIENT, DOCUMENT)),
    "both extended uses": lambda p: p.change(x.EXTENDED, value=uses(CLIENT, DOCUMENT)),
    "any extended use": lambda p: p.change(x.EXTENDED, value=uses(ANY)),
    "any extended use beside": lambda p: p.change(x.EXTENDED, value=_with(p, ANY)),
    "one extended use twice": lambda p: p.change(x.EXTENDED, value=x.repeated(p.extension(x.EXTENDED).value)),
    "no extended use": lambda p: p.without(x.EXTENDED),
    "extended use critical": lambda p: p.change(x.EXTENDED, critical=True),
    "extended use twice": lambda p: p.add(p.extension(x.EXTENDED)),
    "name constraints": lambda p: p.add(CA_PARTS.extension(x.CONSTRAINTS)),
    "no alternative name": lambda p: p.without(x.NAMES),
    "alternative names critical": lambda p: p.change(x.NAMES, critical=True),
    "alternative names twice": lambda p: p.add(p.extension(x.NAMES)),
    "two URIs": lambda p: p.change(x.NAMES, value=named(uri(OWN_ID), uri(OWN_ID.replace("liaison", "duty")))),
    "the same URI twice": lambda p: p.change(x.NAMES, value=named(uri(OWN_ID), uri(OWN_ID))),
    "a URI that is no id": lambda p: p.change(x.NAMES, value=named(uri("https://kaz.paiza.example/officer/liaison"))),
    "an upper-case URI": lambda p: p.change(x.NAMES, value=named(uri("spiffe://KAZ.paiza.example/officer/liaison"))),
    "an IDN URI": lambda p: p.change(x.NAMES, value=named(uri("spiffe://xn--80aj.paiza.example/officer/liaison"))),
    "an address beside": lambda p: p.change(x.NAMES, value=named(uri(OWN_ID), x509.RFC822Name("a@kaz.example"))),
    "a wildcard beside": lambda p: p.change(x.NAMES, value=named(uri(OWN_ID), dns("*.kaz.paiza.example"))),
    "a DNS name beside": lambda p: p.change(x.NAMES, value=named(uri(OWN_ID), dns("node.tjk.paiza.example"))),
    "a DNS name alone": lambda p: p.change(x.NAMES, value=named(dns("node.kaz.paiza.example"))),
    "names of the issuer": lambda p: p.add(replace(p.extension(x.NAMES), oid=b"\x55\x1d\x12")),
    "another trust domain": lambda p: p.change(x.NAMES, value=named(uri("spiffe://kaz.other.example/officer/liaison"))),
    "another member's trust domain": lambda p: p.change(
        x.NAMES, value=named(uri("spiffe://tjk.paiza.example/officer/liaison"))
    ),
    "no authority key id": lambda p: p.without(x.AUTHORITY_KEY),
    "a critical authority key id": lambda p: p.change(x.AUTHORITY_KEY, critical=True),
    "another authority key id": lambda p: p.change(x.AUTHORITY_KEY, value=b"\x30\x16\x80" + OTHER_KEY_ID[1:]),
    "an empty authority key id": lambda p: p.change(x.AUTHORITY_KEY, value=b"\x30\x00"),
    "the key of the CA": lambda p: _of_key(p, KAZ.keys["officer"]),
    "the key of the other CA": lambda p: _of_key(p, KAZ.keys["node"]),
    "another issuer": lambda p: replace(p, issuer=x.name((x.COMMON_NAME, "kaz officer CA"))),
    "an issuer in one set": lambda p: replace(p, issuer=x.name_in_one_set(*ISSUER)),
    "an issuer in other letters": lambda p: replace(p, issuer=x.name(*ISSUER, tag=x.PRINTABLE)),
}

OFFICERS: Final[Mapping[str, Change]] = {
    **LEAVES,
    "a subject in one set": lambda p: replace(p, subject=x.name_in_one_set(*O_AND_CN)),
    "a subject in other letters": lambda p: replace(p, subject=x.name(*O_AND_CN, tag=x.PRINTABLE)),
    "a subject with one attribute more": lambda p: replace(p, subject=x.name(*O_AND_CN, (x.COMMON_NAME, "kaz"))),
    "a subject in another order": lambda p: replace(p, subject=x.name(*reversed(O_AND_CN))),
    "server use": lambda p: p.change(x.EXTENDED, value=uses(SERVER, CLIENT)),
}

SIGNERS: Final[Mapping[str, Change]] = {
    **OFFICERS,
    "the key usage of authentication": lambda p: p.change(x.USAGE, value=usage("0780")),
    "the extended use of authentication": lambda p: p.change(x.EXTENDED, value=uses(CLIENT)),
    "an authentication certificate": lambda _p: AUTHENTICATION,
    "unused bits that are set": lambda p: p.change(x.USAGE, value=usage("0641")),
    "fewer unused bits than there are": lambda p: p.change(x.USAGE, value=usage("0540")),
}

AUTHENTICATORS: Final[Mapping[str, Change]] = {
    **OFFICERS,
    "the key usage of signing": lambda p: p.change(x.USAGE, value=usage("0640")),
    "the extended use of signing": lambda p: p.change(x.EXTENDED, value=uses(DOCUMENT)),
    "a signing certificate": lambda _p: SIGNING,
}

NODES: Final[Mapping[str, Change]] = {
    **LEAVES,
    "no server use": lambda p: p.change(x.EXTENDED, value=uses(CLIENT)),
    "no client use": lambda p: p.change(x.EXTENDED, value=uses(SERVER)),
    "uses in another order": lambda p: p.change(x.EXTENDED, value=uses(CLIENT, SERVER)),
    "no DNS name": lambda p: p.change(x.NAMES, value=named(uri(str(NODE)))),
    "another DNS name": lambda p: p.change(x.NAMES, value=named(uri(str(NODE)), dns("node.tjk.paiza.example"))),
    "its DNS name first": lambda p: p.change(x.NAMES, value=named(dns("node.kaz.paiza.example"), uri(str(NODE)))),
    "two DNS names": lambda p: p.change(
        x.NAMES, value=named(uri(str(NODE)), dns("node.kaz.paiza.example"), dns("node.tjk.paiza.example"))
    ),
}

AUTHORITIES: Final[Mapping[str, Change]] = {
    **COMMON,
    "no CA": lambda p: p.change(x.BASIC, value=bytes.fromhex("3000")),
    "a path length of 1": lambda p: p.change(x.BASIC, value=bytes.fromhex("30060101ff020101")),
    "no path length": lambda p: p.change(x.BASIC, value=bytes.fromhex("30030101ff")),
    "the key usage of a leaf": lambda p: p.change(x.USAGE, value=usage("0780")),
    "certificates alone": lambda p: p.change(x.USAGE, value=usage("0204")),
    "an extended use": lambda p: p.add(SIGNING.extension(x.EXTENDED)),
    "an alternative name": lambda p: p.add(SIGNING.extension(x.NAMES)),
    "an authority key id": lambda p: p.add(SIGNING.extension(x.AUTHORITY_KEY)),
    "no name constraints": lambda p: p.without(x.CONSTRAINTS),
    "name constraints not critical": lambda p: p.change(x.CONSTRAINTS, critical=False),
    "name constraints twice": lambda p: p.add(p.extension(x.CONSTRAINTS)),
    "the names of another member": lambda p: p.change(x.CONSTRAINTS, value=constrained("tjk.paiza.example")),
    "the names of all members": lambda p: p.change(x.CONSTRAINTS, value=constrained("paiza.example", ".paiza.example")),
    "the names of another federation": lambda p: p.change(x.CONSTRAINTS, value=constrained("kaz.other.example")),
    "DNS names of all": lambda p: p.change(
        x.CONSTRAINTS, value=constrained("kaz.paiza.example", "kaz.paiza.example", dns=False)
    ),
    "excluded names": lambda p: p.change(
        x.CONSTRAINTS, value=constrained("kaz.paiza.example", excluded="duty.example")
    ),
    "the name of the other CA": lambda p: _self_named(p, "kaz node CA"),
    "the name of another member's CA": lambda p: _self_named(p, "tjk officer CA"),
    "names in other letters": lambda p: replace(
        p, issuer=x.name(*ISSUER, tag=x.PRINTABLE), subject=x.name(*ISSUER, tag=x.PRINTABLE)
    ),
    "another issuer": lambda p: replace(p, issuer=x.name((x.ORGANIZATION, FEDERATION), (x.COMMON_NAME, "root"))),
}


def constrained(domain: str, uris: str = "", *, excluded: str = "", dns: bool = True) -> bytes:
    """Return the value of name constraints: of URIs, of DNS names if so, and excluded ones."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uris or domain)]
    names += [x509.DNSName(domain)] if dns else []
    value = x509.NameConstraints(names, [x509.DNSName(excluded)] if excluded else None)
    return value.public_bytes()


def _with(parts: Parts, *more: x509.ObjectIdentifier) -> bytes:
    """Return the value of a certificate's extended key usage with further uses."""
    added = x509.ExtendedKeyUsage(more).public_bytes()
    return encode(x.SEQUENCE, parts.extension(x.EXTENDED).value[2:] + added[2:])


def _of_key(parts: Parts, key: ec.EllipticCurvePrivateKey) -> Parts:
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).public_bytes()
    return replace(parts, key=spki(key.public_key())).change(x.SUBJECT_KEY, value=key_id)


def _self_named(parts: Parts, common_name: str) -> Parts:
    own = x.name((x.ORGANIZATION, FEDERATION), (x.COMMON_NAME, common_name))
    return replace(parts, issuer=own, subject=own)


def second_register(authority: Any = KAZ.authority) -> Any:
    """Return a register of kaz alone as the second verifier has it."""
    register = SECOND.Register.__new__(SECOND.Register)
    register.federation, register.revoked = FEDERATION, {"kaz": set()}
    register.cas = {"kaz": {role: [second_ca(ca, role) for ca in authority.cas(role)] for role in ("node", "officer")}}
    return register


def second_ca(ca: CertificateAuthority, role: Role) -> Any:
    """Return a CA as the second verifier reads it."""
    times = {"from": f"{ca.begins:%Y-%m-%dT%H:%M:%SZ}", "until": f"{ca.ends:%Y-%m-%dT%H:%M:%SZ}"}
    entry = {"certificate": b64encode(ca.certificate).decode(), **times}
    return SECOND.Authority(entry, "kaz", FEDERATION, role)


def refused_by_both(der: bytes) -> None:
    """Demand that neither verifier takes this for a signing certificate of the officer."""
    verifier = CertificateVerifier({"kaz": KAZ.authority})
    with pytest.raises(Rejected) as caught:
        verifier.signing(der, expected_id=OWN_ID, at=NOW)
    assert caught.value.reason in {"bad_certificate", "wrong_member"}
    with pytest.raises(Exception, match=r".*"):
        SECOND.certificate(der, OWN_ID, "kaz", second_register())


def test_what_was_put_together_is_what_was_taken_apart() -> None:
    """Without a change the same parts are a certificate that both verifiers accept."""
    verifier = CertificateVerifier({"kaz": KAZ.authority})
    der = SIGNING.sign(KAZ.keys["officer"])
    assert verifier.signing(der, expected_id=OWN_ID, at=NOW).id == OFFICER
    key, begins, ends, _ids = SECOND.certificate(der, OWN_ID, "kaz", second_register())
    assert (spki(key), begins, ends) == (SIGNING.key, NOW - DAY, NOW + YEAR)
    der = AUTHENTICATION.sign(KAZ.keys["officer"])
    assert verifier.authentication(der, expected_id=OWN_ID, at=NOW).id == OFFICER
    assert verifier.node(OWN_NODE.sign(KAZ.keys["node"]), expected_member="kaz", at=NOW).id == NODE
    check_authority(authority_of(CA_PARTS.sign(KAZ.keys["officer"])))


@pytest.mark.parametrize("change", SIGNERS.values(), ids=SIGNERS.keys())
def test_a_hostile_signing_certificate_is_refused(change: Change) -> None:
    """One difference from the profile is enough, although the right CA has signed it."""
    refused_by_both(change(SIGNING).sign(KAZ.keys["officer"]))


@pytest.mark.parametrize("change", AUTHENTICATORS.values(), ids=AUTHENTICATORS.keys())
def test_a_hostile_authentication_certificate_is_refused(change: Change) -> None:
    """The same for certificates of officers in TLS."""
    der, verifier = change(AUTHENTICATION).sign(KAZ.keys["officer"]), CertificateVerifier({"kaz": KAZ.authority})
    with pytest.raises(Rejected) as caught:
        verifier.authentication(der, expected_id=OWN_ID, at=NOW)
    assert caught.value.reason in {"bad_certificate", "wrong_member"}


@pytest.mark.parametrize("change", NODES.values(), ids=NODES.keys())
def test_a_hostile_node_certificate_is_refused(change: Change) -> None:
    """The same for certificates of nodes."""
    der, verifier = change(OWN_NODE).sign(KAZ.keys["node"]), CertificateVerifier({"kaz": KAZ.authority})
    with pytest.raises(Rejected) as caught:
        verifier.node(der, expected_member=None, at=NOW)
    assert caught.value.reason in {"bad_certificate", "wrong_member"}


def authority_of(officer_ca: bytes) -> Any:
    """Return kaz with another officer CA, announced for the validity of the usual one."""
    return replace(KAZ.authority, officer_cas=(replace(KAZ.authority.officer_cas[0], certificate=officer_ca),))


@pytest.mark.parametrize("change", AUTHORITIES.values(), ids=AUTHORITIES.keys())
def test_a_hostile_ca_is_refused(change: Change) -> None:
    """A CA that differs in one point is refused before anything is checked against it, even if it signed itself."""
    authority = authority_of(change(CA_PARTS).sign(KAZ.keys["officer"]))
    refused("bad_certificate", lambda: check_authority(authority))
    verifier = CertificateVerifier({"kaz": authority})
    refused("bad_certificate", lambda: verifier.signing(KAZ.issue(OFFICER), expected_id=OWN_ID, at=NOW))
    with pytest.raises(Exception, match=r".*"):
        second_register(authority)


def test_a_ca_signed_by_another_key_is_refused() -> None:
    """A CA must have signed itself."""
    authority = authority_of(CA_PARTS.sign(keys.generate_p256()))
    refused("bad_certificate", lambda: check_authority(authority))
    with pytest.raises(Exception, match=r".*"):
        second_register(authority)


def test_other_algorithms_are_refused() -> None:
    """A signature that holds under another digest is refused, as is one by another kind of key."""
    other = replace(SIGNING, algorithm=x.ECDSA_SHA384, outer_algorithm=x.ECDSA_SHA384)
    refused_by_both(other.sign(KAZ.keys["officer"], hashes.SHA384()))
    certificate = load_certificate(KAZ.issue(OFFICER))
    builder = x509.CertificateBuilder().subject_name(certificate.subject).issuer_name(certificate.issuer)
    builder = builder.public_key(certificate.public_key()).serial_number(certificate.serial_number)
    builder = builder.not_valid_before(NOW - DAY).not_valid_after(NOW + YEAR)
    for each in certificate.extensions:
        builder = builder.add_extension(each.value, each.critical)
    for key, digest in (
        (ed25519.Ed25519PrivateKey.generate(), None),
        (rsa.generate_private_key(65537, 2048), hashes.SHA256()),
    ):
        refused_by_both(builder.sign(key, digest).public_bytes(Encoding.DER))


def in_ber(signature: bytes) -> bytes:
    """Return a signature whose first integer has a leading zero too much."""
    r, s = decode_dss_signature(signature)
    zero = b"\0" + encode_integer(r)[2:]
    return encode(x.BITS, b"\0" + encode(x.SEQUENCE, encode(x.INTEGER, zero) + encode_integer(s)))


@pytest.mark.parametrize(
    "spoil",
    [
        x.in_long_form,
        x.in_indefinite_form,
        lambda der: der + b"\0",
        lambda der: der[:-1],
        lambda _der: SIGNING.sign(KAZ.keys["officer"], written=lambda s: encode(x.BITS, b"\1" + s)),
        lambda _der: SIGNING.sign(KAZ.keys["officer"], written=lambda s: encode(x.BITS, b"\0" + s + b"\0")),
        lambda _der: SIGNING.sign(KAZ.keys["officer"], written=lambda s: encode(x.OCTETS, s)),
        lambda _der: SIGNING.sign(KAZ.keys["officer"], written=in_ber),
        lambda _der: SIGNING.sign(KAZ.keys["officer"], written=lambda s: x.in_long_form(encode(x.BITS, b"\0" + s))),
    ],
    ids=[
        "a length of three octets",
        "an indefinite length",
        "a byte more",
        "a byte less",
        "unused bits of the signature",
        "a byte behind the signature",
        "a signature that is no bit string",
        "a signature in BER",
        "a length of the signature",
    ],
)
def test_another_encoding_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    """What says the same in other bytes has another fingerprint, and is refused."""
    refused_by_both(spoil(SIGNING.sign(KAZ.keys["officer"])))


def test_there_is_no_intermediate() -> None:
    """A certificate that an officer, or a CA below the CA, has issued is refused, whatever name it gives its issuer."""
    key = keys.generate_p256()
    middle = _of_key(SIGNING.change(x.BASIC, value=bytes.fromhex("30060101ff020100")), key).sign(KAZ.keys["officer"])
    key_id = b"\x30\x16\x80" + x509.SubjectKeyIdentifier.from_public_key(key.public_key()).public_bytes()[1:]
    for issuer in (SIGNING.subject, SIGNING.issuer):
        refused_by_both(replace(SIGNING, issuer=issuer).change(x.AUTHORITY_KEY, value=key_id).sign(key))
    below = CA_PARTS.change(
        x.SUBJECT_KEY, value=x509.SubjectKeyIdentifier.from_public_key(key.public_key()).public_bytes()
    )
    lower = replace(below, key=spki(key.public_key())).sign(KAZ.keys["officer"])
    refused_by_both(lower)
    refused_by_both(middle)
    refused("bad_certificate", lambda: check_authority(authority_of(lower)))


def test_a_ca_of_another_trust_domain_certifies_nobody() -> None:
    """Neither another member's CA, nor one of this member in another federation, makes an officer of kaz."""
    for key, ca in (
        (TJK.keys["officer"], TJK.authority.officer_cas[0]),
        *((each, make_ca("kaz", "officer", each, "other.example")) for each in (keys.generate_p256(),)),
    ):
        der = certificates.issue(
            keys.generate_p256().public_key(),
            load_certificate(ca.certificate),
            key,
            OFFICER,
            "signing",
            NOW - DAY,
            NOW + DAY,
        )
        refused_by_both(der)
        refused("bad_certificate", lambda ca=ca: check_authority(authority_of(ca.certificate)))  # type: ignore[misc]


@pytest.mark.parametrize("use", ["authentication", "signing"])
def test_a_ca_outside_its_window_certifies_nobody(use: CertificateUse) -> None:
    """Before and after the time for which it is announced a CA's certificates are expired, to both verifiers."""
    der, (ca,) = KAZ.issue(OFFICER, use=use), KAZ.authority.officer_cas
    for begins, ends in ((NOW + timedelta(hours=1), ca.ends), (ca.begins, NOW - timedelta(hours=1))):
        authority = replace(KAZ.authority, officer_cas=(replace(ca, begins=begins, ends=ends),))
        verifier = CertificateVerifier({"kaz": authority})
        verify = verifier.signing if use == "signing" else verifier.authentication
        refused("certificate_expired", lambda v=verify: v(der, expected_id=OWN_ID, at=NOW))  # type: ignore[misc]
        if use == "signing":
            _key, first, last, _ids = SECOND.certificate(der, OWN_ID, "kaz", second_register(authority))
            assert not first <= NOW <= last


def test_a_leaf_never_serves_as_a_ca() -> None:
    """A member whose CA is a leaf is unusable."""
    for der in (KAZ.issue(OFFICER), KAZ.issue(NODE), KAZ.issue(SpiffeId("kaz", FEDERATION, "officer", "ca"))):
        refused("bad_certificate", lambda der=der: check_authority(authority_of(der)))  # type: ignore[misc]
