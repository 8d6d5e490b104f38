"""Verifies an evidence file of Paiza without Paiza: Python's standard library and `cryptography`, nothing else.

    python3 verify_evidence.py [--lang en|ru] EVIDENCE ROOT.json [DIR for the disclosed parts]

ROOT.json is the federation's bootstrap root, which must have come another way. Exit code 0 (proven), 1 (not proven), 2
(wrong usage) or 3 (`cryptography` is missing or too old). README.md beside it lists what it checks, "Evidence" in
proto/README.md the format. It shares no code with the rest of the project.
"""

import io
import json
import re
import sys
import zipfile
from argparse import ArgumentParser
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256, sha512
from itertools import pairwise
from pathlib import Path

try:
    from cryptography import x509
    from cryptography.cobblestone import Cobblestone256Decryptor
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import (
        ECDSA,
        SECP256R1,
        EllipticCurvePublicKey,
        generate_private_key,
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
except ImportError as missing:
    english = f"This program needs cryptography 50 or newer: pip install 'cryptography>=50' ({missing})"
    russian = f"Программе нужен пакет cryptography версии 50 или новее: pip install 'cryptography>=50' ({missing})"
    print(russian if "ru" in sys.argv else english, file=sys.stderr)
    sys.exit(3)  # not 1: nothing was verified, so nothing was found not proven

EPOCH, TOLERANCE = datetime(1970, 1, 1, tzinfo=UTC), timedelta(minutes=10)  # the latter between clocks of states
MAX_FILE, MAX_MEMBERS, MAX_SETS, MAX_NOTE, MAX_SIGNATURES = 128 << 20, 8192, 512, 256 << 10, 64
MAX_LISTED, MAX_TIMESTAMP, MAX_SNAPSHOT, MAX_VERSION = 500, 32 << 10, 256 << 10, (1 << 53) - 1
TIME, NEVER, KeyTable = "%Y-%m-%dT%H:%M:%SZ", "~", dict[tuple[str, bytes], tuple[str, bytes, str]]  # ~ is after 9
HASH, COSIGNATURE, LAST_SECOND, ATTACHMENT, MAX_LIST = 32, 8 + 2420, 253_402_300_799, 3, 4 << 20
MAX_OWN, MAX_SHARED, MAX_REVOKED, MAX_CAS = (2 << 20, 16), (16 << 20, 256), 5000, 8  # bytes and files in the register
DOCUMENT_SIGNING, OWN = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"), ("*", ("revoked.json", "liaison.json"))
KEY_USAGES = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
KEY_USAGES += ["key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
SERIAL, LONG_FORM = range(8, 21), 128  # octets of a serial number; the shortest content with a length of several octets
# The library returns what a certificate signs only with a signature: this key makes one, and serves for nothing else.
ECDSA_SHA256, ANY_KEY = bytes.fromhex("300a06082a8648ce3d040302"), generate_private_key(SECP256R1())
FILE = re.compile("(?:[A-Za-z0-9][A-Za-z0-9_-]{0,31}/){0,2}[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
PLACES = re.compile(
    r"message\.bin|entries/[0-9]{3}\.(?:entry|tlog-proof|before|growth|list)|keys/(?:0|[1-9][0-9]?)\.key"
    r"|parts/(?:0|[1-9][0-9]?)\.bin|register/[0-9a-f]{64}\.json|register/files/[0-9a-f]{64}"
)
# Ed25519: the field, and the second coordinates of the points whose order divides 8: anybody can sign under such keys.
FIELD, ORDER_8 = 2**255 - 19, 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SMALL_ORDER = {0, 1, FIELD - 1, ORDER_8, FIELD - ORDER_8}
# P-256: half the order of its group. A pair: the lengths of its first half, its key and its signature.
HALF_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2
POINT, PAIR_KEY, PAIR_SIGNATURE = 65, 65 + 1312, 64 + 2420
# The events in evidence; the detail of each has its name, and its number plus 8.
EVENTS = {3: "RELEASED", 4: "RECEIVED", 5: "REFUSED", 12: "OPENED", 13: "EXPORTED", 14: "FORWARDED", 18: "RECALLED"}
EVENTS |= {
    31: "OFFICER_CERTIFIED",
    19: "ERASED",
    20: "NEVER_HELD",
    21: "ERASURE_DENIED",
    48: "SUBJECTS_SHOWN",
    49: "OPENED_TOGETHER",
}

# Protocol Buffers messages: fields in the order of their numbers ("-": none here). b bytes, s text, i signed, u 32
# bits, o 32 bits and optional, U 64 bits, t true; * repeated.
FIELDS = {
    "Time": "seconds:i nanos:i",
    "Signature": "signer_id:s certificate:b signature:b",
    "Sealed": "part_number:u ciphertext:b",
    "SignedMessage": "header:b signatures:*Signature subject:b - parts:*Sealed",
    "Handling": "scheme:s evaluation:s code:s code_text:s tlp:s pap:s classification:u purposes:*s",
    "Part": "kind:i ciphertext_sha256:b ciphertext_size:U handling:Handling",
    "Required": "id:s role:s",
    "Recipient": "member:s attention:s",
    "Header": "suite:i message_id:b thread_id:b parents:*b kind:s kind_version:u author:s required:*Required "
    "recipients:*Recipient author_time:Time urgency:i urgency_reason:s handling:Handling legal_bases:*s "
    "review_time:Time register_version:b parts:*Part subject_sha256:b exercise:t",
    "Logged": "id:s role:s certificate_sha256:b",
    "Attachment": "part_number:u ciphertext_sha256:b",
    "Released": "signers:*Logged thread_name:s",
    "Received": "dispatch_sha256:b attachment:Attachment",
    "Refused": "reason:s dispatch_sha256:b attachment:Attachment",
    "Opened": "part_number:u",
    "Exported": "purpose:s grant_digest:b without_annex:t messages_sha256:b message_count:u",
    "Passed": "purpose:s grant_digest:b without_annex:t",
    "About": "other_digest:b",
    "Certified": "signing_certificate_sha256:b authentication_certificate_sha256:b "
    "invitation_sha256:b renewal_sha256:b",
    "Together": "messages_sha256:b message_count:u",
    "Entry": "salt:b event:i time:Time actor:s counterpart:s message_digest:b register_version:b text_sha256:b - - "
    "released:Released received:Received refused:Refused - - - - - - opened:Opened exported:Exported forwarded:Passed "
    "- - - recalled:About erased:About never_held:About erasure_denied:About "
    + "- " * 9
    + "officer_certified:Certified "
    + "- " * 16
    + "subjects_shown:Together opened_together:Together",
}


def need(holds: object, what: str) -> None:
    """Raise ValueError unless a condition holds."""
    if not holds:
        raise ValueError(what)


def unpacked(data: bytes) -> dict[str, bytes]:
    """Read the members; refuse any misplaced byte, and members that differ from the manifest."""
    need(len(data) <= MAX_FILE, "the file is too large")
    ended = re.fullmatch(rb"(?s)PK\x05\x06.{10}[\0-\x3f]\0.{4}\0\0", data[-22:]) and data[-42:-38] != b"PK\6\7"
    need(ended, "the ZIP file is not in its one form")  # no comment, no ZIP64, a list of members under 4 MiB
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        listed = archive.infolist()
        need(len(listed) <= MAX_MEMBERS and sum(each.file_size for each in listed) <= len(data), "too many members")
        need(not any(each.compress_type or each.file_size != each.compress_size for each in listed), "it is compressed")
        members = {each.filename: archive.read(each) for each in listed}
    need(all(len(each) <= MAX_LIST for name, each in members.items() if name.endswith("json")), "a list is too large")
    file = io.BytesIO()  # the one form: stored, in order of names, no times, mode 0600
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(members.items()):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100600 << 16
            archive.writestr(info, content)
    need(file.getvalue() == data, "the ZIP file is not in its one form")
    manifest = json.loads(members.pop("manifest.json"))
    need((manifest["format"], manifest["version"]) == ("paiza-evidence", 2), "a format or version unknown here")
    found = {name: {"sha256": sha256(each).hexdigest(), "size": len(each)} for name, each in members.items()}
    need(manifest["files"] == found, "the manifest names other members than there are")
    need(all(map(PLACES.fullmatch, members)), "a member of no known purpose")
    return members


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number in its shortest encoding, and the position of its end."""
    value = 0
    for place in range(10):
        byte = data[at + place]
        value |= (byte & 127) << 7 * place
        if byte <= 127:  # noqa: PLR2004
            need((byte or not place) and value < 1 << 64, "a number is not written in its one way")
            return value, at + place + 1
    raise ValueError("a number is too long")


def decoded(data: bytes, kind: str) -> object:
    """Read a message in its one encoding: fields in order, none unknown, none twice, no defaults written."""
    if kind in "bs":
        return data if kind == "b" else data.decode()
    fields = dict(enumerate((each.split(":") for each in FIELDS[kind].split()), 1))
    defaults = {"s": "", "b": b"", "i": 0, "u": 0, "U": 0, "t": 0}
    message = {name: [] if of[0][0] == "*" else defaults.get(*of) for name, *of in fields.values() if name != "-"}
    at = last = 0
    while at < len(data):
        tag, at = varint(data, at)
        name, *of = fields.get(tag >> 3, "-")
        repeated, form = "*" in "".join(of), "".join(of).lstrip("*")
        need(name != "-" and (tag >> 3 > last or (repeated and tag >> 3 == last)), f"{kind}: a field out of place")
        last, (value, at) = tag >> 3, varint(data, at)
        if form in "iouUt":
            need(tag & 7 == 0 and (value or form == "o"), f"{kind}: {name} is not written in its one way")
            need(form in "iU" or value < 1 << (1 if form == "t" else 32), f"{kind}: {name} is out of range")
            message[name] = value - (1 << 64) if value >> 63 and form == "i" else value
            continue
        need(tag & 7 == 2 and at + value <= len(data), f"{kind}: {name} is cut off")  # noqa: PLR2004
        need(value or repeated or len(form) > 1, f"{kind}: {name} is empty and written out")
        read, at = decoded(data[at : at + value], form), at + value
        message[name] = [*message[name], read] if repeated else read
    return message


def canonical(value: object) -> str:
    """Return JSON in its signed form (OLPC canonical JSON)."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    need(value is None or isinstance(value, (list, int)), "the register: a number that is not whole")
    return "[" + ",".join(map(canonical, value)) + "]" if isinstance(value, list) else json.dumps(value)


def hex_of(text: str) -> bytes:
    """Decode lower-case hex."""
    data = bytes.fromhex(text)
    need(data.hex() == text, "hex that is not written in its one way")
    return data


def pair_signed(public: bytes, made: bytes, data: bytes) -> bool:
    """Check both halves of a pair's signature: over P-256 with the smaller s, and of ML-DSA-44."""
    need((len(public), len(made)) == (PAIR_KEY, PAIR_SIGNATURE) and public[0] == 4, "not a pair")  # noqa: PLR2004
    r, s = int.from_bytes(made[:32]), int.from_bytes(made[32:64])
    need(s <= HALF_ORDER, "a signature with the larger s")
    message = b"paiza/v1/pair\n" + sha256(public).digest() + data
    first = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), public[:POINT])
    first.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))
    MLDSA44PublicKey.from_public_bytes(public[POINT:]).verify(made[64:], message)
    return True


