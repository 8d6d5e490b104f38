"""Targets of what nodes and officers hand to each other: messages, certificates, notes, proofs, entries, files of keys.

Where a signature or a cipher would refuse every change, the target signs or seals the changed bytes with the real key:
the first byte of an input says whether it does. Both ways matter: as a stranger, and as one who holds a key.
"""

import ssl
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, Final

from google.protobuf.message import DecodeError, Message

from paiza.content.v1.attachment_info_pb2 import AttachmentInfo
from paiza.core.v1 import enrolment_pb2, fork_proof_pb2, log_pb2, log_query_pb2, message_pb2
from paiza.enrolment.v1 import enrolment_pb2 as invitation_pb2
from paiza_officer import enrolment as officer_enrolment
from paiza_wire import log_entries, message, receipts
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.identity import SpiffeId, certificates, invitations, keys
from paiza_wire.identity.private_keys import P256
from paiza_wire.identity.sealing import Sealer
from paiza_wire.identity.token_uri import TokenUri
from paiza_wire.message import attachment, part_cipher
from paiza_wire.tlog import checkpoint, cosignatures, fork_proofs, log_queries, merkle, notes, tiles, tlog_proof
from paiza_wire.tlog.checkpoint import Checkpoint
from tests.evidence import ANNEX, Case, Court
from tests.fuzz.mutating import mutate_as_text, mutate_bytes, mutate_encoded, mutate_json, mutate_message, mutate_text
from tests.fuzz.target import Mutate, Target, demand
from tests.log_entries import entry_of

PLAIN, SIGNED = b"\0", b"\1"
WIDTH: Final = 256  # hashes of a tile


def both_ways(mutate: Mutate) -> Mutate:
    """Change what follows the first byte, and now and then that byte."""

    def changed(random: Random, data: bytes) -> bytes:
        way = random.choice((PLAIN, SIGNED, SIGNED)) if not random.randrange(8) else data[:1]
        return way + mutate(random, data[1:])

    return changed


def wire_targets(court: Court) -> Iterator[Target]:
    """Return the targets."""
    case = court.case(annex=True, attachment=True, signers=("kaz-liaison", "kaz-authoriser"))
    case.release().receive("tjk").receive("uzb")
    for _ in range(4):  # the log grows, so that its proofs have some length
        court.case().release()
    yield from _messages(court, case)
    yield from _certificates(court)
    yield from _notes(court, case)
    yield from _entries(court, case)
    yield from _forks(court)
    yield from _tiles()
    yield from _texts(court)
    yield _attachment(court)


def _messages(court: Court, case: Case) -> Iterator[Target]:
    certificates_of = court.register.certificate_verifier()
    signers = {officer.id: officer.signer for officer in court.officers.values()}

    def signed_anew(data: bytes) -> bytes:
        signed = message_pb2.SignedMessage.FromString(data)
        payload = message.pre_authentication_encoding(signed.header)
        for each in signed.signatures:
            if each.signer_id in signers:
                signer = signers[each.signer_id]
                each.certificate, each.signature = signer.certificate, signer.sign(payload)
        return signed.SerializeToString(deterministic=True)

    def verified(check: Callable[..., Any], data: bytes) -> bool:
        signed = data[1:]
        if data[:1] == SIGNED:
            with suppress(DecodeError):
                signed = signed_anew(signed)
        found = check(signed, certificates_of, at=court.now)
        demand(found.signed.SerializeToString(deterministic=True) == signed, "an accepted message has two encodings")
        demand(found.digest == sha256(found.signed.header).digest(), "another digest than that of the header")
        demand(message.read_leading_fields(signed).header == found.signed.header, "another header by its first bytes")
        for number in range(len(found.header.parts)):
            with suppress(Rejected):
                key = message.unwrap_key(found, number, "kaz", case.author.keys.decryption)
                message.open_part(found.header, number, dict(_ciphertexts(found.signed)).get(number, b""), key)
        return True

    seeds = [case.signed, court.case().signed, court.case(annex=True).signed]
    yield Target(
        "signed-message", partial(verified, message.verify), [way + each for each in seeds for way in (PLAIN, SIGNED)],
        both_ways(mutate_encoded(message_pb2.SignedMessage)), executions=500,
    )  # fmt: skip
    pending = message_pb2.SignedMessage.FromString(case.signed)
    del pending.signatures[1:]
    yield Target(
        "pending-message", partial(verified, message.verify_pending),
        [way + pending.SerializeToString(deterministic=True) for way in (PLAIN, SIGNED)],
        both_ways(mutate_encoded(message_pb2.SignedMessage)), executions=500,
    )  # fmt: skip

    def header(data: bytes) -> bool:
        found = message.parse_header(data)
        demand(found.SerializeToString(deterministic=True) == data, "an accepted header has two encodings")
        return True

    headers = [message_pb2.SignedMessage.FromString(each).header for each in seeds]
    yield Target("header", header, headers, mutate_encoded(message_pb2.Header))
    yield Target("stored-message", _stored, [case.signed], mutate_bytes)


