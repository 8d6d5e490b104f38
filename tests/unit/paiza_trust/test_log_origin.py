"""Admitting a new log of a member: three steps, in as many hands as the threshold asks for."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from tuf.api.metadata import TargetFile

from paiza_register.ceremony.federation_file import pin, to_json
from paiza_trust import dev
from paiza_trust.show import read_register
from paiza_wire.identity import keys
from paiza_wire.tlog.notes import SignerKey
from tests.unit.paiza_trust.test_commands import run

ORIGIN = "kaz.paiza.example/log/2"
CUSTODIANS = [f"custodian-{member}" for member in ("kaz", "tjk", "uzb")]

Trust = Callable[..., tuple[int, dict[str, object]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a federation of three."""
    dev.create(tmp_path / "f", ("kaz", "tjk", "uzb"))
    return tmp_path / "f"


@pytest.fixture
def trust(capsys: pytest.CaptureFixture[str]) -> Trust:
    """Run a command with --json; gives its exit code and what it printed."""

    def call(*arguments: object) -> tuple[int, dict[str, object]]:
        code, out, err = run(capsys, *arguments, "--json")
        return code, json.loads(out or err)

    return call


def new_vkey(origin: str = ORIGIN) -> str:
    """Make the verifier key of a new log."""
    return SignerKey.from_ed25519(origin, keys.generate_ed25519()).verifier_key.to_vkey()


def key(folder: Path, name: str) -> Path:
    """Name a key of the register."""
    return folder / "register-keys" / name


def test_the_threshold_admits_a_log(folder: Path, trust: Trust, tmp_path: Path) -> None:
    """With one signature too few nothing is published; with the threshold the member has its second log."""
    proposal, vkey = tmp_path / "proposal.json", new_vkey()
    code, told = trust("log", "prepare", folder, "kaz", "--vkey", vkey, "-o", proposal)
    assert (code, told["origin"], told["signatures"]) == (0, ORIGIN, 0)
    for _ in range(2):  # one key counts once
        code, told = trust("log", "sign", folder, proposal, "--key", key(folder, CUSTODIANS[0]))
        assert (code, told["signatures"]) == (0, 1)
    code, told = trust("log", "publish", folder, proposal)
    assert (code, told["reason"]) == (3, "bad_signature")
    assert len(read_register(folder).member("kaz").log_keys) == 1
    assert trust("log", "sign", folder, proposal, "--key", key(folder, CUSTODIANS[1]))[0] == 0
    for path in (folder / "register-keys").glob("custodian-*"):  # not needed where it is published
        path.unlink()
    code, told = trust("log", "publish", folder, proposal)
    assert (code, told["version"]) == (0, 2)
    assert [each.vkey for each in read_register(folder).member("kaz").log_keys][1:] == [vkey]


def test_who_is_no_custodian_signs_nothing(folder: Path, trust: Trust, tmp_path: Path) -> None:
    """The key of another federation's custodian, one half of a key, or a key that is not there does not sign."""
    dev.create(tmp_path / "other", ("kaz",))
    proposal = tmp_path / "proposal.json"
    trust("log", "prepare", folder, "kaz", "--vkey", new_vkey(), "-o", proposal)
    code, told = trust("log", "sign", folder, proposal, "--key", key(tmp_path / "other", CUSTODIANS[0]))
    assert (code, told["reason"]) == (3, "bad_key")
    key(folder, f"{CUSTODIANS[0]}-mldsa44.pem").unlink()
    for name in (CUSTODIANS[0], "none"):
        code, told = trust("log", "sign", folder, proposal, "--key", key(folder, name))
        assert (code, told["reason"]) == (4, "file_unreadable")


@pytest.mark.parametrize(
    ("member", "origin", "reason"),
    [("kaz", "kaz.paiza.example/log/3", "unknown_log"), ("kaz", "kaz.paiza.example/log/1", "unknown_log"),
     ("kaz", "tjk.paiza.example/log/2", "unknown_log"), ("rus", ORIGIN, "unknown_member")],
)  # fmt: skip
def test_only_the_next_log_is_proposed(
    folder: Path, trust: Trust, tmp_path: Path, member: str, origin: str, reason: str
) -> None:
    """Log numbers are consecutive and unique, and each belongs to its member."""
    code, told = trust("log", "prepare", folder, member, "--vkey", new_vkey(origin), "-o", tmp_path / "p")
    assert (code, told["reason"]) == (3, reason)
    assert not (tmp_path / "p").exists()


def test_a_proposal_that_says_more_is_not_signed(folder: Path, trust: Trust, tmp_path: Path) -> None:
    """A proposal that also suspends a member, drops a delegation, or gives a known log another key is not signed."""
    proposal = tmp_path / "proposal.json"
    trust("log", "prepare", folder, "kaz", "--vkey", new_vkey(), "-o", proposal)
    good = json.loads(proposal.read_bytes())

    def offered(change: Callable[[dict[str, object]], None]) -> object:
        values = dict(good)
        change(values)
        proposal.write_text(json.dumps(values))
        code, told = trust("log", "sign", folder, proposal, "--key", key(folder, CUSTODIANS[0]))
        assert code == 3
        return told["reason"]

    def suspend(values: dict[str, object]) -> None:
        federation = b64decode(str(values["federation"])).replace(b'"active"', b'"suspended"', 1)
        values["federation"] = b64encode(federation).decode()

    def drop(values: dict[str, object]) -> None:
        targets = json.loads(b64decode(str(values["targets"])))
        targets["signed"]["delegations"]["roles"].pop()
        values["targets"] = b64encode(json.dumps(targets).encode()).decode()

    def rename(values: dict[str, object]) -> None:
        values["member"] = "tjk"

    def replace_key(values: dict[str, object]) -> None:
        values["vkey"] = new_vkey("kaz.paiza.example/log/1")
        federation = json.loads(b64decode(str(values["federation"])))
        federation["log_keys"][-1] = pin("origin", str(values["vkey"]))
        data = to_json(federation)
        targets = json.loads(b64decode(str(values["targets"])))
        described = TargetFile.from_data("federation.json", data, ["sha256"]).to_dict()
        targets["signed"]["targets"]["federation.json"] = described
        values["federation"] = b64encode(data).decode()
        values["targets"] = b64encode(json.dumps(targets).encode()).decode()

    changes = (suspend, drop, rename, replace_key, lambda values: values.pop("targets"))
    assert [offered(change) for change in changes] == ["malformed"] * 5