def counts(key: dict, signature: str, data: bytes) -> bool:
    """Return whether a key of the metadata (a pair, or ML-DSA-44 as in TAP 21) signed these bytes."""
    kind = key["keytype"], key["scheme"]
    with suppress(Exception):  # whatever is wrong with one signature, it does not count
        if kind == ("paiza-pair", "p256-mldsa44/1"):
            return pair_signed(hex_of(key["keyval"]["public"]), hex_of(signature), data)
        public, made = load_pem_public_key(key["keyval"]["public"].encode()), bytes.fromhex(signature)
        if kind == ("ml-dsa", "ml-dsa-44/1") and isinstance(public, MLDSA44PublicKey):
            return public.verify(made, b"tuf\x01" + sha512(data).digest()) is None
    return False


def metadata(data: bytes, kind: str, keys: dict, role: dict) -> dict:
    """Read metadata of one kind that enough of the role's keys signed."""
    need(len(data) <= MAX_LIST, f"the register: the {kind} is too large")
    parsed = json.loads(data.decode())
    signed: dict = parsed["signed"]
    signatures = {each["keyid"]: each["sig"] for each in parsed["signatures"]}
    need(signed["_type"] == kind and len(signatures) == len(parsed["signatures"]), f"the register: no {kind}")
    data = canonical(signed).encode()
    good = [each for each in set(role["keyids"]) if each in signatures and counts(keys[each], signatures[each], data)]
    need(1 <= role["threshold"] <= len(good), f"the register: too few have signed the {kind}")
    return signed


def named(files: dict[str, bytes], path: str, info: dict) -> bytes:
    """Return a file named in metadata by length and SHA-256."""
    data = files[path]
    need(info.get("length", len(data)) == len(data), f"the register: {path} is of another length")
    need(info["hashes"]["sha256"] == sha256(data).hexdigest(), f"the register: {path} is another file")
    return data


def check_signers(root: dict) -> None:
    """Check that root and targets are of the same custodians, with pairs, snapshot and timestamp of publishers."""
    roles = {name: (set(each["keyids"]), each["threshold"]) for name, each in root["roles"].items()}
    same = roles["root"] == roles["targets"] and roles["snapshot"] == roles["timestamp"]
    need(same and roles["timestamp"][1] == 1, "the register: roles of other signers")
    of_kind(root["keys"], roles["root"][0], "paiza-pair")
    of_kind(root["keys"], roles["timestamp"][0], "ml-dsa")


