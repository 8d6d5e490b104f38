"""`paiza audit evidence` and `verify`: a file that proves what became of a message, and what such a file proves."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click

from paiza.core.v1 import message_pb2
from paiza_client.cli import display
from paiza_client.cli.options import CodeParameter, shared
from paiza_client.cli.terminal import Terminal, current_terminal, run
from paiza_client.evidence import container, evidence, extract
from paiza_client.evidence.entries import Claim
from paiza_client.evidence.evidence import Evidence
from paiza_client.evidence.signers import Signed
from paiza_client.language import N_, _, ngettext, number_text
from paiza_client.sdk import as_json, messages, wording
from paiza_client.sdk.evidence_files import Disclosure, EvidenceFile
from paiza_officer.errors import Refused, misused
from paiza_officer.register_cache import bootstrap_root

DEFAULT_PURPOSE: Final = "prosecute"
_BETWEEN_MEMBERS: Final = frozenset({"RELEASED", "FORWARDED"})


@click.command("evidence", help=N_("Write one file that proves what became of a message, to anybody, without a node."))
@click.argument("message", metavar="ID")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help=N_("File to write."))
@click.option("--openings", is_flag=True, help=N_("Say in it, too, who of your member was shown or took out what."))
@click.option(
    "--disclose-part",
    "parts",
    multiple=True,
    metavar="PART",
    help=N_("Include the key of this part (a number, main or annex): everyone who has the file can read that part."),
)
@click.option("--reason", default="", help=N_("Why the part is disclosed; logged."))
@click.option("--whom", default="", metavar="TEXT", help=N_("To whom the part is disclosed; logged."))
@click.option(
    "--purpose",
    type=CodeParameter("purpose"),
    default=DEFAULT_PURPOSE,
    show_default=True,
    metavar="CODE",
    help=N_("What it is to be used for: a code of the purposes."),
)
@shared
def evidence_(
    *, message: str, output: Path, openings: bool, parts: tuple[str, ...], reason: str, whom: str, purpose: str
) -> None:
    """Write evidence."""
    if output.exists():
        raise Refused("file_unwritable", str(output), _("it exists"))
    if parts and not reason.strip():
        raise Refused("reason_missing", "--disclose-part")
    if parts and not whom.strip():
        raise misused("--whom", _("say who exactly gets it"))
    terminal = current_terminal()

    async def work() -> EvidenceFile:
        async with terminal.session() as session:
            found = await messages.find(session, message)
            if not parts:
                return await session.evidence_files.make(found.digest, openings=openings)
            disclosure = Disclosure(parts, whom.strip(), purpose, reason.strip())
            return await session.evidence_files.disclose(found, disclosure)

    made = run(work())
    data, found = made.data, made.proven
    container.write_file(output, data)
    if terminal.wants_json:
        terminal.json({**as_object(found), "file": str(output), "bytes": len(data)})
        return
    text = ngettext("Written to {path} ({n} byte).", "Written to {path} ({n} bytes).", len(data))
    terminal.say(text.format(path=output, n=number_text(len(data))))
    _print(terminal, found)


@click.command(help=N_("Verify an evidence file: no node, no network, no account. Trusts only the bootstrap root."))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--root", type=click.Path(path_type=Path), help=N_("Bootstrap root of the federation; else the profile's.")
)
@click.option(
    "--extract",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help=N_("Write the disclosed parts into this folder."),
)
@shared
def verify(*, file: Path, root: Path | None, folder: Path | None) -> None:
    """Verify evidence."""
    terminal = current_terminal()
    trusted = bootstrap_root(root if root is not None else terminal.profile().root)
    found = evidence.verify_path(file, trusted)
    written = extract.extract(found, folder) if folder is not None and found.disclosed else []
    if terminal.wants_json:
        terminal.json({**as_object(found), "extracted": [str(path) for path in written]})
        return
    _print(terminal, found)
    for path in written:
        terminal.note(_("Written to {path}.").format(path=path))
    if folder is not None and not written:
        terminal.note(_("No part is disclosed in this file; nothing was written."))


def as_object(found: Evidence) -> dict[str, Any]:
    """Describe what a file proves as `--json` prints it."""
    return {
        "verified": True,
        **as_json.header(found.message.header),
        "digest": found.message.digest,
        "federation": found.federation,
        "signed": [
            {
                "id": each.officer,
                "role": each.role,
                "certificate_sha256": each.certificate_sha256,
                "certificate_not_before": each.not_before,
                "certificate_not_after": each.not_after,
                "witnessed": each.witnessed,
                "revoked_by": [version.hex() for version in each.revoked_by],
                "certified": each.certified,
            }
            for each in found.signed
        ],
        "released": [_claim(each) for each in found.released],
        "answers": [_claim(each) for each in found.answers],
        "forwarded": [_claim(each) for each in found.forwarded],
        "others": [_claim(each) for each in found.others],
        "certificates": [_claim(each) for each in found.certificates],
        "parts_present": list(found.present),
        "parts_disclosed": sorted(found.disclosed),
        "unproven_releases": list(found.unproven_releases),
        "unproven_answers": list(found.unproven_answers),
        "register_versions": [version.hex() for version in found.register_versions],
    }


def _claim(claim: Claim) -> dict[str, Any]:
    known = claim.interval
    return {
        **as_json.proof(claim.proof),
        "not_before": None if known is None else known.not_before,
        "not_after": None if known is None else known.not_after,
        "witnesses": [] if known is None else list(known.witnesses),
        "witnesses_of": 0 if known is None else known.others,
        "time_contradicted": claim.contradicted,
    }


def _print(terminal: Terminal, found: Evidence) -> None:
    header = found.message.header
    terminal.say(_("The evidence holds."), "bold green")
    terminal.pairs(
        [
            (_("Federation"), found.federation),
            (_("Message"), f"{header.message_id.hex()}  {display.kind_title(header)}"),
            (_("Digest"), found.message.digest.hex()),
            (_("From"), header.author),
            (_("To"), display.recipients(header)),
        ]
    )
    terminal.say()
    rows = [_signed_row(each, found.released) for each in found.signed]
    rows += [_claim_row(each) for each in found.claims]
    terminal.table((_("Claim"), _("By"), _("Time in the log"), _("Proven time"), _("Proof")), rows)
    _warn(terminal, found)
    for number, plaintext in found.disclosed.items():
        text = ngettext(
            "Disclosed and proven: {part}, {n} byte; --extract writes it.",
            "Disclosed and proven: {part}, {n} bytes; --extract writes it.",
            len(plaintext),
        )
        terminal.note(text.format(part=display.part_name(header, number), n=number_text(len(plaintext))))


def _warn(terminal: Terminal, found: Evidence) -> None:
    """Print the gaps of the file, and the doubts about its contents."""
    for claim in found.claims:
        if claim.contradicted:
            text = _("{log}, entry {index}: its witnesses contradict the time that the log gives it.")
            terminal.warn(text.format(log=claim.proof.origin, index=claim.proof.index))
    for each in found.signed:
        if not each.witnessed:
            text = _(
                "That the certificate of {officer} was valid when it signed is the word of the author's log alone."
            )
            terminal.warn(text.format(officer=each.officer))
        if not each.certified:
            text = _("Not in this file: that the author's log held the certificate of {officer} before the release.")
            terminal.warn(text.format(officer=each.officer))
        if each.revoked_by:
            text = _("The certificate of {officer} is revoked in a register of this file; no proof says since before.")
            terminal.warn(text.format(officer=each.officer))
    for number, part in enumerate(found.message.header.parts):
        if number not in found.present and part.kind != message_pb2.PART_KIND_ATTACHMENT:
            text = _("Not in this file: the ciphertext of part {number}, which was erased or left out.")
            terminal.warn(text.format(number=number))
    for member in found.unproven_releases:
        terminal.warn(_("Not in this file: a release to {member}.").format(member=member))
    for member in found.unproven_answers:
        terminal.warn(_("Not in this file: an answer of {member}.").format(member=member))


def _signed_row(signed: Signed, released: Sequence[Claim]) -> tuple[str, ...]:
    first = min(released, key=lambda each: (each.proof.time, each.proof.index))
    return (
        _("signed"),
        f"{signed.officer} ({wording.role(signed.role)})",
        display.when(first.proof.time),
        _proven(first) if signed.witnessed else _("this log's own word"),
        _("certificate {id}").format(id=signed.certificate_sha256.hex()[:16]),
    )


def _claim_row(claim: Claim) -> tuple[str, ...]:
    proof = claim.proof
    what = display.event(proof)
    what += "" if proof.part_number is None else " " + _("part {number}").format(number=proof.part_number)
    what += ", " + _("without the annex") if proof.without_annex else ""
    what += f" ({proof.reason})" if proof.reason else ""
    who = f"{proof.member} → {proof.counterpart}" if proof.event in _BETWEEN_MEMBERS else proof.member
    # A receipt is the node's doing, which says nothing more.
    who += f", {proof.actor}" if proof.actor and proof.event not in {"RECEIVED", "REFUSED"} else ""
    place = _("{log}, entry {index} of {size}").format(log=proof.origin, index=proof.index, size=proof.tree_size)
    return what, who, display.when(proof.time), _proven(claim), place


def _proven(claim: Claim) -> str:
    known = claim.interval
    if known is None:
        return _("this log's own word")
    # Witnesses cut their clocks to whole seconds: what was seen in a second was there by the end of it.
    ends = display.when(known.not_after + timedelta(seconds=1))
    count = _("witnesses: {n} of {others}").format(n=len(known.witnesses), others=known.others)
    if known.not_before is None:
        return _("not after {end} ({count})").format(end=ends, count=count)
    begins = display.when(known.not_before)
    return _("not before {begin}, not after {end} ({count})").format(begin=begins, end=ends, count=count)
