"""One table: what each reason code means to an officer, and what to do about it. The Russian stands in the catalogue.

`paiza_wire.reasons` says the same to developers and operators. A code that a newer node sends and this table does
not know is shown with `UNKNOWN`, never hidden.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from paiza_client.language import N_
from paiza_domain import policy_rules


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

OF_THE_MESSAGE: Final = N_(
    "No other officer may do it either: this follows from the message. Ask its author for a version with other marks."
)
UNKNOWN: Final = Remedy(N_("The request was refused for a reason this program does not know."), _ASK_OPERATOR)

REMEDIES: Final[Mapping[str, Remedy]] = MappingProxyType(
    {
        "administrator_missing": Remedy(
            N_("An administrator did not sign your invitation."),
            N_("Ask the administrator of your node for another invitation."),
        ),
        "agent_unavailable": Remedy(
            N_("The program that is to hold your opened keys did not start."),
            N_("Repeat the command. If it fails again, work without it: each command then asks for your passphrase."),
        ),
        "already_issued": Remedy(
            N_("Certificates for other keys than yours were issued for this invitation or request."),
            N_("Telephone the administrator of your node at once: somebody else may have used it."),
        ),
        "ambiguous_id": Remedy(
            N_("More than one message matches this id."),
            N_("Type more digits of the id of the message that is meant."),
        ),
        "approval_declined": Remedy(
            N_("A second officer declined to sign this message; nothing was sent."),
            N_("Ask that officer why, and write the message anew."),
        ),
        "approval_expired": Remedy(
            N_("No second officer decided in time; nothing was sent."),
            N_("Send the message again if it still matters, and tell the second officer."),
        ),
        "approval_withdrawn": Remedy(
            N_("The message was withdrawn before a second officer signed it; nothing was sent."),
            N_("Write it anew if it still matters."),
        ),
        "attachment_changed": Remedy(
            N_("The file was changed while it was being sealed."),
            N_("Send it again when no program writes to it."),
        ),
        "attachment_incomplete": Remedy(
            N_("An attachment is not complete yet."),
            N_("Wait until it has arrived; an upload continues with: paiza outbox flush"),
        ),
        "attachment_type_refused": Remedy(
            N_("This type of file is not exchanged, or its name does not match its content."),
            N_(
                "Give the file the ending that fits its content, or send it as PDF, picture, film, table or text. "
                "Programs are never sent."
            ),
        ),
        "audit_not_granted": Remedy(
            N_("That member has not granted your member access to these entries of its log."),
            N_("Ask its operator for a grant: paiza-node audit grant"),
        ),
        "bad_certificate": Remedy(
            N_("A certificate does not come from the authority of the member it names."), _TELL_AUDITOR
        ),
        "bad_checkpoint": Remedy(N_("A log checkpoint is not signed by the key of that log."), _TELL_AUDITOR),
        "bad_configuration": Remedy(
            N_("A configuration file is missing, unreadable or wrong."), N_("Correct the named setting.")
        ),
        "bad_evidence": Remedy(
            N_("The file is not a complete, unaltered evidence file."),
            N_("Ask its maker for the file again; do not rely on this one."),
        ),
        "bad_invitation": Remedy(
            N_("The file is no whole invitation."),
            N_("Ask the administrator of your node for the file again; copy all of its one line."),
        ),
        "bad_key": Remedy(
            N_("The key or certificate of the profile cannot be used."),
            N_("Restore the key and the certificate of the profile, or enrol again."),
        ),
        "bad_map": Remedy(
            N_("The import map is wrong or does not fit the file."), N_("Correct the named line of the map.")
        ),
        "bad_note": Remedy(N_("A signed note is not well formed or not signed by a known key."), _TELL_AUDITOR),
        "bad_passphrase": Remedy(
            N_("The private key does not open with this passphrase."),
            N_("Enter the passphrase the key was stored with; check the keyboard layout."),
        ),
        "bad_pin": Remedy(
            N_("The token does not open with this PIN."),
            N_("Enter the right PIN. A token locks itself after a few wrong ones."),
        ),
        "bad_proof": Remedy(N_("A log proof does not hold."), _TELL_AUDITOR),
        "bad_signature": Remedy(N_("A signature does not hold."), _TELL_AUDITOR),
        "bad_token_uri": Remedy(
            N_("The name of a key on a token is wrong."),
            N_("Write it as pkcs11:token=…;object=…?module-path=…; it never contains a PIN."),
        ),
        "busy": Remedy(N_("The node has too much work at present."), _TRY_LATER),
        "ca_unknown": Remedy(
            N_("The register names no valid CA with the key of your member's issuer."),
            _ASK_OPERATOR,
        ),
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
        "certificate_unproven": Remedy(
            N_("The signer's certificate came without proof that its member's log holds it."),
            _TRY_LATER,
        ),
        "checkpoint_unsaved": Remedy(
            N_("The node cannot write its checkpoint to disk and accepts no calls."), _ASK_OPERATOR
        ),
        "classical_key_exchange": Remedy(
            N_("The keys of the connection were agreed on without ML-KEM."),
            N_("Use this federation's programs, and no proxy that ends TLS on the way."),
        ),
        "clock_skew": Remedy(
            N_("The clocks of the two nodes differ too much."),
            N_("Wait: it is tried again; the operators of both nodes must compare their clocks."),
        ),
        "conflict": Remedy(
            N_("The message id was used before for another content."), N_("Send the draft again; it gets a new id.")
        ),
        "console_unavailable": Remedy(
            N_("The console could not start, or the one that runs does not answer."),
            N_("Name another port with --port, or end the console that runs and start it anew."),
        ),
        "daily_quota": Remedy(
            N_("You, or the other member, have reached the limit of messages or log entries for one day."),
            N_(
                "The rest waits in the outbox and is free to go from midnight UTC. Urgent messages are sent at once. "
                "For a large import ask your operator to raise the limit."
            ),
        ),
        "database_locked": Remedy(N_("Another process uses the node's database."), _ASK_OPERATOR),
        "database_slow": Remedy(
            N_("The node's database does not answer in time."),
            N_("Try again later: what was stored is recognised, and nothing is stored twice."),
        ),
        "database_unavailable": Remedy(N_("The node's database cannot be read or written now."), _ASK_OPERATOR),
        "delivery_dropped": Remedy(
            N_("An operator of the sending node dropped the delivery."),
            N_("Ask that operator why; send it again if it still matters."),
        ),
        "delivery_expired": Remedy(
            N_("The message could not be delivered within its lifetime."), N_("Send it again if it still matters.")
        ),
        "directory_conflict": Remedy(
            N_("Another directory was published since this draft was written."),
            N_("Write a new draft with `paiza directory edit`, and make your changes in it."),
        ),
        "directory_invalid": Remedy(
            N_("The node refuses the directory: its readers could not use it."),
            N_("Check the draft with `paiza directory check`; if it finds nothing, ask the operator of your node."),
        ),
        "disk_full": Remedy(N_("The disk has no room left."), N_("Free some room and repeat the command.")),
        "draft_changed": Remedy(
            N_("The draft is another by now, or another program of yours is about to sign it."),
            N_("Read what it says now, and decide again."),
        ),
        "encryption_key_expired": Remedy(
            N_("A member has no encryption key that is valid now."),
            N_("That member must publish a new key; leave it out of the recipients if the message cannot wait."),
        ),
        "file_unreadable": Remedy(
            N_("A file does not exist or cannot be read."), N_("Check the name and the permissions of the file.")
        ),
        "file_unwritable": Remedy(
            N_("A file cannot be written, or exists already."), N_("Name another file, or one in another folder.")
        ),
        "folder_not_empty": Remedy(
            N_("The folder is not empty."), N_("Name an empty folder or one that does not exist.")
        ),
        "forbidden": Remedy(N_("Your certificate gives no access to this service."), _ASK_OPERATOR),
        "grant_missing": Remedy(
            N_("The marks forbid this without the originator's consent."),
            N_("Ask for it with: paiza release request; or leave the nominal annex behind."),
        ),
        "consistency_mismatch": Remedy(N_("Two nodes disagree on the size of a log."), _TRY_LATER),
        "consistency_not_proven": Remedy(N_("A node did not prove that its log only grew."), _TELL_AUDITOR),
        "internal_error": Remedy(N_("The program had an internal error."), _REPORT),
        "interrupted": Remedy(
            N_("The command was interrupted."),
            N_("Repeat it when you like: what was accepted stays, what was not waits in the outbox."),
        ),
        "invalid_content": Remedy(
            N_("The content does not match its kind."), N_("Correct the named field and send it again.")
        ),
        "invalid_draft": Remedy(N_("The draft is not complete or not correct."), N_("Correct what is named above.")),
        "invalid_header": Remedy(
            N_("The message lacks a required field or contradicts itself."),
            N_("Correct the named field and send it again."),
        ),
        "invalid_parts": Remedy(
            N_("The parts are not those that the kind of message has."),
            N_("Correct the draft: content and annex must be as the kind requires."),
        ),
        "invalid_subject": Remedy(N_("The subject of the message does not match its content."), _TELL_AUDITOR),
        "invitation_expired": Remedy(
            N_("The invitation is over."),
            N_("Ask the administrator of your node for another one."),
        ),
        "invitation_unknown": Remedy(
            N_("The node knows no such invitation."),
            N_("Ask the administrator of your node for another one; use the whole file as you got it."),
        ),
        "invitation_used": Remedy(
            N_("The invitation was used before, is void, or its time is over."),
            N_("Ask the administrator of your node for a new one; tell them at once if you did not use it."),
        ),
        "invitation_void": Remedy(
            N_("The invitation does not count any more: there is a newer one, or it was withdrawn."),
            N_("Use the newest invitation, or ask the administrator of your node for one."),
        ),
        "issuer_missing": Remedy(
            N_("Your node has no issuer: nobody can enrol there."),
            N_("Ask the administrator of your node, and quote the reason code."),
        ),
        "issuer_unreachable": Remedy(
            N_("Your member's issuer of certificates does not answer."),
            _ASK_OPERATOR,
        ),
        "journal_damaged": Remedy(
            N_("Your member's issuer of certificates does not work."),
            _ASK_OPERATOR,
        ),
        "key_exposed": Remedy(
            N_("The key or passphrase file can be read or replaced by other users of this machine."),
            N_(
                "Become the owner of the file and run chmod 600 on it. If others may have copied it, revoke the "
                "certificate and enrol again."
            ),
        ),
        "key_unsealed": Remedy(
            N_("The private key is not under a passphrase."),
            N_(
                "Seal it: openssl pkcs8 -topk8 -scrypt -in signing.key -out sealed.key. On a machine that holds no "
                "secrets allow it in profile.toml: sealed = false."
            ),
        ),
        "location_unremovable": Remedy(
            N_("The location may not have been removed completely from this file."),
            N_("Remove it with another program, or send the file as it is, without --strip-location."),
        ),
        "log_continues": Remedy(N_("The node lost part of its log, and a new one must be admitted."), _ASK_OPERATOR),
        "log_damaged": Remedy(N_("The node's own log is damaged."), _ASK_OPERATOR),
        "log_forked": Remedy(N_("A log has shown two contradicting histories."), _TELL_AUDITOR),
        "log_rolled_back": Remedy(N_("The node's database is older than its own signatures."), _ASK_OPERATOR),
        "malformed": Remedy(N_("The received data is not well formed."), _TELL_AUDITOR),
        "marks_incompatible": Remedy(
            N_("The marks of the material allow no common use."),
            N_("Write a message for each part; export or count messages with different marks separately."),
        ),
        "marks_lowered": Remedy(
            N_("The marks are lower than those of the source message."),
            N_("Raise the named marks: a derived message never carries a lower mark."),
        ),
        "member_blocked": Remedy(
            N_("The operator of your node, or of that member's node, stopped the exchange between the two for now."),
            N_("Nothing is lost: messages wait and are delivered when it resumes. If it is urgent, use the telephone."),
        ),
        "member_suspended": Remedy(
            N_("A member is suspended from the federation."),
            N_("Leave it out; nothing is exchanged with it until the suspension is lifted."),
        ),
        "member_unusable": Remedy(
            N_("What a member published about itself cannot be used."),
            N_("Leave it out; nothing is exchanged with it until it publishes anew."),
        ),
        "members_unheard": Remedy(N_("Not every member could be reached."), _ASK_OPERATOR),
        "node_revoked": Remedy(
            N_("The node that answers shows a certificate that your member has revoked."),
            N_(
                "Send nothing. Telephone the operator of your node: it needs a new certificate. Yours is not concerned."
            ),
        ),
        "node_unreachable": Remedy(
            N_("Your node does not answer."),
            N_("Check the network and try again; if it lasts, ask the operator of your node."),
        ),
        "erased": Remedy(
            N_("The content was erased; its header, signatures and proofs remain."),
            N_("See its status with: paiza audit trail ID"),
        ),
        "exercise_differs": Remedy(
            N_("Exercise and reality do not mix: a message and what it answers are both exercises, or neither is."),
            N_(
                "Answer without --exercise; the mark comes from the message you answer. "
                "Begin an exercise in a new thread."
            ),
        ),
        "legal_hold": Remedy(
            N_("The message is under legal hold and is not erased."),
            N_("See paiza holds; lift the hold first with: paiza hold ID --lift"),
        ),
        "holder_missing": Remedy(
            N_("A recall, correction or request to erase has to go to every member that holds the message."),
            N_("Omit --to to address all of them, or add the members named in the detail."),
        ),
        "not_asked": Remedy(
            N_("The message answers what was not asked."),
            N_("Answer a request, and only questions that it asks: paiza open ID shows them."),
        ),
        "not_author": Remedy(
            N_("Only its author recalls or corrects a message."),
            N_("Write to the author: paiza reply ID"),
        ),
        "not_compared": Remedy(N_("The node has not yet compared its log with another member's copy."), _TRY_LATER),
        "not_signer": Remedy(
            N_("The message does not wait for your signature."),
            N_("See what waits for you with: paiza approve --list"),
        ),
        "not_witnessed": Remedy(
            N_("No other member has cosigned the log entry yet."),
            _TRY_LATER,
        ),
        "officer_not_enrolled": Remedy(
            N_("Your node does not know this certificate."),
            N_("Ask the administrator of your node for an invitation, and run: paiza enrol FILE"),
        ),
        "officer_removed": Remedy(
            N_("You are no longer an officer at your node."),
            N_("If this is a mistake, ask the administrator of your node to invite you again."),
        ),
        "officer_suspended": Remedy(
            N_("Your powers at the node are suspended."),
            N_("Ask the administrator of your node why. Nothing is possible until they lift the suspension."),
        ),
        "officer_unconfirmed": Remedy(
            N_("Your keys are not confirmed."),
            N_(
                "Telephone the administrator of your node. If your keys are new, read them the words that `paiza "
                "enrol` showed; after a restore of the node they confirm all officers again. Then repeat the command."
            ),
        ),
        "recalled": Remedy(
            N_("Its author recalled this message."),
            N_("If you must see it nevertheless, repeat the command with --reason and state why."),
        ),
        "not_addressed": Remedy(
            N_("The message does not name your member among its recipients."),
            N_("Ask the author for a message addressed to you. What became of your own message: paiza thread ID"),
        ),
        "opening_budget": Remedy(
            N_("You have reached today's limit for opening messages together."),
            N_("Continue tomorrow, or open the messages you need one by one."),
        ),
        "opening_reason_missing": Remedy(
            N_("The nominal annex is opened only with a stated reason."),
            N_("Repeat the command with --reason and say why you open it."),
        ),
        "own_clock_wrong": Remedy(
            N_("The clock of this computer is wrong."),
            N_("Set date and time of this computer, and repeat the command."),
        ),
        "own_member_suspended": Remedy(
            N_("Your own member is suspended from the federation."),
            N_("Call the custodians of the members named: nothing is exchanged until they reinstate it."),
        ),
        "part_altered": Remedy(N_("A part of the message was altered or cut short."), _TELL_AUDITOR),
        "part_digest_mismatch": Remedy(N_("A part is not the one that was signed."), _TELL_AUDITOR),
        "part_missing": Remedy(
            N_("The message has no such part, or it did not arrive."), N_("See the parts with: paiza open ID")
        ),
        "passphrase_missing": Remedy(
            N_("The private key is encrypted and no passphrase was given."),
            N_("Run the command on a terminal, or name a file with PAIZA_PASSPHRASE_FILE."),
        ),
        "peer_unreachable": Remedy(
            N_("The other member's node cannot be reached."),
            N_("No action is needed: your node keeps the message and delivers it when the other is back."),
        ),
        "period_differs": Remedy(
            N_("The records of the two members differ for this period; it was not closed."),
            N_(
                "See the differences with: paiza audit reconcile. Resolve them with the other member, "
                "then close the period."
            ),
        ),
        "period_open": Remedy(
            N_("The period is not over, or a message in it still waits for an answer; it was not closed."),
            N_("Try again later, or choose a period that ended earlier."),
        ),
        "pin_locked": Remedy(
            N_("The token is locked after wrong PINs, or its PIN has expired or was never set."),
            N_("Unlock it with the maker's tool, or ask the person who issued it."),
        ),
        "policy_denied": Remedy(
            N_("The rules do not allow this for you or for that member."),
            N_("Ask an officer whose role allows it, or your coordinator."),
        ),
        "policy_invalid": Remedy(N_("A policy of the node is not well formed."), _ASK_OPERATOR),
        "profile_ambiguous": Remedy(
            N_("There are several profiles and none was chosen."),
            N_("Choose one with --profile NAME or PAIZA_PROFILE; see: paiza profiles"),
        ),
        "proof_missing": Remedy(N_("A claim comes without the log proof it needs."), _TELL_AUDITOR),
        "proposal_refused": Remedy(
            N_("So many custodians refuse the proposal that it can never be published."),
            N_("Propose it anew."),
        ),
        "proposal_superseded": Remedy(
            N_("The register has changed since this was proposed, so that it can no longer be published."),
            N_("Propose it anew."),
        ),
        "proposal_unsigned": Remedy(
            N_("Nobody who decides about the proposal has signed it."),
            N_("Its proposer must sign it first."),
        ),
        "proposals_full": Remedy(
            N_("As many proposals wait here, or from this key, as a node keeps."),
            N_("Have some of them signed or refused first."),
        ),
        "publication_pending": Remedy(
            N_("A change waits to be published."),
            N_("Your node publishes it by itself; repeat the command later to see that it has."),
        ),
        "quota_exceeded": Remedy(
            N_("Your node holds the maximum number of waiting attachments."),
            N_("Send the messages they belong to, or try again later."),
        ),
        "reason_missing": Remedy(N_("This act needs a stated reason."), N_("Repeat the command with --reason.")),
        "register_expired": Remedy(N_("The register was not renewed in time and cannot be relied on."), _ASK_OPERATOR),
        "register_forked": Remedy(
            N_("The custodians signed two contradicting versions of who belongs to the federation."), _ASK_OPERATOR
        ),
        "register_invalid": Remedy(
            N_("A file of the register lacks the required signatures, or is not well formed."), _TELL_AUDITOR
        ),
        "register_rolled_back": Remedy(
            N_("The register that was served is older than the one known here."), _TELL_AUDITOR
        ),
        "register_unavailable": Remedy(
            N_("No register could be fetched, and none is known here."),
            N_("Check the network and try again; if it lasts, ask the operator of your node."),
        ),
        "register_unknown": Remedy(N_("The other side has no such version of the register yet."), _TRY_LATER),
        "release_unwitnessed": Remedy(
            N_("A signer's certificate was revoked, and no witnesses show yet that the message was released before."),
            _TRY_LATER,
        ),
        "renewal_early": Remedy(
            N_("Your certificates are valid for more than a month."), N_("They are renewed in their last month.")
        ),
        "role_missing": Remedy(
            N_("No role of yours, or of the second officer that is named, may send this kind of message."),
            N_("Ask the operator of your node for the role, or an officer who holds it to send the message."),
        ),
        "search_empty": Remedy(
            N_("The search names nothing to look for."), N_("Name at least one thing; see: paiza search --help")
        ),
        "search_field_unknown": Remedy(
            N_("There is no such field to search by."), N_("Choose one of those in the detail.")
        ),
        "search_reason_missing": Remedy(
            N_("A search for a person, telephone, document or account needs a reason."),
            N_("State it with --reason; it is kept for the auditors."),
        ),
        "second_officer_missing": Remedy(
            N_("This message needs the signatures of two officers."),
            N_("Name the second one with --second; paiza approve --officers lists them."),
        ),
        "self_approval": Remedy(
            N_("The author of a message cannot be its second officer."),
            N_("Another officer must sign it; paiza approve --officers lists them."),
        ),
        "source_row_known": Remedy(
            N_("You or your unit sent another message for this row of the table before."),
            N_("Look at that message with `paiza open`; then give this one up with `paiza outbox drop`."),
        ),
        "stale_checkpoint": Remedy(N_("A larger checkpoint of that log is known."), _TRY_LATER),
        "standby": Remedy(N_("This process of the node is on standby."), _TRY_LATER),
        "token_ambiguous": Remedy(
            N_("Several tokens fit the name of a key."), N_("Name the serial number of the token too.")
        ),
        "token_key_unknown": Remedy(
            N_("Not exactly one key on the token has this name."),
            N_("List the token's keys, and name the id of the key too."),
        ),
        "token_key_unusable": Remedy(
            N_("The key on the token is not over P-256, or the token does not let it sign."),
            N_("Make a P-256 key for signing with the maker's tool."),
        ),
        "token_unavailable": Remedy(
            N_("The token is missing or was removed, or does not answer."),
            N_("Connect it, and check its module and its name."),
        ),
        "too_large": Remedy(N_("Something is larger than its limit."), N_("Shorten or split it.")),
        "unauthenticated": Remedy(
            N_("The node does not know your certificate."), N_("Use the certificate issued by your own member's node.")
        ),
        "unconfirmed": Remedy(
            N_("Something was to be confirmed, and nobody was there to do it."),
            N_("Look at it. If it is right, run the command on a terminal, or confirm with --yes."),
        ),
        "unexpected_answer": Remedy(N_("The node's answer is not allowed by the protocol."), _ASK_OPERATOR),
        "unit_missing": Remedy(
            N_("Every officer of your member belongs to a unit."),
            N_("Ask the administrator of your node to name yours."),
        ),
        "unknown_field": Remedy(
            N_("The message holds a field unknown to this version."),
            N_("Install the version of the program that the other side uses."),
        ),
        "unknown_file": Remedy(N_("The register has no such file."), _ASK_OPERATOR),
        "unknown_id": Remedy(
            N_("Nothing was found under this id."), N_("Check the id with: paiza inbox, or paiza inbox --sent")
        ),
        "unknown_kind": Remedy(
            N_("The message is of a kind this program does not know."),
            N_("Install the kind, or use one that both sides know."),
        ),
        "unknown_log": Remedy(N_("The log is not in the register for that member."), _TELL_AUDITOR),
        "unknown_member": Remedy(
            N_("This member is not in the register."), N_("Check the member id with: paiza contacts")
        ),
        "unknown_officer": Remedy(
            N_("Your member has no such officer."),
            N_("Correct the name, or ask the administrator of your node."),
        ),
        "unknown_profile": Remedy(N_("There is no such profile."), N_("See which there are with: paiza profiles")),
        "unknown_proposal": Remedy(
            N_("The node holds no such proposal."),
            N_("Choose one of those that it lists."),
        ),
        "unknown_recipient": Remedy(
            N_("A recipient is not an active member of the federation."),
            N_("Choose the recipients from: paiza contacts"),
        ),
        "unknown_substance": Remedy(
            N_("The reference data hold no substance of this name."),
            N_("Choose one of the names suggested, or look it up by its CAS number."),
        ),
        "unknown_unit": Remedy(
            N_("Your member has no such unit."), N_("Name a unit that paiza approve --officers shows.")
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
        "witness_held": Remedy(
            N_("A witness was restored and has not yet recovered its cosignatures of that log."), _TRY_LATER
        ),
        "words_differ": Remedy(
            N_("The words are not those of the keys that wait."),
            N_(
                "Compare them again with the administrator of your node; if they differ still, somebody else may "
                "have used the invitation."
            ),
        ),
        "workflow_breach": Remedy(
            N_("The step breaks a rule of its workflow."),
            N_("Check the status of the workflow, obtain the missing documents, then send the step."),
        ),
        "wrong_certificate": Remedy(
            N_("This certificate is not for this use, or was replaced by a newer one."),
            N_(
                "Use the profile that `paiza enrol` or the last renewal wrote: authentication_certificate is for "
                "the node, signing_certificate for signatures."
            ),
        ),
        "wrong_entry": Remedy(
            N_("The log entry does not allow these certificates."),
            _ASK_OPERATOR,
        ),
        "wrong_member": Remedy(N_("A certificate is used for another member than its own."), _TELL_AUDITOR),
        "wrong_signers": Remedy(N_("The signatures are not exactly those the message requires."), _TELL_AUDITOR),
        "wrong_deputy": Remedy(
            N_("A deputy cannot be appointed like this, or there is none whose appointment could be ended."),
            N_("Name another active officer and an end within 90 days. Who is a deputy now: paiza tasks deputy list"),
        ),
        "wrong_state": Remedy(
            N_("The officer is not in a state in which this is possible."),
            N_("Ask the administrator of your node."),
        ),
    }
)


def remedy(reason: str, detail: str = "") -> Remedy:
    """Return both sentences for a code, those of `UNKNOWN` for one that is not in the table.

    By its ``detail`` a refusal of the policy is for all officers, or for some.
    """
    found = REMEDIES.get(reason, UNKNOWN)
    if reason == "policy_denied" and policy_rules.is_of_the_message(detail):
        return Remedy(found.what, OF_THE_MESSAGE)
    return found