def of_kind(keys: dict, ids: list[str] | set[str], kind: str) -> None:
    """Check that keys are of one kind."""
    need(all(keys[each]["keytype"] == kind for each in ids), f"the register: a key that is no {kind}")


def check_keys(keys: dict) -> None:
    """Check that each key stands once, under its own key id, and each half of a pair once."""
    halves = list[bytes]()
    for identity, key in keys.items():
        need(sha256(canonical(key).encode()).hexdigest() == identity, "the register: a key under another id")
        public = key["keyval"]["public"]
        if key["keytype"] == "paiza-pair":
            halves += [hex_of(public[: 2 * POINT]), hex_of(public[2 * POINT :])]
        else:
            read = load_pem_public_key(public.encode())
            need(read.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode() == public, "a key in PEM")
            halves.append(read.public_bytes_raw())
    need(len(set(halves)) == len(halves), "the register: a key, or a half of one, stands twice")


def role_of(path: str) -> str:
    """Return the role of the metadata that names a file."""
    if re.fullmatch(r"reference-[^/]*\.json", path):
        return "federation.reference"
    place = re.fullmatch("members/([a-z0-9-]+)/([^/]+)", path)
    need(place or not path.startswith("members/"), f"the register: {path} is nobody's")
    return "targets" if place is None else place[1] + ".node" * (place[2] in OWN[1])


def check_holders(federation: dict, active: set[str], roles: dict, delegated: list[dict]) -> None:
    """Check that federation.json names the members that own the signing keys, and that every active one has its own."""
    signing = {role["name"]: role["keyids"] for role in delegated}
    own = {name for member in federation["members"] for name in (member, f"{member}.node")}
    belong = {name for name, each in federation["members"].items() if each["status"] != "removed"}
    need(set(signing) == own | {"federation.reference"}, "the register: other members")
    signing |= {"custodians": roles["root"]["keyids"], "publishers": roles["timestamp"]["keyids"]}
    signing["reference"] = signing["federation.reference"]
    for listed in ("custodians", "publishers", "reference"):
        holders = {each["member"]: each["key"] for each in federation[listed]}
        once = len(holders) == len(federation[listed]) and set(holders) <= belong
        need(once and sorted(holders.values()) == sorted(signing[listed]), f"{listed}: not whose keys sign")
        need(listed == "reference" or active <= set(holders), f"{listed}: one is missing")


def within(parts: dict[str, dict], size: int) -> bool:
    """Return whether one owner's roles list nothing but files of their own, few and small enough."""
    with suppress(Exception):
        infos = [(name, path, info) for name, part in parts.items() for path, info in part["targets"].items()]
        need(all(role_of(path) == name and FILE.fullmatch(path) for name, path, _ in infos), "a file of another")
        need(all([*info["hashes"]] == ["sha256"] for *_, info in infos), "another hash")
        size, most = size + sum(info["length"] for *_, info in infos), MAX_OWN if size else MAX_SHARED
        return size <= most[0] and len(infos) <= most[1] and all("delegations" not in part for part in parts.values())
    return False


def listed(files: dict[str, bytes], targets: dict[str, dict]) -> dict[str, bytes]:
    """Return the files that a role lists."""
    parts = {path: (*path.rpartition("/"), info["hashes"]["sha256"]) for path, info in targets.items()}
    paths = {path: f"targets/{folder}{slash}{digest}.{name}" for path, (folder, slash, name, digest) in parts.items()}
    return {path: named(files, paths[path], info) for path, info in targets.items()}


def last_root(files: dict[str, bytes], bootstrap: bytes) -> dict:
    """Verify the chain of roots from the bootstrap root, each signed as the one before and itself require.

    A first root counts only if every one of its custodians signed it.
    """
    first = json.loads(bootstrap)["signed"]
    custodians = first["roles"]["root"]
    if first["version"] == 1:  # all founders must have signed, not only the threshold
        custodians = {**custodians, "threshold": max(custodians["threshold"], len(custodians["keyids"]))}
    root = metadata(bootstrap, "root", first["keys"], custodians)
    check_signers(root)
    while (data := files.get(f"metadata/{root['version'] + 1}.root.json")) is not None:
        following = metadata(data, "root", root["keys"], root["roles"]["root"])
        metadata(data, "root", following["keys"], following["roles"]["root"])
        need(following["version"] == root["version"] + 1, "the register: a root of another version")
        check_signers(following)
        root = following
    return root


def moment(text: str) -> datetime:
    """Read a time in UTC, to the second, in its one spelling."""
    found = datetime.strptime(text, TIME).replace(tzinfo=UTC)
    need(found.strftime(TIME) == text, "a time in another spelling")
    return found


def names(federation: str, common_name: str) -> x509.Name:
    """Return the subject of a certificate."""
    pairs = (x509.NameOID.ORGANIZATION_NAME, federation), (x509.NameOID.COMMON_NAME, common_name)
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in pairs])


def usage(*on: str) -> x509.KeyUsage:
    """Return the key usage with these bits."""
    return x509.KeyUsage(**{flag: flag in on for flag in KEY_USAGES})


def tlv(tag: int, content: bytes) -> bytes:
    """Encode a value in DER."""
    size = len(content).to_bytes(4, "big").lstrip(b"\0") or b"\0"
    return bytes([tag]) + (size if len(content) < LONG_FORM else bytes([LONG_FORM | len(size)]) + size) + content


def exact(der: bytes, subject: x509.Name, issuer: x509.Name, extensions: Callable) -> x509.Certificate:
    """Check that a certificate says exactly this, beside its key, serial number and validity, in DER; return it."""
    found = x509.load_der_x509_certificate(der)
    key, serial = found.public_key(), found.serial_number
    need(isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1), "a certificate: not on P-256")
    need(serial > 0 and serial.bit_length() // 8 + 1 in SERIAL, "a certificate: the length of its serial number")
    need(found.not_valid_before_utc < found.not_valid_after_utc, "a certificate: it ends before it begins")
    again = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key).serial_number(serial)
    again = again.not_valid_before(found.not_valid_before_utc).not_valid_after(found.not_valid_after_utc)
    for extension, critical in extensions(key):
        again = again.add_extension(extension, critical)
    need(
        again.sign(ANY_KEY, SHA256()).tbs_certificate_bytes == found.tbs_certificate_bytes, "a certificate: its profile"
    )
    whole = found.tbs_certificate_bytes + ECDSA_SHA256 + tlv(3, b"\0" + found.signature)
    need(tlv(0x30, whole) == der, "a certificate: its encoding")
    return found


