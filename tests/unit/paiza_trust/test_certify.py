"""Certifying with the member's own CAs: what was asked for, by its own member alone, shown, recorded, and exact."""

import json
import shutil
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from paiza_node.features.officers.admit import read_file
from paiza_officer import profiles
from paiza_officer.errors import ProfileProblem
from paiza_trust import certify, key_folder
from paiza_trust.errors import TrustError
from paiza_trust.key_folder import KeyFolder
from paiza_wire.identity import (
    CertificateAuthority,
    CertificateVerifier,
    MemberAuthority,
    SpiffeId,
    certificates,
    keys,
)
from paiza_wire.identity.certificate_profiles import load_certificate, p256_key
from paiza_wire.identity.token_uri import TokenUri
from tests import softhsm
from tests.profiles import USES
from tests.unit.paiza_trust.ceremony import FEDERATION, prepare
from tests.unit.paiza_trust.test_commands import run

OFFICER = SpiffeId("kaz", FEDERATION, "officer", "petrov")
KEYS = {use: keys.generate_p256() for use in USES}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a member's node and own keys, with its CAs."""
    folder = tmp_path_factory.mktemp("member") / "kaz"
    prepare(folder, "kaz")
    return folder


@pytest.fixture
def member(made: Path, tmp_path: Path) -> Path:
    """Return a copy of the member's folder."""
    return shutil.copytree(made, tmp_path / "kaz")


@pytest.fixture(autouse=True)
def no_open_token() -> Iterator[None]:
    """Leave no open token to other tests."""
    key_folder._tokens.cache_clear()
    yield
    key_folder._tokens().close()
    key_folder._tokens.cache_clear()


def request(folder: Path, identity: SpiffeId = OFFICER) -> list[Path]:
    """Write the signing requests for this id: one of a node, two of an officer."""
    paths = []
    for use in USES if identity.role == "officer" else USES[:1]:
        csr = x509.load_der_x509_csr(certificates.create_csr(identity, KEYS[use]))
        paths.append(folder / f"{use}.csr")
        paths[-1].write_bytes(csr.public_bytes(Encoding.PEM))
    return paths


def certified(
    capsys: pytest.CaptureFixture[str], member: Path, csrs: Sequence[Path], *more: object
) -> tuple[int, dict[str, Any]]:
    """Run `ca certify` without asking; return the exit code and what it printed, or the error."""
    output = member / ("made.crt" if len(csrs) == 1 else "made")
    arguments = (*csrs, "--keys", member / "trust", "-o", output, *more)
    code, out, err = run(capsys, "ca", "certify", *arguments, "--yes", "--json")
    return code, json.loads(out or err)


def verifier(member: Path) -> CertificateVerifier:
    """Return the verifier of every node for the member's CAs."""
    node_ca, officer_ca = (read(member / f"trust/{role}-ca.crt") for role in ("node", "officer"))
    own = (CertificateAuthority.of(node_ca),), (CertificateAuthority.of(officer_ca),)
    return CertificateVerifier({"kaz": MemberAuthority("kaz", FEDERATION, *own)})


