"""Keys on a token: a real one of SoftHSM signs wherever a key of ours signs, and names what it refuses."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy, deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.identity import CertificateVerifier, MemberAuthority, SpiffeId, certificates, check_authority, keys
from paiza_wire.identity.pair import PairPrivateKey
from paiza_wire.identity.signer import Signer
from paiza_wire.identity.token_uri import TokenUri
from paiza_wire.identity.tokens import Tokens
from tests import softhsm

FEDERATION = "paiza.example"
OFFICER = SpiffeId("kaz", FEDERATION, "officer", "liaison")
NODE = SpiffeId("kaz", FEDERATION, "node")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LIFE = {"not_before": NOW - timedelta(hours=1), "not_after": NOW + timedelta(days=90)}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a token with some keys."""
    library = softhsm.make_token(tmp_path_factory.mktemp("softhsm"))
    for label in ("node-ca", "officer-ca", "custodian", "twice", "twice"):
        softhsm.make_key(library, label)
    softhsm.make_key(library, "p384", "secp384r1")
    return library


@pytest.fixture
def tokens() -> Iterator[Tokens]:
    """Return the tokens of a process whose user knows the PIN."""
    with Tokens(lambda _token: softhsm.PIN.encode()) as tokens:
        yield tokens


def named(library: Path, label: str) -> TokenUri:
    """Return the name of a key on the token."""
    return TokenUri(module=library, token=softhsm.LABEL, label=label)


def refused(reason: str, tokens: Tokens, uri: TokenUri) -> str:
    """Check that no key is found, for this reason; return the detail."""
    with pytest.raises(PaizaError) as caught:
        tokens.signer(uri)
    assert caught.value.reason == reason
    return caught.value.detail


def test_a_key_on_a_token_signs(library: Path, tokens: Tokens) -> None:
    """A token's signature verifies like that of any P-256 key."""
    signer = tokens.signer(named(library, "custodian"))
    keys.verify(signer.public_key(), keys.sign(signer, b"data"), b"data")


def test_certificates_of_a_ca_on_a_token_are_accepted(library: Path, tokens: Tokens) -> None:
    """Both CAs are on a token: they pass the profile, and so do the certificates they issue."""
    node_key, officer_key = tokens.signer(named(library, "node-ca")), tokens.signer(named(library, "officer-ca"))
    node_ca = certificates.issue_ca("kaz", FEDERATION, "node", node_key, **LIFE)
    officer_ca = certificates.issue_ca("kaz", FEDERATION, "officer", officer_key, **LIFE)
    authority = MemberAuthority("kaz", FEDERATION, node_ca, officer_ca)
    check_authority(authority)
    verifier = CertificateVerifier({"kaz": authority})
    request = certificates.create_csr(NODE, keys.generate_p256())
    node = certificates.issue_node(request, node_ca, node_key, spiffe_id=NODE, **LIFE)
    assert verifier.node(node, expected_member="kaz", at=NOW).id == NODE
    own = tokens.signer(named(library, "custodian"))
    officer = certificates.issue_officer(
        certificates.create_csr(OFFICER, own), officer_ca, officer_key, spiffe_id=OFFICER, **LIFE
    )
    assert verifier.officer(officer, expected_id=str(OFFICER), at=NOW).public_key == own.public_key()


def test_a_token_holds_the_first_half_of_a_pair(library: Path, tokens: Tokens) -> None:
    """A custodian's pair signs with its P-256 half on the token and the other one from a file."""
    pair = PairPrivateKey.from_halves(tokens.signer(named(library, "custodian")), keys.generate_mldsa44())
    pair.public_key.verify(pair.sign(b"root"), b"root")
    with pytest.raises(Rejected, match="bad_key"):
        pair.to_pem()


