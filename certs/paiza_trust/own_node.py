"""The own node of a custodian: the register, the proposals that it holds, and what is submitted to it."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from paiza.officer.v1 import ceremony_pb2, ceremony_pb2_grpc
from paiza_officer import channel, connection, profiles, register_cache
from paiza_officer.connection import Connection
from paiza_officer.errors import ProfileProblem
from paiza_register import Register
from paiza_register.ceremony import Base, BaseName, Proposal
from paiza_register.register_file import RegisterFile
from paiza_register.tuf_workflow import root_path
from paiza_trust.errors import TrustError, wrong_in_file
from paiza_trust.key_folder import ask
from paiza_trust.language import N_, _
from paiza_wire.errors import Unavailable

GET_SECONDS: Final = 20.0  # one proposal
SUBMIT_SECONDS: Final = 60.0  # the node verifies up to 6 MiB, stores it, and may publish
PUBLISHED_SECONDS: Final = 60.0  # how long a complete proposal is waited for
PAUSE_SECONDS: Final = 2.0  # between two looks at it
MIN_DIGITS: Final = 6  # of a fingerprint, where its beginning is typed

Held = ceremony_pb2.HeldProposal
OPEN, COMPLETE, PUBLISHED, DEAD, SUPERSEDED = (
    ceremony_pb2.PROPOSAL_STATE_OPEN,
    ceremony_pb2.PROPOSAL_STATE_COMPLETE,
    ceremony_pb2.PROPOSAL_STATE_PUBLISHED,
    ceremony_pb2.PROPOSAL_STATE_DEAD,
    ceremony_pb2.PROPOSAL_STATE_SUPERSEDED,
)


class OwnNode:
    """An open connection; made by `connect`."""

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any], connected: Connection) -> None:
        self._run = run
        self._connected = connected
        self._profile = connected.profile
        self._bases: dict[bytes, Base] = {}
        self._stub = ceremony_pb2_grpc.CeremonyServiceStub(connected.channel)

    @property
    def where(self) -> str:
        """Return the node's address."""
        return self._profile.node

    @property
    def member(self) -> str:
        """Return the id of the own member."""
        return self._profile.member

    @property
    def certificate(self) -> bytes:
        """Return the officer's certificate (DER)."""
        return self._connected.credentials.certificate_der

    @property
    def profile(self) -> str:
        """Return the name of the profile."""
        return self._profile.name

    def register(self) -> tuple[Register, RegisterFile]:
        """Return the register in force, renewed from the node and verified, and all of it in one file."""
        register: Register = self._run(connection.refresh(self._profile, self._connected.channel))
        return register, self._file(register.version)

    def base(self, name: BaseName) -> Base:
        """Return the register that an act names; ``Unavailable("register_unknown")`` if it was never read here."""
        version = name.register_version
        if version not in self._bases:
            try:
                file = self._file(version)
            except Unavailable:  # it may be the newest one, of which this connection has not heard yet
                self.register()
                file = self._file(version)
            self._bases[version] = Base.verify(file, None)
        return self._bases[version]

    def held(self, *, every: bool = False) -> list[Held]:
        """Return the proposals that wait for signatures; with ``every`` also those that ended within the last day."""

        async def listed() -> list[Held]:
            request = ceremony_pb2.ListProposalsRequest(all=every)
            pages = channel.pages(partial(channel.call, self.where), self._stub.ListProposals, request)
            return [each async for page in pages for each in page.proposals]

        found: list[Held] = self._run(listed())
        return found

    def find(self, fingerprint: str) -> Held:
        """Return the one proposal whose fingerprint begins with these hex digits; ``TrustError`` otherwise."""
        found = [each for each in self.held(every=True) if each.fingerprint.hex().startswith(fingerprint.lower())]
        if len(found) == 1:
            return found[0]
        if found:
            what, remedy = N_("Several proposals have a fingerprint that begins so"), N_("Type more digits of it.")
            raise TrustError("ambiguous_id", what, fingerprint, remedy)
        what = N_("Your node holds no proposal of this fingerprint")
        remedy = N_("List those that it holds: paiza-trust pending.")
        raise TrustError("unknown_proposal", what, fingerprint, remedy)

    def proposal(self, fingerprint: str) -> Proposal:
        """Return a held proposal, with every signature in it verified here."""
        return self.read(self.find(fingerprint))

    def read(self, held: Held) -> Proposal:
        """Return a proposal of the list, with every signature in it verified here."""
        request = ceremony_pb2.GetProposalRequest(fingerprint=held.fingerprint)
        answer = self._call(lambda: self._stub.GetProposal(request, timeout=GET_SECONDS))
        proposal = Proposal.read(answer.data, self.base)
        if proposal.fingerprint != held.fingerprint:
            what, remedy = N_("The node's answer is of another proposal"), N_("Ask the operator of your node.")
            raise TrustError("unexpected_answer", what, self.where, remedy)
        return proposal

    def submit(self, proposal: Proposal) -> Held:
        """Hand a proposal, or its signatures and refusals, to the node; return it as the node holds it now."""
        request = ceremony_pb2.SubmitProposalRequest(data=proposal.to_bytes(with_register=False))
        answer = self._call(lambda: self._stub.SubmitProposal(request, timeout=SUBMIT_SECONDS))
        held: Held = answer.held
        return held

    def published(self, held: Held) -> Held:
        """Return a complete proposal once the register in force contains it, or as it is after a minute."""
        until = time.monotonic() + PUBLISHED_SECONDS
        while held.state == COMPLETE and time.monotonic() < until:
            time.sleep(PAUSE_SECONDS)
            held = self.find(held.fingerprint.hex())
        return held

    def _file(self, version: bytes) -> RegisterFile:
        files = register_cache.reader(self._profile).archived_files(version)
        if root_path(1) not in files:
            what, remedy = N_("The root in the profile is not the first one"), N_("Put the first root into root.json.")
            raise TrustError("register_invalid", what, str(self._profile.root), remedy)
        return RegisterFile(files)

    def _call(self, attempt: Callable[[], Any]) -> Any:
        async def once() -> Any:
            return await channel.call(self.where, attempt)

        return self._run(once())


@contextmanager
def connect(name: str | None) -> Iterator[OwnNode]:
    """Connect to the node of a profile; its passphrase is asked for, or comes from PAIZA_PASSPHRASE_FILE."""
    profile = profiles.find(name)

    def passphrase() -> bytes:
        if file := os.environ.get("PAIZA_PASSPHRASE_FILE"):
            return profiles.passphrase_from_file(Path(file))
        remedy = N_("Use a terminal, or name a file with PAIZA_PASSPHRASE_FILE.")
        return ask(_("Passphrase of the key of {profile}").format(profile=profile.name), remedy=remedy)

    def pin(token: str) -> bytes:
        remedy = N_("Use a terminal, or name a file with pin-source in the key's URI.")
        return ask(_("PIN of the token {token}").format(token=token), remedy=remedy)

    with asyncio.Runner() as runner:
        opened = AsyncExitStack()
        try:
            connected = runner.run(opened.enter_async_context(connection.connect(profile, passphrase, pin)))
        except ProfileProblem as error:
            file = os.environ.get("PAIZA_PASSPHRASE_FILE")
            if error.reason != "bad_passphrase" or not file:
                raise
            raise wrong_in_file(error, error.where, file) from error
        try:
            yield OwnNode(runner.run, connected)
        finally:
            runner.run(opened.aclose())
