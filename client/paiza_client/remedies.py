"""One table: what each reason code means to an officer, and what to do about it. The Russian stands in the catalogue.

`paiza_wire.reasons` says the same to developers and operators. A code that a newer node sends and this table does
not know is shown with `UNKNOWN`, never hidden.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from paiza_client.language import N_


class Remedy(NamedTuple):
    """Both sentences in English, as keys of the catalogue."""

    what: str
    remedy: str


_ASK_OPERATOR: Final = N_("Ask the operator of your node, and quote the reason code.")
_TRY_LATER: Final = N_("Try again later; nothing is lost.")
_TELL_AUDITOR: Final = N_(
    "Do not rely on it. Tell your coordinator and the operator of your node, and quote the reason code."
)
_REPORT: Final = N_("Report it to the maintainers with the reason code and the version of the program.")

UNKNOWN: Final = Remedy(N_("The request was refused for a reason this program does not know."), _ASK_OPERATOR)

REMEDIES: Final[Mapping[str, Remedy]] = MappingProxyType(
    {
        "ambiguous_id": Remedy(N_("More than one message matches this id."), N_("Give more digits of the id.")),
        "bad_certificate": Remedy(
            N_("A certificate does not come from the authority of the member it names."), _TELL_AUDITOR
        ),
        "bad_checkpoint": Remedy(N_("A log checkpoint is not signed by the key of that log."), _TELL_AUDITOR),
        "bad_configuration": Remedy(
            N_("A configuration file is missing, unreadable or wrong."), N_("Mend the setting that is named.")
        ),
        "bad_evidence": Remedy(
            N_("The file is not a complete, unaltered evidence file."),
            N_("Ask whoever made it for the file again; do not rely on this one."),
        ),
        "bad_key": Remedy(
            N_("The key or certificate of the profile cannot be used."),
            N_("Restore the key and the certificate of the profile, or enrol again."),
        ),
        "bad_map": Remedy(
            N_("The import map is wrong or does not fit the file."), N_("Mend the map where it is named.")
        ),
        "bad_note": Remedy(N_("A signed note is not well formed or not signed by a known key."), _TELL_AUDITOR),
        "bad_passphrase": Remedy(
            N_("The private key does not open with this passphrase."),
            N_("Enter the passphrase the key was stored with; check the keyboard layout."),
        ),
        "bad_proof": Remedy(N_("A log proof does not hold."), _TELL_AUDITOR),
        "bad_signature": Remedy(N_("A signature does not hold."), _TELL_AUDITOR),
        "cannot_open": Remedy(
            N_("The key of the message does not open at the recipient."),
            N_("Wait: the sender's node is asked to wrap the key again."),
        ),
        "certificate_expired": Remedy(
            N_("A certificate was not valid at the time that counts."),
            N_("Have the certificate renewed by the operator of the member's node."),
        ),
        "certificate_revoked": Remedy(
            N_("A certificate was revoked by its member."), N_("Its holder must enrol again at the member's node.")
        ),
        "conflict": Remedy(
            N_("The message id was used before for another content."), N_("Send the draft again; it gets a new id.")
        ),
        "disk_full": Remedy(N_("The disk has no room left."), N_("Free some room and repeat the command.")),
        "file_unreadable": Remedy(
            N_("A file does not exist or cannot be read."), N_("Check the name and the permissions of the file.")
        ),
        "file_unwritable": Remedy(
            N_("A file cannot be written, or exists already."), N_("Name another file, or one in another folder.")
        ),
        "growth_mismatch": Remedy(N_("Two nodes disagree on the size of a log."), _TRY_LATER),
        "growth_not_proven": Remedy(N_("A node did not prove that its log only grew."), _TELL_AUDITOR),
        "internal_error": Remedy(N_("The program met a defect of its own."), _REPORT),
        "interrupted": Remedy(
            N_("The command was interrupted."),
            N_("Repeat it when you like: what was accepted stays, what was not waits in the outbox."),
        ),
        "invalid_draft": Remedy(N_("The draft is not complete or not correct."), N_("Mend the fields that are named.")),
        "key_exposed": Remedy(
            N_("The key file can be read by other users of this machine."),
            N_("Run chmod 600 on the key file. If others may have copied it, revoke the certificate and enrol again."),
        ),
        "log_forked": Remedy(N_("A log has shown two contradicting histories."), _TELL_AUDITOR),
        "malformed": Remedy(N_("What was received is not well formed."), _TELL_AUDITOR),
        "node_unreachable": Remedy(
            N_("Your node does not answer."),
            N_("Check the network and try again; if it lasts, ask the operator of your node."),
        ),
        "not_addressed": Remedy(
            N_("The message does not name your member among its recipients."),
            N_("Ask the author for a message addressed to you."),
        ),
        "opening_reason_missing": Remedy(
            N_("The nominal annex is opened only with a stated reason."),
            N_("Repeat the command with --reason and say why you open it."),
        ),
        "part_altered": Remedy(N_("A part of the message was altered or cut short."), _TELL_AUDITOR),
        "part_digest_mismatch": Remedy(N_("A part is not the one that was signed."), _TELL_AUDITOR),
        "part_missing": Remedy(
            N_("The message has no such part, or it did not come."), N_("See the parts with: paiza open ID")
        ),
        "passphrase_missing": Remedy(
            N_("The private key is encrypted and no passphrase was given."),
            N_("Run the command on a terminal, or name a file with PAIZA_PASSPHRASE_FILE."),
        ),
        "profile_ambiguous": Remedy(
            N_("There are several profiles and none was chosen."),
            N_("Choose one with --profile NAME or PAIZA_PROFILE; see: paiza profiles"),
        ),
        "proof_missing": Remedy(N_("A claim comes without the log proof it needs."), _TELL_AUDITOR),
        "register_expired": Remedy(
            N_("The register was not renewed in time, so nobody can be trusted by it."), _ASK_OPERATOR
        ),
        "register_unknown": Remedy(N_("The other side has no such version of the register yet."), _TRY_LATER),
        "role_missing": Remedy(
            N_("None of your roles may send this kind of message."),
            N_("Ask the operator of your node for the role, or an officer who holds it to send the message."),
        ),
        "too_large": Remedy(N_("Something is larger than its limit."), N_("Shorten or split it.")),
        "unexpected_answer": Remedy(N_("The node answered what the protocol does not allow."), _ASK_OPERATOR),
        "unknown_field": Remedy(
            N_("The message holds a field unknown to this version."),
            N_("Install the version of the program that the other side uses."),
        ),
        "unknown_id": Remedy(
            N_("No message matches this id."), N_("Check the id with: paiza inbox, or paiza inbox --sent")
        ),
        "unknown_log": Remedy(N_("The log is not in the register for that member."), _TELL_AUDITOR),
        "unknown_profile": Remedy(N_("There is no such profile."), N_("See which there are with: paiza profiles")),
        "unknown_recipient": Remedy(
            N_("A recipient is not an active member of the federation."),
            N_("Choose the recipients from: paiza contacts"),
        ),
        "unsupported_suite": Remedy(
            N_("The message uses a cryptographic suite this version does not know."),
            N_("Install the version of the program that the other side uses."),
        ),
        "unsupported_version": Remedy(
            N_("The message is of a version this program does not know."),
            N_("Install the version of the program that the other side uses."),
        ),
        "usage": Remedy(N_("The command line is wrong."), N_("See the help with --help.")),
        "wrong_member": Remedy(N_("A certificate speaks for another member than its own."), _TELL_AUDITOR),
        "wrong_signers": Remedy(N_("The signatures are not exactly those the message requires."), _TELL_AUDITOR),
    }
)


def remedy(reason: str) -> Remedy:
    """Give both sentences for a code, those of `UNKNOWN` for one that is not in the table."""
    return REMEDIES.get(reason, UNKNOWN)
