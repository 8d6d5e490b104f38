"""The registry of reason codes: one stable snake_case code for every refusal.

A code travels: it stands in receipts, in log entries and in what programs print. It is therefore never renamed and never
given another meaning; a code that is no longer used stays. The sentence says what the code means and what to do about it,
for a person who reads only this line. Translations are looked up by code elsewhere.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# ruff: noqa: E501 - one code a line, alphabetical, so that two changes at once do not meet on the same line
# fmt: off
REASONS: Final[Mapping[str, str]] = MappingProxyType({
    "ambiguous_id": "More than one message matches this id; give more of its digits.",
    "bad_certificate": "A certificate is not of the required profile or does not chain to that member's authority; obtain one from the member's own authority.",
    "bad_checkpoint": "A log checkpoint is not well formed or not signed by that log's key; ask the other node for its current checkpoint.",
    "bad_configuration": "A configuration file is missing, unreadable or wrong; mend the setting that is named.",
    "bad_evidence": "The evidence file is not a complete, unaltered evidence container; obtain it again from whoever made it.",
    "bad_key": "A key is not of the required kind or encoding; use a key made by this software.",
    "bad_map": "The import map is wrong or does not fit the file; mend the line that is named.",
    "bad_note": "A signed note is not well formed, or no known key has signed it; ask its sender for it again.",
    "bad_passphrase": "The private key could not be opened with this passphrase; enter the passphrase the key was stored with.",
    "bad_proof": "A log proof does not lead to the stated root; ask the other node for a new proof.",
    "bad_signature": "A signature does not match the signed bytes and the signer's key; the signer must sign and send again.",
    "cannot_open": "The wrapped key does not open with our decryption key; the sender must wrap it again for our current key.",
    "certificate_expired": "A certificate was not valid at the time that counts; the holder must renew it and sign again.",
    "certificate_revoked": "A certificate or its key was revoked by its member; the holder must enrol again.",
    "conflict": "The same message id was used before for other content; the author must send it under a new id.",
    "disk_full": "The disk has no room left; free some and try again.",
    "encryption_key_expired": "A member has no encryption key that is valid now; that member must publish a new one.",
    "file_unreadable": "A file does not exist or cannot be read; check its name and permissions.",
    "file_unwritable": "A file cannot be written, or exists already; name another one.",
    "folder_not_empty": "The folder already holds something and nothing is overwritten; name a folder that is empty or not there yet.",
    "growth_mismatch": "The caller assumed another known size of its log than ours; it must prove growth from the size in the answer.",
    "growth_not_proven": "The caller did not prove that its log only grew; it must send a consistency proof from the size we know.",
    "internal_error": "The program met a defect of its own; report it with what was done before.",
    "interrupted": "The user interrupted the program; nothing that was accepted is lost.",
    "invalid_content": "The content does not satisfy its kind; the author must mend the field that is named and send a new message.",
    "invalid_draft": "The draft does not satisfy its kind; mend the fields that are named.",
    "invalid_header": "The header lacks or contradicts what every message needs; the author must mend the field that is named and send a new message.",
    "invalid_parts": "The parts are not those that the kind of message has; the author must send content and annex as the kind says.",
    "key_exposed": "The key file can be read by others than its owner; restrict its permissions, and replace the key if others had access.",
    "log_damaged": "This node's own log store lost or shortened a part of its tree; run verify and restore it from a backup.",
    "log_forked": "That log has shown two contradicting histories and is not trusted; a person must decide before traffic resumes.",
    "malformed": "The bytes are not a valid encoding of what they should be; the sender must make them again with conforming software.",
    "member_suspended": "The member is suspended from the federation; nothing is exchanged with it until the members lift that.",
    "node_unreachable": "The own node does not answer; try again later, or ask its operator.",
    "not_addressed": "The message does not name us among its recipients; the author must send a message addressed to us.",
    "opening_reason_missing": "The nominal annex is opened only with a stated reason; state it.",
    "part_altered": "A part was changed or cut short, or belongs to another message; the sender must send the original ciphertext.",
    "part_digest_mismatch": "A part's ciphertext is not the one the header names; the sender must send the original ciphertext.",
    "part_missing": "A part that the header names did not come with the message; the sender must send the message whole.",
    "passphrase_missing": "The private key is encrypted and no passphrase was given; give it on a terminal or by file.",
    "profile_ambiguous": "There are several profiles and none was chosen; name one.",
    "proof_missing": "A claim comes without the log proof it needs; ask the own node, or the maker of the evidence, for it.",
    "register_expired": "The register was not renewed in time, so nobody can be trusted by it; the register's holders must publish a new version.",
    "register_invalid": "A file of the register is not signed by those who answer for it, or is not well formed; ask another peer, and tell the register's holders.",
    "register_rolled_back": "The register served is older than the one known, or takes back what was published; ask another peer.",
    "register_unavailable": "No register could be fetched and none is known; name a peer or folder that serves it.",
    "register_unknown": "The message names a version of the register we do not have; refresh the register and try again.",
    "role_missing": "The officer holds no role that may send this kind; ask the node's operator for the role, or another officer to send it.",
    "too_large": "Something is larger than its limit; split it or send it as an attachment.",
    "unexpected_answer": "The node answered what the protocol does not allow; both sides must use a common protocol version.",
    "unknown_field": "The message carries a field this version does not know; both sides must use a common protocol version.",
    "unknown_id": "No message of this member matches this id; check it with the inbox or the thread.",
    "unknown_kind": "The message is of a kind we do not know; install the kind, or use one that both sides know.",
    "unknown_log": "The log's origin is not in the register for that member; the member must publish its log key first.",
    "unknown_member": "This member is not in the register; check the member id, or refresh the register.",
    "unknown_profile": "There is no profile of this name; choose one of those that exist.",
    "unknown_recipient": "A recipient is not an active member of the federation; choose members from the contacts.",
    "unsupported_suite": "The message uses a cryptographic suite we do not support; the sender must use a suite named in the protocol.",
    "unsupported_version": "The message is of a version we do not support; both sides must use a common protocol version.",
    "usage": "The command line is wrong; see the command's help.",
    "wrong_member": "The caller or signer speaks for another member than its certificate's; it must act under its own member's name.",
    "wrong_signers": "The signatures are not exactly those the header requires; every required signer must sign, once, and nobody else.",
})
# fmt: on
