"""The second verifier shares nothing with ours, and both say the same of every file, good or tampered with."""

import ast
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from paiza.core.v1 import log_pb2, message_pb2
from paiza_client.evidence import container
from paiza_wire import log_entries
from paiza_wire.identity import SpiffeId, certificates, keys, load_certificate
from paiza_wire.message import signed_message
from tests.evidence import ANNEX, PHOTO, PLAINTEXT, Case, Court
from tests.log_entries import entry_of
from tests.two_verifiers import PROGRAM, agreed, ours, remembering_sets
from tests.unit.paiza_wire.mutating import mutated, mutations


@pytest.fixture(scope="module")
def second() -> Iterator[ModuleType]:
    """The second verifier; both verify each set of the register once, which most changes leave as it was."""
    with remembering_sets() as verifier:
        yield verifier


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Court:
    """Five members' logs and keys."""
    return Court(tmp_path_factory.mktemp("court") / "federation")


def plain(court: Court) -> Case:
    """Make the evidence of a message that both recipients received, which nobody witnessed yet."""
    return court.case().release().receive("tjk").receive("uzb")


def refused(court: Court) -> Case:
    """Make the evidence of one that was refused by one and not answered by the other."""
    case = court.case().release()
    case.add("answers", "tjk", log_pb2.LOG_EVENT_REFUSED, counterpart="kaz", reason="policy_denied")
    return case


def rich(court: Court) -> Case:
    """Make evidence that has everything: two signers, an annex, an attachment, passed on, opened, cosigned, erased."""
    case = court.case(signers=("kaz-liaison", "kaz-authoriser"), annex=True, attachment=True).release()
    case.receive("tjk").receive("uzb")
    officer = "spiffe://tjk.paiza.example/officer/liaison"
    case.add("forwarded", "tjk", log_pb2.LOG_EVENT_FORWARDED, counterpart="kgz", actor=officer, purpose="detect")
    case.receive("kgz", "tjk")
    case.add(
        "others",
        "tjk",
        log_pb2.LOG_EVENT_RECEIVED,
        counterpart="kaz",
        attachment=log_pb2.LoggedAttachment(part_number=2),
    )
    case.add("others", "tjk", log_pb2.LOG_EVENT_OPENED, actor=officer, part_number=0)
    case.add("others", "kaz", log_pb2.LOG_EVENT_EXPORTED, actor="spiffe://kaz.paiza.example/officer/liaison")
    case.add("others", "tjk", log_pb2.LOG_EVENT_RECALLED, counterpart="kaz", recall_digest=bytes(32))
    case.add("others", "kgz", log_pb2.LOG_EVENT_ERASED, counterpart="kaz", request_digest=bytes(32))
    case.add("others", "uzb", log_pb2.LOG_EVENT_ERASURE_DENIED, counterpart="kaz", request_digest=bytes(32))
    return case.witness().witness("answers").witness("forwarded", before=None).witness("others", 1, before=3)


def erased(court: Court) -> Case:
    """Make the evidence of a message whose ciphertexts are gone."""
    case = plain(court)
    case.add("others", "kaz", log_pb2.LOG_EVENT_ERASED)
    stripped = message_pb2.SignedMessage.FromString(case.signed)
    del stripped.parts[:]
    stripped.subject = b""
    case.signed = stripped.SerializeToString(deterministic=True)
    return case


def later(court: Court) -> Case:
    """Make evidence that spans more versions of the register than sixteen, each answer under one of its own."""
    case = court.case().release()
    for _ in range(17):
        court.publish()
    case.register_version = court.register.version
    return case.receive("tjk").witness("answers")


GOOD: Mapping[str, Callable[[Court], tuple[bytes, Court]]] = {
    make.__name__: lambda court, make=make: (make(court).pack(), court) for make in (plain, refused, rich, erased)
} | {"disclosed": lambda court: (rich(court).pack([0, 1, 2]), court)}


def test_it_is_short_and_needs_nothing_else() -> None:
    """Under 950 lines, and every import is of the standard library or of cryptography."""
    text = PROGRAM.read_text()
    assert len(text.splitlines()) < 950
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        if isinstance(node, ast.ImportFrom):
            assert not node.level
            imported.add((node.module or "").split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}
    assert "__import__" not in text
    assert "importlib" not in text


