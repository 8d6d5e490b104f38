"""Targets of files: the register's, those of ceremonies, evidence, backups, settings, drafts, tables to import."""

import io
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from importlib import resources
from pathlib import Path
from random import Random
from typing import Final

from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from paiza_client.data import imports
from paiza_client.data.imports import maps, rows
from paiza_client.evidence import container
from paiza_domain import directory, kinds, reference
from paiza_domain.directory.content import Known
from paiza_domain.drafts import drafts, yaml_tree
from paiza_domain.drafts.templates import Form, template
from paiza_node.features.officers import admit
from paiza_node.ops import config
from paiza_node.ops.backup import container as backups
from paiza_node.ops.backup import record
from paiza_node.ops.issuer import settings as issuer_settings
from paiza_officer import profiles
from paiza_register import documents, load_set
from paiza_register.agreements import check_agreements
from paiza_register.ceremony import Circumstances, Proposal
from paiza_register.ceremony.application import Application
from paiza_register.ceremony.change import RESIGN, change
from paiza_register.register_file import RegisterFile
from paiza_register.tuf_workflow import parse
from paiza_trust.apply import CLASSIFICATION_CEILING, NodeFolder, apply
from paiza_trust.key_folder import KeyFolder
from paiza_trust.names import names_of
from paiza_wire.errors import Rejected
from tests import two_verifiers
from tests.evidence import Court
from tests.fuzz.mutating import mutate_as_text, mutate_bytes, mutate_json
from tests.fuzz.target import DefectError, Mutate, Target, demand
from tests.registers import base_of, newest
from tests.unit.paiza_register.conftest import Holder

FORMS: Final[tuple[Form, ...]] = ("long", "short")
HEAD_BYTES: Final = 1


def file_targets(court: Court, folder: Path) -> Iterator[Target]:
    """Return the targets; ``folder`` is for files that are read by their paths."""
    yield from _register(court)
    yield from _ceremonies(court)
    yield from _evidence(court)
    yield _backup(court, folder)
    yield from _settings(court, folder)
    yield from _drafts()
    yield from _tables()


def _register(court: Court) -> Iterator[Target]:
    holder = court._holder.copy()
    paths = sorted(path for path in holder.documents if path.endswith(".json"))
    second = two_verifiers.second_verifier()

    def register(data: bytes) -> bool:
        """A document is changed by the one who signs it: both verifiers must take the set, or refuse it."""
        if not data:
            return False
        path = paths[data[0] % len(paths)]
        changed = holder.copy()
        changed.put(path, data[1:])
        files = changed.files()
        try:
            found = load_set(files, holder.bootstrap, None)
        except Rejected:
            found = None
        try:
            theirs = second.Register(files, holder.bootstrap)
        except Exception:  # noqa: BLE001 - whatever it raises, it has refused
            theirs = None
        # The second verifier does not read what evidence does not need: names, endpoints, keys for encryption. It may
        # take more, and never less.
        if found is None:
            return False
        if theirs is None:
            raise DefectError(f"{path}: the second verifier refuses a set that ours takes")
        demand(set(found.members) <= set(theirs.cas), f"{path}: only the second verifier finds a member at fault")
        demand(found.active_ids <= theirs.active, f"{path}: a member is active for ours alone")
        return not found.unusable

    seeds = [bytes([number]) + holder.documents[path] for number, path in enumerate(paths)]
    yield Target("register-document", register, seeds, _behind_head(mutate_json), executions=20)
    yield from _documents(holder, paths)
    yield from _published(court)
    yield from _metadata(holder)


def _documents(holder: Holder, paths: list[str]) -> Iterator[Target]:
    federation = documents.Federation(holder.documents["federation.json"])
    members = [path for path in paths if path.endswith("/member.json")]

    def member(data: bytes) -> bool:
        member_id = members[data[0] % len(members)].split("/")[1] if data else ""
        return bool(member_id) and bool(documents.parse_member(member_id, federation, data[1:], frozenset()))

    seeds = [bytes([number]) + holder.documents[path] for number, path in enumerate(members)]
    yield Target("member.json", member, seeds, _behind_head(mutate_json), executions=300)


