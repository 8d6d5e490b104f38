"""Sentences for people: what will be true that was not, once an act counts. One function an act.

The first line of each says what the act is about. What a custodian cannot judge by a sentence (a key, an agreement) is
shown by its fingerprint in words, or as it stands.
"""

import difflib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import groupby
from typing import Final

from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from paiza_cli.fingerprint_words import fingerprint_words
from paiza_cli.language import Language
from paiza_domain.formatting import span_text
from paiza_register import Member, roles
from paiza_register.ceremony import Act, Application, Base, Change, Founding, Publication
from paiza_register.ceremony import change as changes
from paiza_register.ceremony.federation_file import to_json
from paiza_register.ceremony.times import ROOT_LIFE, expiry, time_text
from paiza_register.documents import Federation, parse_member
from paiza_trust.language import N_
from paiza_wire.identity import CertificateAuthority
from paiza_wire.tlog.cosignatures import quorum

Translate = Callable[[str], str]

_SENTENCES: Final[Mapping[str, str]] = {
    changes.ADMIT: N_("{title} ({member}) will belong to the federation, reached at {endpoints}"),
    changes.SUSPEND: N_(
        "{title} ({member}) will be suspended: nothing is exchanged with it, and its custodian decides nothing"
    ),
    changes.REINSTATE: N_("{title} ({member}) will be active again, and its custodian decide with the others"),
    changes.REMOVE: N_("{title} ({member}) will no longer belong to the federation"),
    changes.CUSTODIAN: N_("{title} ({member}) will have another custodian's key; the present one decides no longer"),
    changes.MEMBER_KEY: N_("{title} ({member}) will sign with another key what it says about itself"),
    changes.PUBLISHER: N_("The node of {title} ({member}) will publish and revoke with other keys"),
    changes.REFERENCE_HOLDER: N_("The data officer of {title} ({member}) will sign the reference data"),
    changes.LOG_KEY: N_("{title} ({member}) will sign its log {name} with another key too"),
    changes.LOG_ORIGIN: N_("{title} ({member}) will have the log {name}; nothing more is added to the one before it"),
    changes.WITNESS: N_("{title} ({member}) will have the witness {name}, beside those before it"),
}


def lines(act: Act, language: Language, translate: Translate, now: datetime) -> list[str]:
    """Return what will be true that was not, a sentence a line."""
    if isinstance(act, Founding):
        return [*founding(act, language, translate), *_expiries(act, translate)]
    if isinstance(act, Publication):
        own = publication(act, language, translate)
    else:
        assert isinstance(act, Change), "no other act is known"
        own = change(act, language, translate)
    return [*own, *_built_on(act.base, language, translate, now), *_expiries(act, translate)]


def title(act: Act, language: Language, translate: Translate) -> str:
    """Return what an act is about, one sentence."""
    if isinstance(act, Founding):
        return founding(act, language, translate)[0]
    if isinstance(act, Publication):
        return publication(act, language, translate)[0]
    assert isinstance(act, Change), "no other act is known"
    return change(act, language, translate)[0]


def founding(act: Founding, language: Language, translate: Translate) -> list[str]:
    """Return what a founding makes true."""
    count = len(act.applications)
    told = [
        translate(N_("There will be the federation {name}: {title}")).format(
            name=act.federation, title=act.names[language]
        ),
        translate(N_("Its custodians change it if {threshold} of {count} sign. All of them must sign now.")).format(
            threshold=act.threshold, count=count
        ),
        *_threshold_warning(act.threshold, count, translate),
    ]
    if act.exercise:
        told.insert(1, translate(N_("All its messages will be exercises. This never changes.")))
    for each in act.applications:
        told.append(
            translate(N_("{title} ({member}) will belong to it, reached at {endpoints}")).format(
                title=each.own.names[language], member=each.member, endpoints=", ".join(each.own.endpoints)
            )
        )
        told.append(_application(each, language, translate))
    told.append(
        translate(N_("{member} will publish the reference data: {count} files")).format(
            member=act.applications[0].member,
            count=sum(roles.role_of(path) == roles.REFERENCE for path in act.documents),
        )
    )
    agreements = {path: data for path, data in act.documents.items() if roles.role_of(path) != roles.REFERENCE}
    told += _agreements({}, {name: data.decode() for name, data in agreements.items()}, translate)
    told.append(translate(N_("Officers will be able to name legal bases: {count}")).format(count=len(act.legal_bases)))
    told.append(
        translate(
            N_("A register counts as current for {life} h after a node signed it; after that it is used for {grace} h.")
        ).format(life=act.timestamp_life_hours, grace=act.grace_hours)
    )
    return told


