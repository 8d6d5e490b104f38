"""Keys on a token: a real one of SoftHSM signs wherever a key of ours signs, and names what it refuses."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy, deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import current_thread

import pkcs11
import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.identity import (
    CertificateAuthority,
    CertificateVerifier,
    MemberAuthority,
    SpiffeId,
    certificates,
    check_authority,
    keys,
)
from paiza_wire.identity.pair import PairPrivateKey
from paiza_wire.identity.signer import Signer
from paiza_wire.identity.token_uri import TokenUri
from paiza_wire.identity.tokens import Tokens
from tests import softhsm

FEDERATION = "paiza.example"
OFFICER = SpiffeId("kaz", FEDERATION, "officer", "liaison")
NODE = SpiffeId("kaz", FEDERATION, "node")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
CARD = TokenUri(module=Path("/m.so"), token="card", label="key")
LIFE = {"not_before": NOW - timedelta(hours=1), "not_after": NOW + timedelta(days=90)}


class Card:
    """A token that refuses to be opened with a fault of its module."""

    label, serial, manufacturer_id, model = "card", b"1", "maker", "model"

    def __init__(self, fault: type[Exception], *, locked: bool = False) -> None:
        self._fault = fault
        self.flags = pkcs11.TokenFlag.USER_PIN_LOCKED if locked else pkcs11.TokenFlag(0)
        self.opened = 0

    def open(self, user_pin: str) -> object:
        """Count the attempt, and refuse."""
        assert user_pin
        self.opened += 1
        raise self._fault


class Module:
    """A module with one slot, and a token in it."""

    def __init__(self, card: Card) -> None:
        self._card = card

    def get_slots(self, *, token_present: bool) -> list["Module"]:
        """Return the one slot."""
        assert token_present
        return [self]

    def get_token(self) -> Card:
        """Return the token."""
        return self._card


@pytest.fixture(scope="module")
def library() -> Path:
    """Make a token with some keys."""
    library = softhsm.make_token()
    for label in ("node-ca", "officer-ca", "custodian", "twice", "twice"):
        softhsm.make_key(library, label)
    softhsm.make_key(library, "p384", "secp384r1")
    softhsm.make_key(library, "agrees", signs=False)
    softhsm.make_key(library, "careful", asks_always=True)
    softhsm.make_key(library, "custodian", token_label=softhsm.REMOVED)
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


def test_a_key_that_asks_always_signs_again_and_again(library: Path, tokens: Tokens) -> None:
    """A card that wants the PIN at every signature gets the one that was typed once."""
    signer = tokens.signer(named(library, "careful"))
    for data in (b"first", b"second"):
        keys.verify(signer.public_key(), keys.sign(signer, data), data)


def test_certificates_of_a_ca_on_a_token_are_accepted(library: Path, tokens: Tokens) -> None:
    """Both CAs are on a token: they pass the profile, and so do the certificates they issue."""
    node_key, officer_key = tokens.signer(named(library, "node-ca")), tokens.signer(named(library, "officer-ca"))
    node_ca = certificates.issue_ca("kaz", FEDERATION, "node", node_key, **LIFE)
    officer_ca = certificates.issue_ca("kaz", FEDERATION, "officer", officer_key, **LIFE)
    authority = MemberAuthority(
        "kaz", FEDERATION, (CertificateAuthority.of(node_ca),), (CertificateAuthority.of(officer_ca),)
    )
    check_authority(authority)
    verifier = CertificateVerifier({"kaz": authority})
    request = certificates.create_csr(NODE, keys.generate_p256())
    node = certificates.issue_node(request, node_ca, node_key, spiffe_id=NODE, **LIFE)
    assert verifier.node(node, expected_member="kaz", at=NOW).id == NODE
    own = tokens.signer(named(library, "custodian"))
    officer = certificates.issue_officer(
        certificates.create_csr(OFFICER, own), officer_ca, officer_key, spiffe_id=OFFICER, use="signing", **LIFE
    )
    assert verifier.signing(officer, expected_id=str(OFFICER), at=NOW).public_key == own.public_key()


def test_a_token_holds_the_first_half_of_a_pair(library: Path, tokens: Tokens) -> None:
    """A custodian's pair signs with its P-256 half on the token and the other one from a file."""
    pair = PairPrivateKey.from_halves(tokens.signer(named(library, "custodian")), keys.generate_mldsa44())
    pair.public_key.verify(pair.sign(b"root"), b"root")
    with pytest.raises(Rejected, match="bad_key"):
        pair.to_pem()


def test_threads_may_sign_at_once(library: Path) -> None:
    """Many threads open keys and sign with them; the PIN is asked for once, and every signature holds."""
    asked = []

    def ask(token: str) -> bytes:
        asked.append(token)
        return softhsm.PIN.encode()

    def sign(number: int) -> None:
        signer = opened.signer(named(library, ("custodian", "node-ca", "officer-ca")[number % 3]))
        data = str(number).encode()
        keys.verify(signer.public_key(), keys.sign(signer, data), data)

    with Tokens(ask) as opened, ThreadPoolExecutor(8) as threads:
        list(threads.map(sign, range(120)))
    assert asked == [softhsm.LABEL]


