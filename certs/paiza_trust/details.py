"""The details of refusals by the layers below, which stand in parentheses after an error, in the reader's language.

Those layers know one language. A detail is found here by its English text; one that is not here stays as it is.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Final

from paiza_trust.language import N_

DETAILS: Final = (
    N_("a CA's key is on P-256"),
    N_("a change {what} is of one application"),
    N_("a change {what} states more, or less, than it needs"),
    N_("a federation has 1 to {most} members"),
    N_("a file is none that {role} publishes"),
    N_("a founding builds on no register"),
    N_("a founding is signed before there is a register, and is carried by hand"),
    N_("a founding publishes reference data and agreements, and nothing else"),
    N_("a key refused the proposal that may not"),
    N_("a key signed {role} that may not"),
    N_("a list of more than {count} pages"),
    N_("a listed proposal is not named by digests"),
    N_("a member has applied twice"),
    N_("a new log or witness is admitted by the custodians"),
    N_("a new log or witness is another change than a new key of the member"),
    N_("a node CA issues certificates to nodes only"),
    N_("a pair's key is not hex"),
    N_("a pair's key is not written in its one way"),
    N_("a proposal has at most {count} bytes without its register"),
    N_("a record is of a key that decides nothing"),
    N_("a record names a clock or a token in over {count} characters"),
    N_("a refusal does not hold"),
    N_("a root cannot be read"),
    N_("a signature of {role} does not hold"),
    N_("an agreement's name is agreement-…, of letters, digits and -, and ends in .cedar"),
    N_("an application is of a later time than the change"),
    N_("an application is of a later time than the founding"),
    N_("an application is to another federation"),
    N_("an officer CA issues certificates to officers only"),
    N_("applications are no list of texts"),
    N_("every signature and every refusal has a record, and nothing else"),
    N_("known: {names}"),
    N_("legal_bases is not an object"),
    N_("mode {mode}"),
    N_("neither passphrase opens it"),
    N_("no proposal of this fingerprint is held here"),
    N_("no token fits the name"),
    N_("nobody who decides about the proposal has signed it"),
    N_("not HOST:PORT"),
    N_("not a certificate in PEM"),
    N_("not a regular file"),
    N_("not an officer of this member and federation"),
    N_("nothing proves that the applicant holds the key {name}"),
    N_("only {count} of the custodians afterwards have signed anything for 13 months"),
    N_("other fields than {fields}"),
    N_("over {count} bytes"),
    N_("previous holds other than the metadata of the last revocations and their file"),
    N_("python-pkcs11 is not installed: pip install 'paiza[token]'"),
    N_("root {version} has followed the one it builds on"),
    N_("several keys on the token have this name: name its id too"),
    N_("so many custodians refuse the proposal that it can never be published"),
    N_("that is the threshold already"),
    N_("the CA is not a CA of path length 0"),
    N_("the CA is not constrained to its member's name"),
    N_("the CA's key is not the one in its certificate"),
    N_("the CA's key usage is not exactly signing certificates and CRLs"),
    N_("the PIN is not UTF-8"),
    N_("the URI SAN is not a SPIFFE ID: {detail}"),
    N_("the alternative names are not those of the role {role}"),
    N_("the application does not carry the revocations that the register knew last"),
    N_("the application is not of the key that signs for this member"),
    N_("the application is of the keys that the member has already"),
    N_("the application is of the keys that the member's node has already"),
    N_("the application lacks a key of {name}"),
    N_("the application takes back a revocation"),
    N_("the application's version of {role} does not follow {version}"),
    N_("the applications are to different federations"),
    N_("the certificate cannot be parsed"),
    N_("the certificate ends before it begins"),
    N_("the certificate is a CA's"),
    N_("the certificate is empty or too large"),
    N_("the certificate is not in its only encoding"),
    N_("the certificate is not of X.509 version 3"),
    N_("the certificate is not signed with ECDSA and SHA-256"),
    N_("the certificate was not issued by its member's CA"),
    N_("the certificate's extensions are not exactly those of its profile"),
    N_("the change is none that this version knows"),
    N_("the change is of an earlier time than the register it builds on"),
    N_("the credential has over {count} bytes"),
    N_("the digests are of other roots"),
    N_("the extended key usage is not that of the role {role}"),
    N_("the extension {name} is not critical"),
    N_("the federation has a name in Russian and one in English"),
    N_("the file belongs to user {owner}, not to user {reader}"),
    N_("the file has a format that this version does not know"),
    N_("the file has over {count} bytes"),
    N_("the file is a symbolic link"),
    N_("the file is not JSON in UTF-8"),
    N_("the file is not in its one form"),
    N_("the file is of another type than {type}"),
    N_("the files are not in base64"),
    N_("the files are of different proposals"),
    N_("the first line is empty"),
    N_("the first root is not in the file"),
    N_("the folder holds no key files"),
    N_("the key is not over P-256; other kinds are sealed files"),
    N_("the key is not under a passphrase"),
    N_("the key is of {name}; the next one is {kind}/{number}"),
    N_("the key of {member}'s application is a custodian's already"),
    N_("the key usage is not exactly digital signature"),
    N_("the member publishes the reference data; another must do so first"),
    N_("the member's metadata, or what they name, are not all here or too many"),
    N_("the member's own file cannot be used; the member must publish it anew first"),
    N_("the member's own files are not in the register"),
    N_("the metadata of {role} cannot be read"),
    N_("the metadata of {role} say more, or other, than that it publishes its files"),
    N_("the name of the federation or of the member is not well formed"),
    N_("the proof of the key {name} is not hex"),
    N_("the proposal changes at this moment"),
    N_("the proposal has signatures of roles that it does not change"),
    N_("the proposal holds no act"),
    N_("the proposal is of an act that this version does not know"),
    N_("the proposal is of {time}, ahead of our clock"),
    N_("the public key cannot be read"),
    N_("the public key is not on P-256"),
    N_("the public key on the token is no point of P-256"),
    N_("the publication is of an earlier time than the register it builds on"),
    N_("the publication takes back a revocation"),
    N_("the record of a signature is not signed by its key"),
    N_("the register delegates nothing to this role"),
    N_("the register has no such member"),
    N_("the register in force has a role in this version or a later one"),
    N_("the register is another than the one that the proposal builds on"),
    N_("the register that the proposal builds on is not in the file"),
    N_("the serial number is not positive"),
    N_("the serial numbers are {serials}"),
    N_("the signature does not end with its last octet"),
    N_("the signing request cannot be parsed"),
    N_("the signing request is empty or too large"),
    N_("the signing request is for another id"),
    N_("the signing request is not signed by its own key"),
    N_("the status of {member} is {status}"),
    N_("the threshold of {count} custodians is more than half of them, and no more"),
    N_("the token does not let the key sign (CKA_SIGN)"),
    N_("the token says so"),
    N_("the token was closed"),
    N_("the token's signature has another length"),
    N_("there is no profile in this folder"),
    N_("there is no readable subject alternative name"),
    N_("there is no such key on the token"),
    N_("there is no {name}"),
    N_("there is not exactly one URI SAN"),
    N_("these are the keys that sign the reference data already"),
    N_("these rules hold already"),
    N_("this is no signing request in PEM"),
    N_("this is not the CA for the role {role}"),
    N_("time is not a time"),
    N_("time is not written in its one way"),
    N_("valid until {time}"),
    N_("with a threshold of all custodians, one who is lost stops every change"),
    N_("{count} proposals that only this key has signed wait here already"),
    N_("{count} proposals that only this key signed were closed today"),
    N_("{count} proposals wait here already"),
    N_("{file}.json cannot be removed"),
    N_("{name} is no newer than the keys that are known"),
    N_("{name} is not a SHA-256 in hex"),
    N_("{name} is not a text"),
    N_("{name} is not a whole number"),
    N_("{name} is not an object of texts"),
    N_("{path} is not well formed"),
    N_("{place} do not stand in the order of their numbers"),
    N_("{place} has a format this version does not know"),
    N_("{place} has no such port"),
    N_("{place} have one name twice"),
    N_("{place} hold no key that the members admitted"),
    N_("{place} is another log's"),
    N_("{place} is another witness's"),
    N_("{place} is neither active nor suspended"),
    N_("{place} is not JSON"),
    N_("{place} is not a list of {least} to {most} entries"),
    N_("{place} is not a text of 1 to {most} characters"),
    N_("{place} is not a time"),
    N_("{place} is not a whole number from {least} to {most}"),
    N_("{place} is not after not_before"),
    N_("{place} is not an object of at most {most} entries"),
    N_("{place} is not an object"),
    N_("{place} is not base64 of 1 to {most} bytes"),
    N_("{place} is not base64"),
    N_("{place} is not the SHA-256 of the public key"),
    N_("{place} is not the member whose file this is"),
    N_("{place} is refused: {why}"),
    N_("{place} lack a key of {name} that the members admitted"),
    N_("{place} lack {member}, which is active"),
    N_("{place} name one member twice"),
    N_("{place} name one origin twice"),
    N_("{place} name what is no member"),
    N_("{place} pin one key twice"),
    N_("{role} has the version {version}"),
    N_("{role} is not signed with its own key"),
)
"""Texts with places to fill, as they stand where `paiza_register`, `paiza_officer` and key files refuse."""

SYSTEM: Final = (
    N_("File exists"),
    N_("Is a directory"),
    N_("No space left on device"),
    N_("No such file or directory"),
    N_("Not a directory"),
    N_("Permission denied"),
    N_("Read-only file system"),
)
"""What the system says of a file that it refuses."""

_STATUSES: Final = (N_("active"), N_("suspended"))

_PLACE: Final = re.compile(r"\{(\w+)\}")


def translated_detail(detail: str, translate: Callable[[str], str]) -> str:
    """Return a detail in another language."""
    for text, pattern in _patterns():
        if found := pattern.fullmatch(detail):
            values = found.groupdict()
            if values.get("status") in _STATUSES:
                values["status"] = translate(values["status"])
            return translate(text).format(**values)
    return detail


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    by_length = sorted(
        (*DETAILS, *SYSTEM), key=lambda text: len(_PLACE.sub("", text)), reverse=True
    )  # what says most comes first
    return tuple((text, re.compile(_pattern(text), re.DOTALL)) for text in by_length)


def _pattern(text: str) -> str:
    """Return the expression that a filled text matches."""
    parts = _PLACE.split(text)  # text and names of places by turns
    return "".join(f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