def _stored(data: bytes) -> bool:
    message.read_leading_fields(data)
    return True


def _ciphertexts(signed: message_pb2.SignedMessage) -> Iterator[tuple[int, bytes]]:
    return ((part.part_number, part.ciphertext) for part in signed.parts)


def _certificates(court: Court) -> Iterator[Target]:
    verifier = court.register.certificate_verifier()
    officers = [court.officers[profile] for profile in ("kaz-liaison", "kaz-authoriser")]
    held = [(officer.signer.certificate, officer.id) for officer in officers]
    home = court.folder / "home/kaz-liaison"
    held.append((_der(home / "authentication.crt"), court.officers["kaz-liaison"].id))
    held.append((_der(court.folder / "nodes/kaz/keys/tls.crt"), ""))
    cas = {
        role: keys.private_key_from_pem((court.folder / f"trust/kaz/{role}-ca.key").read_bytes())
        for role in ("officer", "node")
    }

    def issued(data: bytes) -> bool:
        der = data[1:]
        if data[:1] == SIGNED:
            der = _signed_by(der, cas["node" if b"/node" in der else "officer"])
        accepted = False
        for check in (verifier.signing, verifier.authentication):
            with suppress(PaizaError):
                found = check(der, expected_id=held[0][1], at=court.now)
                demand(str(found.id) == held[0][1], "another id than was expected")
                demand(found.der == der, "another certificate")
                accepted = True
        with suppress(PaizaError):
            verifier.node(der, expected_member="kaz", at=court.now)
            accepted = True
        for ask in (verifier.expiry_time, verifier.is_revoked):
            with suppress(PaizaError):
                ask(der)
        return accepted

    seeds = [way + der for der, name in held for way in (PLAIN, SIGNED) if name in {"", held[0][1]}]
    yield Target("certificate", issued, seeds, both_ways(mutate_bytes), executions=500)
    key = keys.generate_p256()
    request = certificates.create_csr(SpiffeId.parse(held[0][1]), key)

    def asked(data: bytes) -> bool:
        der = _signed_by(data[1:], key) if data[:1] == SIGNED else data[1:]
        certificates.read_csr(der)
        return True

    yield Target("certificate-request", asked, [PLAIN + request, SIGNED + request], both_ways(mutate_bytes))
    pem = certificates.csr_to_pem(request)
    yield Target("certificate-request-pem", lambda data: bool(certificates.csr_from_pem(data)), [pem], mutate_as_text)


