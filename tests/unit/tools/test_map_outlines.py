"""The program that makes the outlines of maps: shared borders stay shared, and a line is simplified within bounds."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def program(root: Path) -> ModuleType:
    """The program, which is a file by itself."""
    spec = importlib.util.spec_from_file_location("map_outlines", root / "tools" / "map_outlines.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def country(code: str, ring: list[tuple[float, float]]) -> Any:
    """Return a country of one ring as Natural Earth writes it."""
    facts = {"ISO_A3_EH": code, "ADM0_A3": code, "LABEL_X": ring[0][0], "LABEL_Y": ring[0][1]}
    return {"properties": facts, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def test_a_shared_border_is_one_arc(program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two squares with a common side are three arcs; the common one is used both ways, so that no gap opens."""
    west = [(60.0, 40.0), (62.0, 40.0), (62.0, 42.0), (60.0, 42.0), (60.0, 40.0)]
    east = [(62.0, 40.0), (64.0, 40.0), (64.0, 42.0), (62.0, 42.0), (62.0, 40.0)]
    layers: dict[str, list[Any]] = {name: [] for name in program.FILES}
    layers[program.COUNTRIES] = [country("AAA", west), country("BBB", east)]
    for name, features in layers.items():
        (tmp_path / name).write_text(json.dumps({"features": features}))
    monkeypatch.setattr(sys, "argv", ["map_outlines", str(tmp_path), str(tmp_path / "out.json")])
    assert program.main() == 0
    told = json.loads((tmp_path / "out.json").read_text())
    used = [
        number for each in told["objects"]["countries"]["geometries"] for ring in each["arcs"][0] for number in ring
    ]
    assert len(told["arcs"]) == 3
    assert len({each if each >= 0 else ~each for each in used}) == 3
    shared = [each for each in used if ~each in used]
    assert len(shared) == 2


def test_a_line_is_simplified_within_its_tolerance(program: ModuleType) -> None:
    """Points nearer than the tolerance go; the ends and what is farther off stay."""
    line = ((0.0, 0.0), (1.0, 0.005), (2.0, 0.5), (3.0, 0.0))
    assert program.simplified(line, 0.02) == ((0.0, 0.0), (1.0, 0.005), (2.0, 0.5), (3.0, 0.0))
    assert program.simplified(line, 0.3) == ((0.0, 0.0), (2.0, 0.5), (3.0, 0.0))
    assert program.simplified(line, 1.0) == ((0.0, 0.0), (3.0, 0.0))
