"""Albers' equal-area conic projection with parallels for Central Asia.

The apex of the cone is the origin and y grows southwards, so another central meridian is a turn about the origin.
"""

import math
from typing import Final

Point = tuple[float, float]

EARTH: Final = 6371.0  # km, radius of the sphere
MERIDIAN: Final = 68.0  # degrees east; here north is up

_FIRST, _SECOND = math.radians(36.0), math.radians(54.0)  # parallels along which lengths are true
_CONE: Final = (math.sin(_FIRST) + math.sin(_SECOND)) / 2
_CONSTANT: Final = math.cos(_FIRST) ** 2 + 2 * _CONE * math.sin(_FIRST)


def project(longitude: float, latitude: float) -> Point:
    """Return degrees as kilometres from the apex."""
    distance = EARTH * math.sqrt(max(0.0, _CONSTANT - 2 * _CONE * math.sin(math.radians(latitude)))) / _CONE
    angle = turn(longitude)
    return distance * math.sin(angle), distance * math.cos(angle)


def unproject(x: float, y: float) -> Point:
    """Return kilometres from the apex as longitude and latitude; the nearest pole where the plane ends."""
    distance, angle = math.hypot(x, y), math.atan2(x, y)
    sine = (_CONSTANT - (distance * _CONE / EARTH) ** 2) / (2 * _CONE)
    return MERIDIAN + math.degrees(angle / _CONE), math.degrees(math.asin(max(-1.0, min(1.0, sine))))


def turn(longitude: float) -> float:
    """Return the angle (radians) by which a meridian is turned from the central one."""
    return _CONE * math.radians(longitude - MERIDIAN)
