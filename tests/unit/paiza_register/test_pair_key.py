"""Pairs as keys of the register's metadata: one form, one key id, and thresholds that count persons."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import CryptoSigner, Key, Signature, Signer
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root

from paiza_register.pair_key import PairKey, PairSigner
from paiza_wire.identity.pair import PairPrivateKey
from tests.two_verifiers import second_verifier
from tests.unit.paiza_register.conftest import NOW, Holder, refused_by_both

DATA = b"what is signed"
ONE, OTHER = (PairSigner(PairPrivateKey.generate()) for _ in range(2))
SIGNATURE = ONE.sign(DATA)
COUNTS: Callable[[dict[str, Any], str, bytes], bool] = second_verifier().counts


def test_a_key_is_given_back() -> None:
    """A pair's key in metadata is read as what was written, and verifies what its signer signs."""
    written = ONE.public_key.to_dict()
    assert (written["keytype"], written["scheme"], len(written["keyval"]["public"])) == (
        "paiza-pair",
        "p256-mldsa44/1",
        2754,
    )
    key = Key.from_dict(ONE.public_key.keyid, deepcopy(written))
    assert isinstance(key, PairKey)
    assert key == ONE.public_key
    key.verify_signature(SIGNATURE, DATA)
    assert COUNTS(written, SIGNATURE.signature, DATA)
    for signature, data in ((SIGNATURE, b"other"), (OTHER.sign(DATA), DATA)):
        with pytest.raises(UnverifiedSignatureError):
            key.verify_signature(signature, data)
        assert not COUNTS(written, signature.signature, data)


KEY_EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another scheme": lambda key: key.update(scheme="p256-mldsa44/2"),
    "the scheme of one half": lambda key: key.update(scheme="ecdsa-sha2-nistp256"),
    "the type of one half": lambda key: key.update(keytype="ecdsa"),
    "one half and its name": lambda key: key.update(keytype="ml-dsa", scheme="ml-dsa-44/1"),
    "no public key": lambda key: key["keyval"].pop("public"),
    "a public key that is a number": lambda key: key["keyval"].update(public=1),
    "a public key in capitals": lambda key: key["keyval"].update(public=key["keyval"]["public"].upper()),
    "a public key with a space": lambda key: key["keyval"].update(public=key["keyval"]["public"] + " "),
    "the first half alone": lambda key: key["keyval"].update(public=key["keyval"]["public"][:130]),
    "the second half alone": lambda key: key["keyval"].update(public=key["keyval"]["public"][130:]),
    "another pair": lambda key: key.update(keyval=OTHER.public_key.to_dict()["keyval"]),
}
MORE: dict[str, Callable[[dict[str, Any]], object]] = {
    "a further field": lambda key: key.update(x="y"),
    "a private key beside it": lambda key: key["keyval"].update(private=""),
}


@pytest.mark.parametrize("edit", [*KEY_EDITS.values(), *MORE.values()], ids=[*KEY_EDITS, *MORE])
def test_a_key_in_another_form_is_refused(edit: Callable[[dict[str, Any]], object]) -> None:
    """A key of another name, encoding or content than the one form is no key, or verifies nothing."""
    written = deepcopy(ONE.public_key.to_dict())
    edit(written)
    if edit not in MORE.values():  # the second verifier refuses those for their key id
        assert not COUNTS(written, SIGNATURE.signature, DATA)
    with pytest.raises((ValueError, KeyError, UnverifiedSignatureError)):
        Key.from_dict(ONE.public_key.keyid, written).verify_signature(SIGNATURE, DATA)


def test_a_key_has_one_key_id() -> None:
    """A pair under another key id than its own is refused: it could count twice."""
    with pytest.raises(ValueError, match="another key id"):
        Key.from_dict("ab" * 32, ONE.public_key.to_dict())


@pytest.mark.parametrize(
    "change",
    [str.upper, lambda text: text + " ", lambda text: " " + text, lambda text: text[:-2], lambda text: text + "00"],
    ids=["in capitals", "a space behind", "a space before", "a byte less", "a byte more"],
)
def test_a_signature_in_another_form_is_refused(change: Callable[[str], str]) -> None:
    """A signature has one way to be written."""
    changed = change(SIGNATURE.signature)
    with pytest.raises(UnverifiedSignatureError):
        ONE.public_key.verify_signature(Signature(SIGNATURE.keyid, changed), DATA)
    assert not COUNTS(ONE.public_key.to_dict(), changed, DATA)


