"""The services of the protocol: for each RPC, who may call it (declared in its .proto) and its handler method."""

import importlib
import inspect
import pkgutil
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from grpc_health.v1 import health_pb2

import paiza.admin.v1
import paiza.core.v1
import paiza.officer.v1
import paiza.peer.v1
from paiza.core.v1 import access_pb2

Who = Literal["node", "officer", "either", "operator"]

SMALL_REQUEST_BYTES: Final = 64 * 1024
"""Most bytes of a request if its RPC declares nothing else: names, digests, reasons, a query."""

HEALTH: Final[ServiceDescriptor] = health_pb2.DESCRIPTOR.services_by_name["Health"]
_ROLES: Final = (paiza.core.v1, paiza.peer.v1, paiza.officer.v1, paiza.admin.v1)
_WHO: Final[Mapping[int, Who]] = MappingProxyType({
    access_pb2.CALLER_NODE: "node",
    access_pb2.CALLER_OFFICER: "officer",
    access_pb2.CALLER_EITHER: "either",
    access_pb2.CALLER_OPERATOR: "operator",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Access:
    """The permitted callers of an RPC, and the action to authorise.

    The action is empty if the handler authorises per message, or any known caller may call. ``max_request_bytes`` is
    the size of one request.
    """

    who: Who
    action: str = ""
    max_request_bytes: int = SMALL_REQUEST_BYTES


class Service:
    """A handler class for RPCs of one service: each public method has the name of an RPC in snake_case."""

    service: ClassVar[ServiceDescriptor]


def method_name(method: MethodDescriptor) -> str:
    """Return the method path of an RPC."""
    return f"/{method.containing_service.full_name}/{method.name}"


def access_of(method: MethodDescriptor) -> Access:
    """Return who may call an RPC, and with what; TypeError if its .proto does not declare it."""
    declared = method.GetOptions().Extensions[access_pb2.access]
    who = _WHO.get(declared.caller)
    if who is None:
        raise TypeError(f"{method_name(method)}: the .proto does not say who may call it")
    return Access(who, declared.action, declared.max_request_bytes or SMALL_REQUEST_BYTES)


@cache
def declared() -> tuple[ServiceDescriptor, ...]:
    """Return every service of the protocol."""
    return tuple(
        service
        for role in _ROLES
        for module in pkgutil.iter_modules(role.__path__, f"{role.__name__}.")
        if module.name.endswith("_pb2")
        for service in importlib.import_module(module.name).DESCRIPTOR.services_by_name.values()
    )


@cache
def public() -> tuple[ServiceDescriptor, ...]:
    """Return the services for nodes and officers."""
    return tuple(each for each in declared() if not _is_for_operator(each))


@cache
def for_operator() -> tuple[ServiceDescriptor, ...]:
    """Return the services of the operator's socket."""
    return tuple(each for each in declared() if _is_for_operator(each))


@cache
def accesses() -> Mapping[str, Access]:
    """Return who may call each RPC for nodes and officers, by name; health is open to every known caller."""
    found = {method_name(method): Access("either") for method in HEALTH.methods}
    found.update((method_name(method), access_of(method)) for service in public() for method in service.methods)
    return MappingProxyType(found)


def handlers_of(objects: Iterable[Service], services: Collection[ServiceDescriptor]) -> dict[str, Any]:
    """Return the handler of every RPC of these services by name; TypeError names missing and surplus handlers."""
    expected = {method_name(method): method for service in services for method in service.methods}
    found: dict[str, list[Any]] = defaultdict(list)
    for each in objects:
        rpcs = {_snake_case(method.name): method_name(method) for method in each.service.methods}
        for name, handler in inspect.getmembers(each, inspect.ismethod):
            if not name.startswith("_"):
                found[rpcs.get(name, f"{type(each).__name__}.{name}")].append(handler)
    faults = [f"{name} has no handler" for name in expected.keys() - found.keys()]
    faults += [f"{name} handles no RPC that is served here" for name in found.keys() - expected.keys()]
    faults += [f"{name} has {len(handlers)} handlers" for name, handlers in found.items() if len(handlers) > 1]
    if faults:
        raise TypeError("; ".join(sorted(faults)))
    return {name: handler for name, (handler,) in found.items()}


def _is_for_operator(service: ServiceDescriptor) -> bool:
    kinds = {access_of(method).who == "operator" for method in service.methods}
    if len(kinds) != 1:
        raise TypeError(f"{service.full_name} is for the operator and for others")
    return kinds.pop()


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
