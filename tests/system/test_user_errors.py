"""The table of user errors: each tells reason, what, where and remedy in both languages and loses nothing.

Every row runs `paiza` against real nodes (kaz and tjk run, uzb does not) in Russian and in English, as text and with
--json. No row may show a traceback, and none may lose what was to be sent.
"""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import DER_cert_to_PEM_cert

import pytest

from paiza_client import error_help, language
from paiza_client.__main__ import run
from paiza_trust import dev
from paiza_wire.identity import SpiffeId, certificates, keys
from tests.federation import Federation

DRAFT = """\
kind: free-message
to: [tjk]
urgency: routine
handling: {tlp: AMBER, code: H2, classification: 1}
review: 3 years
content:
  subject: Exercise
  text: Nothing of this is real.
"""
PASSPHRASE = b"an invented passphrase"
LABELS = {
    "ru": ("Ошибка:", "Где:", "Что делать:", "Код причины:"),
    "en": ("Error:", "Where:", "What to do:", "Reason code:"),
}


@dataclass(frozen=True)
class Desk:
    """The state that a row may spoil: a home with copies of the profiles, a folder, the environment."""

    home: Path
    folder: Path
    federation: Federation
    sent: str
    patch: pytest.MonkeyPatch

    def write(self, name: str, text: str) -> str:
        """Write a file and give its path."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    def change_profile(self, old: str, new: str, profile: str = "kaz-liaison") -> None:
        """Change profile.toml."""
        file = self.home / profile / "profile.toml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def know_the_federation(self) -> None:
        """Provide uzb's officer, whose node is stopped, with data learned while it ran."""
        shutil.copytree(self.federation.home / "kaz-liaison/register", self.home / "uzb-liaison/register")
        shutil.copy(self.federation.home / "kaz-liaison/roles.json", self.home / "uzb-liaison")


Prepare = Callable[[Desk], list[str]]


@dataclass(frozen=True)
class Row:
    """One error: how it is made, and what must be told."""

    name: str
    prepare: Prepare
    reason: str
    code: int
    where: str
    waiting: int = field(default=0)
    """Messages that must be in the outbox of the profile afterwards."""
    profile: str = "kaz-liaison"
    more: str = ""
    """A text of the catalogue that follows the sentence of the reason."""


def _expired(desk: Desk) -> list[str]:
    folder = desk.home / "kaz-liaison"
    issuer = desk.federation.folder / "trust/kaz/officer-ca.key"
    officer = SpiffeId("kaz", dev.FEDERATION, "officer", "liaison")
    now = datetime.now(UTC)
    span = {"not_before": now - timedelta(days=2), "not_after": now - timedelta(days=1)}
    ca_key = keys.private_key_from_pem(issuer.read_bytes())
    ca = certificates.issue_ca("kaz", dev.FEDERATION, "officer", ca_key, **span)  # type: ignore[arg-type]
    key = keys.generate_p256()
    request = certificates.create_csr(officer, key)
    certificate = certificates.issue_officer(request, ca, ca_key, spiffe_id=officer, use="authentication", **span)  # type: ignore[arg-type]
    (folder / "authentication.crt").write_bytes(DER_cert_to_PEM_cert(certificate).encode())
    (folder / "authentication.key").write_bytes(keys.private_key_to_pem(key))
    return ["inbox"]


def _exchanged(desk: Desk) -> list[str]:
    desk.change_profile('"authentication.', '"signing.')
    return ["inbox"]


def _encrypted(desk: Desk, phrase: bytes | None) -> list[str]:
    file = desk.home / "kaz-liaison/authentication.key"
    file.write_bytes(keys.private_key_to_pem(keys.private_key_from_pem(file.read_bytes()), PASSPHRASE))
    if phrase is not None:
        desk.patch.setenv("PAIZA_PASSPHRASE_FILE", desk.write("phrase", phrase.decode()))
    return ["inbox"]


def _exposed(desk: Desk) -> list[str]:
    (desk.home / "kaz-liaison/authentication.key").chmod(0o644)
    return ["inbox"]


def _node_down(desk: Desk) -> list[str]:
    desk.know_the_federation()
    return ["send", "free-message", desk.write("draft.yaml", DRAFT)]


