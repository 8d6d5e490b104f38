"""The keys of a ceremony: sealed files and halves on tokens, opened as their folder says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from paiza_register.pair_key import PairSigner
from paiza_trust import key_folder
from paiza_trust.apply import node_keys
from paiza_trust.errors import WORDS, TrustError, from_wire
from paiza_trust.files import write_key
from paiza_trust.key_folder import KeyFolder
from paiza_trust.language import translations
from paiza_wire.errors import Rejected
from paiza_wire.identity import keys
from paiza_wire.identity.pair import PairPrivateKey
from paiza_wire.identity.private_keys import MLDSA44, P256
from paiza_wire.identity.sealing import Sealer
from paiza_wire.identity.token_uri import TokenUri
from tests import softhsm
from tests.unit.paiza_trust.test_commands import run

PASSPHRASE = b"correct horse battery staple"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with the sealed pair `custodian-kaz` and its passphrase in a file."""
    sealer = Sealer(lambda: PASSPHRASE)
    write_key(tmp_path / "custodian-kaz-p256.pem", P256, keys.generate_p256(), sealer)
    write_key(tmp_path / "custodian-kaz-mldsa44.pem", MLDSA44, keys.generate_mldsa44(), sealer)
    (tmp_path / "phrase").write_bytes(PASSPHRASE)
    (tmp_path / "phrase").chmod(0o600)
    (tmp_path / "keys.toml").write_text('passphrase_file = "phrase"\n')
    return tmp_path


def refused(folder: Path, reason: str) -> TrustError:
    """Check that the pair is refused with this reason."""
    with pytest.raises(TrustError) as caught:
        KeyFolder(folder).pair("custodian-kaz")
    assert caught.value.reason == reason
    assert caught.value.remedy
    return caught.value


def holds(signer: PairSigner) -> None:
    """Check that what a pair signs holds."""
    signer.public_key.verify_signature(signer.sign(b"root"), b"root")


def test_a_sealed_pair_signs(folder: Path) -> None:
    """Both halves open under the one passphrase, and sign together."""
    holds(KeyFolder(folder).pair("custodian-kaz"))


def test_each_defect_is_named_with_its_file(folder: Path) -> None:
    """A wrong passphrase, an open file, an unsealed key and a missing one are refused by name."""
    first, second = folder / "custodian-kaz-p256.pem", folder / "custodian-kaz-mldsa44.pem"
    (folder / "phrase").write_bytes(b"wrong")
    assert refused(folder, "bad_passphrase").where == str(first)
    (folder / "phrase").chmod(0o644)
    assert refused(folder, "key_exposed").where == str(folder / "phrase")
    (folder / "phrase").chmod(0o600)
    (folder / "phrase").write_bytes(PASSPHRASE)
    second.chmod(0o640)
    assert refused(folder, "key_exposed").where == str(second)
    second.unlink()
    assert refused(folder, "file_unreadable").where == str(second)
    write_key(second, MLDSA44, keys.generate_mldsa44(), None)
    assert refused(folder, "key_unsealed").where == str(second)


def test_settings_are_checked(folder: Path) -> None:
    """Unsealed keys need the words for them, and words that mean nothing are refused."""
    (folder / "custodian-kaz-mldsa44.pem").unlink()
    write_key(folder / "custodian-kaz-mldsa44.pem", MLDSA44, keys.generate_mldsa44(), None)
    (folder / "keys.toml").write_text('passphrase_file = "phrase"\nsealed = false\n')
    holds(KeyFolder(folder).pair("custodian-kaz"))
    for text in ("sealed = 0", "seal = true", "passphrase_file = 1", "= 1"):
        (folder / "keys.toml").write_text(text)
        assert refused(folder, "bad_configuration").where == str(folder / "keys.toml")


def test_without_a_terminal_nobody_is_asked(folder: Path) -> None:
    """The passphrase is missing if there is neither a passphrase file nor a terminal; every way to name one is told."""
    (folder / "keys.toml").unlink()
    found = refused(folder, "passphrase_missing")
    assert "--passphrase-file" in found.remedy
    assert "keys.toml" in found.remedy


def test_a_missing_passphrase_file_is_named_with_its_setting(folder: Path) -> None:
    """The file that is not there is named, and the settings that name it: keys.toml, or the node's own file."""
    (folder / "phrase").unlink()
    found = refused(folder, "file_unreadable").translated(str)
    assert found.where == str(folder / "phrase")
    assert found.what.startswith("The passphrase file cannot be read")
    assert f"passphrase_file of {folder / 'keys.toml'}" in found.remedy
    (folder / "node.toml").write_text('member = "kaz"\n')
    with pytest.raises(TrustError) as caught:
        node_keys(folder, {"passphrase_file": "phrase", "keys": "."}).pair("custodian-kaz")
    assert f"passphrase_file of {folder / 'node.toml'}" in caught.value.translated(str).remedy


