"""The events of a log have names."""

from paiza.core.v1 import log_pb2
from paiza_domain.log_events import event_text


def test_every_event_has_a_name_in_both_languages() -> None:
    """A reader sees words and not the code of an event."""
    for name, number in log_pb2.LogEvent.items():
        if number:
            code = name.removeprefix("LOG_EVENT_")
            texts = {event_text(code, language) for language in ("ru", "en")}
            assert len(texts) == 2
            assert code not in texts


def test_an_unknown_event_stands_as_it_is() -> None:
    """An event of a newer node is shown by its code."""
    assert event_text("INVENTED", "ru") == "INVENTED"