def change(act: Change, language: Language, translate: Translate) -> list[str]:
    """Return what a change makes true."""
    told = []
    applications = {each.member: each for each in act.applications}
    for member in act.members:
        applied = applications.get(member)
        told.append(
            translate(_SENTENCES[act.what]).format(
                title=_name(act.base, member, applied, language),
                member=member,
                endpoints="" if applied is None else ", ".join(applied.own.endpoints),
                name=act.vkey.partition("+")[0],
            )
        )
        if applied is not None:
            told.append(_application(applied, language, translate))
    told += _DETAILS.get(act.what, _nothing)(act, language, translate)
    told += _membership(act, translate)
    before, count = act.base.threshold, len(act.draft.signers[Targets.type])
    if act.threshold != before and act.what != changes.THRESHOLD:
        told.append(
            translate(N_("{after} custodians must sign a change, and no longer {before}")).format(
                after=act.threshold, before=before
            )
        )
    told += _threshold_warning(act.threshold, count, translate)
    told += _signatures_needed(act, translate)
    return told


def publication(act: Publication, language: Language, translate: Translate) -> list[str]:
    """Return what a publication makes true."""
    if act.role == roles.REFERENCE:
        told = [translate(N_("The reference data will change: {count} files")).format(count=len(act.files))]
    else:
        named = {"title": _name(act.base, act.member, None, language), "member": act.member}
        told = [translate(N_("{title} ({member}) will say this about itself:")).format(**named)]
    if not act.files:
        told[0] = translate(N_("{role} will be signed anew for another year; nothing in it changes")).format(
            role=act.role
        )
    for path, after in sorted(act.files.items()):
        before = act.base.target(act.role, path) or b""
        if path.endswith("/member.json"):
            known = act.base.register.members.get(act.member)
            told += _member_differences(known, _own_file(act.base, act.member, after), language, translate)
        else:
            told.append(_document_difference(path, before, after, translate))
    told.append(
        translate(N_("It counts with one signature, of: {members}")).format(
            members=", ".join(sorted(member for _key, member in act.draft.deciders.values()))
        )
    )
    return told


def _name(base: Base, member: str, applied: Application | None, language: Language) -> str:
    """Return a member's name; the id of one whose files cannot be used."""
    own = base.register.members.get(member) if applied is None else applied.own
    return member if own is None else own.names[language]


def _application(applied: Application, language: Language, translate: Translate) -> str:
    words = fingerprint_words(applied.fingerprint, language)
    return "    " + translate(N_("fingerprint of its application: {words}")).format(words=words)


def _threshold_warning(threshold: int, count: int, translate: Translate) -> list[str]:
    """Warn where every custodian must sign."""
    if threshold < count or count == 1:
        return []
    return [
        translate(N_("Warning: no custodian may ever be lost, since all must sign every change.")),
        translate(N_("Warning: no member can be suspended or removed against its will.")),
    ]


def _membership(act: Change, translate: Translate) -> Iterator[str]:
    """Yield how the number of members changes what witnesses must do, and what stays of one that goes."""
    if act.what == changes.REMOVE:
        yield translate(
            N_("Its keys of logs and witnesses stay known for ever, for the evidence; it can be admitted again")
        )
    if act.what == changes.SUSPEND:
        yield translate(N_("Its messages and evidence up to then still hold; what it signs afterwards is refused"))
    gain = {changes.ADMIT: 1, changes.REINSTATE: 1, changes.SUSPEND: -1, changes.REMOVE: -1}.get(act.what, 0)
    if act.what == changes.REMOVE and act.member not in act.base.register.active_ids:
        gain = 0  # it was suspended before
    if gain:
        others = len(act.base.register.active_ids) - 1
        yield translate(N_("A log will need {after} of {others_after} witnesses, so far {before} of {others}")).format(
            after=quorum(others + gain), others_after=others + gain, before=quorum(others), others=others
        )


def _signatures_needed(act: Change, translate: Translate) -> Iterator[str]:
    """Yield whose signatures make a change count."""
    draft, base = act.draft, act.base
    count = len(draft.signers[Targets.type])
    if Root.type in draft.roles:
        yield translate(
            N_("It counts when {before} of the custodians of today and {after} of the {count} afterwards signed.")
        ).format(before=base.threshold, after=act.threshold, count=count)
    else:
        yield translate(N_("It counts when {threshold} of the {count} custodians signed.")).format(
            threshold=act.threshold, count=count
        )
    for role in draft.roles:
        if role in {Root.type, Targets.type}:
            continue
        members = ", ".join(sorted({member for _key, member in draft.signers[role].values()}))
        yield translate(N_("One more signature is needed, with the key for {role}, of: {members}")).format(
            role=role, members=members
        )


