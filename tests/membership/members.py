"""Members in a folder each: their people at desks of their own, their nodes, and the acts that are counted."""

import asyncio
import contextlib
import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Timestamp

from paiza_node.__main__ import run as run_node
from paiza_register import Register, RegisterReader, load_set
from paiza_register.archive import Archive
from paiza_register.open_set import OpenSet
from paiza_register.register_file import RegisterFile
from paiza_register.tuf_workflow import TIMESTAMP_PATH
from paiza_trust.apply import NodeFolder
from paiza_trust.key_folder import KeyFolder
from paiza_wire.identity import SpiffeId
from paiza_wire.identity.private_keys import MLDSA44
from tests import attaching
from tests.federation import NodeProcess, free_ports
from tests.officer import Officer
from tests.profiles import FILES, make_requests
from tests.unit.paiza_trust.ceremony import FEDERATION, found, prepare, trust

T = TypeVar("T")

FOUNDERS: Final = ("kaz", "tjk", "uzb")
NEWCOMER: Final = "kgz"
KEYS: Final = "trust"
NEW_KEYS: Final = "new-trust"
OFFICERS: Final = {"custodian": "custodians", "liaison": "liaison-bureau"}
WITHIN_SECONDS: Final = 600.0  # a limit, not a measure: the machines of tests are shared
POLL_SECONDS: Final = 0.2