def test_a_pair_has_no_uri() -> None:
    """A pair is opened by its key folder alone; the library knows no other way to it."""
    with pytest.raises(ValueError, match="Unsupported"):
        Signer.from_priv_key_uri("paiza-pair:custodian-kaz", ONE.public_key)
    with pytest.raises(ValueError, match="no URI"):
        PairSigner.from_priv_key_uri("paiza-pair:custodian-kaz", ONE.public_key)


def verified(root: Metadata[Root]) -> bool:
    """Return whether a root has enough signatures; both verifiers must say the same."""
    try:
        root.signed.verify_delegate("root", root.signed_bytes, root.signatures)
        ours = True
    except UnsignedMetadataError:
        ours = False
    metadata = second_verifier().metadata
    written = root.signed.to_dict()
    try:
        metadata(root.to_bytes(), "root", written["keys"], written["roles"]["root"])
        theirs = True
    except ValueError:
        theirs = False
    assert ours == theirs
    return ours


def test_broken_curves_and_one_lattice_key_make_no_threshold() -> None:
    """N = 3, M = 2: three forged P-256 signatures and one of ML-DSA-44 passed with separate keys, not with pairs.

    The attacker can sign for every key over P-256, and has one custodian's ML-DSA-44 key.
    """
    curves = [CryptoSigner.generate_ecdsa() for _ in range(3)]
    lattices = [CryptoSigner.generate_mldsa(scheme="ml-dsa-44/1") for _ in range(3)]
    separate = Root(version=1, expires=NOW)
    for signer in (*curves, *lattices):
        separate.add_key(signer.public_key, "root")
    separate.roles["root"].threshold = 4
    forged = Metadata(separate)
    for signer in (*curves, lattices[0]):
        forged.sign(signer, append=True)
    separate.verify_delegate("root", forged.signed_bytes, forged.signatures)

    pairs = [PairPrivateKey.generate() for _ in range(3)]
    custodians = [PairSigner(each) for each in pairs]
    joined = Root(version=1, expires=NOW)
    for custodian in custodians:
        joined.add_key(custodian.public_key, "root")
    joined.roles["root"].threshold = 2
    honest = Metadata(joined)
    for custodian in custodians[:2]:
        honest.sign(custodian, append=True)
    assert verified(honest)

    lattice_of_attacker = PairPrivateKey.generate()._lattice
    broken = Metadata(joined)
    broken.sign(custodians[0])
    for custodian, pair in zip(custodians[1:], pairs[1:], strict=True):
        # The right half over P-256, and the best that there is for the other: a signature of another key, or of none.
        right = pair.sign(broken.signed_bytes)[:64]
        made = PairPrivateKey.from_halves(pair._classical, lattice_of_attacker).sign(broken.signed_bytes)[64:]
        broken.signatures[custodian.public_key.keyid] = Signature(custodian.public_key.keyid, (right + made).hex())
    assert not verified(broken)


def add_custodian(root: Root, key: Key) -> None:
    """Add one more key that signs root and targets."""
    for role in ("root", "targets"):
        root.add_key(key, role)


def test_a_custodian_has_a_pair(holder: Holder) -> None:
    """A root that makes a key of one kind a custodian's is refused, though enough custodians signed it."""
    holder.rotate_root(partial(add_custodian, key=CryptoSigner.generate_ecdsa().public_key))
    assert "not a pair" in refused_by_both(holder)


def test_root_and_targets_are_of_the_same_custodians(holder: Holder) -> None:
    """A custodian of root alone is refused, and so is a threshold that differs."""
    fewer, lower = holder.copy(), holder.copy()
    fewer.rotate_root(lambda root: root.roles["targets"].keyids.pop())
    assert "same custodians" in refused_by_both(fewer)
    lower.rotate_root(lambda root: setattr(root.roles["targets"], "threshold", 1))
    assert "same custodians" in refused_by_both(lower)


def test_no_half_stands_in_two_pairs(holder: Holder) -> None:
    """Two custodians that share one half of their pairs are refused: who breaks into one is half of the other."""
    (first, *_others) = holder.signers["root"]
    assert isinstance(first, PairSigner)
    own = first._private_key
    for private_key in (
        PairPrivateKey.from_halves(own._classical, PairPrivateKey.generate()._lattice),
        PairPrivateKey.from_halves(PairPrivateKey.generate()._classical, own._lattice),
    ):
        sharing, signer = holder.copy(), PairSigner(private_key)
        sharing.rotate_root(partial(add_custodian, key=signer.public_key))
        assert "stands twice" in refused_by_both(sharing)