def test_the_first_half_may_be_on_a_token(folder: Path) -> None:
    """A file with the URI in place of the first half: the token signs, and the pair holds."""
    library = softhsm.make_token()
    softhsm.make_key(library, "trust-custodian")
    (folder / "pin").write_text(softhsm.PIN)
    (folder / "pin").chmod(0o600)
    (folder / "custodian-kaz-p256.pem").unlink()
    uri = TokenUri(library, token=softhsm.LABEL, label="trust-custodian", pin_source=folder / "pin")
    (folder / "custodian-kaz-p256.uri").write_text(f"{uri}\n")
    key_folder._tokens.cache_clear()
    signer = KeyFolder(folder).pair("custodian-kaz")
    holds(signer)
    assert KeyFolder(folder).pair("custodian-kaz").public_key == signer.public_key
    (folder / "custodian-kaz-p256.uri").write_text("pkcs11:token=x?pin-value=1")
    assert refused(folder, "bad_token_uri").where == str(folder / "custodian-kaz-p256.uri")
    key_folder._tokens().close()
    key_folder._tokens.cache_clear()


def change(capsys: pytest.CaptureFixture[str], folder: Path, *more: object) -> tuple[int, dict[str, Any]]:
    """Run `passphrase` with the new one in a file; return the exit code and what it printed, or the error."""
    (folder / "new").write_bytes(b"another horse, another battery\n")
    (folder / "new").chmod(0o600)
    code, out, err = run(
        capsys, "passphrase", "--keys", folder, "--new-passphrase-file", folder / "new", *more, "--json"
    )
    return code, json.loads(out or err)


def test_the_passphrase_is_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same keys are under the new passphrase; the settings' file that still holds the former one is named."""
    before = KeyFolder(folder).pair("custodian-kaz").public_key
    code, changed = change(capsys, folder)
    assert (code, changed["changed"]) == (0, 2)
    assert changed["outdated_passphrase_file"] == str(folder / "phrase")
    refused(folder, "bad_passphrase")
    (folder / "new").replace(folder / "phrase")
    assert KeyFolder(folder).pair("custodian-kaz").public_key == before


def test_the_change_of_a_passphrase_goes_on_with_both(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file under the new passphrase is left, one under the former is changed, and one under neither is named."""
    (folder / "custodian-kaz-mldsa44.pem").unlink()
    new = Sealer(lambda: b"another horse, another battery")
    write_key(folder / "custodian-kaz-mldsa44.pem", MLDSA44, keys.generate_mldsa44(), new)
    code, error = change(capsys, folder, "--old-passphrase-file", folder / "new")
    assert (code, error["reason"], error["where"]) == (3, "bad_passphrase", str(folder / "custodian-kaz-p256.pem"))
    assert change(capsys, folder)[1]["changed"] == 1
    (folder / "new").replace(folder / "phrase")
    holds(KeyFolder(folder).pair("custodian-kaz"))


def test_a_new_passphrase_is_asked_for_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without files the terminal is asked: for the former passphrase, then twice for the new one."""
    (folder / "keys.toml").unlink()
    asked = []

    def prompt(text: str, *, confirmation_prompt: bool, **_more: object) -> str:
        asked.append((text.partition(" of")[0], confirmation_prompt))
        return "new" if text.startswith("New") else PASSPHRASE.decode()

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("click.prompt", prompt)
    key_folder.ask.cache_clear()
    assert KeyFolder(folder).change_passphrase(None, None) == 2
    assert asked == [("Passphrase", False), ("New passphrase", True)]
    key_folder.ask.cache_clear()


def test_a_pair_of_files_is_the_pair_that_was_made(tmp_path: Path) -> None:
    """The opened pair has exactly these halves."""
    classical, lattice = keys.generate_p256(), keys.generate_mldsa44()
    write_key(tmp_path / "a-p256.pem", P256, classical, None)
    write_key(tmp_path / "a-mldsa44.pem", MLDSA44, lattice, None)
    (tmp_path / "keys.toml").write_text(key_folder.UNSEALED)
    made = PairSigner(PairPrivateKey.from_halves(classical, lattice))
    assert KeyFolder(tmp_path).pair("a").public_key == made.public_key


@pytest.mark.parametrize(
    "reason",
    ["token_unavailable", "token_ambiguous", "bad_pin", "pin_locked", "token_key_unknown", "token_key_unusable"],
)
def test_each_fault_of_a_token_is_told_in_both_languages(reason: str) -> None:
    """What happened and what to do has words of its own in Russian and in English."""
    found = from_wire(Rejected(reason), "officer-ca.uri")
    russian = found.translated(translations("ru").gettext)
    assert re.search("токен", russian.what + russian.remedy, re.IGNORECASE)
    assert (russian.what, russian.remedy) != (found.what, found.remedy)
    assert (found.what, found.remedy) == WORDS[reason]
