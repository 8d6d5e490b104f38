"""Profiles: found, read, and refused with the file and setting that is wrong."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import DER_cert_to_PEM_cert

import pytest

from paiza_cli.exit_codes import ExitCode
from paiza_officer import profiles
from paiza_officer.errors import Misused, ProfileProblem
from paiza_wire.identity import SpiffeId, certificates, keys, load_certificate
from paiza_wire.identity.certificate_profiles import p256_key
from paiza_wire.identity.signer import Signer
from paiza_wire.identity.token_uri import TokenUri
from paiza_wire.identity.tokens import Tokens
from tests import softhsm
from tests.profiles import FILES, USES

PASSPHRASE = b"correct horse battery staple"
OFFICER = SpiffeId("kaz", "paiza.example", "officer", "liaison")
NO_TOKENS = Tokens(lambda _token: never())


def make(
    home: Path,
    name: str = "kaz-liaison",
    *,
    passphrase: bytes | None = None,
    settings: Mapping[str, str] | None = None,
    signing_key: Signer | None = None,
    uri: str = "",
) -> Path:
    """Write a profile with fresh keys and certificates; settings replace, an empty one leaves out.

    A ``signing_key`` is on a token, and ``uri`` is its name.
    """
    folder = home / name
    folder.mkdir(parents=True)
    now = datetime.now(UTC)
    lifetime = {"not_before": now - timedelta(hours=1), "not_after": now + timedelta(days=1)}
    ca_key = keys.generate_p256()
    ca = certificates.issue_ca("kaz", "paiza.example", "officer", ca_key, **lifetime)
    for use in USES:
        key = signing_key if use == "signing" and signing_key else keys.generate_p256()
        request = certificates.create_csr(OFFICER, key)
        certificate = certificates.issue_officer(request, ca, ca_key, spiffe_id=OFFICER, use=use, **lifetime)
        (folder / f"{use}.crt").write_bytes(DER_cert_to_PEM_cert(certificate).encode())
        if key is signing_key:
            continue
        (folder / f"{use}.key").write_bytes(keys.private_key_to_pem(key, passphrase))
        (folder / f"{use}.key").chmod(0o600)
    (folder / "root.json").write_text("{}")
    values = {
        "id": str(OFFICER),
        "member": "kaz",
        "federation": "paiza.example",
        "node": "127.0.0.1:7401",
        **FILES,
        "root": "root.json",
        **({"signing_key": uri} if uri else {}),
        **(settings or {}),
    }
    text = "".join(f'{key} = "{value}"\n' for key, value in values.items() if value)
    text += "" if passphrase is not None else "sealed = false\n"
    (folder / "profile.toml").write_text(text)
    return folder


def never() -> bytes:
    """Fail where a passphrase is asked for without need."""
    raise AssertionError("a passphrase was asked for")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder that PAIZA_HOME names in these tests."""
    return tmp_path / "home"


def test_the_only_profile_is_the_default(home: Path) -> None:
    """A single profile need not be named."""
    make(home)
    assert profiles.find(None).name == "kaz-liaison"


def test_the_named_profile_wins_over_the_environment(home: Path) -> None:
    """A name on the command line counts more than PAIZA_PROFILE."""
    make(home)
    make(home, "kaz-duty")
    environ = {"PAIZA_HOME": str(home), "PAIZA_PROFILE": "kaz-duty"}
    assert profiles.find(None, environ).name == "kaz-duty"
    assert profiles.find("kaz-liaison", environ).name == "kaz-liaison"


def test_several_profiles_must_be_chosen_from(home: Path) -> None:
    """With several profiles and no choice the error names them and is one of usage."""
    make(home)
    make(home, "kaz-duty")
    with pytest.raises(Misused, match="kaz-duty, kaz-liaison") as caught:
        profiles.find(None)
    assert (caught.value.reason, caught.value.exit_code) == ("profile_ambiguous", ExitCode.USAGE)