def _built_on(base: Base, language: Language, translate: Translate, now: datetime) -> Iterator[str]:
    """Yield the age of the register that an act builds on, and the fingerprints of its roots."""
    issued, age = base.register.issued_time, max(now - base.register.issued_time, timedelta())
    yield translate(N_("It builds on the register that a node signed at {time}, {age} ago")).format(
        time=time_text(issued), age=span_text(age, language)
    )
    for version, digest in {1: base.file.first_digest, base.file.newest: base.file.newest_digest}.items():
        words = fingerprint_words(digest, language)
        yield translate(N_("It builds on the root of version {version}: {words}")).format(version=version, words=words)


def _expiries(act: Act, translate: Translate) -> Iterator[str]:
    """Yield until when everything holds that people sign, as it will be after an act."""
    ends = {} if act.base is None else dict(act.base.register.role_expiries)
    for role in {Snapshot.type, Timestamp.type}:  # nodes sign these
        ends.pop(role, None)
    if isinstance(act, Founding):
        ends = {role: expiry(each.time, ROOT_LIFE) for each in act.applications for role in each.roles}
    ends |= {role: payload.expires for role, payload in act.draft.roles.items()}
    for applied in getattr(act, "applications", ()):
        ends |= {role: expiry(applied.time, ROOT_LIFE) for role in applied.roles if _adopts(act, role)}
    if isinstance(act, Change) and act.what == changes.REMOVE:
        ends = {role: end for role, end in ends.items() if roles.member_of(role) != act.member}
    yield translate(N_("All this must be signed again before it expires:"))
    by_day = sorted((f"{end:%Y-%m-%d}", role) for role, end in ends.items())
    for day, group in groupby(by_day, lambda each: each[0]):
        yield f"    {day}  {', '.join(role for _, role in group)}"


def _adopts(act: Act, role: str) -> bool:
    """Return whether a change publishes what a member signed in this role of its application."""
    assert isinstance(act, (Change, Founding))
    if isinstance(act, Founding) or act.what in {changes.ADMIT, changes.MEMBER_KEY}:
        return True
    return act.what == changes.PUBLISHER and roles.member_of(role) != role


def _nothing(_act: Change, _language: Language, _translate: Translate) -> list[str]:
    return []


def _log_origin(act: Change, language: Language, translate: Translate) -> list[str]:
    return [
        *_new_key(act, language, translate),
        translate(N_("Ask its operator whether the log before it is really lost, and what was in it that nobody has.")),
    ]


def _new_key(act: Change, language: Language, translate: Translate) -> list[str]:
    words = _words(act.vkey.encode(), language)
    told = ["    " + translate(N_("fingerprint of the new key: {words}")).format(words=words)]
    if act.until is not None:
        ends = N_("What the former key alone signs from {time} on is refused; what it signed before stays proven")
        told.append("    " + translate(ends).format(time=time_text(act.until)))
    return told


def _member_key(act: Change, language: Language, translate: Translate) -> list[str]:
    (applied,) = act.applications
    known = act.base.register.members.get(applied.member)
    return list(_member_differences(known, applied.own, language, translate))


def _reference_holders(act: Change, _language: Language, translate: Translate) -> list[str]:
    before = ", ".join(each["member"] for each in act.base.federation["reference"])
    return [translate(N_("So far the reference data are signed by: {members}")).format(members=before)]


def _resign(act: Change, _language: Language, translate: Translate) -> list[str]:
    before = min(act.base.register.role_expiries[role] for role in (Root.type, Targets.type))
    text = N_("Root and targets will be signed anew for another year (so far until {before}); nothing else changes")
    return [translate(text).format(before=time_text(before))]


def _threshold(act: Change, _language: Language, translate: Translate) -> list[str]:
    return [
        translate(N_("The threshold of the custodians will be {after} of {count}, so far {before}")).format(
            after=act.threshold, count=len(act.base.custodians), before=act.base.threshold
        )
    ]


def _policy(act: Change, language: Language, translate: Translate) -> list[str]:
    assert act.policy is not None, "a change of the rules states them"
    policy, federation = act.policy, act.base.federation
    named, told = [], []
    for name, text, before, after in (
        (
            N_("how long a register counts as current"),
            N_("A register counts as current for {after} h after a node signed it, and no longer for {before} h."),
            federation["timestamp_life_hours"],
            policy.timestamp_life_hours,
        ),
        (
            N_("how long an expired register is used"),
            N_("An expired register is used for {after} h more, and no longer for {before} h."),
            federation["grace_hours"],
            policy.grace_hours,
        ),
    ):
        if before != after:
            named.append(translate(name))
            told.append(translate(text).format(before=before, after=after))
    named += policy.agreements
    known = {f"{name}.cedar": text for name, text in act.base.register.agreements}
    told += _agreements(known, policy.agreements, translate)
    for code, titles in policy.legal_bases.items():
        label = translate(N_("legal base {code}")).format(code=code)
        before = federation["legal_bases"].get(code, {}).get(language, "")
        told.append(_before_after(label, before, titles.get(language, "")))
        named.append(label)
    rules = ", ".join(named) or translate(N_("the threshold"))
    return [translate(N_("Rules of the federation will change: {rules}")).format(rules=rules), *told]


