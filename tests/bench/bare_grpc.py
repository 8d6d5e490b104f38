"""Row "against bare gRPC": a unary echo of one message's bytes over the same mTLS, two processes, 64 calls in flight.

`python -m tests.bench.bare_grpc FEDERATION PORT` is the other process.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from typing import Final, TypeAlias

import grpc
from typing_extensions import override

from tests.bench import machine
from tests.bench.figures import Figure
from tests.bench.run import SENDER, Run
from tests.federation import free_ports
from tests.officer import Officer
from tests.registers import read_register

NAME: Final = "bare gRPC: unary echo"
METHOD: Final = "/bench.Echo/Echo"
IN_FLIGHT: Final = 64
SECONDS: Final = 2.0
REPEATS: Final = 3
READY_SECONDS: Final = 20.0
STOP_SECONDS: Final = 10.0

_Call: TypeAlias = "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]"


def measure(run: Run) -> Iterator[Figure]:
    """Echo for some seconds, several times, and give the calls per second."""
    data = run.corpus.message()
    port = free_ports(1)
    with _echo_server(run.federation.folder, port) as server:
        officer = Officer(run.federation.folder, f"{SENDER}-liaison")
        rates, microseconds = asyncio.run(_echo(officer, port, server.pid, data))
    yield Figure(
        name=NAME,
        samples=tuple(rates),
        unit="/s",
        beside=f"{len(data):,} bytes each way, mTLS, {IN_FLIGHT} in flight, two processes",
        processor_us=microseconds,
    )


async def _echo(officer: Officer, port: int, server: int, data: bytes) -> tuple[list[float], float]:
    """Return the rates, and the microseconds of processor time that one call takes in both processes together."""
    officer.node = f"127.0.0.1:{port}"
    rates, calls = [], 0
    async with officer.channel() as channel:
        call: _Call = channel.unary_unary(METHOD)
        await call(data, wait_for_ready=True, timeout=READY_SECONDS)
        used = time.process_time() + machine.cpu_seconds(server)
        for _ in range(REPEATS):
            begun = time.perf_counter()
            counts = await asyncio.gather(*(_caller(call, data, begun + SECONDS) for _ in range(IN_FLIGHT)))
            calls += sum(counts)
            rates.append(sum(counts) / (time.perf_counter() - begun))
        used = time.process_time() + machine.cpu_seconds(server) - used
    return rates, used / calls * 1e6


async def _caller(call: _Call, data: bytes, until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        await call(data)
        count += 1
    return count


@contextmanager
def _echo_server(federation: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.bare_grpc", str(federation), str(port)])
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class _Echo(grpc.GenericRpcHandler):
    @override
    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        return grpc.unary_unary_rpc_method_handler(_answer) if details.method == METHOD else None


async def _answer(request: bytes, _context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
    return request


async def _serve(federation: Path, port: int) -> None:
    keys = federation / "nodes" / SENDER / "keys"
    (ca,) = read_register(federation).member(SENDER).authority.officer_cas
    officer_ca = DER_cert_to_PEM_cert(ca.certificate).encode()
    pair = ((keys / "tls.key").read_bytes(), (keys / "tls.crt").read_bytes())
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Echo(),))
    server.add_secure_port(
        f"127.0.0.1:{port}",
        grpc.ssl_server_credentials([pair], root_certificates=officer_ca, require_client_auth=True),
    )
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
