"""The line of text that an invited person is handed (`paiza_wire.identity.invitations`)."""

from hashlib import sha256

from paiza.core.v1 import enrolment_pb2 as statements_pb2
from paiza.enrolment.v1 import enrolment_pb2
from paiza_register import Register
from paiza_wire.identity import invitations


def invitation_text(
    statement: bytes, secret: bytes, *, member: str, register: Register, first_root: bytes, enrol_address: str
) -> str:
    """Return an invitation under the register in force; ``enrol_address`` is where persons enrol, "host:port".

    It names every CA that the node's certificate may be from while the invitation is good.
    """
    described = register.described_member(member)
    newest = sha256(first_root).digest() if register.root_version == 1 else register.root_sha256
    invitation = enrolment_pb2.Invitation(
        enrol_address=enrol_address,
        node_address=described.endpoints[0],
        member=member,
        federation=register.federation,
        officer_id=statements_pb2.InvitationStatement.FromString(statement).officer_id,
        node_cas=[each.certificate for each in described.authority.node_cas],
        first_root_sha256=sha256(first_root).digest(),
        newest_root_version=register.root_version,
        newest_root_sha256=newest,
        secret=secret,
        statement=statement,
    )
    return invitations.to_text(invitation)