def _der(path: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def _signed_by(der: bytes, key: Any) -> bytes:
    """Sign the first part of a certificate or signing request anew, where its outer form still holds."""
    try:
        at, _end = _inside(der, 0)
        first_end = _inside(der, at)[1]
        second_end = _inside(der, first_end)[1]
    except (IndexError, ValueError):
        return der
    signature = keys.sign(key, der[at:first_end])
    body = der[at:second_end] + _element(0x03, b"\0" + _to_der(signature))
    return _element(0x30, body)


def _to_der(signature: bytes) -> bytes:
    """Return an ECDSA signature, whichever form `keys.sign` gives it, as DER."""
    if signature[:1] == b"\x30" and len(signature) != 64:
        return signature
    half = len(signature) // 2
    numbers = [int.from_bytes(each) for each in (signature[:half], signature[half:])]
    encoded = [each.to_bytes(each.bit_length() // 8 + 1) for each in numbers]
    return _element(0x30, b"".join(_element(0x02, each) for each in encoded))


def _inside(der: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the element at a place begins, and ends."""
    length, begins = der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(der[begins : begins + count])
        begins += count
    if begins + length > len(der):
        raise ValueError("it is longer than the data")
    return begins, begins + length


def _element(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def _notes(court: Court, case: Case) -> Iterator[Target]:
    log = case.author
    signer = log.keys.log[-1]
    key, origin = signer.verifier_key, signer.verifier_key.name
    witnesses = {member: each.keys.witness for member, each in court.logs.items()}
    known = [each.witness_key for each in witnesses.values()]
    cosigned = court.cosigned(log, len(log.entries), [each for each in court.members if each != "kaz"], court.now)

    def note(data: bytes) -> bool:
        text = data[1:]
        if data[:1] == SIGNED:
            text = notes.format_note(
                text.partition(b"\n\n")[0] + b"\n", [signer.sign(text.partition(b"\n\n")[0] + b"\n")]
            )
        parsed = notes.parse_note(text)
        demand(notes.format_note(parsed.text, parsed.signatures) == text, "an accepted note has two forms")
        found = checkpoint.verify(text, [key], origin)
        demand(Checkpoint(found.origin, found.size, found.root).format() in text, "a checkpoint of another text")
        for each in cosignatures.cosignatures(text, known):
            demand(each.name in {one.name for one in known}, "a cosignature of nobody")
        fork_proofs.minimal_note(text, key)
        demand(fork_proofs.read_size(text) == found.size, "another size unverified")
        return True

    seeds = [way + each for each in (log.note(), cosigned) for way in (PLAIN, SIGNED)]
    yield Target("checkpoint", note, seeds, both_ways(mutate_as_text))

    def vkey(data: bytes) -> bool:
        text = data.decode("utf-8", "replace")
        accepted = False
        for kind in (notes.VerifierKey, cosignatures.WitnessKey):
            with suppress(PaizaError):
                demand(kind.from_vkey(text).to_vkey() == text, "a key has two forms")
                accepted = True
        return accepted

    yield Target("vkey", vkey, [key.to_vkey().encode(), known[0].to_vkey().encode()], mutate_as_text)

    def proof(data: bytes) -> bool:
        demand(tlog_proof.format_proof(tlog_proof.parse_proof(data)) == data, "an accepted proof has two forms")
        return True

    whole = tlog_proof.TlogProof(0, tuple(log.tree.inclusion_proof(0, log.tree.size)), log.note())
    yield Target("tlog-proof", proof, [tlog_proof.format_proof(whole)], mutate_as_text)

    def hashes(data: bytes) -> bool:
        demand(tlog_proof.format_hashes(tlog_proof.parse_hashes(data)) == data, "accepted hashes have two forms")
        return True

    yield Target("tlog-hashes", hashes, [tlog_proof.format_hashes(whole.hashes)], mutate_as_text)


def _entries(court: Court, case: Case) -> Iterator[Target]:
    log = case.author
    head = checkpoint.verify(log.note(), [log.keys.log[-1].verifier_key], log.keys.log[-1].verifier_key.name)
    roots = {size: log.tree.root(size) for size in range(1, log.tree.size + 1)}

    def entry(data: bytes) -> bool:
        found = receipts.parse_entry(data)
        demand(found.SerializeToString(deterministic=True) == data, "an accepted entry has two encodings")
        for read in (
            log_entries.reason, log_entries.signers, log_entries.purpose, log_entries.without_annex,
            log_entries.request_digest, log_entries.part_number, log_entries.is_of_its_event,
        ):  # fmt: skip
            read(found)
        list(log_entries.digests(found))
        log_entries.event_name(found.event)
        checks: Sequence[Callable[[], object]] = (
            lambda: receipts.check_released(found, case.message, "tjk"),
            lambda: receipts.check_forwarded(found, case.digest, "kaz"),
            lambda: receipts.check_answer(found, case.digest, "kaz"),
            lambda: receipts.check_attachment_answer(found, "kaz"),
            lambda: receipts.check_erasure_answer(found, "kaz"),
            lambda: receipts.check_text(found, bytes(16), "Exercise"),
        )
        for check in checks:
            with suppress(PaizaError):
                check()
        return True

    every = [
        _filled(entry_of(event, message_digest=case.digest, register_version=case.register_version), court)
        for event in log_pb2.LogEvent.values()
        if event
    ]
    seeds = [each for log in court.logs.values() for each in log.entries]
    for each in every:
        with suppress(PaizaError):
            receipts.parse_entry(each)
            seeds.append(each)
    yield Target("log-entry", entry, seeds, mutate_encoded(log_pb2.LogEntry))

    def proven(data: bytes) -> bool:
        try:
            shown = log_pb2.ProvenEntry.FromString(data)
        except DecodeError:
            return False
        found = receipts.verify_entry(shown, head)
        demand(log.entries[found.index] == found.raw, "an entry is proven that the log does not hold there")
        return True

    all_proven = [log.proof(index).proven.SerializeToString() for index in range(len(log.entries))]
    yield Target("inclusion-proof", proven, all_proven, mutate_encoded(log_pb2.ProvenEntry))

    def consistent(data: bytes) -> bool:
        try:
            claim = log_pb2.ConsistencyClaim.FromString(data)
        except DecodeError:
            return False
        old = claim.from_size if claim.from_size in roots else head.size
        merkle.verify_consistency(old, roots[old], head.size, head.root, list(claim.consistency_hashes))
        # With another first root the same hashes must not hold.
        with suppress(Rejected):
            other = sha256(roots[old]).digest()
            merkle.verify_consistency(old, other, head.size, head.root, list(claim.consistency_hashes))
            demand(holds=False, what="one proof holds for two beginnings")
        return True

    claims = [
        log_pb2.ConsistencyClaim(from_size=size, consistency_hashes=log.tree.consistency_proof(size, head.size))
        for size in roots
    ]
    yield Target(
        "consistency-proof", consistent, [each.SerializeToString() for each in claims],
        mutate_encoded(log_pb2.ConsistencyClaim),
    )  # fmt: skip

    def query(parse: Callable[[bytes], Message], data: bytes) -> bool:
        demand(parse(data).SerializeToString(deterministic=True) == data, "an accepted query has two encodings")
        return True

    asked = log_query_pb2.EntryQuery(
        nonce=bytes(log_queries.NONCE_SIZE), events=[log_pb2.LOG_EVENT_RELEASED], counterpart="tjk", page_size=10,
        message_digests=[case.digest],
        with_headers=True, actor="kaz",
    )  # fmt: skip
    asked.since_time.FromDatetime(court.now - timedelta(days=1))
    counted = log_query_pb2.CountQuery(nonce=bytes(log_queries.NONCE_SIZE), overdue_seconds=60)
    counted.period.since_time.FromDatetime(court.now - timedelta(days=1))
    counted.period.until_time.FromDatetime(court.now)
    for name, parse, seed in (
        ("entry-query", log_queries.parse_entry_query, asked),
        ("count-query", log_queries.parse_count_query, counted),
    ):
        data = seed.SerializeToString(deterministic=True)
        yield Target(name, partial(query, parse), [data], mutate_encoded(type(seed)))


def _filled(entry: log_pb2.LogEntry, court: Court) -> bytes:
    entry.salt = receipts.new_salt()
    entry.entry_time.FromDatetime(court.now)
    entry.actor = entry.actor or court.officers["kaz-liaison"].id
    return entry.SerializeToString(deterministic=True)


def _forks(court: Court) -> Iterator[Target]:
    log = court.logs["tjk"]
    signer = log.keys.log[-1]
    key = signer.verifier_key
    leaves = [sha256(bytes([number])).digest() for number in range(9)]
    others = [*leaves[:4], *(sha256(each).digest() for each in leaves[4:])]

    def tree(hashes: Sequence[bytes]) -> tiles.TileTree:
        stored: dict[tuple[int, int], bytes] = {}
        made = tiles.TileTree(0, lambda level, index: stored[level, index])
        batch = made.append(hashes)
        stored.update({(level, index): data for level, index, data in batch.tiles})
        made.commit(batch)
        return made

    one, other = tree(leaves), tree(others)

    def note(of: tiles.TileTree, size: int) -> bytes:
        return checkpoint.sign(Checkpoint(key.name, size, of.root(size)), signer)

    same = fork_proof_pb2.ForkProof()
    same.first_note, same.second_note = (each for _, each in sorted((of.root(9), note(of, 9)) for of in (one, other)))
    prefix = fork_proof_pb2.ForkProof(first_note=note(other, 6), second_note=note(one, 9))
    prefix.other_prefix.root = one.root(6)
    prefix.other_prefix.consistency_hashes.extend(one.consistency_proof(6, 9))
    entry = fork_proof_pb2.ForkProof(first_note=note(other, 6), second_note=note(one, 9))
    entry.other_entry.index = 5
    entry.other_entry.first_leaf, entry.other_entry.second_leaf = others[5], leaves[5]
    entry.other_entry.first_hashes.extend(other.inclusion_proof(5, 6))
    entry.other_entry.second_hashes.extend(one.inclusion_proof(5, 9))
    proofs = [each.SerializeToString(deterministic=True) for each in (same, prefix, entry)]

    def resigned(data: bytes) -> bytes:
        proof = fork_proof_pb2.ForkProof.FromString(data)
        for name in ("first_note", "second_note"):
            text = getattr(proof, name).partition(b"\n\n")[0] + b"\n"
            with suppress(Rejected):
                setattr(proof, name, notes.sign_note(text, [signer]))
        return proof.SerializeToString(deterministic=True)

    def fork(data: bytes) -> bool:
        proof = data[1:]
        if data[:1] == SIGNED:
            with suppress(DecodeError):
                proof = resigned(proof)
        for read in (fork_proofs.proof_origin, partial(_minimal, key)):
            with suppress(Rejected):
                read(proof)
        found = fork_proofs.verify(proof, key)
        again = fork_proofs.verify(found.proof, key)
        demand(again.digest == found.digest, "a proof read again is another")
        demand(found.first.root != found.second.root or found.first.size != found.second.size, "one note, no fork")
        held, keys_of = fork_proofs.verify_file(fork_proofs.format_file(found, key))
        demand(held.proof == found.proof and keys_of == (key,), "a proof as a file is another")
        return True

    # That one who holds the key of a log can write two contradicting notes is the point: both ways are accepted.
    seeds = [way + each for each in proofs for way in (PLAIN, SIGNED)]
    yield Target("fork-proof", fork, seeds, both_ways(_mutate_fork), executions=300)
    files = [fork_proofs.format_file(fork_proofs.verify(each, key), key) for each in proofs]
    yield Target(
        "fork-proof-file", lambda data: bool(fork_proofs.verify_file(data)), files, mutate_json, executions=300
    )


def _minimal(key: notes.VerifierKey, proof: bytes) -> bytes:
    return fork_proofs.minimal_proof(proof, key)


def _mutate_fork(random: Random, data: bytes) -> bytes:
    try:
        proof = fork_proof_pb2.ForkProof.FromString(data)
    except DecodeError:
        return mutate_bytes(random, data)
    if random.randrange(3):
        name = random.choice(("first_note", "second_note"))
        setattr(proof, name, mutate_as_text(random, getattr(proof, name)))
    else:
        mutate_message(random, proof)
    return proof.SerializeToString(deterministic=True)


def _tiles() -> Iterator[Target]:
    leaves = [sha256(struct.pack(">I", number)).digest() for number in range(WIDTH + 44)]
    stored: dict[tuple[int, int], bytes] = {}
    made = tiles.TileTree(0, lambda level, index: stored[level, index])
    batch = made.append(leaves)
    stored.update({(level, index): data for level, index, data in batch.tiles})
    made.commit(batch)
    places = sorted(stored)
    root = made.root()

    def tree(data: bytes) -> bool:
        place = places[data[0] % len(places)] if data else places[0]
        bent = {**stored, place: data[1:]}
        found = tiles.TileTree(len(leaves), lambda level, index: bent[level, index])
        for index in (0, WIDTH - 1, WIDTH, len(leaves) - 1):
            proof = found.inclusion_proof(index, len(leaves))
            with suppress(Rejected):
                merkle.verify_inclusion(leaves[index], index, len(leaves), proof, root)
        found.consistency_proof(WIDTH, len(leaves))
        found.root()
        return True

    seeds = [bytes([number]) + stored[place] for number, place in enumerate(places)]
    yield Target("log-tile", tree, seeds, lambda random, data: data[:1] + mutate_bytes(random, data[1:]))


def _texts(court: Court) -> Iterator[Target]:
    officer = court.officers["kaz-liaison"].id

    def spiffe(data: bytes) -> bool:
        text = data.decode("utf-8", "surrogatepass") if _is_text(data) else ""
        demand(str(SpiffeId.parse(text)) == text, "an id has two forms")
        return True

    node = str(SpiffeId("kaz", court.register.federation, "node"))
    yield Target("spiffe-id", spiffe, [officer.encode(), node.encode()], mutate_as_text)
    uri = b"pkcs11:token=exercise;object=signing?module-path=/usr/lib/softhsm/libsofthsm2.so"

    def token(data: bytes) -> bool:
        return _is_text(data) and bool(TokenUri.parse(data.decode()))

    yield Target("token-uri", token, [uri], mutate_as_text)
    key = keys.generate_p256()
    sealer = Sealer(lambda: b"correct horse battery staple")
    pems = [keys.private_key_to_pem(key)]

    def pem(data: bytes) -> bool:
        opened = sealer.open(data)
        P256.read(opened)
        return True

    yield Target("key-file", pem, pems, mutate_as_text, executions=300)
    statement = enrolment_pb2.InvitationStatement(officer_id=officer, roles=["liaison"], unit="liaison-bureau")
    statement.expiry_time.FromDatetime(court.now)
    ca = court.register.member("kaz").authority.node_cas[0].certificate
    invitation = invitation_pb2.Invitation(
        member="kaz", federation=court.register.federation, newest_root_version=1,
        officer_id=officer, secret=bytes(invitations.SECRET_BYTES), first_root_sha256=bytes(32),
        newest_root_sha256=bytes(32), enrol_address="node.kaz.example:7443", node_address="node.kaz.example:7401",
        node_cas=[ca],
    )  # fmt: skip

    def stated(made: invitation_pb2.Invitation) -> bytes:
        statement.officer_id = made.officer_id
        statement.envelope_sha256 = invitations.envelope_sha256(made)
        made.statement = statement.SerializeToString(deterministic=True)
        return invitations.to_text(made).encode()

    def invited(data: bytes) -> bool:
        text = data[1:]
        if data[:1] == SIGNED:
            try:
                text = stated(invitation_pb2.Invitation.FromString(text))
            except (DecodeError, ValueError):
                return False
        if not _is_text(text):
            return False
        found = officer_enrolment.read(text.decode())
        demand(invitations.from_text(invitations.to_text(found.invitation)) == found.invitation, "two forms")
        return True

    line = stated(invitation)

    def mutate(random: Random, data: bytes) -> bytes:
        if data[:1] == SIGNED:
            return SIGNED + mutate_encoded(invitation_pb2.Invitation)(random, data[1:])
        return data[:1] + mutate_as_text(random, data[1:])

    yield Target("invitation", invited, [PLAIN + line, SIGNED + invitation.SerializeToString()], mutate)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _attachment(court: Court) -> Target:
    """Return the target of attachments; as their author, who seals any plaintext."""
    header = court.officers["kaz-liaison"].header(["tjk"], now=court.now)
    key = part_cipher.generate_part_key()
    context = part_cipher.part_context(header.author, header.message_id, 1)
    info = AttachmentInfo(name="photo.png", media_type="image/png", size=len(ANNEX), note="x")
    described = info.SerializeToString(deterministic=True)
    plain = len(described).to_bytes(4) + described + ANNEX

    def opened(data: bytes) -> bool:
        sealed = part_cipher.encrypt_part(key, context, data)
        said = message_pb2.Header()
        said.CopyFrom(header)
        said.parts.add(kind=message_pb2.PART_KIND_MAIN)
        said.parts.add(
            kind=message_pb2.PART_KIND_ATTACHMENT,
            ciphertext_size=len(sealed),
            ciphertext_sha256=sha256(sealed).digest(),
        )
        whole: object
        try:
            whole = attachment.split_plaintext(data)
        except Rejected:
            whole = None
        pieces = b""
        try:
            opener = attachment.Opener(said, 1, key)
            for at in range(0, len(sealed), 100):
                pieces += opener.update(sealed[at : at + 100])
            last, found = opener.finish()
        except Rejected:
            demand(whole is None, "a whole attachment is refused in pieces")
            raise
        demand(whole == (found, pieces + last), "in pieces it is another than as a whole")
        return True

    def mutate(random: Random, data: bytes) -> bytes:
        if not random.randrange(3):
            return mutate_bytes(random, data)
        changed = AttachmentInfo()
        changed.CopyFrom(info)
        mutate_message(random, changed)
        if random.randrange(2):
            changed.name = mutate_text(random, info.name).encode("utf-8", "replace").decode()
        text = changed.SerializeToString(deterministic=True)
        return len(text).to_bytes(4) + text + ANNEX

    return Target("attachment", opened, [plain], mutate)
