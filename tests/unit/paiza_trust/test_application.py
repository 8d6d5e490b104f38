"""A member's application: what it proves, and that nothing in it can be changed on its way."""

import copy
import json
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paiza_cli.fingerprint_words import fingerprint_words
from paiza_register import carried
from paiza_register.ceremony.application import PROOFS, Application
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateVerifier, MemberAuthority
from paiza_wire.identity.certificate_profiles import load_certificate
from tests.unit.paiza_trust.ceremony import FEDERATION, prepare, trust
from tests.unit.paiza_trust.test_commands import run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a member's folder with its application."""
    folder = tmp_path_factory.mktemp("member")
    prepare(folder, "kaz")
    return folder


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make another member's folder."""
    folder = tmp_path_factory.mktemp("other")
    prepare(folder, "tjk")
    return folder


@pytest.fixture
def data(made: Path) -> bytes:
    """Return the application as carried."""
    return (made / "kaz.application").read_bytes()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside a JSON value."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def test_an_application_says_who_applies(data: bytes) -> None:
    """It names the member, its federation, its names and endpoint, and holds the keys that will sign for it."""
    read = Application.read(data)
    assert (read.federation, read.member) == (FEDERATION, "kaz")
    assert read.own.names == {"ru": "Казахстан", "en": "Kazakhstan"}
    assert read.own.endpoints == ("127.0.0.1:7401",)
    assert len({key.keyid for key in (read.custodian, read.key, read.reference, read.revocations, read.publisher)}) == 5


def test_every_field_altered_is_refused(data: bytes) -> None:
    """Each value of the file replaced, or left out, ends in a refusal."""
    values = json.loads(data)
    for path in places(values):
        new: object
        for new in ("x", 0, None, {}):
            changed = copy.deepcopy(values)
            inner = changed
            for key in path[:-1]:
                inner = inner[key]
            if new is None:
                del inner[path[-1]]
            else:
                inner[path[-1]] = new
            with pytest.raises(Rejected):
                Application.read(carried.canonical(changed))


