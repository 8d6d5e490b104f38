"""TLS 1.3 and nothing older, with the key exchange that outlives elliptic curves, as seen on the wire."""

import re
import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from tests import http2
from tests.federation import Federation, NodeProcess, free_ports
from tests.registers import read_register
from tests.system.minting import Identity, Mint
from tests.system.proxy import Proxy

X25519MLKEM768: Final = 0x11EC
TLS_1_3: Final = 0x0304
HANDSHAKE, SERVER_HELLO = 22, 2  # RFC 8446 §5.1, §4
SUPPORTED_VERSIONS, KEY_SHARE = 43, 51  # §4.2
OPENSSL_SECONDS: Final = 60
OFFICER_SESSION: Final = "/paiza.officer.v1.OfficerService/GetSession"


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run one node."""
    with Federation.create(tmp_path_factory.mktemp("tls") / "federation", ["kaz", "tjk"]) as made:
        made.start("kaz")
        yield made


@pytest.fixture(scope="module")
def mint(federation: Federation) -> Mint:
    """Return the CAs of the federation."""
    return Mint(federation.folder, read_register(federation.folder))


def test_tls_1_2_is_refused(federation: Federation, mint: Mint, tmp_path: Path) -> None:
    """A caller with a valid certificate that offers TLS 1.2 at most gets no handshake; with 1.3 it does."""
    node, caller = federation.node("kaz"), mint.officer("kaz-liaison")
    assert _handshake(node, caller, tmp_path, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _handshake(node, caller, tmp_path, ssl.TLSVersion.TLSv1_2)


async def test_program_and_node_agree_on_a_hybrid_key(federation: Federation, mint: Mint) -> None:
    """The ServerHello to a gRPC caller, read off the wire, names TLS 1.3 and X25519MLKEM768."""
    port = free_ports(1)
    async with Proxy(port, federation.node("kaz").address) as wire:
        async with mint.officer("kaz-liaison").channel(f"127.0.0.1:{port}", "kaz", mint.register) as channel:
            await officer_pb2_grpc.OfficerServiceStub(channel).GetSession(officer_pb2.GetSessionRequest(), timeout=30)
        extensions = server_hello_extensions(bytes(wire.from_server))
    assert struct.unpack(">H", extensions[SUPPORTED_VERSIONS]) == (TLS_1_3,)
    assert struct.unpack_from(">H", extensions[KEY_SHARE]) == (X25519MLKEM768,)


@pytest.mark.parametrize(("group", "shown"), [("X25519", "X25519"), ("P-256", "prime256v1"), ("P-384", "secp384r1")])
@pytest.mark.parametrize("caller", ["tjk", "kaz-liaison"])
def test_call_over_a_classical_key_exchange_is_refused(
    federation: Federation, mint: Mint, tmp_path: Path, caller: str, group: str, shown: str
) -> None:
    """The node completes TLS with a caller that offers no hybrid group, and refuses its calls with the reason."""
    identity = mint.node(caller) if caller in federation.nodes else mint.officer(caller)
    path = "/paiza.peer.v1.ExchangeService/Handshake" if caller in federation.nodes else OFFICER_SESSION
    command = _s_client_command(_openssl(), federation.node("kaz"), identity, tmp_path, "-tls1_3", "-groups", group)
    sent = http2.PREFACE + http2.frame(http2.SETTINGS, 0, b"", 0) + http2.call(path.encode())
    with subprocess.Popen([*command, "-quiet"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(sent)
        received, wanted = b"", (b"classical_key_exchange", f"is {shown}, not".encode())
        while not all(each in received for each in wanted) and (more := program.stdout.read(65_536)):
            received += more
        program.kill()
    assert all(each in received for each in wanted), received


def test_openssl_agrees_on_a_hybrid_key_and_not_on_tls_1_2(federation: Federation, mint: Mint, tmp_path: Path) -> None:
    """`openssl s_client` is refused with -tls1_2; with TLS 1.3 it reports X25519MLKEM768."""
    program = _openssl()
    modern = _s_client(program, federation.node("kaz"), mint.officer("kaz-liaison"), tmp_path, "-tls1_3")
    assert modern.returncode == 0, modern.stderr
    assert "X25519MLKEM768" in modern.stdout
    assert "New, TLSv1.3" in modern.stdout
    old = _s_client(program, federation.node("kaz"), mint.officer("kaz-liaison"), tmp_path, "-tls1_2")
    assert old.returncode != 0
    assert "Cipher is (NONE)" in old.stdout


def server_hello_extensions(data: bytes) -> dict[int, bytes]:
    """Return the extensions of the first ServerHello of a connection (RFC 8446 §4.1.3, in records of §5.1)."""
    kind, _, length = struct.unpack_from(">BHH", data)
    assert kind == HANDSHAKE
    body = data[5 : 5 + length]
    assert body[0] == SERVER_HELLO
    at = 4 + 2 + 32  # header, legacy version, random
    at += 1 + body[at]  # session id
    at += 2 + 1  # cipher suite, compression
    end = at + 2 + struct.unpack_from(">H", body, at)[0]
    at += 2
    found = {}
    while at < end:
        name, size = struct.unpack_from(">HH", body, at)
        found[name] = body[at + 4 : at + 4 + size]
        at += 4 + size
    return found


def _files(identity: Identity, folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "shown.crt", folder / "shown.key"
    certificate.write_bytes(identity.certificate_pem)
    key.touch(0o600)
    key.write_bytes(identity.key_pem)
    return certificate, key


def _handshake(node: NodeProcess, identity: Identity, folder: Path, version: ssl.TLSVersion) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(*_files(identity, folder))
    context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    host, _, port = node.address.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as plain, context.wrap_socket(plain) as secure:
        return secure.version()


def _s_client(
    program: str, node: NodeProcess, identity: Identity, folder: Path, version: str
) -> "subprocess.CompletedProcess[str]":
    command = _s_client_command(program, node, identity, folder, version)
    return subprocess.run(
        command, input="Q\n", capture_output=True, text=True, errors="replace", check=False, timeout=OPENSSL_SECONDS
    )


def _s_client_command(program: str, node: NodeProcess, identity: Identity, folder: Path, *more: str) -> list[str]:
    certificate, key = _files(identity, folder)
    connect = [program, "s_client", "-connect", node.address, "-alpn", "h2"]
    return [*connect, "-cert", str(certificate), "-key", str(key), *more]


def _openssl() -> str:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl program here")
    said = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    number = re.search(r"OpenSSL (\d+)\.(\d+)", said)
    if number is None or (int(number[1]), int(number[2])) < (3, 5):
        pytest.skip(f"{said.strip()} does not know X25519MLKEM768: 3.5 does")
    return program