def read(path: Path) -> bytes:
    """Return a certificate (DER)."""
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def test_an_officer_is_certified(member: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each certificate is its request's key and id under the officer CA, and the node reads the file with both."""
    code, told = certified(capsys, member, request(member), "--role", "liaison", "--role", "duty", "--unit", "бюро")
    assert code == 0
    made = {use: read(member / f"made/{use}.crt") for use in USES}
    for use, verify in zip(USES, (verifier(member).authentication, verifier(member).signing), strict=True):
        found = verify(made[use], expected_id=str(OFFICER), at=datetime.now(UTC))
        assert found.public_key == KEYS[use].public_key()
        assert timedelta(days=364) < found.not_after - datetime.now(UTC) < timedelta(days=365)
    (officer,) = read_file(Path(told["admission"]).read_bytes())
    assert (officer.id, list(officer.roles), officer.unit) == (str(OFFICER), ["duty", "liaison"], "бюро")
    assert officer.authentication_certificate == made["authentication"]
    assert officer.signing_certificate == made["signing"]


def test_the_profile_of_an_officer_is_printed(member: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The client reads the lines once they name the node's address; until then it names what is wrong."""
    code, told = certified(capsys, member, request(member), "--role", "custodian")
    assert code == 0
    (member / "profile.toml").write_text(told["profile_toml"])
    with pytest.raises(ProfileProblem, match="bad_configuration") as caught:
        profiles.load(member)
    assert caught.value.where.endswith("profile.toml: node")
    (member / "profile.toml").write_text(told["profile_toml"].replace("HOST:PORT", "127.0.0.1:7401"))
    profile = profiles.load(member)
    assert (profile.id, profile.signing_certificate) == (OFFICER, member / "signing.crt")


def test_an_officers_files_are_shown_with_what_to_do(member: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How they are admitted, and the profile after the sentence that names its place."""
    arguments = (*request(member), "--role", "duty", "--keys", member / "trust", "-o", member / "made", "--yes")
    code, out, _err = run(capsys, "ca", "certify", *arguments, "--lang", "en")
    assert code == 0
    admitted = f"paiza-node officer admit {member / 'made/officer.json'}"
    assert out.index(admitted) < out.index("profile.toml;") < out.index('HOST:PORT"')


def test_a_node_is_certified(member: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The request that `init` made is certified by the node CA; nobody admits a node."""
    code, told = certified(capsys, member, [member / "node/node.csr"])
    assert (code, told["admission"], told["profile_toml"]) == (0, None, None)
    found = verifier(member).node(read(member / "made.crt"), expected_member="kaz", at=datetime.now(UTC))
    own = verifier(member).node(read(member / "node/keys/tls.crt"), expected_member="kaz", at=datetime.now(UTC))
    assert found.public_key == own.public_key
    assert found.fingerprint != own.fingerprint


def test_what_was_certified_is_recorded(member: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The records beside the keys name the id, the certified keys, the CA's key and the certificates."""
    code, told = certified(capsys, member, request(member), "--role", "auditor")
    assert code == 0
    record = json.loads((member / "trust/ceremonies.jsonl").read_text().splitlines()[-1])
    assert record["certified"] == {
        "id": str(OFFICER),
        "certificates": [
            {
                "use": use,
                "key_sha256": keys.fingerprint(KEYS[use].public_key()).hex(),
                "certificate_sha256": sha256(read(member / f"made/{use}.crt")).hexdigest(),
            }
            for use in USES
        ],
    }
    printed = [{name: each[name] for name in each if name != "file"} for each in told["certificates"]]
    assert record["certified"]["certificates"] == printed
    assert (record["member"], record["federation"], record["time_source"]) == ("kaz", FEDERATION, "system clock")
    (ca,) = record["keys"]
    ca_key = p256_key(load_certificate(read(member / "trust/officer-ca.crt")))
    assert ca == {"name": "officer-ca", "key": keys.fingerprint(ca_key).hex(), "token": None}


def test_a_ca_on_a_token_certifies(member: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An officer CA whose key is on a token certifies as one in a file does; the record names the token."""
    library = softhsm.make_token()
    softhsm.make_key(library, "kaz-officer-ca")
    (member / "pin").write_text(softhsm.PIN)
    (member / "pin").chmod(0o600)
    trust = member / "trust"
    uri = TokenUri(library, token=softhsm.LABEL, label="kaz-officer-ca", pin_source=member / "pin")
    (trust / "officer-ca.uri").write_text(f"{uri}\n")
    (trust / "officer-ca.key").unlink()
    (trust / "officer-ca.crt").unlink()
    prepare_again = ("apply", member / "node", "--name-ru", "К", "--name-en", "K", "--keys", trust)
    assert run(capsys, *prepare_again, "-o", member / "second.application")[0] == 0
    code, _told = certified(capsys, member, request(member), "--role", "liaison")
    assert code == 0
    verifier(member).signing(read(member / "made/signing.crt"), expected_id=str(OFFICER), at=datetime.now(UTC))
    record = json.loads((trust / "ceremonies.jsonl").read_text().splitlines()[-1])
    assert record["keys"][0]["token"] == str(uri)


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        (SpiffeId("uzb", FEDERATION, "officer", "petrov"), "wrong_member"),
        (SpiffeId("kaz", "other.example", "officer", "petrov"), "wrong_member"),
        (SpiffeId("uzb", FEDERATION, "node"), "wrong_member"),
    ],
)
def test_nobody_elses_request_is_certified(
    member: Path, capsys: pytest.CaptureFixture[str], identity: SpiffeId, reason: str
) -> None:
    """A request in the name of another member or federation is refused, and nothing is written."""
    more = ("--role", "liaison") if identity.role == "officer" else ()
    code, error = certified(capsys, member, request(member, identity), *more)
    assert (code, error["reason"]) == (3, reason)
    assert str(identity) in error["what"]
    assert not list(member.glob("made*"))
    assert not (member / "trust/ceremonies.jsonl").exists()


def test_a_request_that_does_not_hold_is_refused(member: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A request that another key signed, that is malformed, or that is not there is refused by name."""
    csrs = request(member)
    csr = csrs[-1]
    der = bytearray(certificates.csr_from_pem(csr.read_bytes()))
    der[-1] ^= 1
    changed = ssl.DER_cert_to_PEM_cert(bytes(der)).replace("CERTIFICATE", "CERTIFICATE REQUEST")
    for data in (changed, "", "-----BEGIN CERTIFICATE REQUEST-----\n", "x" * 9000):
        csr.write_text(data)
        code, error = certified(capsys, member, csrs, "--role", "liaison")
        assert (code, error["reason"], error["where"]) == (3, "bad_certificate", str(csr))
    code, error = certified(capsys, member, [csrs[0], member / "none.csr"], "--role", "liaison")
    assert (code, error["reason"]) == (4, "file_unreadable")


def test_an_officer_has_two_keys(member: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One request, one key for both uses, requests of two ids, and a third request are refused."""
    first, second = request(member)
    other = member / "other"
    other.mkdir()
    (_, another) = request(other, SpiffeId("kaz", FEDERATION, "officer", "ivanov"))
    for csrs in ([first], [first, first], [first, another], [first, second, second], [member / "node/node.csr"] * 2):
        code, error = certified(capsys, member, csrs, "--role", "liaison")
        assert (code, error["reason"]) == (3, "bad_certificate")
    assert not list(member.glob("made*"))


def test_roles_belong_to_officers(member: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An officer's roles must be named, and are of those there are; a node has none, and nothing is overwritten."""
    csrs = request(member)
    assert certified(capsys, member, csrs)[0] == 2
    assert certified(capsys, member, csrs, "--role", "king")[0] == 2
    assert certified(capsys, member, [member / "node/node.csr"], "--role", "liaison")[0] == 2
    assert not list(member.glob("made*"))
    (member / "made").mkdir()
    (member / "made/signing.crt").write_text("there")
    code, error = certified(capsys, member, csrs, "--role", "liaison")
    assert (code, error["reason"]) == (4, "file_unwritable")


@pytest.mark.parametrize(("lang", "asks"), [("en", "Certify this?"), ("ru", "Выдать сертификат?")])
def test_it_is_shown_and_asked(
    member: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lang: str, asks: str
) -> None:
    """The id, the validity, the CA and each key's fingerprint are shown before the question; a no certifies nothing."""
    asked = []

    def confirm(text: str, **_more: object) -> None:
        asked.append(text)
        raise KeyboardInterrupt

    monkeypatch.setattr("paiza_trust.cli.certifying.confirm", confirm)
    arguments = (*request(member), "--role", "liaison", "--keys", member / "trust", "-o", member / "made")
    code, out, _err = run(capsys, "ca", "certify", *arguments, "--lang", lang)
    assert (code, asked) == (130, [asks])
    fingerprints = (keys.fingerprint(key.public_key()).hex() for key in KEYS.values())
    for shown in ("petrov", "kaz", FEDERATION, "officer-ca", "liaison", *fingerprints):
        assert shown in out
    assert not list(member.glob("made*"))
    assert not (member / "trust/ceremonies.jsonl").exists()


def test_a_certificate_ends_with_its_ca(member: Path) -> None:
    """Near the end of the CA a certificate is shorter; of an expired one there is none."""
    folder = KeyFolder(member / "trust")
    ends = load_certificate(read(member / "trust/officer-ca.crt")).not_valid_after_utc
    assert certify.plan(folder, request(member), ends - timedelta(days=30)).not_after == ends
    with pytest.raises(TrustError) as caught:
        certify.plan(folder, request(member), ends)
    assert caught.value.reason == "certificate_expired"
