"""Metadata before and after they are signed."""

from collections.abc import Mapping
from typing import Any

from securesystemslib.signer import Signature
from tuf.api.metadata import Metadata, Signed, TargetFile


def signed_bytes(payload: Signed) -> bytes:
    """Return the bytes of metadata that are signed."""
    return metadata_with(payload, {}).signed_bytes


def metadata_with(payload: Signed, signatures: Mapping[str, str]) -> Metadata[Any]:
    """Return metadata with these signatures, by key id."""
    return Metadata(payload, {keyid: Signature(keyid, made) for keyid, made in signatures.items()})


def described(path: str, data: bytes) -> TargetFile:
    """Return the entry of a file in the metadata that vouch for it."""
    return TargetFile.from_data(path, data, ["sha256"])