def test_one_thread_speaks_to_the_modules(library: Path, tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is done with a module, from its loading on, is done by one thread, which is not the caller's."""
    speaking = set()
    load = pkcs11.lib

    def lib(module: str) -> object:
        speaking.add(current_thread().name)
        return load(module)

    def sign(_private_key: object, data: bytes, _pin: object) -> bytes:
        speaking.add(current_thread().name)
        return data

    monkeypatch.setattr(pkcs11, "lib", lib)
    signer = tokens.signer(named(library, "custodian"))
    monkeypatch.setattr("paiza_wire.identity.tokens._sign", sign)
    with ThreadPoolExecutor(4) as threads:
        for each in [threads.submit(keys.sign, signer, b"data") for _ in range(8)]:
            with pytest.raises(Rejected, match="bad_signature"):
                each.result()
    assert len(speaking) == 1
    assert speaking != {current_thread().name}


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
    """A token with a wrong PIN is not tried again in the process, for no other key; the next one opens it."""
    asked = []

    def ask(token: str) -> bytes:
        asked.append(token)
        return pin

    with Tokens(ask) as tokens:
        for label in ("custodian", "custodian", "node-ca"):
            refused("bad_pin", tokens, named(library, label))
    assert len(asked) == 1
    with Tokens(lambda _token: softhsm.PIN.encode()) as tokens:
        tokens.signer(named(library, "custodian"))


def test_a_key_that_is_not_there_is_named(library: Path, tokens: Tokens) -> None:
    """Missing and ambiguous keys, other curves, missing tokens and modules are told apart."""
    assert "no such key" in refused("token_key_unknown", tokens, named(library, "nobody"))
    assert "several keys" in refused("token_key_unknown", tokens, named(library, "twice"))
    assert "sealed files" in refused("token_key_unusable", tokens, named(library, "p384"))
    assert "CKA_SIGN" in refused("token_key_unusable", tokens, named(library, "agrees"))
    refused("token_unavailable", tokens, replace(named(library, "custodian"), token="another"))
    refused("token_unavailable", tokens, replace(named(library, "custodian"), serial="another"))
    refused("token_unavailable", tokens, replace(named(library, "custodian"), module=Path("/nowhere/module.so")))


def test_two_tokens_of_one_name_are_told_apart_by_their_serial_numbers(library: Path) -> None:
    """Neither of two tokens with one label is opened, no PIN is asked for, and their serial numbers are named."""

    def never(_token: str) -> bytes:
        raise AssertionError

    with Tokens(never) as tokens:
        detail = refused("token_ambiguous", tokens, replace(named(library, "custodian"), token=softhsm.TWIN))
    serials = detail.removeprefix("the serial numbers are ").split(", ")
    assert len(set(serials)) == 2
    with Tokens(lambda _token: softhsm.PIN.encode()) as tokens:
        one = replace(named(library, "custodian"), token=softhsm.TWIN, serial=serials[0])
        refused("token_key_unknown", tokens, one)


def test_a_token_that_is_removed_signs_no_more(library: Path) -> None:
    """A token removed after it was opened is unavailable; another one signs on, and closing passes over it."""
    with Tokens(lambda _token: softhsm.PIN.encode()) as tokens:
        uri = replace(named(library, "custodian"), token=softhsm.REMOVED)
        signer = tokens.signer(uri)
        keys.sign(signer, b"data")
        with softhsm.removed(softhsm.REMOVED):
            with pytest.raises(Unavailable, match="token_unavailable"):
                keys.sign(signer, b"data")
            refused("token_unavailable", tokens, uri)
            other = tokens.signer(named(library, "custodian"))
            keys.verify(other.public_key(), keys.sign(other, b"data"), b"data")
    with Tokens(lambda _token: softhsm.PIN.encode()) as tokens:
        keys.sign(tokens.signer(uri), b"data")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (pkcs11.PinIncorrect, "bad_pin"),
        (pkcs11.PinLocked, "pin_locked"),
        (pkcs11.PinExpired, "pin_locked"),
        (pkcs11.UserPinNotInitialized, "pin_locked"),
        (pkcs11.DeviceRemoved, "token_unavailable"),
        (pkcs11.TokenNotPresent, "token_unavailable"),
        (pkcs11.DeviceError, "token_unavailable"),
    ],
)
def test_each_fault_of_opening_has_its_reason(
    fault: type[Exception], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a module raises when a token is opened is told apart, and a PIN that was refused is not sent again."""
    card = Card(fault)
    monkeypatch.setattr(pkcs11, "lib", lambda _module: Module(card))
    with Tokens(lambda _token: b"0000") as tokens:
        for _ in range(2):
            refused(reason, tokens, CARD)
    assert card.opened == (1 if reason != "token_unavailable" else 2)


def test_a_token_that_says_it_is_locked_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flag of a locked token is believed before anybody types a PIN."""
    card = Card(pkcs11.PinLocked, locked=True)
    monkeypatch.setattr(pkcs11, "lib", lambda _module: Module(card))
    with Tokens(lambda _token: b"0000") as tokens:
        refused("pin_locked", tokens, CARD)
    assert card.opened == 0


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