def _published(court: Court) -> Iterator[Target]:
    parsers: Mapping[str, Callable[[bytes], object]] = {
        "federation.json": documents.Federation,
        "revoked.json": lambda data: documents.parse_revoked("kaz", data),
        "liaison.json": lambda data: directory.read("kaz", data),
    }
    whole = newest(court.folder)
    published = {path.split("/")[-1].split(".", 1)[-1]: data for path, data in whole.files.items()}
    for name, parser in parsers.items():
        yield Target(name, partial(_parses, parser), [published[name]], mutate_json)
    references: dict[str, bytes] = {
        path: published[path.rpartition("/")[2]]
        for path in ("reference-substances.json", "reference-controls.json", "reference-legal.json")
        if path in published
    }
    references |= {"members/kaz/profile.json": published["profile.json"]} if "profile.json" in published else {}
    names = sorted(references)

    def refer(data: bytes) -> bool:
        if not data:
            return False
        reference.read({**references, names[data[0] % len(names)]: data[1:]})
        return True

    if names:
        seeds = [bytes([number]) + references[name] for number, name in enumerate(names)]
        yield Target("reference-data", refer, seeds, _behind_head(mutate_json), executions=20, max_bytes=1 << 22)
    yield Target(
        "register-file", lambda data: bool(RegisterFile.read(data)), [whole.to_bytes()], mutate_json, 20, 1 << 23
    )
    agreement = (
        b'permit (principal, action == Paiza::Action::"list", resource) when { principal.roles.contains("duty") };'
    )

    def cedar(data: bytes) -> bool:
        check_agreements({"agreement-exercise.cedar": data.decode("utf-8", "replace")})
        return True

    yield Target("agreement.cedar", cedar, [agreement], mutate_as_text, executions=100)


def _metadata(holder: Holder) -> Iterator[Target]:
    whole_set = holder.files()
    kinds_of = (Root, Timestamp, Snapshot, Targets)
    metadata = [
        next(data for path, data in whole_set.items() if path.startswith("metadata/") and path.endswith(end))
        for end in (".root.json", "timestamp.json", ".snapshot.json", ".targets.json")
    ]

    def tuf(data: bytes) -> bool:
        """Metadata are changed by those who sign them."""
        if not data:
            return False
        kind = kinds_of[data[0] % len(kinds_of)]
        changed = holder.copy()
        try:
            name = {Root: "root", Timestamp: "timestamp", Snapshot: "snapshot", Targets: "top"}[kind]
            setattr(changed, name, parse(kind, data[1:]).signed)
            files = changed.files()
        except Exception:  # noqa: BLE001 - nobody can sign it
            return False
        load_set(files, holder.bootstrap, None)
        return True

    seeds = [bytes([number]) + data for number, data in enumerate(metadata)]
    yield Target("tuf-metadata", tuf, seeds, _behind_head(mutate_json), executions=30)
    paths_of = sorted(path for path in whole_set if path.startswith("metadata/"))

    def unsigned(data: bytes) -> bool:
        """Any file of the register is changed by who does not hold its keys."""
        if not data:
            return False
        load_set({**whole_set, paths_of[data[0] % len(paths_of)]: data[1:]}, holder.bootstrap, None)
        return True

    seeds = [bytes([number]) + whole_set[path] for number, path in enumerate(paths_of)]
    yield Target("unsigned-metadata", unsigned, seeds, _behind_head(mutate_json), executions=40)


def _parses(parser: Callable[[bytes], object], data: bytes) -> bool:
    return parser(data) is not None


def _behind_head(mutate: Mutate) -> Mutate:
    """Change what follows the first byte, which says what it is."""

    def changed(random: Random, data: bytes) -> bytes:
        return data[:HEAD_BYTES] + mutate(random, data[HEAD_BYTES:])

    return changed


def _ceremonies(court: Court) -> Iterator[Target]:
    base = base_of(court.folder)
    pair = KeyFolder(court.folder / "trust/kaz").pair("custodian-kaz")
    proposal = Proposal(change(RESIGN, base, datetime.now(UTC)))
    signed = proposal.signed_with(pair, Circumstances(datetime.now(UTC), "clock of the test"))

    def read(data: bytes) -> bool:
        found = Proposal.read(data, lambda _name: base)
        again = Proposal.read(found.to_bytes(with_register=False), lambda _name: base)
        demand(again.fingerprint == found.fingerprint, "a proposal read again is another")
        return True

    yield Target("proposal", read, [signed.to_bytes(with_register=False)], mutate_json, 100, 1 << 22)
    own = KeyFolder(court.folder / "trust/kaz")
    applied = apply(
        NodeFolder.open(court.folder / "nodes/kaz"), own, names_of("kaz"), CLASSIFICATION_CEILING, datetime.now(UTC), {}
    )
    yield Target("application", lambda data: bool(Application.read(data)), [applied.data], mutate_json, 100, 1 << 22)
    officers = (court.folder / "nodes/kaz/officers.json").read_bytes()
    yield Target("officers.json", lambda data: bool(admit.read_file(data)), [officers], mutate_json, 100)


