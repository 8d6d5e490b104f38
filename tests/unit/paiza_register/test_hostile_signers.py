"""Metadata that its rightful signer made malformed: everything is refused in an orderly way."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from securesystemslib.formats import encode_canonical

from paiza_register import RegisterReader, load_set
from paiza_wire.errors import Rejected, Unavailable
from tests.unit.paiza_register.conftest import NOW, Holder, Source

ROLES = ("timestamp", "snapshot", "targets", "kaz")

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        [0, -1, 2**63, 10**30, "", "x", "../x", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", [], {}, [[]], {"": {}}]
    ),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside a JSON value."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: object) -> Any:
    """Return a JSON value in which one place holds something else."""
    changed = json.loads(json.dumps(value))
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return changed


def signed(holder: Holder, role: str, payload: Any) -> bytes:
    """Sign any payload, as python-tuf would write it."""
    canonical = encode_canonical(payload)
    assert canonical is not None
    data = canonical.encode()
    signatures = [
        {"keyid": (made := signer.sign(data)).keyid, "sig": made.signature} for signer in holder.signers[role]
    ]
    return json.dumps({"signed": payload, "signatures": signatures}).encode()


def hostile_set(holder: Holder, role: str, draw: st.DataObject) -> dict[str, bytes]:
    """Change one value in the metadata of a role, and sign it and everything that names it."""
    files = holder.files()
    name = "timestamp.json" if role == "timestamp" else f"1.{role}.json"
    payload = json.loads(files[f"metadata/{name}"])["signed"]
    path = draw.draw(st.sampled_from(list(places(payload))))
    data = signed(holder, role, replaced(payload, path, draw.draw(VALUES)))
    files[f"metadata/{name}"] = data
    for above, entry in (("snapshot", f"{role}.json"), ("timestamp", "snapshot.json")):
        if role in {"timestamp", above}:
            continue
        name = "timestamp.json" if above == "timestamp" else "1.snapshot.json"
        payload = json.loads(files[f"metadata/{name}"])["signed"]
        payload["meta"][entry].update(length=len(data), hashes={"sha256": sha256(data).hexdigest()})
        data = signed(holder, above, payload)
        files[f"metadata/{name}"] = data
    return files


@pytest.mark.parametrize("role", ROLES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_malformed_metadata_of_a_rightful_signer_is_refused(
    made: Holder, tmp_path_factory: pytest.TempPathFactory, role: str, draw: st.DataObject
) -> None:
    """Any one value replaced ends in a register, in Rejected or in Unavailable, for the set and the reader alike."""
    files = hostile_set(made.copy(), role, draw)
    try:
        alone = load_set(files, made.bootstrap, NOW)
    except (Rejected, Unavailable):
        alone = None
    reader = RegisterReader(Path(tmp_path_factory.mktemp("reader")), made.bootstrap)
    try:
        read = reader.refresh(NOW, Source(files))
    except (Rejected, Unavailable):
        read = None
    assert read is None or read == alone


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_a_malformed_bootstrap_root_is_refused(made: Holder, draw: st.DataObject) -> None:
    """Any one value of the bootstrap root replaced ends in a register or in a refusal."""
    payload = json.loads(made.bootstrap)["signed"]
    path = draw.draw(st.sampled_from(list(places(payload))))
    root = signed(made, "root", replaced(payload, path, draw.draw(VALUES)))
    try:
        load_set(made.copy().files(), root, NOW)
    except (Rejected, Unavailable):
        return


def test_an_expiry_at_the_end_of_time_is_no_error(holder: Holder) -> None:
    """Expiries in the year 9999 do not overflow the grace."""
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    for part in (holder.timestamp, holder.snapshot, holder.top, *holder.roles.values()):
        part.expires = end
    holder.rotate_root(lambda root: setattr(root, "expires", end))
    assert not holder.load(end - timedelta(days=1)).late
