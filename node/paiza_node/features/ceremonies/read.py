"""Reading of proposals: verified against the register that they build on, which this node has in its archive."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from paiza_node.core.register.sync import RegisterCache
from paiza_node.features.ceremonies.model import MAX_PROPOSAL_BYTES
from paiza_register import RegisterReader
from paiza_register.ceremony.base import Base, BaseName
from paiza_register.ceremony.proposal import Proposal
from paiza_register.register_file import RegisterFile
from paiza_wire.errors import Rejected, Unavailable

BASES: Final = 4  # verified registers kept; all proposals that wait build on one root


class ProposalReader:
    """Reads proposals. Thread-safe."""

    def __init__(self, reader: RegisterReader, register_cache: RegisterCache) -> None:
        """Store where registers come from."""
        self._reader = reader
        self._register_cache = register_cache
        self._lock = threading.Lock()
        self._bases: OrderedDict[bytes, Base] = OrderedDict()

    def read(self, data: bytes) -> Proposal:
        """Read a proposal and verify every signature and refusal in it.

        ``Rejected`` if one does not hold or it is malformed; ``Unavailable("register_unknown")`` if the register that
        it builds on is not here yet: it is then asked for.
        """
        if len(data) > MAX_PROPOSAL_BYTES:
            raise Rejected("too_large", f"a proposal has at most {MAX_PROPOSAL_BYTES} bytes without its register")
        proposal = Proposal.read(data, self._base)
        if proposal.act.base is None:
            raise Rejected("malformed", "a founding is signed before there is a register, and is carried by hand")
        return proposal

    def _base(self, name: BaseName) -> Base:
        if name.root_version >= self._register_cache.current.root_version:
            self._register_cache.check_known(name.register_version)
        with self._lock:
            base = self._bases.get(name.register_version)
            if base is None:
                files = self._archived(name)
                base = Base.verify(RegisterFile(files), None)
                self._bases[name.register_version] = base
            self._bases.move_to_end(name.register_version)
            if len(self._bases) > BASES:
                self._bases.popitem(last=False)
        return base

    def _archived(self, name: BaseName) -> Mapping[str, bytes]:
        try:
            return self._reader.archived_files(name.register_version)
        except Unavailable as error:
            if name.root_version >= self._register_cache.current.root_version:
                raise
            raise Rejected("proposal_superseded", "it builds on an older register that is not here") from error
