"""The doctor's lines about clocks, in both languages."""

from collections.abc import Iterator

import pytest

from paiza_cli.language import Language
from paiza_node.core.peers.clocks import report
from paiza_node.ops import language
from paiza_node.ops.doctor.machine import Level
from paiza_node.ops.doctor.peers import check_clocks
from tests.unit.paiza_node.core.peers.test_clocks import BEGAN, samples

NTP = {
    "en": "Check that this machine keeps its time by NTP.",
    "ru": "Проверьте, что время на этом сервере синхронизируется по NTP.",
}
TELL = {"en": "Tell that member's operator.", "ru": "Сообщите администратору узла того участника."}


@pytest.fixture(params=["en", "ru"])
def lang(request: pytest.FixtureRequest) -> Iterator[Language]:
    """Each language in turn."""
    language.use(request.param)
    yield request.param
    language.use("en")


def lines(**seconds: float) -> list[tuple[Level, str, str]]:
    """Return the doctor's lines if the peers' clocks are so many seconds ahead."""
    return [(each.level, *each.in_words()) for each in check_clocks(report(samples(**seconds), BEGAN))]


def test_right_clocks(lang: Language) -> None:
    """With at least three peers; with fewer it says that nobody could tell."""
    told = {
        "en": "Agrees within 2 s; peers compared: {}",
        "ru": "Расхождение с другими узлами не более 2 с; сверено с узлами: {}",
    }[lang]
    few = {
        "en": ". Three are needed to tell which clock is wrong.",
        "ru": ". Чтобы понять, чьи часы неверны, нужны три.",
    }[lang]
    assert lines(kgz=0.1, tjk=0.2, uzb=-1) == [(Level.OK, told.format(3) + ".", "")]
    assert lines(tjk=0.2, uzb=-1) == [(Level.OK, told.format(2) + few, "")]


@pytest.mark.parametrize(("ahead", "level"), [(3, Level.WARN), (40, Level.FAIL), (-3, Level.WARN), (-40, Level.FAIL)])
def test_own_clock_off(lang: Language, ahead: int, level: Level) -> None:
    """A warning from two seconds on, a failure from thirty."""
    told = {
        ("en", True): "Our clock is {} secs ahead of the median of 3 peers.",
        ("en", False): "Our clock is {} secs behind the median of 3 peers.",
        ("ru", True): "Наши часы опережают медиану на {} с (сверено с узлами: 3).",
        ("ru", False): "Наши часы отстают от медианы на {} с (сверено с узлами: 3).",
    }[lang, ahead > 0]
    assert lines(kgz=-ahead, tjk=-ahead, uzb=-ahead) == [(level, told.format(abs(ahead)), NTP[lang])]


def test_a_peers_clock_off(lang: Language) -> None:
    """The peer is named, and our own clock is not blamed."""
    ahead, behind = {
        "en": (
            "The clock of uzb is 40 secs ahead of the median of 4 peers.",
            "The clock of aze is 9 secs behind the median of 4 peers.",
        ),
        "ru": (
            "Часы узла uzb опережают медиану на 40 с (сверено с узлами: 4).",
            "Часы узла aze отстают от медианы на 9 с (сверено с узлами: 4).",
        ),
    }[lang]
    assert lines(kgz=0, tjk=0, uzb=40, aze=-9) == [
        (Level.WARN, behind, TELL[lang]),
        (Level.WARN, ahead, TELL[lang]),
    ]


def test_too_few_peers_to_tell(lang: Language) -> None:
    """The difference is shown; whose clock it is stays open."""
    both = {
        "en": "Check that this machine keeps its time by NTP; if it does, tell that member's operator.",
        "ru": NTP["ru"][:-1] + "; если да, сообщите администратору узла того участника.",
    }[lang]
    behind, ahead = {
        "en": (
            "Our clock is 3 secs behind that of tjk; with 2 peers it is not known which is wrong.",
            "Our clock is 40 secs ahead of that of uzb; with 2 peers it is not known which is wrong.",
        ),
        "ru": (
            "Наши часы отстают от часов узла tjk на 3 с; чьи неверны, неизвестно (сверено с узлами: 2).",
            "Наши часы опережают часы узла uzb на 40 с; чьи неверны, неизвестно (сверено с узлами: 2).",
        ),
    }[lang]
    assert lines(tjk=3, uzb=-40) == [(Level.WARN, behind, both), (Level.FAIL, ahead, both)]


def test_nothing_was_compared(lang: Language) -> None:
    """The doctor does not call a clock right that it did not compare."""
    told = {
        "en": "No peer answered with its time: the clock was not compared.",
        "ru": "Ни один другой узел не сообщил своё время: часы не сверены.",
    }[lang]
    assert lines() == [(Level.WARN, told, NTP[lang])]
