"""What an invitation names beside its secret and statement (`paiza_wire.identity.invitations`)."""

from hashlib import sha256

from paiza.enrolment.v1 import enrolment_pb2
from paiza_register import Register


def invitation_envelope(
    officer_id: str, *, member: str, register: Register, first_root: bytes, enrol_address: str
) -> enrolment_pb2.Invitation:
    """Return an officer's invitation under the register in force, without secret and statement.

    ``enrol_address`` is where persons enrol, "host:port".

    It names every CA that the node's certificate may be from while the invitation is good.
    """
    described = register.described_member(member)
    newest = sha256(first_root).digest() if register.root_version == 1 else register.root_sha256
    return enrolment_pb2.Invitation(
        enrol_address=enrol_address,
        node_address=described.endpoints[0],
        member=member,
        federation=register.federation,
        officer_id=officer_id,
        node_cas=[each.certificate for each in described.authority.node_cas],
        first_root_sha256=sha256(first_root).digest(),
        newest_root_version=register.root_version,
        newest_root_sha256=newest,
    )
