"""The doctor's checks of the register: its age and publishers, everything that expires, members, waiting proposals."""

import shlex
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ssl import PEM_cert_to_DER_cert
from typing import Final

from paiza_node.core.access import store as access_store
from paiza_node.core.access.ends import within_ca
from paiza_node.core.access.held import effective_officers, held
from paiza_node.core.access.model import (
    CertificateState,
    Invitation,
    InvitationAlarm,
    Officer,
    OfficerCertificate,
    OfficerState,
)
from paiza_node.core.errors import N_
from paiza_node.core.storage.scanning import open_scan
from paiza_node.features.ceremonies import store as proposals_store
from paiza_node.ops.config import Config
from paiza_node.ops.doctor.machine import Check, fail, ok, warn
from paiza_node.ops.expiries import (
    Expiry,
    Kind,
    Urgency,
    member_expiries,
    node_certificate,
    of_others,
    officer_certificates,
    shared_expiries,
)
from paiza_node.ops.language import _, number_text, span_text
from paiza_node.ops.terminal import HASH_DIGITS, shown_time
from paiza_register import Register, RegisterReader
from paiza_register.agreements import faults

LONG_WAITING: Final = timedelta(days=3)  # a proposal; custodians sign it in minutes when they are on call
MAX_SHOWN: Final = 10  # proposals of one run


@dataclass(frozen=True, slots=True)
class Renewal:
    """The name of what expires, who renews it, and how."""

    name: str
    who: str
    how: str


_PUBLISHERS: Final = N_("the publishers' nodes, by themselves")
_CUSTODIANS: Final = N_("the custodians")
_TRUST_OFFICER: Final = N_("the member's trust officer")
_RESIGN: Final = N_("The custodians sign it anew for a year: `paiza-trust propose resign`.")
_REACHABLE: Final = N_(
    "`paiza-node peers` shows which nodes answer. Call their operators: one that publishes must be reachable."
)
RENEWALS: Final[Mapping[Kind, Renewal]] = {
    Kind.TIMESTAMP: Renewal(N_("timestamp"), _PUBLISHERS, _REACHABLE),
    Kind.SNAPSHOT: Renewal(N_("snapshot"), _PUBLISHERS, _REACHABLE),
    Kind.ROOT: Renewal(N_("root"), _CUSTODIANS, _RESIGN),
    Kind.TARGETS: Renewal(N_("targets"), _CUSTODIANS, _RESIGN),
    Kind.REFERENCE: Renewal(
        N_("reference data"),
        N_("the data officers"),
        N_("A data officer signs them anew: `paiza-trust propose resign federation.reference`."),
    ),
    Kind.ROLE: Renewal(
        N_("member's files"),
        _TRUST_OFFICER,
        N_("Sign them anew with the member's key: `paiza-trust propose resign {owner}`."),
    ),
    Kind.REVOCATIONS: Renewal(
        N_("revocations"),
        N_("the member's node, by itself"),
        N_("Start the node with `paiza-node run`, and see in its log why it does not sign them anew."),
    ),
    Kind.NODE_CERTIFICATE: Renewal(
        N_("certificate"),
        N_("the holder of the member's node CA"),
        N_("Make the next key and have it certified: `paiza-node rotate tls`."),
    ),
    Kind.NODE_CA: Renewal(
        N_("node CA"), _TRUST_OFFICER, N_("Make the next one: `paiza-trust propose node-ca {owner}`.")
    ),
    Kind.OFFICER_CA: Renewal(
        N_("officer CA"), _TRUST_OFFICER, N_("Make the next one: `paiza-trust propose officer-ca {owner}`.")
    ),
    Kind.ENCRYPTION_KEY: Renewal(
        N_("encryption key"),
        _TRUST_OFFICER,
        N_("Make the next one: `paiza-node rotate encryption`."),
    ),
    Kind.LOG_KEY: Renewal(
        N_("log key"), _TRUST_OFFICER, N_("Make the next one before this one is abandoned: `paiza-node rotate log`.")
    ),
    Kind.WITNESS_KEY: Renewal(
        N_("witness key"),
        _TRUST_OFFICER,
        N_("Make the next one before this one is abandoned: `paiza-node rotate witness`."),
    ),
    Kind.OFFICER_CERTIFICATE: Renewal(
        N_("officer's certificate"),
        N_("the officer's own programs"),
        N_("Invite them to enrol new keys: `paiza-node officer invite {owner}`."),
    ),
}


def check_expiries(config: Config, register: Register, certificate_pem: bytes, now: datetime) -> Iterator[Check]:
    """Check everything of our own and of all that expires; of other members what expires within days."""
    certificate = node_certificate(config.member, certificate_pem)
    for each in (*shared_expiries(register), *member_expiries(register, config.member), certificate):
        yield expiry_check(each, now)
    der = PEM_cert_to_DER_cert(certificate_pem.decode())
    if register.certificate_verifier().is_revoked(der):
        yield fail(
            RENEWALS[Kind.NODE_CERTIFICATE].name,
            N_("This member has revoked the node's own certificate or its key: nobody accepts the node."),
            RENEWALS[Kind.NODE_CERTIFICATE].how,
        )
    for each in of_others(register, config.member):
        if each.urgency(now) is Urgency.NOW:
            yield _of_another(each, now)


