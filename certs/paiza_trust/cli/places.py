"""Where a proposal stands: in a file that is carried, at the own node, or both."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paiza_cli.exit_codes import ExitCode
from paiza_register.ceremony import Proposal
from paiza_trust import carried_files, own_node
from paiza_trust.errors import TrustError
from paiza_trust.files import replace_private
from paiza_trust.language import N_
from paiza_trust.own_node import Held, OwnNode

_FINGERPRINT: Final = re.compile(rf"[0-9a-fA-F]{{{own_node.MIN_DIGITS},64}}")


@dataclass(frozen=True)
class Place:
    """``file`` and ``node`` are where a proposal is kept; ``fingerprint`` names it at the node if no file holds it."""

    file: Path | None
    node: OwnNode | None
    fingerprint: str = ""

    @property
    def name(self) -> str:
        """Return what to call it in an error."""
        return str(self.file) if self.file is not None else self.fingerprint

    def read(self) -> Proposal:
        """Return the proposal, every signature in which has been verified."""
        if self.file is not None:
            return carried_files.proposal(self.file)
        assert self.node is not None, "a fingerprint names a proposal at the node"
        return self.node.proposal(self.fingerprint)

    def keep(self, proposal: Proposal) -> Held | None:
        """Write it to the file, and hand it to the node; return it as the node then holds it."""
        if self.file is not None:
            replace_private(self.file.absolute(), proposal.to_bytes())
        return None if self.node is None else self.node.submit(proposal)


@contextmanager
def node_of(profile: str | None) -> Iterator[OwnNode | None]:
    """Connect to the node of a profile, if one is named."""
    if profile is None:
        yield None
        return
    with own_node.connect(profile) as node:
        yield node


def place_of(subject: str, node: OwnNode | None) -> Place:
    """Return where FILE or FINGERPRINT is; a file of that name comes first."""
    if Path(subject).exists() or not _FINGERPRINT.fullmatch(subject):
        return Place(Path(subject), node)
    if node is None:
        what, remedy = N_("There is no such file"), N_("Name the file, or with --profile a proposal at your node.")
        raise TrustError("file_unreadable", what, subject, remedy, ExitCode.UNAVAILABLE)
    return Place(None, node, subject)