def _full_disk(desk: Desk) -> list[str]:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    desk.patch.setattr("paiza_client.local.outbox.os.fsync", full)
    return ["send", "free-message", desk.write("draft.yaml", DRAFT)]


def _foreign_root(desk: Desk) -> list[str]:
    dev.create(desk.folder / "other", ["kaz", "tjk"])
    shutil.copy(desk.folder / "other/root.json", desk.home / "kaz-liaison/root.json")
    shutil.rmtree(desk.home / "kaz-liaison/register", ignore_errors=True)
    return ["inbox"]


WHY = ("--reason", "case 1", "--whom", "a court")


def _disclosing(desk: Desk, *why: str, part: str = "main") -> list[str]:
    return ["audit", "evidence", desk.sent, "-o", str(desk.folder / "given.zip"), "--disclose-part", part, *why]


def _evidence(desk: Desk, change: Callable[[bytes], bytes]) -> list[str]:
    file = desk.folder / "evidence.zip"
    assert run(["audit", "evidence", desk.sent, "-o", str(file), "--profile", "kaz-liaison"]) == 0
    file.write_bytes(change(file.read_bytes()))
    return ["audit", "verify", str(file)]


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def _existing(desk: Desk) -> list[str]:
    return ["audit", "evidence", desk.sent, "-o", desk.write("there.zip", "already")]


def _home_without_choice(desk: Desk) -> list[str]:
    desk.patch.delenv("PAIZA_PROFILE")
    return ["inbox"]


def _without_node(desk: Desk) -> list[str]:
    desk.change_profile("node = ", "# node = ")
    return ["inbox"]


def _no_toml(desk: Desk) -> list[str]:
    (desk.home / "kaz-liaison/profile.toml").write_text("id = nobody\n")
    return ["inbox"]


def _draft(desk: Desk, old: str = "", new: str = "", *more: str) -> list[str]:
    assert old in DRAFT
    return ["send", "free-message", desk.write("draft.yaml", DRAFT.replace(old, new)), *more]


