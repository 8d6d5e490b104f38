"""What the commands about officers show: an officer for people and for programs, and why the node refuses an act."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from paiza.admin.v1 import officer_pb2
from paiza_cli.terminal import plain_line
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.language import _
from paiza_node.ops.terminal import iso, shown_time, time_of
from paiza_wire.errors import Rejected

STATES: Final = {
    officer_pb2.OFFICER_STATE_INVITED: N_("invited"),
    officer_pb2.OFFICER_STATE_UNCONFIRMED: N_("to be confirmed"),
    officer_pb2.OFFICER_STATE_ACTIVE: N_("active"),
    officer_pb2.OFFICER_STATE_SUSPENDED: N_("suspended"),
    officer_pb2.OFFICER_STATE_REMOVED: N_("removed"),
}
_PREFIX: Final = "OFFICER_STATE_"
_STATE_NAMES: Final = {
    officer_pb2.OfficerState.Name(state).removeprefix(_PREFIX).lower(): text for state, text in STATES.items()
}


def officer_as_object(each: officer_pb2.OfficerRecord) -> dict[str, Any]:
    """Return an officer for JSON."""
    return {
        "id": each.id,
        "state": officer_pb2.OfficerState.Name(each.state).removeprefix(_PREFIX).lower(),
        "roles": list(each.roles),
        "unit": each.unit,
        "on_hold": each.on_hold,
        "invitation_expiry_time": iso(time_of(each.invitation_expiry_time)),
        "certificates": [
            {
                "use": _short(officer_pb2.OfficerCertificateUse.Name(certificate.use), "OFFICER_CERTIFICATE_USE_"),
                "state": _short(
                    officer_pb2.OfficerCertificateState.Name(certificate.state), "OFFICER_CERTIFICATE_STATE_"
                ),
                "certificate_sha256": certificate.certificate_sha256.hex(),
                "not_before": iso(time_of(certificate.not_before_time)),
                "not_after": iso(time_of(certificate.not_after_time)),
                "revocation_waits": certificate.revocation_waits,
            }
            for certificate in each.certificates
        ],
    }


def _short(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Raise an operator's error for what the node refuses about an officer."""
    try:
        yield
    except Rejected as error:
        known = {
            "unknown_officer": (
                N_("This member has no officer {name}."),
                N_("See the officers with `paiza-node officer list`."),
            ),
            "unknown_id": (
                N_("No keys of {name} wait to be confirmed."),
                N_("They run `paiza enrol` with their invitation first. See `paiza-node officer list`."),
            ),
            "words_differ": (
                N_("These are not the words of the keys of {name} that wait."),
                N_(
                    "Have them read again. If the words differ still, somebody else used the invitation: run "
                    "`paiza-node officer remove` and invite them anew."
                ),
            ),
            "wrong_state": (
                N_("That cannot be done now: {name} is {state}."),
                N_("See the officers with `paiza-node officer list`."),
            ),
            "administrator_missing": (
                N_("The issuer certifies an officer only if an administrator has signed the invitation."),
                N_("Name the administrator's key with --administrator. Nothing was logged."),
            ),
            "malformed": (N_("The node refuses this: {detail}."), N_("Correct it and try again.")),
        }
        if error.reason not in known:
            raise
        what, remedy = known[error.reason]
        state = error.detail.rpartition(" ")[2]
        values = {
            "name": plain_line(name),
            "detail": plain_line(error.detail),
            "state": _(_STATE_NAMES.get(state, state)),
        }
        raise NodeStopped(error.reason, what=what, where="", remedy=remedy, **values) from error


def head() -> tuple[str, ...]:
    """Return the headings of a table of officers."""
    return _("officer"), _("state"), _("roles"), _("unit"), _("certificates until"), _("note")


def row(each: officer_pb2.OfficerRecord) -> tuple[str, ...]:
    """Return an officer as a row of the table."""
    counting = [
        certificate
        for certificate in each.certificates
        if certificate.state == officer_pb2.OFFICER_CERTIFICATE_STATE_ACTIVE
    ]
    until = min((time_of(certificate.not_after_time) for certificate in counting), default=None, key=str)
    notes = []
    if each.HasField("invitation_expiry_time"):
        notes.append(_("invited until {time}").format(time=shown_time(time_of(each.invitation_expiry_time))))
    if each.on_hold:
        notes.append(_("on hold since the restore"))
    if each.enrolment_sha256:
        notes.append(_("keys wait to be confirmed"))
    if any(certificate.revocation_waits for certificate in each.certificates):
        notes.append(_("revocation waits to be published"))
    return (
        each.id.rpartition("/")[2],
        _(STATES[each.state]),
        ", ".join(each.roles),
        each.unit or "-",
        shown_time(until),
        "; ".join(notes) or "-",
    )