def test_threads_may_sign_at_once(library: Path, tokens: Tokens) -> None:
    """Many threads sign with two keys of one token, and every signature holds."""
    signers = [tokens.signer(named(library, label)) for label in ("custodian", "node-ca")]
    with ThreadPoolExecutor(8) as threads:
        work = [(signers[number % 2], str(number).encode()) for number in range(40)]
        signatures = list(threads.map(lambda each: keys.sign(*each), work))
    for (signer, data), signature in zip(work, signatures, strict=True):
        keys.verify(signer.public_key(), signature, data)


def test_the_pin_is_asked_once_a_token(library: Path) -> None:
    """One PIN opens all keys of a token, and it is asked for with the token's label."""
    asked = []

    def ask(token: str) -> bytes:
        asked.append(token)
        return softhsm.PIN.encode()

    with Tokens(ask) as tokens:
        tokens.signer(named(library, "custodian"))
        tokens.signer(named(library, "node-ca"))
    assert asked == [softhsm.LABEL]


def test_the_pin_may_come_from_a_file(library: Path, tmp_path: Path) -> None:
    """A PIN file is as private as a key; then nobody is asked."""
    uri = replace(named(library, "custodian"), pin_source=tmp_path / "pin")
    (tmp_path / "pin").write_text(softhsm.PIN)
    (tmp_path / "pin").chmod(0o644)

    def never(_token: str) -> bytes:
        raise AssertionError

    with Tokens(never) as tokens:
        refused("key_exposed", tokens, uri)
        (tmp_path / "pin").chmod(0o600)
        keys.sign(tokens.signer(uri), b"data")


@pytest.mark.parametrize("pin", [b"654321", b"1", b"\xff"])
def test_a_wrong_pin_is_tried_once(library: Path, pin: bytes) -> None:
    """A wrong PIN is refused after one try, and the right one opens the token afterwards."""
    asked = []

    def ask(token: str) -> bytes:
        asked.append(token)
        return pin

    with Tokens(ask) as tokens:
        refused("bad_pin", tokens, named(library, "custodian"))
    assert len(asked) == 1
    with Tokens(lambda _token: softhsm.PIN.encode()) as tokens:
        tokens.signer(named(library, "custodian"))


def test_a_key_that_is_not_there_is_named(library: Path, tokens: Tokens) -> None:
    """Missing and ambiguous keys, other curves, missing tokens and modules are told apart."""
    assert "no such key" in refused("bad_key", tokens, named(library, "nobody"))
    assert "several keys" in refused("bad_key", tokens, named(library, "twice"))
    assert "sealed files" in refused("bad_key", tokens, named(library, "p384"))
    refused("token_unavailable", tokens, replace(named(library, "custodian"), token="another"))
    refused("token_unavailable", tokens, replace(named(library, "custodian"), serial="another"))
    refused("token_unavailable", tokens, replace(named(library, "custodian"), module=Path("/nowhere/module.so")))


def test_a_closed_token_signs_no_more(library: Path) -> None:
    """A key is unavailable after the tokens are closed."""
    with Tokens(lambda _token: softhsm.PIN.encode()) as tokens:
        signer = tokens.signer(named(library, "custodian"))
    with pytest.raises(PaizaError, match="token_unavailable"):
        keys.sign(signer, b"data")


def test_a_signer_only_signs() -> None:
    """A signer gives no private bytes, knows one algorithm, and is the same one when copied."""
    key = keys.generate_p256()
    signer = Signer(key.public_key(), lambda data: keys.sign(key, data))
    keys.verify(key.public_key(), keys.sign(signer, b"data"), b"data")
    assert copy(signer) is signer
    assert deepcopy(signer) is signer
    assert (signer.key_size, signer.curve.name) == (256, "secp256r1")
    for algorithm in (ECDSA(hashes.SHA384()), ECDSA(Prehashed(hashes.SHA256()))):
        with pytest.raises(UnsupportedAlgorithm):
            signer.sign(b"data", algorithm)
    for take in (
        signer.private_numbers,
        lambda: signer.exchange(None, None),
        lambda: signer.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    ):
        with pytest.raises(Rejected, match="bad_key"):
            take()