TABLE = (
    Row("a draft with an empty field", lambda d: _draft(d, "Exercise", ""), "invalid_draft", 3, "draft.yaml"),
    Row("a draft with an unknown field", lambda d: _draft(d, "  text", "  txt"), "invalid_draft", 3, "draft.yaml"),
    Row("a draft that is no YAML", lambda d: _draft(d, "content:", "content: [}"), "invalid_draft", 3, "draft.yaml"),
    Row("urgency without its reason", lambda d: _draft(d, "routine", "flash"), "invalid_draft", 3, "urgency_reason"),
    Row("no recipients", lambda d: _draft(d, "to: [tjk]", "to: []"), "invalid_draft", 3, "to"),
    Row("a draft that is not there", lambda _: ["send", "free-message", "no.yaml"], "file_unreadable", 3, "no.yaml"),
    Row("another kind than the draft's", lambda d: ["send", "seizure", _draft(d)[2]], "usage", 2, "draft.yaml"),
    Row("an unknown recipient", lambda d: _draft(d, "", "", "--to", "xyz"), "invalid_draft", 3, "draft.yaml"),
    Row("a role that may not send", _draft, "role_missing", 3, "free-message", profile="kaz-auditor"),
    Row("an unknown id", lambda _: ["open", "ffffffffffff"], "unknown_id", 3, "ffffffffffff"),
    Row("an id that is none", lambda _: ["open", "никакой"], "unknown_id", 3, "никакой"),
    Row("an id of two digits", lambda _: ["open", "01"], "unknown_id", 3, "01",
        more="An id is shortened to four digits or more."),
    Row("an ambiguous prefix", lambda d: ["recall", d.sent[:4], "--reason", "-"], "ambiguous_id", 3, ""),
    Row("a part that is not there", lambda d: ["open", d.sent, "--part", "7"], "part_missing", 3, "7"),
    Row("a wrong setting in the profile", _without_node, "bad_configuration", 6, "profile.toml: node"),
    Row("a profile that is no TOML", _no_toml, "bad_configuration", 6, "profile.toml"),
    Row("an unknown profile", lambda _: ["inbox"], "unknown_profile", 6, "nobody", profile="nobody"),
    Row("no profile chosen", _home_without_choice, "profile_ambiguous", 2, "home", profile=""),
    Row("a wrong passphrase", lambda d: _encrypted(d, b"wrong"), "bad_passphrase", 6, "authentication.key"),
    Row("no passphrase", lambda d: _encrypted(d, None), "passphrase_missing", 6, ""),
    Row("an exposed key", _exposed, "key_exposed", 6, "authentication.key"),
    Row("an expired certificate", _expired, "certificate_expired", 6, "authentication.crt"),
    Row("a signing certificate for TLS", _exchanged, "wrong_certificate", 6, "signing.crt"),
    Row("another federation's root", _foreign_root, "register_invalid", 5, "127.0.0.1"),
    Row("node down, sending", _node_down, "node_unreachable", 4, "127.0.0.1", waiting=1, profile="uzb-liaison"),
    Row("node down, reading", lambda _: ["inbox"], "node_unreachable", 4, "127.0.0.1", profile="uzb-liaison"),
    Row("a full disk", _full_disk, "disk_full", 4, "kaz-liaison"),
    Row("an unknown map", lambda d: ["import", "seizures", d.write("t.csv", "A\n1\n"), "--map", "none.toml"],
        "file_unreadable", 3, "none.toml"),
    Row("a bad map", lambda d: ["import", "seizures", d.write("t.csv", "A\n1\n"), "--map", d.write("m.toml", "x = 1")],
        "bad_map", 3, "m.toml"),
    Row("a table that is not there", lambda _: ["import", "seizures", "no.csv"], "file_unreadable", 3, "no.csv"),
    Row("a table that does not fit", lambda d: ["import", "seizures", d.write("t.csv", "A\n1\n"), "--map", "ids"],
        "bad_map", 3, "ids"),
    Row("changed evidence", lambda d: _evidence(d, _flipped), "bad_evidence", 5, "evidence.zip"),
    Row("cut evidence", lambda d: _evidence(d, lambda data: data[:-30]), "bad_evidence", 5, "evidence.zip"),
    Row("evidence that is none", lambda d: _evidence(d, lambda _: b"no"), "bad_evidence", 5, "evidence.zip"),
    Row("evidence that is not there", lambda _: ["audit", "verify", "no.zip"], "file_unreadable", 3, "no.zip"),
    Row("disclosure without a reason", lambda d: _disclosing(d, "--whom", "a court"),
        "reason_missing", 3, "--disclose-part"),
    Row("disclosure to nobody", lambda d: _disclosing(d, "--reason", "case 1"), "usage", 2, "--whom"),
    Row("disclosure of no part", lambda d: _disclosing(d, *WHY, part="7"), "part_missing", 3, "7"),
    Row("disclosure for no purpose", lambda d: _disclosing(d, *WHY, "--purpose", "fun"), "usage", 2, "paiza audit"),
    Row("a file that exists", _existing, "file_unwritable", 3, "there.zip"),
    Row("an unknown command", lambda _: ["fly"], "usage", 2, "paiza"),
    Row("an unknown option", lambda _: ["inbox", "--up"], "usage", 2, "paiza inbox"),
    Row("an unknown kind", lambda _: ["send", "telegram"], "usage", 2, "paiza send"),
    Row("a time that is none", lambda _: ["inbox", "--since", "never"], "usage", 2, "paiza inbox"),
    Row("nothing to export", lambda _: ["export"], "usage", 2, "paiza export"),
    Row("an unknown message in the outbox", lambda _: ["outbox", "drop", "ab", "--yes"], "unknown_id", 3, "ab"),
)  # fmt: skip


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three members; the node of uzb does not run."""
    with Federation.create(tmp_path_factory.mktemp("errors") / "f", ["kaz", "tjk", "uzb"]) as federation:
        federation.start("kaz", "tjk")
        yield federation
        federation.stop()


@pytest.fixture(scope="module")
def sent(federation: Federation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two messages that kaz sent to tjk, so that ids can be ambiguous; the id of one."""
    file = tmp_path_factory.mktemp("draft") / "draft.yaml"
    file.write_text(DRAFT)
    environment = {**os.environ, "PAIZA_HOME": str(federation.home)}
    command = [sys.executable, "-m", "paiza_client", "send", "free-message", str(file)]
    first, _second = (
        subprocess.run(
            [*command, "--json", "--profile", "kaz-liaison"], env=environment, capture_output=True, check=True
        )
        for _ in range(2)
    )
    yield json.loads(first.stdout)["id"]
    language.use("en")


