"""Refusals of ceremonies, in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from typing_extensions import override

from paiza_cli.exit_codes import ExitCode
from paiza_officer.errors import FieldProblem, Refused, Unreachable
from paiza_officer.errors import exit_code as exit_code_of
from paiza_register.ceremony.founding import WrongThreshold
from paiza_trust.details import translated_detail
from paiza_trust.language import N_
from paiza_wire.errors import PaizaError
from paiza_wire.reasons import REASONS

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "bad_certificate": (N_("A certificate is not of the required form"), N_("Make the application anew.")),
    "bad_configuration": (N_("A setting is missing or wrong"), N_("Correct the named setting.")),
    "bad_invitation": (
        N_("The file is no whole invitation"),
        N_("Ask the administrator of your node for the file again."),
    ),
    "bad_key": (N_("A key is not of the required kind, or another's"), N_("Use a key that this program made.")),
    "bad_passphrase": (N_("The passphrase does not open the key"), N_("Enter the passphrase it was sealed with.")),
    "bad_pin": (N_("The token does not open with this PIN"), N_("Enter the right PIN: a token locks itself.")),
    "bad_signature": (N_("A signature or a proof does not hold"), N_("Ask for the file again; do not sign it.")),
    "bad_token_uri": (
        N_("The name of a key on a token is wrong"),
        N_("Write pkcs11:token=…;object=…?module-path=…; it never contains a PIN."),
    ),
    "busy": (N_("The node has too much to do at present"), N_("Try again in a minute.")),
    "certificate_expired": (
        N_("Your certificate was not valid at this time"),
        N_("Compare the clock of this machine; if it is right, have the certificate renewed."),
    ),
    "certificate_revoked": (N_("Your certificate was revoked"), N_("Enrol again at your node.")),
    "clock_skew": (N_("The times do not follow one another"), N_("Compare the clocks of all who take part.")),
    "conflict": (N_("This contradicts what holds already"), N_("Compare the files, and what was signed before.")),
    "disk_full": (N_("The disk has no room left"), N_("Free some, and try again.")),
    "file_unreadable": (N_("A file does not exist or cannot be read"), N_("Check its name and permissions.")),
    "file_unwritable": (N_("A file cannot be written, or exists already"), N_("Name another one.")),
    "forbidden": (N_("The node gives your certificate no access to this"), N_("Use the certificate of a custodian.")),
    "key_exposed": (
        N_("Others than its owner can read or replace the file"),
        N_("Set its mode to 0600; if others had access for long, make a new key."),
    ),
    "key_unsealed": (N_("The key is under no passphrase"), N_("Seal it; sealed = false is for exercises.")),
    "log_damaged": (
        N_("The database of your node is damaged"),
        N_("Ask its operator: paiza-node verify shows what is damaged."),
    ),
    "malformed": (N_("This is refused as it stands"), N_("Correct what is named, or ask for the file again.")),
    "member_suspended": (
        N_("The member is suspended from the federation"),
        N_("Ask the other members' custodians to reinstate it."),
    ),
    "member_unusable": (
        N_("What the member published about itself cannot be used"),
        N_("The member must publish it anew: paiza-trust propose member."),
    ),
    "node_revoked": (
        N_("The node that answers shows a certificate that your member has revoked"),
        N_("Send nothing. Telephone the operator of your node: it needs a new certificate."),
    ),
    "node_unreachable": (
        N_("Your node does not answer"),
        N_("Check the network, or ask its operator. By files everything can be signed without it."),
    ),
    "officer_not_enrolled": (
        N_("Your node does not know this certificate"),
        N_("Ask the administrator of your node for an invitation, and run: paiza enrol FILE."),
    ),
    "officer_removed": (
        N_("You are no longer an officer at your node"),
        N_("If this is a mistake, ask the administrator of your node to invite you again."),
    ),
    "officer_suspended": (
        N_("Your powers at the node are suspended"),
        N_("Ask the administrator of your node why; nothing is possible until they lift it."),
    ),
    "officer_unconfirmed": (
        N_("Your keys are not confirmed"),
        N_(
            "Telephone the administrator of your node. If your keys are new, read them the words that `paiza enrol` "
            "showed; after a restore of the node they confirm all officers again."
        ),
    ),
    "own_clock_wrong": (
        N_("The clock of this computer is wrong"),
        N_("Set date and time of this computer, and repeat the command."),
    ),
    "own_member_suspended": (
        N_("Your own member is suspended from the federation"),
        N_("Call the custodians of the members named: nothing is exchanged until they reinstate it."),
    ),
    "passphrase_missing": (N_("The passphrase is empty"), N_("Write it as the first line of its file.")),
    "pin_locked": (
        N_("The token is locked after wrong PINs, or its PIN has expired or was never set"),
        N_("Unlock it with the maker's tool."),
    ),
    "policy_denied": (
        N_("Your roles do not allow this"),
        N_("Ask the operator of your node for the role: paiza-node officer."),
    ),
    "profile_ambiguous": (N_("There are several profiles and none was chosen"), N_("Choose one with --profile.")),
    "proposal_refused": (
        N_("So many refuse this proposal that it can never count"),
        N_("Propose it anew, with --instead if you signed it."),
    ),
    "proposal_superseded": (
        N_("The register changed since this was proposed"),
        N_("Propose it anew, on the register in force."),
    ),
    "policy_invalid": (
        N_("No node can apply the agreement"),
        N_("Correct the rules, and try them before they are proposed: paiza-node policy."),
    ),
    "proposal_unsigned": (N_("Nobody who decides about this has signed it"), N_("Sign it first.")),
    "proposals_full": (
        N_("Too many proposals wait already"),
        N_("Sign or refuse those that wait: paiza-trust pending."),
    ),
    "register_expired": (N_("The register has expired"), N_("Take the newest register.")),
    "register_forked": (
        N_("The custodians signed two contradicting versions of who belongs to the federation"),
        N_("Call the other custodians, and decide with them which one counts."),
    ),
    "register_invalid": (N_("The register is not valid"), N_("Take the file of another member.")),
    "register_rolled_back": (N_("The register is older than the one known"), N_("Take the newest register.")),
    "register_unavailable": (N_("No register could be fetched"), N_("Ask the operator of your node.")),
    "register_unknown": (
        N_("The register that this builds on was never in force here, or is no longer at hand"),
        N_("Take a file that holds the register too: paiza-trust export."),
    ),
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
    "too_large": (N_("Something is larger than its limit"), N_("Propose less at once.")),
    "unauthenticated": (N_("The node does not know your certificate"), N_("Use one that your own node issued.")),
    "unexpected_answer": (
        N_("The node's answer is not allowed by the protocol"),
        N_("Ask the operator of your node whether both programs are of one version."),
    ),
    "unknown_log": (
        N_("The key is not of the member's next log or witness"),
        N_("Make the key under the next number: paiza-node shows it."),
    ),
    "unconfirmed": (
        N_("Something was to be confirmed, and nobody was there to do it"),
        N_("Run the command on a terminal, or confirm with --yes."),
    ),
    "unknown_member": (N_("The register has no such member"), N_("Name a member of it.")),
    "unknown_proposal": (N_("Your node holds no such proposal"), N_("List those that it holds: paiza-trust pending.")),
    "unknown_profile": (N_("There is no such profile"), N_("List the profiles with: paiza profiles.")),
    "wrong_certificate": (
        N_("This certificate is not for this use, or was replaced by a newer one"),
        N_("Use the profile that `paiza enrol` or the last renewal wrote."),
    ),
    "wrong_member": (N_("A certificate is another member's"), N_("Use one that your own node issued.")),
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
    problems: Sequence[FieldProblem] = ()
    """What is wrong where, if several things are."""

    def translated(self, translate: Callable[[str], str]) -> "TrustError":
        """Return the refusal in another language, its templates filled."""
        values = dict(self.values)
        if "what" in values:
            values["what"] = translate(values["what"])
        for name in {"detail", "error"} & values.keys():
            values[name] = translated_detail(values[name], translate)
        what, remedy = (
            translate(text).format(**values) if values else translate(text) for text in (self.what, self.remedy)
        )
        return replace(self, what=what, remedy=remedy, values={})

    @override
    def __str__(self) -> str:
        told = self.translated(str)
        return f"{told.what}: {told.where}"


def from_wire(error: PaizaError, where: str) -> TrustError:
    """Put an error of the layers below into words; one that names its own place keeps it."""
    if isinstance(error, WrongThreshold):
        what = N_("The threshold {threshold} is not allowed")
        remedy = N_("Allowed with {count} custodians: {allowed}. More than half decide; one lost key stops nothing.")
        limits = {"threshold": str(error.threshold), "count": str(error.count), "allowed": error.allowed}
        return TrustError(error.reason, what, where, remedy, exit_code_of(error), limits)
    what, _, remedy = REASONS[error.reason].partition("; ")
    what, remedy = WORDS.get(error.reason, (what, remedy))
    if isinstance(error, (Refused, Unreachable)):
        where = error.where or where
    if isinstance(error, Refused) and error.problems:
        return TrustError(error.reason, what, where, remedy, exit_code_of(error), problems=error.problems)
    if error.detail.casefold() in {"", what.casefold()}:
        return TrustError(error.reason, what, where, remedy, exit_code_of(error))
    values = {"what": what, "detail": error.detail}
    return TrustError(error.reason, "{what} ({detail})", where, remedy, exit_code_of(error), values)


def wrong_in_file(error: PaizaError, where: str, file: str) -> TrustError:
    """Put a wrong passphrase into words that came from a file, which the remedy names."""
    told = from_wire(error, where)
    remedy = N_("The passphrase came from {file}: correct it there.")
    return replace(told, remedy=remedy, values={**told.values, "file": file})


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