@pytest.mark.parametrize(("lang", "said"), [("en", "needs cryptography 50 or newer"), ("ru", "версии 50 или новее")])
def test_an_old_cryptography_is_told_in_one_line(tmp_path: Path, lang: str, said: str) -> None:
    """Without the library nothing is verified: exit code 3 is not that of what is not proven."""
    old = tmp_path / "cryptography"
    old.mkdir()
    (old / "__init__.py").write_text("__version__ = '43.0.0'\n")
    ran = subprocess.run(
        [sys.executable, str(PROGRAM), "--lang", lang, "evidence.zip", "root.json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (3, "")
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_the_disclosed_parts_are_written_into_a_new_folder(
    court: Court, second: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder need not exist; what is written is what was disclosed."""
    data, _court = GOOD["disclosed"](court)
    evidence, root, folder = tmp_path / "evidence", tmp_path / "root.json", tmp_path / "a" / "b"
    evidence.write_bytes(data)
    root.write_bytes(court.root)
    assert second.main(str(evidence), str(root), str(folder)) == 0
    assert capsys.readouterr().out.startswith("PROVEN\n")
    assert [(folder / f"part-{number}.bin").read_bytes() for number in (0, 1)] == [PLAINTEXT, ANNEX]


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        (
            "en",
            (
                "PROVEN",
                "Forwarded: tjk -> kgz, without the nominal annex, ",
                "Opened: tjk, part 0, ",
                "Not erased: legal hold: uzb, ",
                "the time is this log's own word",
                "No answer in this file: kgz",
                "Ciphertexts not in this file: 2",
                "Part disclosed: 0, ",
            ),
        ),
        (
            "ru",
            (
                "ДОКАЗАНО",
                "Передано третьей стороне: tjk -> kgz, без приложения с персональными данными, ",
                "Открыто: tjk, часть 0, ",
                "Не удалено: запрет на удаление: uzb, ",
                "время только по данным этого журнала",
                "В этом файле нет ответа: kgz",
                "В этом файле нет шифртекстов частей: 2",
                "Раскрыта часть: 0, ",
            ),
        ),
    ],
)
def test_what_is_proven_is_told_in_words(
    court: Court, second: ModuleType, lang: str, expected: tuple[str, ...]
) -> None:
    """Every claim in one of two languages, with its time; what the file lacks is named as well."""
    case = court.case(recipients=["tjk", "uzb", "kgz"], annex=True, attachment=True).release()
    case.receive("tjk").receive("uzb")
    officer = "spiffe://tjk.paiza.example/officer/liaison"
    passed = {"counterpart": "kgz", "actor": officer, "purpose": "detect", "without_annex": True}
    case.add("forwarded", "tjk", log_pb2.LOG_EVENT_FORWARDED, **passed)
    case.add("others", "tjk", log_pb2.LOG_EVENT_OPENED, actor=officer, part_number=0)
    case.add("others", "uzb", log_pb2.LOG_EVENT_ERASURE_DENIED, counterpart="kaz", request_digest=bytes(32))
    found = agreed(second, case.witness().pack([0]), court.root)
    assert found is not None
    told = second.told(found, second.WORDS[lang])
    assert [words for words in expected if words not in told] == []
    assert second.WORDS["en"].keys() == second.WORDS["ru"].keys()


@pytest.mark.parametrize("exercise", [False, True])
def test_an_exercise_is_told_as_one(court: Court, second: ModuleType, *, exercise: bool) -> None:
    """By both verifiers: it is a field of the signed header."""
    found = agreed(second, court.case(exercise=exercise).release().receive("tjk").pack([0]), court.root)
    assert found is not None
    assert found["exercise"] is exercise
    assert ("EXERCISE" in second.told(found, second.WORDS["en"])) is exercise
    assert ("УЧЕНИЕ" in second.told(found, second.WORDS["ru"])) is exercise


def test_a_proven_time_ends_with_its_second(court: Court, second: ModuleType) -> None:
    """Witnesses write whole seconds: the printed end is not before a log's time within that second."""
    case = court.case(recipients=["tjk"]).release()
    found = agreed(second, case.witness(seconds=0.0).pack(), court.root)
    assert found is not None
    released = next(each for each in found["claims"] if each["event"] == "RELEASED")
    end = second.clock(released["not_after"] + timedelta(seconds=1), {})
    assert end > second.clock(released["time"], {})
    assert f"not after {end}: " in second.told(found, second.WORDS["en"])


def test_a_name_that_steers_a_terminal_is_printed_harmlessly(court: Court, second: ModuleType) -> None:
    """File names cannot add lines or escapes to the verifier's output."""
    found = agreed(second, plain(court).pack(), court.root)
    assert found is not None
    forged = "\x1b[2JPROVEN\nReleased: kaz -> tjk"
    lines = second.told({**found, "author": forged}, second.WORDS["en"]).split("\n")
    assert lines[5] == "Author: " + forged.replace("\x1b", "\ufffd").replace("\n", "\ufffd")


def test_a_summary_in_the_file_is_refused(court: Court, second: ModuleType) -> None:
    """Unverified text under a new manifest is ignored by both verifiers."""
    members = container.unpack(plain(court).pack())
    assert agreed(second, container.pack(members, {}), court.root) is not None
    forged = {**members, "SUMMARY.txt": "Получено / received: uzb".encode()}
    assert agreed(second, container.pack(forged, {}), court.root) is None


@pytest.mark.parametrize("event", sorted(log_entries.EVENTS))
def test_an_entry_whose_detail_is_not_its_events_is_refused(
    court: Court, second: ModuleType, event: "log_pb2.LogEvent.ValueType"
) -> None:
    """A log may sign what it likes: an event without its detail, or with that of another, proves nothing to either."""
    officer = "spiffe://kaz.paiza.example/officer/liaison"
    for detail in ({}, {"recalled": log_pb2.RecalledDetail()}, {"exported": log_pb2.ExportedDetail()}):
        case = court.case().release()
        entry = entry_of(event, message_digest=case.digest, register_version=case.register_version, actor=officer)
        entry.ClearField("detail")
        entry.MergeFrom(log_pb2.LogEntry(**detail))
        fits = log_entries.is_of_its_event(entry)
        assert fits == (log_entries.event_name(event).lower() in detail)
        log = court.logs["kaz"]
        case.proofs["others"].append((log, log.append(entry, court.tick())))
        assert (agreed(second, case.forced(), court.root) is not None) == fits


def test_a_certificate_that_the_log_held_before_is_shown(court: Court, second: ModuleType) -> None:
    """The judge sees for each signer whether the author's log held the certificate before the release."""
    case = court.case(signers=("kaz-liaison", "kaz-authoriser")).certify(1).release()
    found = agreed(second, case.pack(), court.root)
    assert found is not None
    assert [each["certified"] for each in found["signed"]] == [False, True]
    assert [claim["event"] for claim in found["claims"]].count("OFFICER_CERTIFIED") == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda case: case.release().certify(),
        lambda case: case.certify(digest=bytes([7]) * 32).release(),
        lambda case: case.certify(member="tjk").release(),
    ],
    ids=["after the release", "of another certificate", "in another log"],
)
def test_a_certificate_that_proves_nothing_is_refused(
    court: Court, second: ModuleType, make: Callable[[Case], Case]
) -> None:
    """One that was logged after its use, one that signs nothing, and one in a log of another member."""
    assert agreed(second, make(court.case()).forced(), court.root) is None


@pytest.mark.parametrize("name", GOOD)
def test_both_say_the_same_of_good_files(court: Court, second: ModuleType, name: str) -> None:
    """Every kind of evidence holds with both, and they prove the same claims with the same intervals."""
    data, _court = GOOD[name](court)
    found = agreed(second, data, court.root)
    assert found is not None
    witnessed = [claim for claim in found["claims"] if claim["not_after"] is not None]
    assert len(witnessed) == (4 if name in {"rich", "disclosed"} else 0)
    opened = dict(found["disclosed"])
    assert opened.pop(2, b"")[-len(PHOTO) :] == (PHOTO if name == "disclosed" else b"")
    assert opened == ({0: PLAINTEXT, 1: ANNEX} if name == "disclosed" else {})
    there = {"erased": [], "rich": [0, 1], "disclosed": [0, 1, 2]}
    assert found["parts"] == there.get(name, [0])


def test_more_registers_than_sixteen(second: ModuleType, tmp_path: Path) -> None:
    """A message answered long after its release is proven with every set of the register between."""
    court = Court(tmp_path / "federation")
    data = later(court).pack()
    found = agreed(second, data, court.root)
    assert found is not None
    assert sum(name.endswith(".json") for name in container.unpack(data)) > 17


def tampered(members: Mapping[str, bytes], other: Mapping[str, bytes]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Damage every member in every way, and put members of other evidence, or other members, in its place."""
    names = sorted(members)
    for name, data in members.items():
        changed: dict[str, bytes | None] = {
            "removed": None,
            "emptied": b"",
            "truncated": data[:-1],
            "lengthened": data + b"\0",
            "ended twice": data + b"\n",
            "replayed": other.get(name, data),
        }
        for place, bit in (
            {0: 0x01, len(data) // 3: 0x20, len(data) // 2: 0x01, len(data) - 1: 0x20}.items() if data else ()
        ):
            changed[f"bit {bit:#x} at {place}"] = data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
        alike = [each for each in names if each != name and each.rpartition(".")[2] == name.rpartition(".")[2]]
        for each in alike[:2] if not name.startswith("register/files/") else alike[:1]:
            changed[f"is {each}"] = members[each]
        for how, content in changed.items():
            if content != data:
                kept = {each: members[each] for each in names if each != name}
                yield f"{name} {how}", kept if content is None else {**kept, name: content}


def test_every_member_tampered_with(court: Court, second: ModuleType) -> None:
    """Both verifiers refuse a forged file with a fresh manifest, or prove the same of the rest."""
    members = container.unpack(rich(court).pack([0, 2]))
    other = container.unpack(rich(court).pack([0, 2]))
    whole = said(agreed(second, container.pack(members, {}), court.root))
    for what, changed in tampered(members, other):
        found = agreed(second, container.pack(changed, {}), court.root, what)
        # Nobody is kept from giving away less: a key, or the cosignature of one witness more than are needed.
        assert found is None or said(found) == whole, what


def said(found: dict[str, Any] | None) -> object:
    """Return what is claimed, without when, by how many, and what is disclosed."""
    assert found is not None
    names = ("event", "member", "where", "part", "time", "actor", "counterpart", "reason", "time_contradicted")
    claims = [{name: claim[name] for name in names} for claim in found["claims"]]
    return claims, found["digest"], [(each["id"], each["certificate_sha256"]) for each in found["signed"]]


def test_every_byte_of_the_container(court: Court, second: ModuleType) -> None:
    """A flipped bit anywhere in the file, its ZIP structure included, is refused by both."""
    data = plain(court).pack()
    for place in range(0, len(data), len(data) // 150):
        changed = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
        assert agreed(second, changed, court.root, place) is None


@pytest.mark.parametrize("kind", [message_pb2.SignedMessage, message_pb2.Header, log_pb2.LogEntry])
def test_every_field_tampered_with(court: Court, second: ModuleType, kind: type[Any]) -> None:
    """Each field of the message, of its header and of an entry, changed in every way it can be, is refused by both."""
    members = container.unpack(rich(court).pack([0]))
    signed = message_pb2.SignedMessage.FromString(members["message.bin"])
    for path, how in mutations(kind.DESCRIPTOR):
        for name in ["message.bin"] if kind is not log_pb2.LogEntry else ["entries/000.entry", "entries/004.entry"]:
            whole = kind.FromString(signed.header if kind is message_pb2.Header else members[name])
            try:
                data = mutated(whole, path, how).SerializeToString(deterministic=True)
            except (AssertionError, ValueError, TypeError, IndexError):
                continue  # nothing is there that could be changed so
            if kind is message_pb2.Header:
                data = message_pb2.SignedMessage(
                    header=data, signatures=signed.signatures, subject=signed.subject, parts=signed.parts
                ).SerializeToString(deterministic=True)
            changed = container.pack({**members, name: data}, {})
            found = agreed(second, changed, court.root, (name, path, how))
            # A ciphertext may be left out: what became of the message is proven all the same.
            assert found is None or (path == "parts" and found["parts"] != [0, 1]), (name, path, how)


def test_files_of_the_register_tampered_with(court: Court, second: ModuleType) -> None:
    """A file of the register that is changed and filed anew under its own digest is refused, or changes nothing."""
    members = container.unpack(plain(court).pack())
    (index,) = (name for name in members if name.startswith("register/") and name.endswith(".json"))
    listed = evidence_index(members[index])
    for path, digest in listed.items():
        data = members[f"register/files/{digest}"]
        for place in range(0, len(data), max(len(data) // 12, 1)):
            changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            renamed = {**listed, path: sha256(changed).hexdigest()}
            filed = {name: each for name, each in members.items() if name != f"register/files/{digest}"}
            filed |= {f"register/files/{renamed[path]}": changed, index: json.dumps(renamed).encode()}
            found = agreed(second, container.pack(filed, {}), court.root, (path, place))
            # In place of the first root stands the reader's own.
            assert found is None or path == "metadata/1.root.json", (path, place)


def evidence_index(data: bytes) -> dict[str, str]:
    """Read the list of the files of one set."""
    listed: dict[str, str] = json.loads(data)
    return listed


def test_two_signers_of_one_key_are_refused(court: Court, second: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CA certified one key under two names. Each verifier refuses, where only that check is in the way."""
    liaison, authoriser = (court.officers[name] for name in ("kaz-liaison", "kaz-authoriser"))
    ca = load_certificate(court.register.member("kaz").authority.officer_cas[0].certificate)
    ca_key: Any = keys.private_key_from_pem((court.folder / "trust/kaz/officer-ca.key").read_bytes())
    key: Any = load_certificate(liaison.signer.certificate).public_key()
    begins, ends = court.now - timedelta(days=1), court.now + timedelta(days=1)
    certificate = certificates.issue(key, ca, ca_key, SpiffeId.parse(authoriser.id), "signing", begins, ends)
    own = authoriser.signer
    try:
        authoriser.signer = replace(own, certificate=certificate, sign=liaison.signer.sign)
        with monkeypatch.context() as patch:
            patch.setattr(signed_message, "_check_keys_differ", lambda _signers: None)
            data = court.case(signers=("kaz-liaison", "kaz-authoriser")).release().pack()
            assert ours(data, court.root)
    finally:
        authoriser.signer = own
    assert agreed(second, data, court.root) is None
    assert agreed(second, court.case(signers=("kaz-liaison", "kaz-authoriser")).release().pack(), court.root)


def test_another_root_vouches_for_nothing(court: Court, second: ModuleType, tmp_path: Path) -> None:
    """Evidence holds under its own federation's root only."""
    other = Court(tmp_path / "other", ["kaz", "tjk"])
    assert agreed(second, plain(court).pack(), other.root) is None


def test_every_line_of_proofs_and_notes(court: Court, second: ModuleType) -> None:
    """Lines of a proof or a note left out, doubled, exchanged, ended otherwise: both say the same of what is left."""
    members = container.unpack(rich(court).pack())
    whole = said(agreed(second, container.pack(members, {}), court.root))
    # One of its log alone, one that is cosigned, a note before, and growth of some length.
    texts = ["entries/001.tlog-proof", "entries/000.tlog-proof", "entries/000.before"]
    texts += [name for name, data in members.items() if name.endswith(".growth") and data][:1]
    for name in texts:
        lines = members[name].split(b"\n")
        for place, line in enumerate(lines):
            before, after = lines[:place], lines[place + 1 :]
            for how, changed in {
                "left out": [*before, *after],
                "doubled": [*before, line, line, *after],
                "exchanged": [*before, *after[:1], line, *after[1:]],
                "ended otherwise": [*before, line + b"\r", *after],
                "spaced": [*before, line.replace(b" ", b"  ", 1), *after],
            }.items():
                data = container.pack({**members, name: b"\n".join(changed)}, {})
                found = agreed(second, data, court.root, (name, place, how))
                assert found is None or said(found) == whole, (name, place, how)


def test_every_byte_of_the_manifest(court: Court, second: ModuleType) -> None:
    """A manifest that is changed, in a ZIP file made anew, is refused by both, or what it changed proves nothing."""
    data = plain(court).pack()
    members = container.unpack(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        manifest = archive.read("manifest.json")
    for place in range(0, len(manifest), 7):
        for bit in (0x01, 0x10):
            changed = manifest[:place] + bytes([manifest[place] ^ bit]) + manifest[place + 1 :]
            agreed(second, container._zip({**members, "manifest.json": changed}), court.root, (place, bit))
    for text in (manifest.replace(b'"size": ', b'"size": 1'), manifest.replace(b'"size"', b'"more": 1, "size"'),
                 manifest.replace(b'"version": 2', b'"version": 1'), b"[]", b"{}", b"", b"\xff"):  # fmt: skip
        assert agreed(second, container._zip({**members, "manifest.json": text}), court.root, text) is None


def test_every_other_encoding_of_a_message(court: Court, second: ModuleType) -> None:
    """The same message written in another way, or with more in it, is refused by both."""
    case = rich(court)
    members = container.unpack(case.pack())
    data = members["message.bin"]
    signed = message_pb2.SignedMessage.FromString(data)
    header = message_pb2.SignedMessage(header=signed.header).SerializeToString()
    rest = data.removeprefix(header)
    length = len(signed.header)
    overlong = b"\x0a" + bytes([length & 127 | 128, length >> 7 | 128, 0]) + signed.header
    for other in (
        rest + header,  # in another order
        header + data,  # the header twice
        overlong + rest,  # a length longer than it need be
        data + b"\x7a\x00",  # a field nobody knows
        data + b"\x1a\x02\x08\x01",  # a wrap behind all
        case.signed,  # with its wraps
        data + b"\x22\x00",  # an empty part
        data[:-1],
        b"",
    ):
        assert agreed(second, container.pack({**members, "message.bin": other}, {}), court.root, other) is None
    entry = members["entries/000.entry"]
    for other in (entry + b"\x38\x00", b"\x10\x03" + entry, entry.replace(b"\x10\x03", b"\x10\x83\x00", 1)):
        assert agreed(second, container.pack({**members, "entries/000.entry": other}, {}), court.root, other) is None