@pytest.fixture
def desk(federation: Federation, sent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A home with copies of all profiles, so that a row can spoil one."""
    for name in ("PAIZA_LANG", "PAIZA_PASSPHRASE_FILE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANGUAGE", "en")
    home = tmp_path / "home"
    shutil.copytree(federation.home, home)
    monkeypatch.setenv("PAIZA_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return Desk(home, tmp_path, federation, sent, monkeypatch)


@pytest.mark.parametrize("lang", ["ru", "en"])
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_each_error_is_told_and_loses_nothing(
    desk: Desk, row: Row, lang: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The officer reads what is wrong, where, and what to do, in the language asked for; a script reads the same."""
    if row.profile:
        desk.patch.setenv("PAIZA_PROFILE", row.profile)
    else:
        desk.patch.setenv("PAIZA_PROFILE", "")
    arguments = [*row.prepare(desk), "--lang", lang]
    capsys.readouterr()

    assert run(arguments) == row.code
    text = capsys.readouterr().err
    told = error_help.remedy(row.reason)
    language.use("ru" if lang == "ru" else "en")
    what, where, to_do, reason = LABELS[lang]
    sentence = "" if row.reason == "usage" else language._(told.what)  # of the command line, the fault itself is told
    if row.more:
        sentence += f" {language._(row.more)}"
    assert re.search(rf"^{what} {re.escape(sentence) or '.+'}$", text, re.MULTILINE), text
    assert row.where in text
    assert not row.where or where in text
    assert to_do in text
    assert f"{reason} {row.reason}" in text
    assert "Traceback" not in text

    assert run([*arguments, "--json"]) == row.code
    error = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (error["reason"], error["exit_code"]) == (row.reason, row.code)
    assert sentence in {"", error["what"]}
    assert error["what"]
    assert error["remedy"]
    assert row.where in error["where"] + "".join(each["where"] for each in error.get("problems", []))

    outbox = desk.home / (row.profile or "kaz-liaison") / "outbox"
    # The row ran twice: what could not be sent waits once for each.
    assert len(list(outbox.glob("*.batch"))) == 2 * row.waiting
    draft = desk.folder / "draft.yaml"
    assert not draft.exists() or draft.read_text()


def test_a_peer_that_is_down_is_no_error(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """A message for a member whose node is away is released at once and shown as waiting."""
    desk.patch.setenv("PAIZA_PROFILE", "kaz-liaison")
    assert run([*_draft(desk, "tjk", "uzb"), "--json"]) == 0
    message_id = json.loads(capsys.readouterr().out)["id"]
    assert run(["thread", message_id, "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert [(each["recipient"], each["state"]) for each in listed["deliveries"]] == [("uzb", "waiting")]


def test_a_defect_of_ours_shows_no_traceback_and_no_content(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """An unforeseen exception is told as a defect with its place, without its text, and exits with 1."""
    desk.patch.setenv("PAIZA_PROFILE", "kaz-liaison")

    def fail(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("the name of an invented person")

    desk.patch.setattr("paiza_client.cli.display.listing", fail)
    assert run(["inbox", "--lang", "ru"]) == 1
    text = capsys.readouterr().err
    assert "internal_error (RuntimeError at " in text
    assert "Traceback" not in text
    assert "invented person" not in text


def test_the_process_itself_exits_with_the_code(desk: Desk) -> None:
    """The command exits with the documented code, and prints only the error on standard error."""
    command = [sys.executable, "-m", "paiza_client", "open", "ffffffffffff", "--profile", "kaz-liaison", "--lang", "ru"]
    done = subprocess.run(command, env={**os.environ, "PAIZA_HOME": str(desk.home)}, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.decode().startswith("Ошибка: По этому номеру ничего не найдено.")