def expiry_check(expiry: Expiry, now: datetime) -> Check:
    """Return the line about something of our own, or of all, that expires."""
    renewal, urgency = RENEWALS[expiry.kind], expiry.urgency(now)
    values = {**_times(expiry, now), "owner": expiry.owner, "who": _(renewal.who)}
    if urgency is Urgency.LATER:
        return ok(renewal.name, N_("Valid for {left}, until {time}. Renewed by: {who}."), **values)
    judge = fail if urgency is Urgency.NOW else warn
    if expiry.time <= now:
        return fail(renewal.name, N_("Expired {left} ago, on {time}. Renewed by: {who}."), renewal.how, **values)
    return judge(renewal.name, N_("Expires in {left}, on {time}. Renewed by: {who}."), renewal.how, **values)


def _of_another(expiry: Expiry, now: datetime) -> Check:
    what = (
        N_("{what} of {owner}: expired {left} ago, on {time}.")
        if expiry.time <= now
        else N_("{what} of {owner}: expires in {left}, on {time}.")
    )
    named = {"what": _(RENEWALS[expiry.kind].name), "owner": expiry.owner}
    return warn(N_("other members"), what, N_("Tell that member's operator."), **named, **_times(expiry, now))


def _times(expiry: Expiry, now: datetime) -> dict[str, str]:
    return {"time": shown_time(expiry.time), "left": span_text(abs(expiry.time - now))}


def check_officers(config: Config, register: Register, now: datetime) -> Iterator[Check]:
    """Check the officers' states and certificates."""
    with open_scan(config.database) as scan:
        yield from invitation_checks(access_store.alarms(scan))
        certificates = within_ca(access_store.officer_certificates(scan), register)
        yield from officer_checks(effective_officers(scan), certificates, now, held(scan))


def invitation_checks(alarmed: Sequence[Invitation]) -> Iterator[Check]:
    """Return the checks of invitations that somebody else may hold."""
    for each in alarmed:
        yield fail(
            N_("invitations"),
            N_("The invitation of {officer} was used, and shown again with other keys: two persons hold it.")
            if each.alarm is InvitationAlarm.OTHER_KEYS
            else N_("Wrong secrets were shown with the invitation of {officer}, which is void now."),
            N_(
                "Ask the officer by telephone. If they did not do it, find out who had the invitation; do not confirm "
                "its keys. Invite the officer anew: `paiza-node officer invite`."
            ),
            officer=each.officer,
        )


def _invite(officer: Officer) -> str:
    """Return the command that invites an officer to enrol new keys, with the present roles and unit."""
    unit = ["--unit", officer.unit] if officer.unit else []
    name, roles = officer.id.rpartition("/")[2], ",".join(sorted(officer.roles))
    return shlex.join(["paiza-node", "officer", "invite", name, "--role", roles, *unit])


def officer_checks(
    officers: Mapping[str, Officer],
    certificates: Sequence[OfficerCertificate],
    now: datetime,
    on_hold: Collection[str] = (),
) -> Iterator[Check]:
    """Return the checks of these officers and certificates; some may be on hold since a restore."""
    name = N_("officers")
    if on_hold:
        yield fail(
            name,
            N_("Officers on hold since the restore: {count}. They may not act."),
            N_("Read `paiza-node officer list`, suspend or remove who left, then: `paiza-node officer confirm --all`."),
            count=number_text(len(on_hold)),
        )
    if not on_hold and not any(each.is_active for each in officers.values()):
        yield warn(
            name,
            N_("There is no active officer: nobody can use this node."),
            N_("Invite one: `paiza-node officer invite`; or `paiza-node officer admit`."),
        )
        return
    if waiting := sorted({each.officer for each in certificates if each.state is CertificateState.ASLEEP}):
        yield warn(
            name,
            N_("The keys of {officers} wait to be confirmed."),
            N_("Have them telephone you and read their words: `paiza-node officer confirm`."),
            officers=", ".join(waiting),
        )
    for each in sorted(officer_certificates(officers, certificates), key=_time):
        if (urgency := each.urgency(now)) is not Urgency.LATER:
            yield (fail if urgency is Urgency.NOW else warn)(
                name,
                N_("The certificate of {owner} expired {left} ago, on {time}.")
                if each.time <= now
                else N_("The certificate of {owner} expires in {left}, on {time}."),
                N_(
                    "Any `paiza` command of theirs renews it. If they cannot: `{command}`; without an issuer "
                    "`paiza-trust ca certify`, then `paiza-node officer admit`."
                ),
                owner=each.owner.rpartition("/")[2],
                command=_invite(officers[each.owner]),
                **_times(each, now),
            )
    counts = Counter(each.state for each in officers.values())
    yield ok(
        name,
        N_("Active officers: {active}; suspended: {suspended}."),
        active=number_text(counts[OfficerState.ACTIVE]),
        suspended=number_text(counts[OfficerState.SUSPENDED]),
    )