_DETAILS: Final[Mapping[str, Callable[[Change, Language, Translate], list[str]]]] = {
    changes.MEMBER_KEY: _member_key,
    changes.LOG_KEY: _new_key,
    changes.LOG_ORIGIN: _log_origin,
    changes.WITNESS: _new_key,
    changes.REFERENCE_HOLDER: _reference_holders,
    changes.RESIGN: _resign,
    changes.THRESHOLD: _threshold,
    changes.POLICY: _policy,
}


def _agreements(before: Mapping[str, str], after: Mapping[str, str], translate: Translate) -> Iterator[str]:
    """Yield each agreement that changes, with its lines that come and go."""
    for name, text in after.items():
        old = before.get(name, "")
        if not text:
            yield translate(N_("The agreement {name} will no longer hold:")).format(name=name)
        elif not old:
            yield translate(N_("The agreement {name} will hold:")).format(name=name)
        else:
            yield translate(N_("The agreement {name} will read otherwise:")).format(name=name)
        for line in difflib.unified_diff(old.splitlines(), text.splitlines(), lineterm="", n=2):
            if not line.startswith(("---", "+++", "@@")):
                yield f"    {line}"


def _member_differences(
    before: Member | None, after: Member, language: Language, translate: Translate
) -> Iterator[str]:
    """Yield what differs between what a member says of itself and what it will say."""
    old, new = ({} if each is None else _member_values(each, language, translate) for each in (before, after))
    for label, value in new.items():
        yield from _differs(label, old.get(label, ""), value)
    was, will = set() if before is None else _member_keys(before, translate), _member_keys(after, translate)
    yield from (f"    + {each}" for each in sorted(will - was))
    yield from (f"    - {each}" for each in sorted(was - will))


def _member_values(member: Member, language: Language, translate: Translate) -> dict[str, str]:
    """Return what a member says of itself in single values, by label."""
    return {
        translate(N_("name in Russian")): member.names["ru"],
        translate(N_("name in English")): member.names["en"],
        translate(N_("address of its node")): ", ".join(member.endpoints),
        translate(N_("highest classification that it receives")): str(member.classification_ceiling),
        translate(N_("CA that certifies its nodes")): _cas(member.authority.node_cas, language),
        translate(N_("CA that certifies its officers")): _cas(member.authority.officer_cas, language),
    }


def _member_keys(member: Member, translate: Translate) -> set[str]:
    """Return the keys that a member has several of, each as a line."""
    return {
        *(f"{translate(N_('log'))} {key.vkey}" for key in member.log_keys),
        *(f"{translate(N_('witness'))} {key.name}" for key in member.witness_keys),
        *(f"{translate(N_('encryption key'))} {key.key_id.hex()}" for key in member.encryption_keys),
    }


def _own_file(base: Base, member: str, data: bytes) -> Member:
    """Return what a member.json says, whose keys the register knows."""
    return parse_member(member, Federation(to_json(base.federation)), data, frozenset())


def _cas(cas: Sequence[CertificateAuthority], language: Language) -> str:
    """Return the fingerprint of each CA, with the times from and until which it is announced."""
    return "; ".join(
        f"{_words(ca.certificate, language)} ({time_text(ca.begins)} … {time_text(ca.ends)})" for ca in cas
    )


def _words(data: bytes, language: Language) -> str:
    return fingerprint_words(sha256(data).digest(), language)


def _differs(label: str, before: str, after: str) -> Iterator[str]:
    if before != after:
        yield _before_after(label, before, after)


def _before_after(label: str, before: str, after: str) -> str:
    return f"    {label}: {before or '-'} -> {after or '-'}"


def _document_difference(path: str, before: bytes, after: bytes, translate: Translate) -> str:
    """Return how many records of each list in a JSON file come and go."""
    if not after:
        return "    " + translate(N_("{path}: will be there no longer")).format(path=path)
    old, new = (_records(data) for data in (before, after))
    parts = [
        f"{name} {old[name].total()} -> {new[name].total()} "
        f"(+{(new[name] - old[name]).total()}, -{(old[name] - new[name]).total()})"
        for name in sorted({*old, *new})
        if new[name] != old[name]
    ]
    return f"    {path}: {', '.join(parts)}"


def _records(data: bytes) -> defaultdict[str, Counter[str]]:
    """Return the records of a file, each as text, by the list in which they are."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, value in (json.loads(data) if data else {}).items():
        found[name].update(json.dumps(each, sort_keys=True) for each in (value if isinstance(value, list) else [value]))
    return found
