"""Makes a node's next encryption key, and its member's publication of it, under the calendar's clock.

There is no command for it yet; a real member does the same by hand.
"""

import argparse
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

from paiza_register.ceremony import Base, Proposal, publication
from paiza_register.ceremony.record import Circumstances
from paiza_register.ceremony.times import time_text
from paiza_register.node_folder import KEY_LIFE
from paiza_register.register_file import RegisterFile
from paiza_trust.key_folder import KeyFolder
from paiza_wire.identity.key_files import write_key
from paiza_wire.identity.private_keys import X_WING
from paiza_wire.message import key_wrapping


def main() -> None:
    """Write the seed into the node's key folder, and the signed publication to a file."""
    parser = argparse.ArgumentParser()
    for option in ("--member", "--node", "--keys", "--register", "--output"):
        parser.add_argument(option, required=True)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    now = datetime.now(UTC)
    base = Base.verify(RegisterFile.read(Path(given.register).read_bytes()), None)
    seed = key_wrapping.generate_seed()
    write_key(Path(given.node) / "keys/encryption-2.seed", X_WING, seed, None)
    public = key_wrapping.private_key_from_seed(seed).public_key
    path = f"members/{given.member}/member.json"
    known = json.loads(base.target(given.member, path) or b"")["encryption_keys"]
    added = {
        "key_id": public.key_id.hex(),
        "public_key": b64encode(public.public_key_bytes).decode(),
        "not_before": time_text(now - timedelta(hours=1)),
        "not_after": time_text(now + KEY_LIFE),
    }
    files = {path: publication.member_file(base, given.member, {"encryption_keys": [*known, added]}, now)}
    version = base.version_of(given.member) + 1
    proposal = Proposal(publication.publication(given.member, files, base, now, version=version))
    signer = KeyFolder(Path(given.keys)).pair(f"member-{given.member}")
    signed = proposal.signed_with(signer, Circumstances(now, "clock of the calendar"))
    Path(given.output).write_bytes(signed.to_bytes())


if __name__ == "__main__":
    main()
