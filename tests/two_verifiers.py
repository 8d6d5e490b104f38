"""Our verifier of evidence and the second one, side by side: both must agree on every file."""

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

from paiza_client.evidence import evidence
from paiza_client.evidence import members as evidence_members
from paiza_officer.errors import NotProven
from paiza_register import load_set

PROGRAM: Final = Path(__file__).parents[1] / "deploy/verifier/verify_evidence.py"


def second_verifier() -> ModuleType:
    """Load the second verifier from where it stands."""
    spec = importlib.util.spec_from_file_location("verify_evidence", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def remembering_sets() -> Iterator[ModuleType]:
    """Verify each set of the register once with both, for tests that change the rest; return the second's."""
    verifier = second_verifier()
    verifier.Register = remembering(verifier.Register)  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence_members, "load_set", remembering(load_set))
        yield verifier


def remembering(load: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of a set's files and what else it needs that remembers what it gave for the very same."""
    known: dict[object, Any] = {}

    def remembered(files: Mapping[str, bytes], *others: Any) -> Any:
        key = (*((path, sha256(data).digest()) for path, data in sorted(files.items())), *others)
        if key not in known:
            known[key] = load(files, *others)
        return known[key]

    return remembered


def ours(data: bytes, root: bytes) -> dict[str, Any] | None:
    """Return what our verifier proves, in the words of the second; None where it refuses."""
    try:
        found = evidence.verify_file(data, root)
    except NotProven:
        return None
    return {
        "federation": found.federation,
        "message": found.message.header.message_id.hex(),
        "digest": found.message.digest.hex(),
        "author": found.message.header.author,
        "recipients": [each.member for each in found.message.header.recipients],
        "signed": [
            {
                "id": each.officer,
                "role": each.role,
                "certificate_sha256": each.certificate_sha256.hex(),
                "witnessed": each.witnessed,
                "revoked_by": [version.hex() for version in each.revoked_by],
                "certified": each.certified,
            }
            for each in found.signed
        ],
        "claims": [
            {
                "event": claim.proof.event,
                "member": claim.proof.member,
                "where": f"{claim.proof.origin} #{claim.proof.index}",
                "part": claim.proof.part_number,
                "time": claim.proof.time,
                "not_before": None if claim.interval is None else claim.interval.not_before,
                "not_after": None if claim.interval is None else claim.interval.not_after,
                "witnesses": [] if claim.interval is None else list(claim.interval.witnesses),
                "others": 0 if claim.interval is None else claim.interval.others,
                "time_contradicted": claim.contradicted,
                "actor": claim.proof.actor,
                "counterpart": claim.proof.counterpart,
                "reason": claim.proof.reason,
                "without_annex": claim.proof.without_annex,
            }
            for claim in found.claims
        ],
        "kind": f"{found.message.header.kind} v{found.message.header.kind_version}",
        "parts_signed": len(found.message.header.parts),
        "exercise": found.message.header.exercise,
        "parts": list(found.present),
        "disclosed": found.disclosed,
    }


def theirs(second: ModuleType, data: bytes, root: bytes) -> dict[str, Any] | None:
    """Return what the second verifier proves; None where it refuses."""
    try:
        found: dict[str, Any] = second.verify(data, root)
    except Exception:  # noqa: BLE001 - whatever it raises, it has refused
        return None
    return found


def agreed(second: ModuleType, data: bytes, root: bytes, what: object = "") -> dict[str, Any] | None:
    """Demand that both say the same; give what they say."""
    one, other = ours(data, root), theirs(second, data, root)
    assert one == other, what
    return one
