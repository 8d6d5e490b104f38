"""Checks on what the own node says about source rows that were sent before. Pure, as `paiza_client.verify.checks`.

That a message was made from a row is the node's word: a row is known by its digest alone, which no header holds. What a
lying node can gain is bounded: each row needs a released message of its own, of our member, whose signers are named.
"""

from collections.abc import Collection

from paiza.officer.v1 import officer_pb2
from paiza_client.verify.checks import check_header
from paiza_client.verify.logs import LogReader, Registers
from paiza_client.verify.model import SentRow
from paiza_officer.errors import NotProven


def check_source_rows(
    answer: officer_pb2.FindSourceRowsResponse, asked: Collection[bytes], member: str, registers: Registers
) -> dict[bytes, SentRow]:
    """Return, by source row, the messages whose release the own log proves.

    1. Each row was asked about, and no message stands for two rows.
    2. The header is that of the message, and our member is its author.
    3. The own log holds one release for each recipient, in the order of the header, by the signers it names.
    """
    logs = LogReader(registers)
    found: dict[bytes, SentRow] = {}
    digests: set[bytes] = set()
    for row in answer.rows:
        where = row.message_digest.hex()[:16]
        # 1.
        if row.source_row_sha256 not in asked or row.source_row_sha256 in found or row.message_digest in digests:
            raise NotProven("unexpected_answer", where, "a row that was not asked about, or a message for two rows")
        # 2.
        header = check_header(row.message_digest, row.header)
        if header.author != member:
            raise NotProven("wrong_member", where, "the message is another member's")
        # 3.
        proofs = []
        signers = [(each.id, each.role) for each in header.required_signers]
        for proven in row.released:
            proof, entry = logs.entry(proven, answer.checkpoint)
            if (proof.event, proof.member, proof.digest) != ("RELEASED", member, row.message_digest):
                raise NotProven("bad_proof", f"{where}: {proof.origin} #{proof.index}", "not a release of this message")
            if [(each.id, each.role) for each in entry.entry.released.signers] != signers:
                raise NotProven("wrong_signers", where, "the release names other signers than the message")
            proofs.append(proof)
        if not proofs or [proof.counterpart for proof in proofs] != [each.member for each in header.recipients]:
            raise NotProven("proof_missing", where, "not exactly one release for each recipient")
        found[row.source_row_sha256] = SentRow(row.message_digest, header, tuple(proofs))
        digests.add(row.message_digest)
    return found
