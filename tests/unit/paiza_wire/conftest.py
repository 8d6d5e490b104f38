"""A federation of three invented members, minted once a run, and one message among them."""

import pytest

from paiza_wire.identity import CertificateVerifier
from tests.unit.paiza_wire.minting import Federation, mint_member, signed_message


@pytest.fixture(scope="session")
def federation() -> Federation:
    """Members with CAs, officers, log and encryption keys; no test changes them."""
    return Federation({member: mint_member(member) for member in ("aaa", "bbb", "ccc")})


@pytest.fixture(scope="session")
def verifier(federation: Federation) -> CertificateVerifier:
    """The verifier of that federation's certificates."""
    return federation.verifier()


@pytest.fixture(scope="session")
def sent(federation: Federation) -> bytes:
    """A message of aaa to bbb and ccc with content, annex and attachment, signed by two officers."""
    return signed_message(federation["aaa"], [federation["bbb"], federation["ccc"]])
