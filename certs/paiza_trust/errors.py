"""Refusals of ceremonies, in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from typing_extensions import override

from paiza_cli.exit_codes import ExitCode
from paiza_trust.language import N_
from paiza_wire.errors import PaizaError, Unavailable
from paiza_wire.reasons import REASONS

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "bad_certificate": (N_("A certificate is not of the required form"), N_("Make the application anew.")),
    "bad_key": (N_("A key is not of the required kind, or another's"), N_("Use a key that this program made.")),
    "bad_passphrase": (N_("The passphrase does not open the key"), N_("Enter the passphrase it was sealed with.")),
    "bad_pin": (N_("The token does not open with this PIN"), N_("Enter the right PIN: a token locks itself.")),
    "bad_signature": (N_("A signature or a proof does not hold"), N_("Ask for the file again; do not sign it.")),
    "bad_token_uri": (
        N_("The name of a key on a token is wrong"),
        N_("Write pkcs11:token=…;object=…?module-path=…; it never contains a PIN."),
    ),
    "clock_skew": (N_("The times do not follow one another"), N_("Compare the clocks of all who take part.")),
    "conflict": (N_("This contradicts what holds already"), N_("Compare the files, and what was signed before.")),
    "key_exposed": (
        N_("Others than its owner can read or replace the file"),
        N_("Set its mode to 0600; if others had access for long, make a new key."),
    ),
    "key_unsealed": (N_("The key is under no passphrase"), N_("Seal it; sealed = false is for exercises.")),
    "malformed": (N_("This is refused as it stands"), N_("Correct what is named, or ask for the file again.")),
    "passphrase_missing": (N_("The passphrase is empty"), N_("Write it as the first line of its file.")),
    "pin_locked": (
        N_("The token is locked after wrong PINs, or its PIN has expired or was never set"),
        N_("Unlock it with the maker's tool."),
    ),
    "register_expired": (N_("The register has expired"), N_("Take the newest register.")),
    "register_invalid": (N_("The register is not valid"), N_("Take the file of another member.")),
    "register_rolled_back": (N_("The register is older than the one known"), N_("Take the newest register.")),
    "token_ambiguous": (
        N_("Several tokens fit the name of a key"),
        N_("Name the serial number of the token too."),
    ),
    "token_key_unknown": (
        N_("Not exactly one key on the token has this name"),
        N_("List the token's keys, and name the id of the key too."),
    ),
    "token_key_unusable": (
        N_("The key on the token is not over P-256, or the token does not let it sign"),
        N_("Make a P-256 key for signing with the maker's tool."),
    ),
    "token_unavailable": (
        N_("The token is missing or was removed, or does not answer"),
        N_("Connect it, and check its module and its name."),
    ),
    "unknown_member": (N_("The register has no such member"), N_("Name a member of it.")),
}
"""What refusals of the layers below mean in a ceremony; of others the registry of reason codes speaks, in English."""


@dataclass
class TrustError(Exception):
    """A refusal in the words of the one who reads it; ``reason`` is a registered code.

    ``what`` and ``remedy`` are templates (`str.format`) if there are ``values`` to fill them with.
    """

    reason: str
    what: str
    where: str
    remedy: str
    exit_code: ExitCode = ExitCode.REFUSED
    values: Mapping[str, str] = field(default_factory=dict)

    def translated(self, translate: Callable[[str], str]) -> "TrustError":
        """Return the refusal in another language, its templates filled."""
        values = {name: translate(value) if name == "what" else value for name, value in self.values.items()}
        what, remedy = (
            translate(text).format(**values) if values else translate(text) for text in (self.what, self.remedy)
        )
        return replace(self, what=what, remedy=remedy, values={})

    @override
    def __str__(self) -> str:
        told = self.translated(str)
        return f"{told.what}: {told.where}"


def from_wire(error: PaizaError, where: str) -> TrustError:
    """Put an error of the layers below into words."""
    exit_code = ExitCode.UNAVAILABLE if isinstance(error, Unavailable) else ExitCode.REFUSED
    what, _, remedy = REASONS[error.reason].partition("; ")
    what, remedy = _WORDS.get(error.reason, (what, remedy))
    if not error.detail:
        return TrustError(error.reason, what, where, remedy, exit_code)
    return TrustError(
        error.reason, "{what} ({detail})", where, remedy, exit_code, {"what": what, "detail": error.detail}
    )


def from_disk(error: OSError) -> TrustError:
    """Put an error of the file system into words."""
    where = str(error.filename or "")
    return TrustError(
        "file_unwritable",
        N_("The file system refused: {error}"),
        where,
        N_("Make room, or choose a folder that you may read and write."),
        ExitCode.UNAVAILABLE,
        {"error": error.strerror or ""},
    )
