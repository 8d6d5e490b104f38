"""Exchanges messages over AS2 with pyas2lib and prints the rates as JSON. Runs in an environment of its own.

One exchange is what a receipt means here: the sender signs and encrypts, the receiver decrypts, verifies and answers
with a signed MDN, the sender verifies it. Both sides live in this one process; nothing touches a disk or a network.
What favours AS2 is chosen: keys read once, certificates not validated, AES, no compression.
"""

import argparse
import json
import logging
import os
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pyas2lib import Mdn, Message, Organization, Partner  # type: ignore[import-not-found]

RSA_BITS = 2048  # what AS2 partners commonly use
SENDER, RECEIVER = "kaz", "tjk"


def identity(name: str) -> tuple[bytes, bytes]:
    """Return a key with its self-signed certificate, and the certificate alone, both in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name}.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key_pem + certificate, certificate


class Pair:
    """Two organisations that know each other."""

    def __init__(self) -> None:
        (kaz_key, kaz_certificate), (tjk_key, tjk_certificate) = identity(SENDER), identity(RECEIVER)
        self.kaz = Organization(as2_name=SENDER, sign_key=kaz_key, decrypt_key=kaz_key, domain="kaz.example")
        self.tjk = Organization(as2_name=RECEIVER, sign_key=tjk_key, decrypt_key=tjk_key, domain="tjk.example")
        self.to_tjk = partner(RECEIVER, tjk_certificate)
        self.from_kaz = partner(SENDER, kaz_certificate)

    def exchange(self, content: bytes) -> None:
        """Transfer one message and return its receipt; any missing proof fails here."""
        sent = Message(self.kaz, self.to_tjk)
        sent.build(content, filename="content.bin", content_type="application/octet-stream")

        received = Message()
        status, (failure, details), mdn = received.parse(
            sent.headers_str + b"\r\n" + sent.content,
            find_org_cb=lambda _name: self.tjk,
            find_partner_cb=lambda _name: self.from_kaz,
        )
        if status != "processed" or not received.signed or not received.encrypted or received.content != content:
            raise SystemExit(f"the receiver answered {status}: {failure} {details}")

        receipt = Mdn()
        status, failure = receipt.parse(mdn.headers_str + b"\r\n" + mdn.content, lambda _id, _recipient: sent)
        if status != "processed":
            raise SystemExit(f"the receipt says {status}: {failure}")


def partner(name: str, certificate: bytes) -> Partner:
    """Return what one side knows of the other."""
    return Partner(
        as2_name=name,
        verify_cert=certificate,
        encrypt_cert=certificate,
        validate_certs=False,
        sign=True,
        digest_alg="sha256",
        encrypt=True,
        enc_alg="aes_256_cbc",
        mdn_mode="SYNC",
        mdn_digest_alg="sha256",
        canonicalize_as_binary=True,
    )


def main() -> None:
    """Exchange for some seconds, several times, and print one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bytes", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)

    pair = Pair()
    pair.exchange(os.urandom(options.bytes))
    rates, exchanges, used = [], 0, time.process_time()
    for _ in range(options.repeats):
        count, begun = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - begun) < options.seconds:
            pair.exchange(os.urandom(options.bytes))
            count += 1
        rates.append(count / elapsed)
        exchanges += count
    found = {"rates": rates, "processor_us": (time.process_time() - used) / exchanges * 1e6}
    print(json.dumps(found | {"pyas2lib": version("pyas2lib"), "oscrypto": version("oscrypto")}))


if __name__ == "__main__":
    main()
