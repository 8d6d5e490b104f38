"""The certificate that a node shows, looked at before anything is sent to it.

Python gRPC does not show the server's certificate to a client. It is looked at on a connection of its own, and then is
the only one that the channel believes: whoever stands between the two, or answers later, must hold its key.
"""

import asyncio
import ssl
from contextlib import suppress

from paiza_wire.errors import Unavailable


async def shown_certificate(endpoint: str, seconds: float) -> bytes:
    """Return the certificate (DER) shown at an endpoint, unverified; Unavailable("peer_unreachable") if none is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    host, _, port = endpoint.rpartition(":")
    try:
        async with asyncio.timeout(seconds):
            _reader, writer = await asyncio.open_connection(
                host.strip("[]"), int(port), ssl=context, happy_eyeballs_delay=0.25
            )
    except (OSError, ValueError, TimeoutError) as error:
        raise Unavailable("peer_unreachable", f"{endpoint}: {type(error).__name__}") from error
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
    if not shown:
        raise Unavailable("peer_unreachable", f"{endpoint}: it shows no certificate")
    return bytes(shown)
