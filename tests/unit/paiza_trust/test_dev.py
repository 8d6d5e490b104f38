"""The `dev` ceremony, from Python: what it makes and what it refuses."""

import json
import socket
import time
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import PEM_cert_to_DER_cert

import pytest

from paiza_cli.exit_codes import ExitCode
from paiza_register import Register, RegisterReader, load_set
from paiza_trust import dev
from paiza_trust.errors import TrustError
from paiza_wire.errors import Rejected
from paiza_wire.identity import keys, load_certificate
from paiza_wire.identity.private_keys import MLDSA44, X_WING
from paiza_wire.identity.sealing import Sealer
from paiza_wire.message import key_wrapping
from paiza_wire.tlog import notes
from paiza_wire.tlog.cosignatures import WitnessSigner
from tests.registers import newest

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ALL = ("aze", "kaz", "kgz", "rus", "tjk", "tkm", "uzb", "centre")


def read(folder: Path, at: datetime = NOW) -> Register:
    """Verify the register of a federation."""
    return load_set(newest(folder).files, (folder / "root.json").read_bytes(), at)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a federation of two."""
    folder = tmp_path_factory.mktemp("dev") / "federation"
    dev.create(folder, ("kaz", "tjk"), now=NOW)
    return folder


def test_a_whole_federation_is_made_in_seconds(tmp_path: Path) -> None:
    """Eight members stand in well under ten seconds of a processor, and their register verifies."""
    begun = time.process_time()
    created = dev.create(tmp_path / "federation", ALL)
    assert time.process_time() - begun < 10
    assert len(created.profiles) == 8 * 7
    register = read(tmp_path / "federation", datetime.now(UTC))
    assert [member.id for member in register.active_members()] == sorted(ALL)
    assert {member.names["ru"].split(" (", maxsplit=1)[0] for member in register.members.values()} >= {
        "Азербайджан",
        "Региональный центр",
    }


def test_root_and_targets_need_more_than_half_of_the_custodians(tmp_path: Path) -> None:
    """Each member has one custodian with one pair, and more than half of them must sign."""
    for count in (1, 2, 3, 8):
        created = dev.create(tmp_path / str(count), ALL[:count], now=NOW)
        root = json.loads((tmp_path / str(count) / "root.json").read_bytes())["signed"]
        for role in ("root", "targets"):
            assert root["roles"][role]["threshold"] == created.threshold == count // 2 + 1
            assert [root["keys"][keyid]["keytype"] for keyid in root["roles"][role]["keyids"]] == ["paiza-pair"] * count
        for role in ("snapshot", "timestamp"):
            assert root["roles"][role]["threshold"] == 1
            assert [root["keys"][keyid]["keytype"] for keyid in root["roles"][role]["keyids"]] == ["ml-dsa"] * count


def test_everything_is_for_its_owner_alone(folder: Path) -> None:
    """Every file has mode 0600 and every folder 0700; what a node's data folder holds, nobody else can reach."""
    for path in [folder, *folder.rglob("*")]:
        if path.parent.name == "data" or "register" in path.parts[len(folder.parts) :]:
            continue
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_node_has_the_keys_that_the_register_names(folder: Path) -> None:
    """TLS certificate, log key, witness key, seed and both CA keys belong to what the member publishes."""
    member = read(folder).member("kaz")
    own, sealer = folder / "nodes/kaz/keys", Sealer(bytes)
    certificate = PEM_cert_to_DER_cert((own / "tls.crt").read_text())
    verified = read(folder).certificate_verifier().node(certificate, expected_member="kaz", at=NOW)
    tls_key = keys.private_key_from_pem((own / "tls.key").read_bytes())
    assert verified.public_key == tls_key.public_key()
    log_key = keys.private_key_from_pem((own / "log.key").read_bytes())
    assert notes.VerifierKey.from_vkey(member.log_keys[0].vkey).handle == log_key.public_key()
    witness = WitnessSigner.from_private_key(
        "kaz.paiza.example/witness/1", MLDSA44.read(sealer.open((own / "witness.key").read_bytes()))
    )
    assert member.witness_keys[0].key == witness.witness_key
    seed = X_WING.read(sealer.open((own / "encryption.seed").read_bytes()))
    assert key_wrapping.private_key_from_seed(seed).public_key.key_id == member.encryption_keys[0].key_id
    for role, (ca,) in (("node", member.authority.node_cas), ("officer", member.authority.officer_cas)):
        key = keys.private_key_from_pem((folder / f"trust/kaz/{role}-ca.key").read_bytes())
        assert load_certificate(ca.certificate).public_key() == key.public_key()


def test_a_node_is_ready_to_run(folder: Path) -> None:
    """node.toml names the member's port, and beside it lie root, register and officers."""
    register = read(folder)
    for at, member in enumerate(("kaz", "tjk")):
        node = folder / "nodes" / member
        config = tomllib.loads((node / "node.toml").read_text())
        assert config["member"] == member
        assert config["federation"] == "paiza.example"
        assert config["listen"] == f"127.0.0.1:{7401 + at}"
        assert (node / config["bootstrap_root"]).read_bytes() == (folder / "root.json").read_bytes()
        assert json.loads((node / "root-digests.json").read_bytes())["newest_root"]["version"] == 1
        reader = RegisterReader(node / "data/register", (folder / "root.json").read_bytes())
        assert reader.current(NOW) == register
        assert (node / "keys/tls.key").is_file()
        officers = json.loads((node / "officers.json").read_text())
        assert {role for officer in officers for role in officer["roles"]} == {
            "liaison", "duty", "authoriser", "coordinator", "auditor", "custodian", "data",
        }  # fmt: skip


