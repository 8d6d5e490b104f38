"""Descriptors: raised where they may be, shared between the node and its connections, refused if too few."""

import resource

import pytest

from paiza_node.core.api.descriptors import LEAST_CONNECTIONS, RESERVED, reserve
from paiza_node.core.errors import NodeStopped

WANTED = 2_048


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replace the limits of this process: soft, hard."""
    now = [0, 0]
    monkeypatch.setattr(resource, "getrlimit", lambda _which: tuple(now))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, to: now.__setitem__(slice(None), to))
    return now


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "raised"),
    [
        (1_024, resource.RLIM_INFINITY, WANTED, RESERVED + WANTED),
        (1_024, 524_288, WANTED, RESERVED + WANTED),
        (8_192, 8_192, WANTED, 8_192),
        (1_024, 1_024, 1_024 - RESERVED, 1_024),
    ],
)
def test_connections_get_what_the_node_does_not_need(
    limits: list[int], soft: int, hard: int, connections: int, raised: int
) -> None:
    """The limit is raised as far as needed and allowed; connections get what is left of it, at most what is set."""
    limits[:] = soft, hard
    assert reserve(WANTED) == connections
    assert limits[0] == raised


def test_too_few_descriptors_stop_the_node(limits: list[int]) -> None:
    """A limit that leaves too little is refused, with the limit to set."""
    limits[:] = 256, RESERVED + LEAST_CONNECTIONS - 1
    with pytest.raises(NodeStopped) as stopped:
        reserve(WANTED)
    assert stopped.value.reason == "bad_configuration"
    assert f"LimitNOFILE={RESERVED + WANTED}" in stopped.value.remedy


def test_a_service_manager_that_forbids_to_raise_it_is_borne(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the limit may not be raised, it is used as it is."""

    def refuse(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1_024, 524_288))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert reserve(WANTED) == 1_024 - RESERVED