class Authority:
    """A CA that a member announces: its certificate, and the time for which it is announced and valid."""

    def __init__(self, entry: dict, member: str, federation: str, role: str) -> None:
        name, domain = names(federation, f"{member} {role} CA"), f"{member}.{federation}"
        constraints = [x509.UniformResourceIdentifier(domain), x509.DNSName(domain)]
        found = exact(
            b64decode(entry["certificate"], validate=True),
            name,
            name,
            lambda key: (
                (x509.SubjectKeyIdentifier.from_public_key(key), False),
                (x509.BasicConstraints(ca=True, path_length=0), True),
                (usage("key_cert_sign", "crl_sign"), True),
                (x509.NameConstraints(constraints, None), True),
            ),
        )
        found.verify_directly_issued_by(found)
        begins, ends = (moment(entry[name]) for name in ("from", "until"))
        need(begins < ends, "a CA that ends before it begins")
        self.certificate, self.key, self.name = found, found.public_key(), name
        self.begins, self.ends = max(begins, found.not_valid_before_utc), min(ends, found.not_valid_after_utc)


class Register:
    """One verified set of the register, a TUF repository: the members at that time, and their keys."""

    def __init__(self, files: dict[str, bytes], bootstrap: bytes) -> None:
        root = last_root(files, bootstrap)
        keys, roles = root["keys"], root["roles"]
        timestamp = metadata(files["metadata/timestamp.json"], "timestamp", keys, roles["timestamp"])
        info = timestamp["meta"]["snapshot.json"]
        data = named(files, f"metadata/{info['version']}.snapshot.json", info)
        snapshot = metadata(data, "snapshot", keys, roles["snapshot"])
        self.version, self.number, sizes = sha256(data).hexdigest(), snapshot["version"], dict[str, int]()
        need(len(files["metadata/timestamp.json"]) <= MAX_TIMESTAMP and len(data) <= MAX_SNAPSHOT, "a large snapshot")
        counted = [each["version"] for each in (timestamp, snapshot, *snapshot["meta"].values())]
        need(counted[1] == info["version"] and max(counted) <= MAX_VERSION, "the register: a wrong version")

        def targets(name: str, keys: dict, role: dict) -> dict:
            info = snapshot["meta"][f"{name}.json"]
            data = named(files, f"metadata/{info['version']}.{name}.json", info)
            sizes[name], found = len(data), metadata(data, "targets", keys, role)
            need(found["version"] == info["version"], f"the register: {name} is of another version")
            return found

        top = targets("targets", keys, roles["targets"])
        lists, seen, node_keys, delegated = dict[str, dict](), set[str](), list[dict](), top["delegations"]
        check_keys({**delegated["keys"], **keys})
        need(not set(keys) & set(delegated["keys"]), "the register: a key of two roles")
        order = [role["name"] for role in delegated["roles"]]
        need(all(each not in order[: order.index(f"{each}.node")] for each in order if "." not in each), "its order")
        for role in delegated["roles"]:
            name, (member, _, kind) = role["name"], role["name"].partition(".")
            own = ["reference-*.json"] if kind == "reference" else [f"members/{member}/{n}" for n in OWN[bool(kind)]]
            need(role["paths"] == own and role["terminating"] is True, f"the register: role {name}")
            node_keys += [{"member": member, "key": each} for each in role["keyids"] if kind == "node"]
            lists[name] = targets(name, delegated["keys"], role)
            of_kind(delegated["keys"], role["keyids"], "paiza-pair")
            need(not seen & set(role["keyids"]), f"the register: {name} shares its keys")
            seen.update(role["keyids"])
        need(all(role_of(path) == "targets" for path in top["targets"]), "the register: someone speaks for all")
        documents = listed(files, top["targets"])
        federation = json.loads(documents["federation.json"])
        need(all(each not in federation.get("former_node_keys", []) for each in node_keys), "a former key of a node")
        self.federation, members = str(federation["name"]), federation["members"]
        self.active = {name for name, each in members.items() if each["status"] == "active"}
        check_holders(federation, self.active, roles, delegated["roles"])
        need({f"{each}.json" for each in ("targets", *lists)} >= set(snapshot["meta"]), "a role that nobody signs")
        members = [name for name, each in members.items() if each["status"] != "removed"]
        self.cas, self.revoked = dict[str, dict[str, list[Authority]]](), dict[str, set[str]]()
        self.log_keys, self.witness_keys = KeyTable(), KeyTable()
        for own in ["federation.reference"], *([f"{member}.node", member] for member in members):
            parts = {name: lists[name] for name in own}
            if within(parts, 0 if len(own) == 1 else sum(sizes[name] for name in own)):
                found = {path: each for part in parts.values() for path, each in listed(files, part["targets"]).items()}
                with suppress(Exception):  # what a member says wrong about itself is that member's fault alone
                    self.describe(own[1], found, federation)

    def describe(self, member: str, documents: dict[str, bytes], federation: dict) -> None:
        """Read what a member says about itself: all of it, or nothing."""
        found, gone = (json.loads(documents[f"members/{member}/{each}.json"]) for each in ("member", "revoked"))
        need(found["id"] == member and found["format"] == gone["format"] == 1, f"{member}: not its document")
        need(len(gone["certificates"]) <= MAX_REVOKED, f"{member}: too many revocations")
        own = f"{member}.{self.federation}/"
        cas = {
            role: [Authority(each, member, self.federation, role) for each in found[f"{role}_cas"]]
            for role in ("node", "officer")
        }
        need(all(0 < len(each) <= MAX_CAS for each in cas.values()), f"{member}: no CAs, or too many")
        held = [each.key.public_numbers() for of_role in cas.values() for each in of_role]
        need(len(set(held)) == len(held), f"{member}: two CAs of one key")
        revoked = {each[name] for each in gone["certificates"] for name in ("certificate_sha256", "key_sha256")}
        admitted = list[KeyTable]()  # a key that is named and not pinned is not the member's yet
        for label, all_of, kind in (("origin", "log_keys", 1), ("name", "witness_keys", 6)):
            pins = {(each[label], each["vkey_sha256"]) for each in federation[all_of] if each[label].startswith(own)}
            keys = [vkey(each, kind, f"{own}{all_of[:-5]}/") for each in found[all_of]]
            mine = [(each[:2], (member, *each[3:])) for each in keys if (each[0], each[2]) in pins]
            admitted.append(KeyTable(mine))
            need(0 < len(admitted[-1]) == len(mine) == len(pins), f"{member}: other keys than the members admitted")
        self.cas[member], self.revoked[member] = cas, revoked
        self.log_keys |= admitted[0]
        self.witness_keys |= admitted[1]


def base64_of(text: str) -> bytes:
    """Decode canonical base64."""
    data = b64decode(text, validate=True)
    need(b64encode(data).decode() == text, "base64 that is not written in its one way")
    return data


def hashes_of(lines: list[str]) -> list[bytes]:
    """Read hashes, one a line."""
    hashes = [base64_of(line) for line in lines]
    need(len(hashes) <= 2 * HASH and all(len(each) == HASH for each in hashes), "not a list of hashes")
    return hashes