@pytest.mark.parametrize("name", ["nobody", "../kaz-liaison", "kaz-liaison/../kaz-liaison", "/etc"])
def test_a_profile_that_is_not_there_is_unknown(home: Path, name: str) -> None:
    """A profile name cannot lead outside the home folder."""
    make(home)
    with pytest.raises(ProfileProblem, match="unknown_profile"):
        profiles.find(name)


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"node": ""}, "node"),
        ({"node": "localhost"}, "node"),
        ({"node": "host name:1"}, "node"),
        ({"member": "tjk"}, "id"),
        ({"id": "spiffe://kaz.paiza.example/node"}, "id"),
        ({"id": "kaz"}, "id"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_wrong_setting_is_named(home: Path, settings: dict[str, str], where: str) -> None:
    """Every wrong setting is told with its file and name, and exits with the code for profiles."""
    folder = make(home, settings=settings)
    with pytest.raises(ProfileProblem) as caught:
        profiles.load(folder)
    assert caught.value.where.endswith(f"profile.toml: {where}")
    assert caught.value.exit_code == ExitCode.PROFILE


def test_an_unencrypted_key_opens_without_asking(home: Path) -> None:
    """Nobody is asked for a passphrase that is not needed."""
    make(home)
    opened = profiles.open_credentials(profiles.find(None), never)
    assert b"BEGIN PRIVATE KEY" in opened.key_pem


def test_an_encrypted_key_opens_with_its_passphrase_only(home: Path) -> None:
    """The right passphrase opens the key; a wrong one is `bad_passphrase` at the key's file."""
    make(home, passphrase=PASSPHRASE)
    profile = profiles.find(None)
    assert profiles.open_credentials(profile, lambda: PASSPHRASE).certificate_der
    with pytest.raises(ProfileProblem, match="bad_passphrase") as caught:
        profiles.open_credentials(profile, lambda: b"wrong")
    assert caught.value.where == str(profile.authentication_key)


def test_the_signing_key_opens_alone(home: Path) -> None:
    """What signs opens without the authentication key, names the officer, and belongs to its certificate."""
    folder = make(home, passphrase=PASSPHRASE)
    (folder / "authentication.key").unlink()
    signer = profiles.open_signer(profiles.find(None), lambda: PASSPHRASE, NO_TOKENS, datetime.now(UTC))
    assert signer.id == str(OFFICER)
    keys.verify(p256_key(load_certificate(signer.certificate)), signer.sign(b"an act"), b"an act")


def test_a_signing_key_of_another_certificate_is_refused(home: Path) -> None:
    """The certificate is named: of another key, or that for authentication in its place."""
    folder, other = make(home), make(home.parent / "other")
    for source, reason in ((other / "signing.crt", "bad_key"), (folder / "authentication.crt", "wrong_certificate")):
        (folder / "signing.crt").write_bytes(source.read_bytes())
        with pytest.raises(ProfileProblem, match=reason) as caught:
            profiles.open_signer(profiles.find(None), never, NO_TOKENS, datetime.now(UTC))
        assert caught.value.where == str(folder / "signing.crt")


def test_nothing_is_signed_with_an_expired_certificate(home: Path) -> None:
    """An expired signing certificate is named before its key is opened."""
    folder = make(home, passphrase=PASSPHRASE)
    with pytest.raises(ProfileProblem, match="certificate_expired") as caught:
        profiles.open_signer(profiles.find(None), never, NO_TOKENS, datetime.now(UTC) + timedelta(days=2))
    assert caught.value.where == str(folder / "signing.crt")


def test_a_signing_key_may_be_on_a_token(home: Path) -> None:
    """A PKCS #11 URI in place of the signing key's file leads to the token's key; a wrong URI is named."""
    library = softhsm.make_token()
    softhsm.make_key(library, "petrov")
    uri = TokenUri(library, token=softhsm.LABEL, label="petrov")
    folder = make(home, settings={"signing_key": str(uri)})
    issuer = keys.generate_p256()
    now = datetime.now(UTC)
    lifetime = {"not_before": now - timedelta(hours=1), "not_after": now + timedelta(days=1)}
    ca = certificates.issue_ca("kaz", "paiza.example", "officer", issuer, **lifetime)
    with Tokens(lambda _token: softhsm.PIN.encode()) as tokens:
        key = tokens.signer(uri)
        request = certificates.create_csr(OFFICER, key)
        made = certificates.issue_officer(request, ca, issuer, spiffe_id=OFFICER, use="signing", **lifetime)
        (folder / "signing.crt").write_bytes(DER_cert_to_PEM_cert(made).encode())
        signer = profiles.open_signer(profiles.load(folder), never, tokens, now)
        keys.verify(key.public_key(), signer.sign(b"an act"), b"an act")
    make(home, "kaz-wrong", settings={"signing_key": "pkcs11:token"})
    with pytest.raises(ProfileProblem, match="bad_token_uri") as caught:
        profiles.load(home / "kaz-wrong")
    assert caught.value.where.endswith("profile.toml: signing_key")


def test_an_unsealed_key_needs_words(home: Path) -> None:
    """A key under no passphrase is refused, unless the profile says sealed = false."""
    folder = make(home)
    profile = folder / "profile.toml"
    for words in ("", 'sealed = "false"\n', "sealed = true\n"):
        profile.write_text(profile.read_text().replace("sealed = false\n", words))
        with pytest.raises(ProfileProblem, match="key_unsealed") as caught:
            profiles.open_credentials(profiles.load(folder), never)
        assert caught.value.where == str(folder / "authentication.key")
        profile.write_text(profile.read_text().replace(words or "\0", "") + "sealed = false\n")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_that_others_can_read_is_refused(home: Path, mode: int) -> None:
    """A key file open to group or others is not used."""
    folder = make(home)
    (folder / "authentication.key").chmod(mode)
    with pytest.raises(ProfileProblem, match="key_exposed"):
        profiles.open_credentials(profiles.find(None), never)


@pytest.mark.parametrize(("file", "reason"), [("authentication.key", "bad_key"), ("authentication.crt", "bad_key")])
def test_what_is_no_key_or_certificate_is_refused(home: Path, file: str, reason: str) -> None:
    """Rubbish in place of a key or certificate is named with its file."""
    folder = make(home)
    (folder / file).write_text("rubbish")
    with pytest.raises(ProfileProblem, match=reason) as caught:
        profiles.open_credentials(profiles.find(None), never)
    assert caught.value.where == str(folder / file)


def test_a_missing_file_is_named(home: Path) -> None:
    """A key that is not there is `file_unreadable` with its name."""
    folder = make(home)
    (folder / "authentication.key").unlink()
    with pytest.raises(ProfileProblem, match="file_unreadable") as caught:
        profiles.open_credentials(profiles.find(None), never)
    assert caught.value.where == str(folder / "authentication.key")


def test_a_passphrase_file_gives_its_first_line(tmp_path: Path) -> None:
    """Only the first line, without its end, is the passphrase."""
    file = tmp_path / "phrase"
    file.write_bytes(PASSPHRASE + b"\r\nsecond line\n")
    file.chmod(0o600)
    assert profiles.passphrase_from_file(file) == PASSPHRASE
    file.chmod(0o640)
    with pytest.raises(ProfileProblem, match="key_exposed"):
        profiles.passphrase_from_file(file)


def test_roles_are_remembered_and_rubbish_is_forgotten(home: Path) -> None:
    """The roles last named come back; an unreadable file counts as none."""
    make(home)
    profile = profiles.find(None)
    assert profiles.remembered_roles(profile) == ()
    profiles.remember_roles(profile, ["duty", "liaison"])
    assert profiles.remembered_roles(profile) == ("duty", "liaison")
    (profile.folder / profiles.ROLES_FILE).write_text("[1]")
    assert profiles.remembered_roles(profile) == ()


def test_several_nodes_are_dialled_in_turn(home: Path) -> None:
    """A profile may list addresses; the one that answered last comes first, in another process too."""
    folder = make(home)
    text = (folder / "profile.toml").read_text()
    (folder / "profile.toml").write_text(text.replace('"127.0.0.1:7401"', '["one:7401", "two:7401", "[::1]:7401"]'))
    profile = profiles.load(folder)
    assert (profile.node, profile.addresses) == ("one:7401", ("one:7401", "two:7401", "[::1]:7401"))
    profiles.remember_node(profile.at("two:7401"))
    assert profiles.load(folder).addresses == ("two:7401", "one:7401", "[::1]:7401")
    (folder / profiles.NODE_FILE).write_text("elsewhere:7401")
    assert profiles.load(folder).addresses == ("one:7401", "two:7401", "[::1]:7401")


@pytest.mark.parametrize("nodes", ["[]", "7401", '["one:7401", 7]', '["one:7401", "two"]'])
def test_each_of_several_nodes_is_an_address(home: Path, nodes: str) -> None:
    """A list that is empty, or holds anything else, is refused by name."""
    folder = make(home)
    text = (folder / "profile.toml").read_text()
    (folder / "profile.toml").write_text(text.replace('"127.0.0.1:7401"', nodes))
    with pytest.raises(ProfileProblem) as caught:
        profiles.load(folder)
    assert caught.value.where.endswith("profile.toml: node")