def _time(expiry: Expiry) -> datetime:
    return expiry.time


def check_register(register: Register, now: datetime) -> Iterator[Check]:
    """Check how old the register is, and show who publishes it."""
    yield ok(
        N_("register"),
        N_("Version {version}, root {root}, signed {age} ago by {signer}. Publishers in their order: {publishers}."),
        version=register.version.hex()[:HASH_DIGITS],
        root=number_text(register.root_version),
        age=span_text(max(timedelta(0), now - register.issued_time)),
        signer=", ".join(register.published_by) or "-",
        publishers=", ".join(register.publishers),
    )
    for agreement, text in register.agreements:
        if errors := faults(text):
            yield fail(
                N_("agreements"),
                N_("{agreement} does not fit the schema of the rules: {errors}. The agreements of before apply."),
                N_("Tell the custodians: they correct it (`paiza-trust propose policy`)."),
                agreement=agreement,
                errors=errors,
            )


def check_publishers(config: Config, reader: RegisterReader, register: Register) -> Iterator[Check]:
    """Check for publishers that signed two sets of one version, and custodians that signed two roots of one."""
    name, folder = N_("publishers"), config.data / "register"
    fork, disqualified = reader.fork, reader.disqualified
    if fork is not None:
        yield fail(
            name,
            N_("Custodians signed two roots {version}: {members}. The members stay as they were in root {common}."),
            N_("Tell all custodians and keep {path}. They decide which counts; each node then joins its register."),
            version=number_text(fork.version),
            common=number_text(fork.common),
            members=", ".join(fork.members) or "-",
            path=folder / "fork",
        )
    for member in sorted(member for member, key in register.publishers.items() if key in disqualified):
        yield fail(
            name,
            N_("The publishing key of {member} signed two registers of one version. It is not believed here."),
            N_("Keep {path}. Tell the custodians: they give it another key (`paiza-trust propose publisher`)."),
            member=member,
            path=folder / "proofs",
        )
    former = len(disqualified - set(register.publishers.values()))
    if former:
        yield ok(name, N_("Former publishing keys that contradicted themselves: {count}."), count=number_text(former))
    if fork is None and not disqualified:
        yield ok(name, N_("No publisher and no custodian contradicted themselves."))


def check_members(register: Register, own: str) -> Iterator[Check]:
    """Check whether our member is suspended, and whose own files can be used."""
    name = N_("members")
    if own in register.suspended_ids:
        what = N_("Your member is suspended: nothing is exchanged with it.")
        remedy = N_("Call the custodians of {members}: they can reinstate it.")
        yield fail(name, what, remedy, members=", ".join(sorted(register.custodians)))
    for member, why in sorted(register.unusable.items()):
        if member == own:
            yield fail(
                name,
                N_("The register's files of this member cannot be used: {why}. Nobody exchanges anything with it."),
                N_("Publish them anew with the member's key: `paiza-trust propose member {member}`, or `resign`."),
                member=member,
                why=why,
            )
        else:
            yield warn(
                name,
                N_("The register's files of {member} cannot be used: {why}. It counts as away."),
                N_("Tell that member's operator: it must publish them anew."),
                member=member,
                why=why,
            )
    if not register.unusable:
        count = number_text(len(register.active_ids))
        yield ok(name, N_("The files of all {count} active members can be used."), count=count)


def check_proposals(config: Config, now: datetime) -> Iterator[Check]:
    """Check for how long proposals of changes wait for signatures."""
    name = N_("proposals")
    with open_scan(config.database) as scan:
        waiting = sorted(
            (each for each in proposals_store.proposals(scan) if each.is_waiting), key=lambda each: each.received_time
        )
    for each in waiting[:MAX_SHOWN]:
        age = now - each.received_time
        values = {
            "kind": each.kind,
            "fingerprint": each.fingerprint.hex()[:HASH_DIGITS],
            "age": span_text(max(timedelta(0), age)),
            "missing": number_text(each.missing),
            "members": ", ".join(each.waits_for) or "-",
        }
        text = N_(
            "A proposal ({kind}, {fingerprint}) has waited for {age}; signatures missing: {missing}, of {members}."
        )
        remedy = N_("Custodians see and sign it with `paiza-trust pending` and `paiza-trust sign`.")
        yield warn(name, text, remedy, **values) if age > LONG_WAITING else ok(name, text, **values)
    if not waiting:
        yield ok(name, N_("No change of the register waits for signatures."))
