"""The cryptographic floor: the computation that two nodes need for one message at least, spread over two cores.

Both nodes verify the officer's P-256 signature; the receiver opens the X-Wing wrap and decrypts; both hash the
ciphertext, the header and the log entries that name the message. Certificates, parsing, storing and talking are left
Certificates, parsing, storing and talking are left
"""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from paiza_wire import message
from paiza_wire.identity import keys
from paiza_wire.identity.private_keys import X_WING
from paiza_wire.identity.sealing import Sealer
from paiza_wire.message import key_wrapping, part_cipher
from paiza_wire.tlog import merkle
from tests.bench.figures import Figure
from tests.bench.run import RECEIVER, Run
from tests.registers import read_register

NAME: Final = "cryptographic floor"
PROCESSES: Final = 2  # one for each node
SECONDS: Final = 1.5
REPEATS: Final = 3
ROUND: Final = 50  # messages between two looks at the clock
ENTRY_BYTES: Final = 400  # of a log entry: RELEASED and DELIVERED at the sender, RECEIVED at the receiver, each checked


def measure(run: Run) -> Iterator[Figure]:
    """Compute the floor in two processes at the same time, several times."""
    data = run.corpus.message()
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as workers:
        list(workers.map(_rate, *_arguments(run, data, 0.1)))  # both processes are there and warm
        passes = [list(workers.map(_rate, *_arguments(run, data, SECONDS))) for _ in range(REPEATS)]
    yield Figure(
        name=NAME,
        samples=tuple(sum(rate for rate, _ in each) for each in passes),
        unit="messages/s",
        beside=f"2 verifications, 1 opening, decryption, hashing of {len(data):,} bytes; two cores",
        processor_us=statistics.median(microseconds for each in passes for _, microseconds in each),
    )


def _arguments(run: Run, data: bytes, seconds: float) -> tuple[list[Path], list[bytes], list[float]]:
    return [run.federation.folder] * PROCESSES, [data] * PROCESSES, [seconds] * PROCESSES


def _rate(federation: Path, data: bytes, seconds: float) -> tuple[float, float]:
    """Return the messages per second of this process, and its microseconds of processor time for one."""
    verifier = read_register(federation).certificate_verifier()
    verified = message.verify(data, verifier, at=datetime.now(UTC))
    pem = (federation / "nodes" / RECEIVER / "keys/encryption.seed").read_bytes()
    private = key_wrapping.private_key_from_seed(X_WING.read(Sealer(bytes).open(pem)))
    keyring = {private.public_key.key_id: private}
    signer, signature = verified.signers[0], verified.signed.signatures[0].signature
    payload = message.pre_authentication_encoding(verified.signed.header)
    ciphertext = verified.signed.parts[0].ciphertext
    context = part_cipher.part_context(verified.header.author, verified.header.message_id, 0)
    entry = bytes(ENTRY_BYTES)
    count, begun, used = 0, time.perf_counter(), time.process_time()
    while (elapsed := time.perf_counter() - begun) < seconds:
        for _ in range(ROUND):
            for _node in range(2):
                keys.verify(signer.public_key, signature, payload)
                sha256(ciphertext).digest()
                sha256(verified.signed.header).digest()
                merkle.leaf_hash(entry)
            part_cipher.decrypt_part(message.unwrap_key(verified, 0, RECEIVER, keyring), context, ciphertext)
        count += ROUND
    return count / elapsed, (time.process_time() - used) / count * 1e6