def _evidence(court: Court) -> Iterator[Target]:
    second = two_verifiers.second_verifier()
    second.Register = two_verifiers.remembering(second.Register)  # type: ignore[attr-defined]
    case = court.case(annex=True).release().receive("tjk").witness()
    packed = case.pack([0])

    def verified(data: bytes) -> bool:
        try:
            return two_verifiers.agreed(second, data, court.root) is not None
        except AssertionError as error:
            raise DefectError(f"the verifiers disagree: {error}") from error

    yield Target("evidence-file", verified, [packed], mutate_bytes, executions=200)
    members = container.unpack(packed)
    names = sorted(members)

    def repacked(data: bytes) -> bool:
        """A member is changed by one who packs the file anew."""
        if not data:
            return False
        name = names[data[0] % len(names)]
        return verified(container.pack({**members, name: data[1:]}, {}))

    def mutate(random: Random, data: bytes) -> bytes:
        name = names[data[0] % len(names)] if data else ""
        how = mutate_json if name.endswith(".json") or "/files/" in name else mutate_bytes
        if name.endswith(("proof", "before", "growth")):
            how = mutate_as_text
        return data[:HEAD_BYTES] + how(random, data[HEAD_BYTES:])

    seeds = [bytes([number]) + members[name] for number, name in enumerate(names)]
    yield Target("evidence-member", repacked, seeds, mutate, executions=30)


def _backup(court: Court, folder: Path) -> Target:
    stored = folder / "stored"
    stored.write_bytes(b"a database")
    made, path = folder / "made.backup", folder / "input.backup"
    made.unlink(missing_ok=True)
    manifest = backups.Manifest(
        backup_id=bytes(32), member="kaz", federation=court.register.federation, origin="kaz.paiza.example/log/1",
        size=1, messages=0, checkpoint=b"note", database="sqlite", created_time=court.now, with_attachments=False,
        files={},
    )  # fmt: skip
    backups.pack(made, manifest, lambda: {backups.DATABASE: stored})

    def check(data: bytes) -> bool:
        path.write_bytes(data)
        found = backups.check(path)
        demand(backups.read_manifest(path) == found, "the manifest alone is another")
        target = folder / "extracted"
        shutil.rmtree(target, ignore_errors=True)
        backups.extract(path, target)
        demand({each.name for each in target.iterdir()} == {*found.files}, "it writes other files than it names")
        demand(not (folder.parent / "outside").exists(), "it writes outside its folder")
        return True

    def mutate(random: Random, data: bytes) -> bytes:
        """Change the manifest, and write its new size before it."""
        if not random.randrange(3):
            return mutate_bytes(random, data)
        try:
            with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
                held = {each.name: archive.extractfile(each).read() for each in archive if each.isreg()}  # type: ignore[union-attr]
        except (tarfile.TarError, ValueError):
            return mutate_bytes(random, data)
        if not held:
            return mutate_bytes(random, data)
        name = random.choice(sorted(held))
        held[name] = mutate_json(random, held[name])
        if not random.randrange(4):
            held[random.choice(("../outside", "/outside", "x" * 300, name + "\n", "."))] = held[name]
        written = io.BytesIO()
        with tarfile.open(fileobj=written, mode="w:", format=tarfile.PAX_FORMAT) as archive:
            for each, content in held.items():
                info = tarfile.TarInfo(each)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return written.getvalue()

    return Target("backup", check, [made.read_bytes()], mutate, executions=150)