def test_an_officer_is_ready_to_work(folder: Path) -> None:
    """A profile's certificates verify, each for its use, are those in officers.json, and their keys open."""
    verifier = read(folder).certificate_verifier()
    officers = {officer["id"]: officer for officer in json.loads((folder / "nodes/tjk/officers.json").read_text())}
    for name in ("liaison", "duty", "authoriser", "coordinator", "auditor", "custodian", "data"):
        home = folder / "home" / f"tjk-{name}"
        profile = tomllib.loads((home / "profile.toml").read_text())
        assert profile["id"] == f"spiffe://tjk.paiza.example/officer/{name}"
        assert profile["node"] == "127.0.0.1:7402"
        for use, verify in (("authentication", verifier.authentication), ("signing", verifier.signing)):
            der = PEM_cert_to_DER_cert((home / profile[f"{use}_certificate"]).read_text())
            verified = verify(der, expected_id=profile["id"], at=NOW)
            key = keys.private_key_from_pem((home / profile[f"{use}_key"]).read_bytes())
            assert verified.public_key == key.public_key()
            assert PEM_cert_to_DER_cert(officers[profile["id"]][f"{use}_certificate"]) == der
        assert (home / profile["root"]).read_bytes() == (folder / "root.json").read_bytes()


def test_no_two_keys_are_the_same(folder: Path) -> None:
    """Every private key of the federation is one of a kind."""
    private = [path.read_bytes() for pattern in ("*.key", "*.seed", "*.pem") for path in folder.rglob(pattern)]
    assert len(private) == len(set(private)) == 2 * (8 + 8 + 7 * 2)


def test_a_passphrase_encrypts_every_officers_key(tmp_path: Path) -> None:
    """With a passphrase no officer's key opens without it."""
    dev.create(tmp_path / "federation", ("kaz",), now=NOW, passphrase=b"correct horse")
    for path in (tmp_path / "federation/home").glob("*/*.key"):
        with pytest.raises(Rejected) as caught:
            keys.private_key_from_pem(path.read_bytes())
        assert caught.value.reason == "bad_passphrase"
        keys.private_key_from_pem(path.read_bytes(), b"correct horse")


def test_expiries_are_as_stated(folder: Path) -> None:
    """The timestamp ends the register after a day; a certificate is good for a year."""
    register = read(folder)
    assert register.expiry_time == NOW + timedelta(hours=24)
    der = PEM_cert_to_DER_cert((folder / "home/kaz-duty/signing.crt").read_text())
    verified = register.certificate_verifier().signing(
        der, expected_id="spiffe://kaz.paiza.example/officer/duty", at=NOW
    )
    assert verified.not_after - verified.not_before == timedelta(days=365)
    assert verified.not_before < NOW


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    """A folder with contents, a file, or a link is refused; an empty folder is filled."""
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "x").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (occupied, tmp_path / "file", tmp_path / "link"):
        with pytest.raises(TrustError) as caught:
            dev.create(path, ("kaz",), now=NOW)
        assert (caught.value.reason, caught.value.exit_code) == ("folder_not_empty", ExitCode.REFUSED)
    assert [path.name for path in occupied.iterdir()] == ["x"]
    (tmp_path / "empty").mkdir()
    dev.create(tmp_path / "empty", ("kaz",), now=NOW)
    assert (tmp_path / "empty/root.json").is_file()


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a federation stands, or nothing."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dev, "publish", fail)
    with pytest.raises(OSError, match="No space"):
        dev.create(tmp_path / "federation", ("kaz",), now=NOW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("members", "federation", "base_port"),
    [
        ((), "paiza.example", 7401),
        (("KAZ",), "paiza.example", 7401),
        (("kaz", "kaz"), "paiza.example", 7401),
        (("k",), "paiza.example", 7401),
        (("каз",), "paiza.example", 7401),
        (("xn--80a",), "paiza.example", 7401),
        (("../kaz",), "paiza.example", 7401),
        (tuple(f"m{at}" for at in range(65)), "paiza.example", 7401),
        (("kaz",), "paiza", 7401),
        (("kaz",), "Paiza.example", 7401),
        (("kaz",), "paiza.example", 0),
        (("kaz", "tjk"), "paiza.example", 65535),
    ],
)
def test_wrong_wishes_are_wrong_usage(
    tmp_path: Path, members: tuple[str, ...], federation: str, base_port: int
) -> None:
    """Members, names and ports that cannot be are named, and nothing is written."""
    with pytest.raises(TrustError) as caught:
        dev.create(tmp_path / "federation", members, federation=federation, base_port=base_port, now=NOW)
    assert (caught.value.reason, caught.value.exit_code) == ("usage", ExitCode.USAGE)
    assert caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_the_admin_socket_fits_its_limit(tmp_path: Path) -> None:
    """The socket is placed elsewhere if the folder's path is too long for a Unix socket."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    dev.create(deep, ("kaz",), now=NOW)
    config = tomllib.loads((deep / "nodes/kaz/node.toml").read_text())
    path = deep / "nodes/kaz" / config["admin_socket"]
    assert len(bytes(path)) <= dev.MAX_SOCKET_PATH_BYTES
    path.parent.mkdir(exist_ok=True)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
    finally:
        path.unlink(missing_ok=True)
        path.parent.rmdir()
