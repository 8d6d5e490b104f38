"""A register whose agreements no node can apply: it is in force all the same, under the agreements of before."""

from pathlib import Path

import pytest

from paiza_node.core.errors import NodeStopped
from paiza_node.core.register.sync import RegisterCache
from paiza_register import RegisterReader
from tests.unit.paiza_register.conftest import NOW, Holder, holder, made

__all__ = ["holder", "made"]

GOOD = "forbid (principal, action, resource) when { false };\n"
WRONG = "forbid (principal"


@pytest.fixture
def reader(holder: Holder, tmp_path: Path) -> RegisterReader:
    """Return a reader with a register whose agreement holds."""
    holder.put("agreement-base.cedar", GOOD.encode())
    reader = RegisterReader(tmp_path / "reader", holder.bootstrap)
    reader.accept(holder.files(), NOW)
    return reader


def test_a_wrong_agreement_stops_no_node(holder: Holder, reader: RegisterReader) -> None:
    """Neither one that runs nor one that starts; a correct one applies again."""
    cache = RegisterCache(reader, lambda: NOW)
    before = cache.policy
    holder.put("agreement-base.cedar", WRONG.encode())
    wrong = reader.accept(holder.advance().files(), NOW)
    cache.follow(wrong)
    for each in (cache, RegisterCache(reader, lambda: NOW)):
        assert each.version == wrong.version
        assert "agreement-base does not fit" in each.policy_fault
        assert each._agreements == (("agreement-base", GOOD),)
        assert each.policy_with(()) is not None
    assert cache.policy is before
    holder.put("agreement-base.cedar", b"// none\n")
    cache.follow(reader.accept(holder.advance().files(), NOW))
    assert cache.policy_fault == ""
    assert cache.policy is not before


def test_without_agreements_of_before_a_node_does_not_start(holder: Holder, tmp_path: Path) -> None:
    """They may forbid what the rules of the node permit."""
    holder.put("agreement-base.cedar", WRONG.encode())
    reader = RegisterReader(tmp_path / "reader", holder.bootstrap)
    reader.accept(holder.files(), NOW)
    with pytest.raises(NodeStopped, match="policy_invalid"):
        RegisterCache(reader, lambda: NOW)