class Members:
    """Everybody's folders below one, which no two members share, and the nodes that run."""

    def __init__(self, folder: Path) -> None:
        """Found a federation of three, and start its nodes. The fourth member has an address, and nothing else yet."""
        self.folder = folder
        self.acts: list[str] = []
        everyone = (*FOUNDERS, NEWCOMER)
        first = free_ports(len(everyone))
        self.endpoints = {member: f"127.0.0.1:{first + at}" for at, member in enumerate(everyone)}
        carried = found(folder, {member: self.endpoints[member] for member in FOUNDERS})
        self.root = RegisterFile.read(carried.read_bytes()).first_root
        self.nodes = {member: NodeProcess(member, folder / member / "node") for member in everyone}
        for member in FOUNDERS:
            self.appoint(member)
        self.start(*FOUNDERS)

    def appoint(self, member: str) -> None:
        """Certify a custodian and a liaison officer with the member's CA, list them, and write their profiles."""
        for officer, unit in OFFICERS.items():
            profile = self.folder / "home" / f"{member}-{officer}"
            profile.mkdir(parents=True)
            identity = SpiffeId(member, FEDERATION, "officer", officer)
            requests = make_requests(profile, identity)
            (profile / "root.json").write_bytes(self.root)
            settings = {"id": str(identity), "member": member, "federation": FEDERATION}
            settings |= {"node": self.endpoints[member], "root": "root.json"}
            settings |= FILES
            lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
            (profile / "profile.toml").write_text(lines + "sealed = false\n")
            certify = ("ca", "certify", *requests, "--role", officer, "--unit", unit)
            made = ("-o", profile, "--yes", "--json")
            told = json.loads(trust(*certify, "--keys", self.folder / member / "trust", *made))
            with (self.folder / member / "node/officers.json").open("a") as file:
                file.write(Path(told["admission"]).read_text())

    def act(self, *arguments: object) -> str:
        """Run a command of `paiza-trust` by which somebody decides something, and count it; return what it prints."""
        named = arguments[:2] if arguments[0] == "propose" else arguments[:1]
        self.acts.append(" ".join(str(each) for each in named))
        return trust(*arguments)

    @property
    def told(self) -> str:
        """Return the acts that were counted, in their order."""
        return ", ".join(self.acts)

    def apply(self, member: str, name: str, key_folder: str = KEYS) -> Path:
        """Apply with the node and the keys that a member has already; return the application."""
        application = self.folder / member / name
        names = ("--name-ru", "Член", "--name-en", "Member")
        self.act(
            "apply",
            self.folder / member / "node",
            *names,
            "--keys",
            self.folder / member / key_folder,
            "-o",
            application,
        )
        return application

    def new_custodian(self, member: str) -> None:
        """Copy a member's key folder without the custodian's key, so that an application makes another one."""
        copied = self.folder / member / NEW_KEYS
        shutil.copytree(self.folder / member / KEYS, copied)
        for path in (*copied.glob("custodian-*"), *copied.glob("*.json*")):
            path.unlink()

    def keys(self, member: str, key_folder: str) -> KeyFolder:
        """Open a member's key folder."""
        return KeyFolder(self.folder / member / key_folder)

    def publisher(self, member: str) -> CryptoSigner:
        """Open the key with which a member's node publishes."""
        return CryptoSigner(NodeFolder.open(self.folder / member / "node").keys.key("publisher.key", MLDSA44))

    def age(self, by: timedelta) -> None:
        """Renew the register at every node, none of which runs, as the first publisher would have so long ago."""
        held = OpenSet.verify(self.held("kaz").files, self.root, None)
        expires = (datetime.now(UTC) - by + held.register.life).replace(microsecond=0)
        timestamp = Timestamp(held.timestamp.version + 1, expires=expires, snapshot_meta=held.timestamp.snapshot_meta)
        metadata: Metadata[Timestamp] = Metadata(timestamp)
        metadata.sign(self.publisher("kaz"))
        files = {**held.files, TIMESTAMP_PATH: metadata.to_bytes()}
        for node in self.nodes.values():
            RegisterReader(node.data / "register", self.root).accept(files, datetime.now(UTC), outdated=True)

    def first_application(self) -> Path:
        """Make the node, the keys and the application of the fourth member."""
        self.acts.append("apply")
        return prepare(self.folder / NEWCOMER, NEWCOMER, self.endpoints[NEWCOMER])

    def join(self, member: str, register: Path) -> None:
        """Put a register into the node of a member, which does not run."""
        self.acts.append("join")
        config = str(self.folder / member / "node/node.toml")
        with contextlib.redirect_stdout(io.StringIO()):
            assert run_node(["join", str(register), "--config", config, "--yes"]) == 0

    def revoke(self, member: str, officer: str) -> None:
        """Revoke an officer's signing certificate at their node."""
        certificate = self.folder / "home" / f"{member}-{officer}" / "signing.crt"
        config = str(self.nodes[member].config)
        with contextlib.redirect_stdout(io.StringIO()):
            assert run_node(["register", "revoke", str(certificate), "--yes", "--config", config]) == 0

    def desk(self, member: str, key_folder: str = KEYS) -> tuple[object, ...]:
        """Return the options of a custodian who works at their own node."""
        return ("--profile", f"{member}-custodian", "--keys", self.folder / member / key_folder, "--yes")

    def decide(
        self, *proposed: object, signers: tuple[str, ...], register: Path | None = None, key_folder: str = KEYS
    ) -> float:
        """Propose at the first one's desk and sign at the others'; return the seconds until it is published.

        The last one writes the register, if a file for it is named.
        """
        proposer, *others = signers
        begun, before = time.monotonic(), self.nodes[proposer].status().register_version
        self.act("propose", *proposed, *self.desk(proposer, key_folder))
        for signed, member in enumerate(others, 1):
            output = () if register is None or member != others[-1] else ("-o", register)
            self.act("sign", self.waiting(member, signed), *self.desk(member, key_folder), *output)
        until(lambda: self.nodes[proposer].status().register_version != before)
        return time.monotonic() - begun

    def waiting(self, member: str, signed: int = 1) -> str:
        """Return the fingerprint of the one proposal that waits for a member, once its node has so many signatures."""

        def look() -> str:
            answer = json.loads(trust("pending", "--profile", f"{member}-custodian", "--json"))
            proposals = [each for each in answer["proposals"] if len(each["signed"]) >= signed]
            found = [each["sha256"] for each in proposals if member in each["waits_for"]]
            return str(found[0]) if found else ""

        return until(look)

    def held(self, member: str) -> RegisterFile:
        """Return the set in force at a member's node, running or not."""
        archive = Archive(self.nodes[member].data / "register")
        version = archive.current()
        assert version is not None
        return RegisterFile(dict(archive.files(version) or {}))

    def register(self, member: str = "kaz") -> Register:
        """Verify the set in force at a member's node, as of now."""
        return load_set(self.held(member).files, self.root, datetime.now(UTC))

    def start(self, *members: str) -> None:
        """Start nodes, and return when they serve."""
        for member in members:
            self.nodes[member].start(wait=False)
        for member in members:
            self.nodes[member].wait_until_serving()

    def stop(self, *members: str) -> None:
        """Stop nodes."""
        for member in members:
            assert self.nodes[member].stop() == 0

    def end(self) -> None:
        """End every node."""
        for node in self.nodes.values():
            node.kill()

    def same_everywhere(self, *members: str) -> float:
        """Wait until these nodes hold one register; return the seconds it took."""
        begun = time.monotonic()
        until(lambda: len({self.nodes[each].status().register_version for each in members}) == 1)
        return time.monotonic() - begun

    def send(self, author: str, recipient: str) -> bytes:
        """Let the author's liaison officer send a message; return its digest once the author's node released it."""
        officer = Officer(self.folder, f"{author}-liaison", self.register(author))

        async def sent() -> bytes:
            async with officer.channel() as channel:
                result = await attaching.submit(channel, officer.compose([recipient]))
            assert result.HasField("released"), result
            return result.released.message_digest

        return asyncio.run(sent())

    def arrives(self, recipient: str, digest: bytes) -> None:
        """Wait until the recipient's node lists a message."""
        officer = Officer(self.folder, f"{recipient}-liaison", self.register(recipient))

        async def listed() -> None:
            async with officer.channel() as channel, asyncio.timeout(WITHIN_SECONDS):
                await attaching.arrived(channel, digest)

        asyncio.run(listed())

    def exchange(self, author: str, recipient: str) -> bytes:
        """Send a message, and wait until it is there; return its digest."""
        digest = self.send(author, recipient)
        self.arrives(recipient, digest)
        return digest

    def paiza(self, profile: str, *arguments: object) -> str:
        """Run a command of an officer, which must succeed; return what it prints."""
        command = [sys.executable, "-m", "paiza_client", *(str(each) for each in arguments), "--profile", profile]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout


def until(look: Callable[[], T]) -> T:
    """Wait until something is found."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"not within {WITHIN_SECONDS:.0f} s")


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # nodes run: what they write beside a file has another name by now
            total += path.stat().st_size if path.is_file() else 0
    return total
