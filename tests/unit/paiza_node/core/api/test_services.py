"""Handlers are found by descriptor, and who may call stands in the .proto."""

from collections.abc import Sequence

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2
from google.protobuf.descriptor import ServiceDescriptor

from paiza.core.v1 import access_pb2, register_pb2
from paiza.officer.v1 import attachment_pb2, forwarding_pb2, search_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.api import services
from paiza_node.core.api.services import Access, Service
from paiza_wire.message.attachment import CHUNK_BYTES

REGISTER = register_pb2.DESCRIPTOR.services_by_name["RegisterService"]
GET_FILE, LIST_PROOFS = (services.method_name(each) for each in REGISTER.methods)


class Whole(Service):
    """Handles every RPC of the register."""

    service = REGISTER

    async def get_file(self) -> None:
        """Handle GetFile."""

    async def list_proofs(self) -> None:
        """Handle ListProofs."""

    def _helper(self) -> None:
        """Handle nothing."""


class Half(Service):
    """Handles one of them."""

    service = REGISTER

    async def get_file(self) -> None:
        """Handle GetFile."""


class Misnamed(Service):
    """Handles what is no RPC."""

    service = REGISTER

    async def get_flie(self) -> None:
        """Handle nothing that is called."""


def declared(name: str, callers: Sequence["access_pb2.Caller.ValueType | None"]) -> ServiceDescriptor:
    """Return a service with an RPC for each of these callers; None where an RPC does not say whom it is for."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package="test", syntax="proto3")
    file.dependency.append(empty_pb2.DESCRIPTOR.name)
    service = file.service.add(name=name)
    for number, caller in enumerate(callers):
        method = service.method.add(name=f"Do{number}", input_type=".google.protobuf.Empty")
        method.output_type = method.input_type
        if caller is not None:
            method.options.Extensions[access_pb2.access].caller = caller
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    found: ServiceDescriptor = pool.FindServiceByName(f"test.{name}")
    return found


def test_every_rpc_of_the_protocol_says_who_may_call_it() -> None:
    """All services are found, each RPC says whom it is for, and only the operator's are apart."""
    names = {service.full_name for service in services.declared()}
    assert {"paiza.core.v1.RegisterService", "paiza.peer.v1.ExchangeService"} <= names
    operator = {service.full_name for service in services.for_operator()}
    assert {name for name in names if name.startswith("paiza.admin.")} == operator
    assert services.accesses()[GET_FILE] == Access("either", "read_register")


def test_handlers_are_found_by_the_names_of_their_rpcs() -> None:
    """A public method handles the RPC of its name; what is private handles none."""
    whole = Whole()
    assert services.handlers_of([whole], [REGISTER]) == {
        GET_FILE: whole.get_file,
        LIST_PROOFS: whole.list_proofs,
    }


@pytest.mark.parametrize(
    ("objects", "fault"),
    [
        ([Half()], f"{LIST_PROOFS} has no handler"),
        ([], f"{GET_FILE} has no handler"),
        ([Whole(), Half()], f"{GET_FILE} has 2 handlers"),
        ([Whole(), Misnamed()], "Misnamed.get_flie handles no RPC that is served here"),
    ],
)
def test_a_node_with_other_handlers_than_rpcs_does_not_start(objects: list[Service], fault: str) -> None:
    """Missing, superfluous and duplicate services are named."""
    with pytest.raises(TypeError) as caught:
        services.handlers_of(objects, [REGISTER])
    assert fault in str(caught.value)


@pytest.mark.parametrize("caller", [None, access_pb2.CALLER_UNSPECIFIED])
def test_an_rpc_that_does_not_say_who_may_call_it_is_refused(caller: "access_pb2.Caller.ValueType | None") -> None:
    """The node does not start without the access option: no caller would be admitted."""
    service = declared(f"Silent{caller}", [caller])
    with pytest.raises(TypeError, match=rf"/test.Silent{caller}/Do0: the .proto does not say"):
        services.access_of(service.methods[0])


def test_a_service_is_for_the_operator_or_for_others() -> None:
    """RPCs of the operator's socket stand in services of their own."""
    mixed = declared("Mixed", [access_pb2.CALLER_OPERATOR, access_pb2.CALLER_NODE])
    with pytest.raises(TypeError, match=r"test\.Mixed"):
        services._is_for_operator(mixed)


def test_the_largest_valid_requests_are_of_the_declared_size() -> None:
    """Lists as long as they may be, of the longest texts, each character of four bytes."""
    text = "\N{FIREWORKS}" * 1000
    criteria = [search_pb2.Criterion(field="x" * 32, text=text[:500])] * 200
    most = {
        "/paiza.officer.v1.SearchService/FindSimilar": search_pb2.FindSimilarRequest(criteria=criteria),
        "/paiza.officer.v1.ForwardingService/AuthorizeExport": forwarding_pb2.AuthorizeExportRequest(
            message_digests=[bytes(32)] * 256, recipient_text=text, reason_text=text
        ),
        "/paiza.officer.v1.AttachmentService/Upload": attachment_pb2.UploadRequest(data=bytes(CHUNK_BYTES)),
        "/paiza.peer.v1.ExchangeService/FetchMessages": exchange_pb2.FetchMessagesRequest(
            message_digests=[bytes(32)] * 64
        ),
    }
    for name, request in most.items():
        assert len(request.SerializeToString()) < services.accesses()[name].max_request_bytes