def _settings(court: Court, folder: Path) -> Iterator[Target]:
    path = folder / "node.toml"

    def node(data: bytes) -> bool:
        path.write_bytes(data)
        config.load(path, {})
        return True

    yield Target("node.toml", node, [(court.folder / "nodes/kaz/node.toml").read_bytes()], mutate_as_text, 300)
    profile = folder / "profile"
    profile.mkdir(exist_ok=True)

    def officer(data: bytes) -> bool:
        (profile / "profile.toml").write_bytes(data)
        profiles.load(profile)
        return True

    seed = (court.folder / "home/kaz-liaison/profile.toml").read_bytes()
    yield Target("profile.toml", officer, [seed], mutate_as_text, 300)
    issuer = b'member = "kaz"\nfederation = "paiza.example"\nroot_sha256 = "%s"\nadministrators = []\n' % (b"0" * 64)
    issuer_path = folder / "issuer.toml"

    def settings(data: bytes) -> bool:
        issuer_path.write_bytes(data)
        issuer_settings.load_settings(issuer_path)
        return True

    yield Target("issuer.toml", settings, [issuer], mutate_as_text, 300)
    place = folder / "record"
    place.mkdir(exist_ok=True)
    held = record.BackupRecord(bytes(32), court.now, 1, bytes(32), "/backup", logged=True)
    record.save_record(place, held)
    seed = (place / record.RECORD).read_bytes()

    def made(data: bytes) -> bool:
        (place / record.RECORD).write_bytes(data)
        return record.read_record(place) is not None

    yield Target("backup-record", made, [seed], mutate_json, executions=300)


def _drafts() -> Iterator[Target]:
    now = datetime(2026, 11, 20, tzinfo=UTC)

    def draft(data: bytes) -> bool:
        text = data.decode("utf-8", "replace")
        with suppress(yaml_tree.TreeError):
            yaml_tree.parse(text)
        found = drafts.read(text, now=now)
        again = drafts.read(drafts.write(found), now=now)
        demand(again.content == found.content and again.recipients == found.recipients, "written anew it is another")
        return True

    free = b"""kind: free-message
to: [tjk]
urgency: routine
handling: {tlp: AMBER, code: H2, classification: 1}
review: 3 years
content:
  subject: Exercise
  text: |
    Nothing of this is real.
    Nothing at all.
"""
    templates = [template(kind, "en", form).encode() for kind in kinds.all_kinds().values() for form in FORMS]
    # The templates are no drafts yet, but changes of them get far.
    yield Target("draft", draft, [free], lambda random, data: _or(random, data, templates), executions=100)
    known = Known(frozenset({"seizure-notice"}), frozenset({"kaz", "tjk", "uzb"}))
    text = directory_draft()

    def listed(data: bytes) -> bool:
        directory.read_draft("kaz", data.decode("utf-8", "replace"), known)
        return True

    yield Target("directory-draft", listed, [text], mutate_as_text, executions=150)


def _or(random: Random, data: bytes, others: list[bytes]) -> bytes:
    return mutate_as_text(random, random.choice(others) if not random.randrange(10) else data)


def directory_draft() -> bytes:
    """Return an invented directory as a draft."""
    return """officers:
  - id: petrov
    name: Петров Пётр
    posted_in: kaz
    posting: Astana
    accredited_to: [tjk]
    covers: [tjk]
    kinds: [seizure-notice]
    languages: [ru, en]
    contacts:
      telephone: "+7 000 000 00 00"
      email: liaison@example.org
    hours:
      time_zone: Asia/Almaty
      days: [mon, tue]
      from: "09:00"
      until: "18:00"
    expires: 2027-12-31
duty:
  time_zone: Asia/Almaty
  contacts:
    telephone: "+7 000 000 00 00"
  shifts:
    - from: 2026-11-30 08:00
      until: 2026-12-01 08:00
      officer: petrov
""".encode()


def _tables() -> Iterator[Target]:
    shipped = resources.files(imports).joinpath("ids.toml").read_bytes()

    def table(data: bytes) -> bool:
        return bool(maps.parse_map(data, "fuzzed"))

    yield Target("import-map", table, [shipped], mutate_as_text, executions=100)
    layout = maps.parse_map(shipped, "ids")
    columns = sorted({*layout.columns.values(), *layout.identity})
    separator = layout.separator
    lines = [separator.join(columns), separator.join("1" for _ in columns), separator.join('"a b"' for _ in columns)]
    text = ("\n".join(lines) + "\n").encode(layout.encoding)

    def read(data: bytes) -> bool:
        found = list(rows.read_rows(io.BytesIO(data), layout))
        for row in found:
            if not row.problem and set(layout.identity) <= set(row.values):
                rows.row_digest(row.values, layout)
        return True

    yield Target("import-table", read, [text], mutate_as_text)