def test_every_text_altered_by_one_character_is_refused(data: bytes) -> None:
    """A single other character in any text of the file ends in a refusal, also where it has no meaning."""
    values = json.loads(data)
    for path in places(values):
        changed = copy.deepcopy(values)
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        text = inner[path[-1]]
        if isinstance(text, str):
            for at in {0, len(text) // 2, len(text) - 1}:
                other = "0" if text[at] != "0" else "1"
                inner[path[-1]] = text[:at] + other + text[at + 1 :]
                with pytest.raises(Rejected):
                    Application.read(carried.canonical(changed))


@pytest.mark.parametrize("change", [b" ", b"\n", b"{}"])
def test_another_form_of_the_same_values_is_refused(data: bytes, change: bytes) -> None:
    """Spaces, newlines and further values make another file."""
    with pytest.raises(Rejected):
        Application.read(data + change)
    with pytest.raises(Rejected):
        Application.read(json.dumps(json.loads(data)).encode())


@pytest.mark.parametrize("name", PROOFS)
def test_every_key_is_proven(data: bytes, name: str, tmp_path: Path) -> None:
    """A proof of another application, or of another key, does not prove that the sender holds this key."""
    prepare(tmp_path / "other", "tjk")
    other = json.loads((tmp_path / "other/tjk.application").read_bytes())
    values = json.loads(data)
    values["proofs"][name] = other["proofs"][name]
    with pytest.raises(Rejected, match=name) as caught:
        Application.read(carried.canonical(values))
    assert caught.value.reason == "bad_signature"


def test_a_second_application_is_of_the_same_keys(made: Path, data: bytes, tmp_path: Path) -> None:
    """A member that applies again under another name keeps its keys and its CAs."""
    again = tmp_path / "again.application"
    names = ("--name-ru", "Республика Казахстан", "--name-en", "Republic of Kazakhstan")
    trust("apply", made / "node", *names, "--keys", made / "trust", "-o", again)
    first, second = Application.read(data), Application.read(again.read_bytes())
    assert second.custodian == first.custodian
    assert second.own.authority == first.own.authority
    assert second.fingerprint != first.fingerprint


def test_the_nodes_certificate_is_of_the_members_ca(made: Path, data: bytes) -> None:
    """`apply` issues the certificate that the node of the folder serves with."""
    read = Application.read(data)
    certificate = ssl.PEM_cert_to_DER_cert((made / "node/keys/tls.crt").read_text())
    authority: MemberAuthority = read.own.authority
    verified = CertificateVerifier({"kaz": authority}).node(certificate, expected_member="kaz", at=read.time)
    assert verified.id.member == "kaz"


def test_apply_shows_the_fingerprint_and_overwrites_nothing(
    made: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The words of both languages are printed; a file that is there, or a folder of no node, is refused."""
    names = ("--name-ru", "К", "--name-en", "K", "--keys", made / "trust")
    code, out, _ = run(capsys, "apply", made / "node", *names, "-o", tmp_path / "a")
    fingerprint = Application.read((tmp_path / "a").read_bytes()).fingerprint
    assert code == 0
    assert fingerprint_words(fingerprint, "ru") in out
    assert fingerprint_words(fingerprint, "en") in out
    code, _, err = run(capsys, "apply", made / "node", *names, "-o", tmp_path / "a", "--json")
    assert (code, json.loads(err)["reason"]) == (4, "file_unwritable")
    code, _, err = run(capsys, "apply", tmp_path, *names, "-o", tmp_path / "b", "--json")
    assert (code, json.loads(err)["reason"]) == (4, "file_unreadable")
    shutil.copytree(made / "node", tmp_path / "node")
    (tmp_path / "node/member.json").write_text("[]")
    code, _, err = run(capsys, "apply", tmp_path / "node", *names, "-o", tmp_path / "b", "--json")
    assert (code, json.loads(err)["reason"]) == (3, "malformed")


@pytest.mark.parametrize("name", ["encryption.seed", "log.key", "witness.key", "publisher.key"])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_key_without_its_private_half_is_not_published(
    made: Path, other: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, *, is_there: bool
) -> None:
    """The file is named that is missing, or that holds the key of another node; nothing is made or written."""
    shutil.copytree(made / "node", tmp_path / "node")
    file = tmp_path / "node/keys" / name
    file.unlink()
    if is_there:
        shutil.copy(other / "node/keys" / name, file)
    (tmp_path / "node/keys/tls.crt").unlink()
    names = ("--name-ru", "К", "--name-en", "K", "--keys", tmp_path / "trust")
    apply = ("apply", tmp_path / "node", *names, "--passphrase-file", made / "phrase", "-o", tmp_path / "a")
    code, _, err = run(capsys, *apply, "--json")
    if name == "publisher.key" and is_there:  # nothing in the node's folder names its public half
        assert code == 0
        return
    error = json.loads(err)
    assert (code, error["reason"], error["where"]) == (3, "bad_key", str(file))
    assert "private half" in error["what"]
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "node/keys/tls.crt").exists()
    assert not list((tmp_path / "trust").glob("*.pem"))


def test_an_application_says_that_it_certified_the_node(
    made: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The certificate in the node's folder is replaced by one that is valid for a year: its file is printed."""
    names = ("--name-ru", "К", "--name-en", "K", "--keys", made / "trust")
    code, out, _ = run(capsys, "apply", made / "node", *names, "-o", tmp_path / "a")
    assert code == 0
    certificate = ssl.PEM_cert_to_DER_cert((made / "node/keys/tls.crt").read_text())
    day = load_certificate(certificate).not_valid_after_utc
    assert f"The node's certificate is issued anew: {made}/node/keys/tls.crt, valid until {day:%Y-%m-%d}." in out


def test_an_application_is_shown_with_what_it_says(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names in both languages, endpoints, keys and expiries are shown; with --json they are values."""
    code, out, _ = run(capsys, "show", made / "kaz.application")
    assert code == 0
    assert "Казахстан / Kazakhstan" in out
    assert "endpoints: 127.0.0.1:7401" in out
    code, shown, _ = run(capsys, "show", made / "kaz.application", "--json")
    told = json.loads(shown)
    assert told["endpoints"] == ["127.0.0.1:7401"]
    assert f"encryption key {told['encryption_keys'][0]['key_id'][:16]}" in out
    for name in ("node_ca_expiry_time", "officer_ca_expiry_time"):
        assert f"until {told[name][:10]}" in out
