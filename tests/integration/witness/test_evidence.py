"""Evidence from nodes that witness each other: what other states prove of when, and parts disclosed to others."""

import asyncio
import json
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from paiza_client.__main__ import run
from paiza_client.evidence import evidence
from paiza_client.evidence.evidence import Evidence
from paiza_client.language import use
from paiza_client.sdk import connect, messages
from paiza_client.sdk.evidence_files import Disclosure
from paiza_officer import profiles
from paiza_officer.errors import Refused
from paiza_register import Register
from tests.federation import Federation
from tests.integration.witness.looking import eventually, send
from tests.officer import SUBJECT, Officer
from tests.registers import read_register
from tests.two_verifiers import second_verifier

SECONDS = 120.0
CLOCK = timedelta(minutes=5)  # one machine, one clock; the rest is how long a busy machine takes


@pytest.fixture(scope="module")
def register(federation: Federation) -> Register:
    """Return the register of the federation."""
    return read_register(federation.folder)


@pytest.fixture(scope="module")
def root(federation: Federation) -> bytes:
    """All that the reader of evidence trusts."""
    return (federation.folder / "root.json").read_bytes()


@pytest.fixture(scope="module")
def second() -> ModuleType:
    """The second verifier."""
    return second_verifier()


def made(federation: Federation, profile: str, digest: bytes, disclosure: Disclosure | None = None) -> bytes:
    """Pack a node's evidence."""

    async def work() -> bytes:
        async with connect(profiles.load(federation.home / profile)) as session:
            if disclosure is None:
                return await session.evidence(digest)
            found = await messages.find(session, digest.hex())
            return (await session.evidence_files.disclose(found, disclosure)).data

    return asyncio.run(work())


def whole(federation: Federation, profile: str, digest: bytes, entries: int) -> tuple[bytes, Evidence] | None:
    """Return the evidence once it has so many entries and each has its time from witnesses."""
    data = made(federation, profile, digest)
    found = evidence.verify_file(data, (federation.folder / "root.json").read_bytes())
    proven = [claim for claim in found.claims if claim.interval is not None]
    return (data, found) if len(proven) == len(found.claims) == entries else None


def test_other_states_prove_when_it_was(
    federation: Federation, register: Register, root: bytes, second: ModuleType
) -> None:
    """Release and receipts lie between what three witnesses say; author, recipient and both verifiers agree on it."""
    # The first that a log holds has no checkpoint before it.
    digest = send(Officer(federation.folder, "kaz-liaison", register), ["tjk", "uzb"])
    eventually(partial(whole, federation, "kaz-liaison", digest, 5), SECONDS)
    digest = send(Officer(federation.folder, "kaz-liaison", register), ["tjk", "uzb"])
    # The author's node has both receipts, that of a recipient its own; each the entry of the signer's certificate.
    for profile, entries in (("kaz-liaison", 5), ("tjk-auditor", 3)):
        data, found = eventually(partial(whole, federation, profile, digest, entries), SECONDS)
        assert {claim.proof.event for claim in found.claims} == {"OFFICER_CERTIFIED", "RELEASED", "RECEIVED"}
        for claim in found.claims:
            assert claim.interval is not None
            assert claim.interval.others == 3
            assert set(claim.interval.witnesses) == set(federation.nodes) - {claim.proof.member}
            assert not claim.contradicted
            if claim.proof.event == "OFFICER_CERTIFIED":  # among the first entries: no checkpoint lies before them
                continue
            assert claim.interval.not_before is not None
            assert claim.interval.not_before - timedelta(seconds=1) <= claim.proof.time
            assert claim.proof.time - timedelta(seconds=1) <= claim.interval.not_after < claim.proof.time + CLOCK
        other = second.verify(data, root)
        assert [(each["not_before"], each["not_after"]) for each in other["claims"]] == [
            (claim.interval.not_before, claim.interval.not_after) for claim in found.claims if claim.interval
        ]
        assert other["digest"] == digest.hex()


def test_a_disclosed_part_is_read_by_whoever_has_the_file(
    federation: Federation,
    register: Register,
    root: bytes,
    second: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`--disclose-part` logs the export and the opening, with the reason; then the file alone proves what it says."""
    digest = send(Officer(federation.folder, "kaz-liaison", register), ["tjk"])
    monkeypatch.setenv("PAIZA_HOME", str(federation.home))
    use("en")
    file, folder = tmp_path / "evidence.zip", tmp_path / "parts"
    command = [
        "audit",
        "evidence",
        digest.hex(),
        "-o",
        str(file),
        "--profile",
        "kaz-liaison",
        "--disclose-part",
        "main",
    ]
    assert run(command) == 3
    assert run([*command, "--reason", "case 1", "--whom", "a court"]) == 0
    found = evidence.verify_file(file.read_bytes(), root)
    events = [(claim.proof.event, claim.proof.part_number) for claim in found.others]
    assert events == [("EXPORTED", None), ("OPENED", 0)]
    checked = ["audit", "verify", str(file), "--root", str(federation.folder / "root.json"), "--extract", str(folder)]
    assert run(checked) == 0
    assert json.loads((folder / "part-0.json").read_text())["subject"] == SUBJECT
    assert second.verify(file.read_bytes(), root)["disclosed"][0] == (folder / "part-0.bin").read_bytes()
    assert run(checked) == 3  # never over a file that is there


def test_nobody_discloses_what_its_author_limits(federation: Federation, register: Register) -> None:
    """A recipient of a message marked TLP AMBER gets no leave to hand its key out without the author's grant."""
    digest = send(Officer(federation.folder, "kaz-liaison", register), ["tjk"])
    disclosure = Disclosure(("main",), "a newspaper", "prosecute", "an exercise")

    def tried() -> str:
        try:
            made(federation, "tjk-liaison", digest, disclosure)
        except Refused as error:
            return error.reason
        return "disclosed"

    assert eventually(lambda: (found := tried()) != "unknown_id" and found) == "grant_missing"