def vkey(named: dict, kind: int, prefix: str) -> tuple[str, bytes, str, bytes, str]:
    """Read a C2SP verifier key of one kind and owner: name, key id, digest of its text, public key, until when."""
    name, key_id, encoded = named["vkey"].split("+", 2)
    data, until = base64_of(encoded), named.get("until", NEVER)
    computed = sha256(name.encode() + b"\n" + data).digest()[:4]
    need(data[0] == kind and key_id == computed.hex() and name.startswith(prefix), f"the key {name} is another")
    y = int.from_bytes(data[1:], "little") & (1 << 255) - 1
    need(kind != 1 or (len(data) == 1 + HASH and y < FIELD and y not in SMALL_ORDER), f"the key {name} is no point")
    need("until" not in named or f"{datetime.fromisoformat(until):{TIME}}" == until, f"the key {name} ends at no time")
    return name, computed, sha256(named["vkey"].encode()).hexdigest(), data[1:], until


class Note:
    """A C2SP checkpoint in a signed note that its log has signed; ``owner`` is the log's member."""

    def __init__(self, data: bytes, registers: list[Register]) -> None:
        text = data.decode()
        need(len(data) <= MAX_NOTE and not re.search(r"[\x00-\x09\x0b-\x1f]", text), "not a note")
        body, blank, block = text.rpartition("\n\n")
        need(blank and block.endswith("\n") and block.count("\n") <= MAX_SIGNATURES, "a note without signatures")
        self.origin, size, root, *more = body.split("\n")
        need(not more and re.fullmatch("0|[1-9][0-9]{0,18}", size) and int(size) < 1 << 63, "not a checkpoint")
        self.size, self.root, self.signatures = int(size), hashes_of([root])[0], []
        need(self.size or self.root == sha256(b"").digest(), "an empty tree of another root")
        for dash, name, encoded in (line.split(" ", 2) for line in block[:-1].split("\n")):
            signature = base64_of(encoded)
            need(dash == "\N{EM DASH}" and len(signature) > 4, "a signature line is not one")  # noqa: PLR2004
            need(0 < len(name) <= 255 and "+" not in name and not re.search(r"\s", name), "no key name")  # noqa: PLR2004
            self.signatures.append((name, signature[:4], signature[4:]))
        known = {of: key for each in registers for of, key in each.log_keys.items() if of[0] == self.origin}
        mine = [(*known[of], made) for *names, made in self.signatures if (of := tuple(names)) in known]
        need(mine, f"{self.origin}: a checkpoint that no key of this log has signed")
        for self.owner, key, _until, made in mine:  # the log may have abandoned a key since
            Ed25519PublicKey.from_public_bytes(key).verify(made, f"{body}\n".encode())

    def witnessed(self, register: Register) -> tuple[datetime, list[str], int]:
        """Return the median time at which a quorum of the others cosigned, their names, and the number of witnesses."""
        others, newest = register.active - {self.owner}, dict[tuple[str, bytes], int]()
        for name, key_id, signature in self.signatures:
            witness, key, _until = register.witness_keys.get((name, key_id), ("", b"", ""))
            if witness not in register.active:
                continue  # by the log itself, or by nobody who is known
            seconds = int.from_bytes(signature[:8], "big")
            need(len(signature) == COSIGNATURE and seconds <= LAST_SECOND, "a cosignature is not of its form")
            head = [b"subtree/v1\n\0", bytes([len(name.encode())]), name.encode(), signature[:8]]
            head += [bytes([len(self.origin.encode())]), self.origin.encode(), self.size.to_bytes(16)]
            MLDSA44PublicKey.from_public_bytes(key).verify(signature[8:], b"".join([*head, self.root]))
            if seconds and witness in others:
                newest[name, key_id] = max(seconds, newest.get((name, key_id), 0))
        by = [(seconds, *register.witness_keys[identity]) for identity, seconds in newest.items()]
        counted = [each for each in by if f"{EPOCH + timedelta(seconds=each[0]):{TIME}}" < each[3]]
        first = {each[1]: each[0] for each in sorted(counted, reverse=True)}  # a member counts once, by its earliest
        need(len(first) > 2 * len(others) // 3, f"{self.origin}: only {len(first)} of {len(others)} cosigned")
        times = sorted(first.values())
        return EPOCH + timedelta(seconds=times[(len(times) - 1) // 2]), sorted(first), len(others)


def climb(place: int, last: int, start: bytes, path: list[bytes]) -> tuple[bytes, bytes]:
    """Rebuild the roots of a smaller and a larger tree from a node they share (RFC 9162 sections 2.1.3.2, 2.1.4.2)."""
    old = new = start
    for digest in path:
        need(last > 0, "a proof is too long")
        if place & 1 or place == last:
            old, new = sha256(b"\x01" + digest + old).digest(), sha256(b"\x01" + digest + new).digest()
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = sha256(b"\x01" + new + digest).digest()
        place, last = place >> 1, last >> 1
    need(last == 0, "a proof is too short")
    return old, new


def messages_of(listed: bytes, detail: dict, where: str) -> list[bytes]:
    """Return the messages that an entry about several commits to; none of any other entry."""
    need(len(listed) % HASH == 0 and len(listed) <= MAX_LISTED * HASH, f"{where}: not a list of messages")
    found = [listed[at : at + HASH] for at in range(0, len(listed), HASH)]
    told = len(found), sha256(b"paiza/v1/listed-messages\n" + listed).digest()
    commits = detail.get("message_count"), detail.get("messages_sha256")
    need(not found or (found == sorted(set(found)) and commits == told), f"{where}: it is about other messages")
    return found


class Entry:
    """An entry in the log of ``member``, and its time if a quorum of witnesses proves one."""

    def __init__(self, stem: str, members: dict[str, bytes], registers: dict[str, Register]) -> None:
        newest = sorted(registers.values(), key=lambda each: -each.number)
        raw, (head, _blank, note) = members[f"{stem}.entry"], members[f"{stem}.tlog-proof"].partition(b"\n\n")
        version, *lines = head.decode("ascii").split("\n")
        need(version == "c2sp.org/tlog-proof@v1", f"{stem}: a proof of a format unknown here")
        extra = base64_of(lines.pop(0)[6:]) if lines[0].startswith("extra ") else b""
        need(re.fullmatch("index (0|[1-9][0-9]{0,18})", index := lines.pop(0)), f"{stem}: the proof names no index")
        self.index, self.notes, self.fields = int(index[6:]), [Note(note, newest)], decoded(raw, "Entry")
        after, fields = self.notes[0], self.fields
        self.member, self.where = after.owner, f"{after.origin} #{self.index}"
        need(self.index < after.size, f"{self.where}: the entry lies behind its checkpoint")
        _old, root = climb(self.index, after.size - 1, sha256(b"\0" + raw).digest(), hashes_of(lines))
        need(root == after.root, f"{self.where}: the inclusion proof leads to another root")
        self.event = EVENTS.get(fields["event"], "?")
        details = [name.lower() for name in EVENTS.values() if fields[name.lower()] is not None]
        need(details == [self.event.lower()], f"{self.where}: its detail is not set, or of another event")
        self.detail = fields[details[0]]
        self.listed = messages_of(members.get(f"{stem}.list", b""), self.detail, self.where)
        texts = [each for each in (*fields.values(), *self.detail.values()) if isinstance(each, str)]
        need(all(map(str.isprintable, texts)), "unprintable text")
        about = self.detail if self.event == "OPENED" else self.detail.get("attachment")
        self.part = about["part_number"] if about else None
        self.reason, self.without_annex = self.detail.get("reason", ""), bool(self.detail.get("without_annex"))
        self.time = EPOCH + timedelta(seconds=fields["time"]["seconds"], microseconds=fields["time"]["nanos"] // 1000)
        self.not_before, self.not_after, self.witnesses, self.others = None, None, [], 0
        before = members.get(f"{stem}.before")
        need(extra or before is None, f"{self.where}: a checkpoint before it, and no register to judge it by")
        if extra:
            judge = registers[extra.hex()]
            need(judge.number >= registers[fields["register_version"].hex()].number, "witnesses of an older register")
            self.not_after, self.witnesses, self.others = after.witnessed(judge)
        if before is not None:
            growth = members[f"{stem}.growth"].decode("ascii")
            need(not growth or growth.endswith("\n"), f"{self.where}: a line of the growth proof is cut off")
            earlier = Note(before, newest)
            need(earlier.origin == after.origin and earlier.size <= self.index, f"{self.where}: it is not before it")
            proof, size = hashes_of(growth.split("\n")[:-1]), earlier.size
            # The root of a power of two is a node of the larger tree: the proof omits it.
            start, *proof = proof if size & (size - 1) else [earlier.root, *proof]
            odd = len(bin(size - 1)) - len(bin(size - 1).rstrip("1"))
            roots = (earlier.root, after.root)
            grown = not size or climb(size - 1 >> odd, after.size - 1 >> odd, start, proof) == roots
            need(grown and (size or not proof), f"{self.where}: the consistency proof leads to other roots")
            self.not_before, *_whom = earlier.witnessed(judge)
            self.notes.append(earlier)
            need(self.not_before <= self.not_after + TOLERANCE, f"{self.where}: the later checkpoint was the earlier")
        since, until = self.not_before or self.time, self.not_after or self.time
        contradicted = self.time < since - TOLERANCE or self.time > until + TOLERANCE
        names = ("event", "member", "where", "part", "time", "not_before", "not_after", "witnesses", "others", "reason")
        self.claim = {name: getattr(self, name) for name in names} | {"time_contradicted": contradicted}
        self.claim |= {"actor": fields["actor"], "counterpart": fields["counterpart"]}
        self.claim["without_annex"] = self.without_annex


def check_entry(entry: Entry, header: dict, digest: bytes, logged: list, handed: set[tuple[str, str]]) -> None:
    """Check that an entry is about this message and permitted in the log of its member."""
    of, part, member, author = entry.fields, entry.part, entry.member, header["author"]
    certified = entry.detail.get("signing_certificate_sha256") in [each[2] for each in logged] and member == author
    about = digest in (of["message_digest"], *entry.listed)
    need(about or (certified and not of["message_digest"]), f"{entry.where}: the entry is of another message")
    need(part is None or part < len(header["parts"]), f"{entry.where}: there is no such part")
    addressed = of["counterpart"] in [each["member"] for each in header["recipients"]]
    signed = [(each["id"], each["role"], each["certificate_sha256"]) for each in entry.detail.get("signers", ())]
    released = member == header["author"] and addressed and signed == logged
    answers = (part is None or header["parts"][part]["kind"] == ATTACHMENT) and (of["counterpart"], member) in handed
    holds, own = member in {header["author"], *(to for _, to in handed)}, of["actor"].startswith(f"spiffe://{member}.")
    registered = len(of["register_version"]) == HASH
    allowed = {
        "RELEASED": registered and released,
        "RECEIVED": registered and answers,
        "REFUSED": registered and answers and entry.reason,
        "FORWARDED": registered and own and of["counterpart"] not in ("", member),
        "OFFICER_CERTIFIED": certified,
        "OPENED": holds and own,
        "EXPORTED": holds and own,
        "SUBJECTS_SHOWN": holds and own,
        "OPENED_TOGETHER": holds and own,
        "RECALLED": holds,
        "ERASED": holds,
        "NEVER_HELD": holds,
        "ERASURE_DENIED": holds,
    }
    need(allowed.get(entry.event), f"{entry.where}: {entry.event} that is not of this message, or not of this log")


def issuer(found: x509.Certificate, cas: list[Authority]) -> Authority:
    """Return the CA that issued a certificate."""
    for ca in cas:
        with suppress(ValueError, TypeError, InvalidSignature):
            found.verify_directly_issued_by(ca.certificate)
            return ca
    raise ValueError("a certificate of no CA of the member")


def certificate(der: bytes, officer: str, member: str, register: Register) -> tuple:
    """Check an officer's signing certificate; return its key, its validity, and the ids it may be revoked by."""
    own = f"spiffe://{member}.{register.federation}/officer/"
    need(officer.startswith(own), f"{officer}: another member's")
    ca = issuer(x509.load_der_x509_certificate(der), register.cas[member]["officer"])
    found = exact(
        der,
        names(register.federation, f"{member} {officer.removeprefix(own)}"),
        ca.name,
        lambda key: (
            (x509.SubjectKeyIdentifier.from_public_key(key), False),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (usage("content_commitment"), True),
            (x509.ExtendedKeyUsage([DOCUMENT_SIGNING]), False),
            (x509.SubjectAlternativeName([x509.UniformResourceIdentifier(officer)]), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key), False),
        ),
    )
    held = [each.key.public_numbers() for of_role in register.cas[member].values() for each in of_role]
    need(found.public_key().public_numbers() not in held, f"{officer}: the key of a CA")
    spki = found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    begins, ends = max(found.not_valid_before_utc, ca.begins), min(found.not_valid_after_utc, ca.ends)
    return found.public_key(), begins, ends, {sha256(der).hexdigest(), sha256(spki).hexdigest()}


def signers(signed: dict, header: dict, first: Entry, entries: list[Entry], registers: dict) -> list[dict]:
    """Check that exactly the required officers signed, with certificates valid when the message was first released."""
    required, register = header["required"], registers[first.fields["register_version"].hex()]
    ids = [each["id"] for each in required]
    need(ids and ids == [each["signer_id"] for each in signed["signatures"]] and len(set(ids)) == len(ids), "signers")
    kind, found, held = b"application/vnd.paiza.header.v1+protobuf", [], []
    payload = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(signed["header"]), signed["header"])
    for each, role in zip(signed["signatures"], required, strict=True):
        key, begins, ends, names = certificate(each["certificate"], role["id"], header["author"], register)
        key.verify(each["signature"], payload, ECDSA(SHA256()))
        need(begins <= first.time <= ends, f"{role['id']}: the certificate was not valid at the log's own time")
        need(not names & register.revoked[header["author"]], f"{role['id']}: the certificate was revoked")
        since, until = first.not_before, first.not_after
        outside = (since is not None and since > ends) or (until is not None and until < begins)
        need(not outside, f"{role['id']}: the certificate was not valid when witnesses say that it was released")
        revoked_by = sorted(each for each, of in registers.items() if names & of.revoked.get(header["author"], set()))
        for entry in entries if since else []:
            seen = entry.not_after is not None and entry.not_after <= since
            need(not seen or entry.fields["register_version"].hex() not in revoked_by, f"{role['id']}: revoked before")
        witnessed = since is not None and begins <= since and until <= ends
        shown = {"id": role["id"], "role": role["role"], "certificate_sha256": sha256(each["certificate"]).hexdigest()}
        digest, log = sha256(each["certificate"]).digest(), first.notes[0].origin
        certified = [one for one in entries if one.detail.get("signing_certificate_sha256") == digest]
        for one in certified:
            late = one.time > first.time or (one.notes[0].origin == log and one.index > first.index)
            need(not late, f"{role['id']}: certified after the release")
        found.append({**shown, "witnessed": witnessed, "revoked_by": revoked_by, "certified": bool(certified)})
        held.append(key.public_numbers())
    need(len(set(held)) == len(held), "two signers of one key")
    return found


def verify(file: bytes, bootstrap: bytes) -> dict:
    """Return the facts a file proves under this bootstrap root; any exception means not proven."""
    members, registers, used = unpacked(file), dict[str, Register](), set[str]()
    for name in (each for each in members if each.startswith("register/") and each.endswith(".json")):
        listed = json.loads(members[name].decode())
        used.update(listed.values())
        register = Register({path: members[f"register/files/{each}"] for path, each in listed.items()}, bootstrap)
        registers[register.version] = register
        need(name == f"register/{register.version}.json", f"{name}: a set of another version")
    files = {name[-2 * HASH :]: each for name, each in members.items() if name.startswith("register/files/")}
    need(set(files) == used and all(sha256(files[each]).hexdigest() == each for each in files), "register/files")
    need(0 < len(registers) <= MAX_SETS, "no set of the register, or too many")
    signed = decoded(members["message.bin"], "SignedMessage")
    header, digest = decoded(signed["header"], "Header"), sha256(signed["header"]).digest()
    stems = sorted({name.rpartition(".")[0] for name in members if name.startswith("entries/")})
    need(all((f"{each}.before" in members) == (f"{each}.growth" in members) for each in stems), "entries: one missing")
    entries = [Entry(stem, members, registers) for stem in stems]
    heads = {(note.origin, note.size, note.root) for each in entries for note in each.notes}
    need(len({head[:2] for head in heads}) == len(heads), "a log is forked: one size, two roots")
    entries.sort(key=lambda each: (each.notes[0].origin, each.index))
    for one, two in pairwise(entries):
        ordered = one.index < two.index and one.time <= two.time
        need(one.notes[0].origin != two.notes[0].origin or ordered, f"{one.where}: twice, or time runs backwards")
    carried = dict[str, set[str]]()  # the revocations of its own member that a log had: it never goes back behind them
    for entry in entries:
        of, origin = registers.get(entry.fields["register_version"].hex()), entry.notes[0].origin
        if of is not None and entry.member in of.revoked:
            lost = carried.get(origin, set()) - of.revoked[entry.member]
            need(not lost, f"{entry.where}: a register that lacks a revocation which an entry before it had")
            carried[origin] = of.revoked[entry.member]
    first = min((each for each in entries if each.event == "RELEASED"), key=lambda each: (each.time, each.index))
    authority = signers(signed, header, first, entries, registers)
    logged = [(each["id"], each["role"], bytes.fromhex(each["certificate_sha256"])) for each in authority]
    handed = {(header["author"], each["member"]) for each in header["recipients"]}
    handed |= {(each.member, each.fields["counterpart"]) for each in entries if each.event == "FORWARDED"}
    sealed = {each["part_number"]: each["ciphertext"] for each in signed["parts"]}
    need(list(sealed) == sorted(sealed) and len(sealed) == len(signed["parts"]), "parts: out of order, or one twice")
    subject = sha256(signed["subject"]).digest() == header["subject_sha256"] if 0 in sealed else not signed["subject"]
    need(subject, "the subject is not the signed one")
    sealed |= {int(each[6:-4]): members[each] for each in members if each.startswith("parts/")}
    for number, data in sealed.items():
        shape = {"ciphertext_sha256": sha256(data).digest(), "ciphertext_size": len(data)}
        need(header["parts"][number] | shape == header["parts"][number], f"part {number} is not the signed one")
    for entry in entries:
        check_entry(entry, header, digest, logged, handed)
    disclosed = {}
    for number, key in ((int(each[5:-4]), members[each]) for each in members if each.startswith("keys/")):
        fields = (header["author"].encode(), header["message_id"], number.to_bytes(4))
        cipher = Cobblestone256Decryptor(key, b"".join(len(each).to_bytes(2) + each for each in fields))
        disclosed[number] = cipher.update(sealed[number]) + cipher.finalize()
    claims = [each.claim for each in sorted(entries, key=lambda each: (each.time, each.notes[0].origin, each.index))]
    said = {"federation": register.federation, "message": header["message_id"].hex(), "digest": digest.hex()}
    said |= {"author": header["author"], "recipients": [each["member"] for each in header["recipients"]]}
    said |= {"kind": f"{header['kind']} v{header['kind_version']}", "parts_signed": len(header["parts"])}
    said["exercise"] = bool(header["exercise"])
    return {**said, "signed": authority, "claims": claims, "parts": sorted(sealed), "disclosed": disclosed}


ENGLISH = {
    "": "PROVEN",
    "exercise": "EXERCISE: the message says that it is one",
    "federation": "Federation",
    "message": "Message",
    "digest": "Digest of its header (SHA-256)",
    "kind": "Kind",
    "author": "Author",
    "recipients": "Recipients",
    "signed": "Signed",
    "certificate": "certificate",
    "unwitnessed": "that the certificate was valid then is the word of the author's log alone",
    "revoked": "the certificate is revoked in register {}; no proof says since before",
    "uncertified": "no entry says that the author's log held the certificate before",
    "OFFICER_CERTIFIED": "Certificate logged",
    "RELEASED": "Released",
    "RECEIVED": "Received",
    "REFUSED": "Refused",
    "FORWARDED": "Forwarded",
    "OPENED": "Opened",
    "EXPORTED": "Exported",
    "SUBJECTS_SHOWN": "Subject shown",
    "OPENED_TOGETHER": "Opened with others",
    "RECALLED": "Recalled",
    "ERASED": "Erased",
    "NEVER_HELD": "Never held",
    "ERASURE_DENIED": "Not erased: legal hold",
    "part": "part {}",
    "without_annex": "without the nominal annex",
    "own_word": "the time is this log's own word",
    "interval": "not before {}, not after {}: {} (witnesses: {} of {})",
    "unknown": "unknown",
    "contradicted": "THE LOG'S TIME CONTRADICTS ITS WITNESSES",
    "no_release": "No release in this file",
    "no_answer": "No answer in this file",
    "no_part": "Ciphertexts not in this file",
    "disclosed": "Part disclosed: {}, {} bytes",
}
RUSSIAN = {
    "": "ДОКАЗАНО",
    "exercise": "УЧЕНИЕ: сообщение само называет себя учебным",
    "federation": "Федерация",
    "message": "Сообщение",
    "digest": "Хэш-код его заголовка (SHA-256)",
    "kind": "Вид",
    "author": "Автор",
    "recipients": "Получатели",
    "signed": "Подписано",
    "certificate": "сертификат",
    "unwitnessed": "что сертификат тогда действовал, подтверждает только журнал автора",
    "revoked": "сертификат отозван в реестре {}; что отзыв был раньше, не доказано",
    "uncertified": "нет записи о том, что сертификат раньше был в журнале автора",
    "OFFICER_CERTIFIED": "Сертификат записан",
    "RELEASED": "Отправлено",
    "RECEIVED": "Получено",
    "REFUSED": "Отклонено",
    "FORWARDED": "Передано третьей стороне",
    "OPENED": "Открыто",
    "EXPORTED": "Выгружено",
    "SUBJECTS_SHOWN": "Тема показана",
    "OPENED_TOGETHER": "Открыто в составе списка",
    "RECALLED": "Отозвано",
    "ERASED": "Удалено",
    "NEVER_HELD": "Не хранилось",
    "ERASURE_DENIED": "Не удалено: запрет на удаление",
    "part": "часть {}",
    "without_annex": "без приложения с персональными данными",
    "own_word": "время только по данным этого журнала",
    "interval": "не раньше {}, не позже {}: {} (узлы-свидетели: {} из {})",
    "unknown": "неизвестно",
    "contradicted": "ВРЕМЯ ЖУРНАЛА ПРОТИВОРЕЧИТ ДАННЫМ УЗЛОВ-СВИДЕТЕЛЕЙ",
    "no_release": "В этом файле нет отправки",
    "no_answer": "В этом файле нет ответа",
    "no_part": "В этом файле нет шифртекстов частей",
    "disclosed": "Раскрыта часть: {}, байт: {}",
}
WORDS = {"en": ENGLISH, "ru": RUSSIAN}


def clock(time: datetime | None, words: dict[str, str]) -> str:
    """Write a time in UTC, to the millisecond."""
    return words["unknown"] if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def told_claim(claim: dict, words: dict[str, str]) -> list[str]:
    """Return one entry's proof in words."""
    who = claim["member"]
    who += f" -> {claim['counterpart']}" if claim["event"] in ("RELEASED", "FORWARDED") else ""
    said = [who, *([] if claim["part"] is None else [words["part"].format(claim["part"])])]
    said += [words["without_annex"]] * claim["without_annex"] + [clock(claim["time"], words)]
    said += [each for each in (claim["actor"], claim["where"]) if each]
    reason = f" ({claim['reason']})" if claim["reason"] else ""
    lines = [f"{words[claim['event']]}{reason}: " + ", ".join(said)]
    if claim["not_after"] is None:
        return [*lines, f"    {words['own_word']}"]
    # Witnesses cut their clocks to whole seconds: what was seen in a second was there by the end of it.
    ends = [clock(claim["not_before"], words), clock(claim["not_after"] + timedelta(seconds=1), words)]
    names = (", ".join(claim["witnesses"]), len(claim["witnesses"]), claim["others"])
    lines.append("    " + words["interval"].format(*ends, *names))
    return lines + [f"    {words['contradicted']}"] * claim["time_contradicted"]


def told(found: dict, words: dict[str, str]) -> str:
    """Return the proven facts of a file and its gaps in words, derived only from verified data."""
    lines = [words[""], *([words["exercise"]] if found["exercise"] else [])]
    lines += [f"{words[name]}: {found[name]}" for name in ("federation", "message", "digest", "kind", "author")]
    lines.append(f"{words['recipients']}: {', '.join(found['recipients'])}")
    for each in found["signed"]:
        lines.append(f"{words['signed']}: {each['id']} ({each['role']})")
        lines.append(f"    {words['certificate']} {each['certificate_sha256']}")
        lines += [] if each["witnessed"] else [f"    {words['unwitnessed']}"]
        lines += [f"    {words['revoked'].format(version)}" for version in each["revoked_by"]]
        lines += [] if each["certified"] else [f"    {words['uncertified']}"]
    for claim in found["claims"]:
        lines += told_claim(claim, words)
    whole = [claim for claim in found["claims"] if claim["part"] is None]
    released = {claim["counterpart"] for claim in whole if claim["event"] == "RELEASED"}
    answered = {claim["member"] for claim in whole if claim["event"] in ("RECEIVED", "REFUSED")}
    lines += [f"{words['no_release']}: {each}" for each in found["recipients"] if each not in released]
    lines += [f"{words['no_answer']}: {each}" for each in found["recipients"] if each not in answered]
    absent = [str(number) for number in range(found["parts_signed"]) if number not in found["parts"]]
    lines += [f"{words['no_part']}: {', '.join(absent)}"] if absent else []
    lines += [words["disclosed"].format(number, len(data)) for number, data in found["disclosed"].items()]
    return "\n".join(map(printable, lines))


def printable(text: str) -> str:
    """Replace control characters: the maker of the file chose the names in it."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def main(*arguments: str) -> int:
    """Print the proven facts, or the failure."""
    parser = ArgumentParser(description="Verifies an evidence file of Paiza without Paiza.")
    parser.add_argument("evidence", type=Path)
    parser.add_argument("root", type=Path, help="the federation's bootstrap root, from the federation itself")
    parser.add_argument("folder", type=Path, nargs="?", help="where the disclosed parts are written")
    parser.add_argument("--lang", choices=sorted(WORDS), default="en", help="language of what is printed")
    asked = parser.parse_args(arguments)
    try:
        need(asked.evidence.stat().st_size <= MAX_FILE, "the file is too large")
        found = verify(asked.evidence.read_bytes(), asked.root.read_bytes())
    except Exception as error:  # noqa: BLE001 - what cannot be read is not proven
        refused = {"en": "NOT PROVEN", "ru": "НЕ ДОКАЗАНО"}[asked.lang]
        print(printable(f"{refused}: {type(error).__name__}: {error}"))
        return 1
    print(told(found, WORDS[asked.lang]))
    for number, plaintext in found["disclosed"].items() if asked.folder else ():
        asked.folder.mkdir(parents=True, exist_ok=True)
        (asked.folder / f"part-{number}.bin").write_bytes(plaintext)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
