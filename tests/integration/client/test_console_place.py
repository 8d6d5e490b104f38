"""Choosing a place on a map in the console, by plain requests and without its script."""

from collections.abc import Iterator

import pytest

from paiza_client.web import language
from tests.federation import Federation
from tests.integration.client.test_console_writing import Form, begin, browser, press

GROUP = "content.place.coordinates"


@pytest.fixture(autouse=True)
def surroundings(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use the federation's profiles and Russian, and English again afterwards."""
    monkeypatch.setenv("PAIZA_HOME", str(federation.home))
    language.use("ru")
    yield
    language.use("en")


async def test_a_place_is_chosen_by_clicks_and_taken_over() -> None:
    """The button of the form saves what was typed; a click shows the point; taken over, it stands in the form."""
    async with browser("kaz-liaison") as console:
        path, form = await begin(console, "seizure-notice")
        wanted = form.with_values({"content.place.country": "Узбекистан", "content.notice_id": "КЗ-9"})
        answer = await press(console, path, wanted, f"map:{GROUP}")
        assert "Точка ещё не выбрана" in answer.text
        answer = await console.get(f"{path}/place?of={GROUP}&lat=41&lon=65&wide=900&big.x=400&big.y=240")
        assert "Узбекистан" in answer.text
        sent = {name: text for name, text in Form(answer.text).sent if name in {"of", "lat", "lon", "wide"}}
        assert sent["wide"] == "300"
        taken = await console.post(f"{path}/place", sent)
        assert taken.headers["location"].endswith("#content.place")
        shown = dict(Form((await console.get(path)).text).sent)
        assert shown[f"{GROUP}.latitude"] == f"{float(sent['lat']):.3f}"
        assert shown[f"{GROUP}.longitude"] == f"{float(sent['lon']):.3f}"
        assert shown["content.notice_id"] == "КЗ-9"
        again = await console.get(f"{path}/place?of={GROUP}")
        assert "Взять эту точку" in again.text


@pytest.mark.parametrize("of", ["", "content.place", "content.notice_id", "content.place.coordinates.latitude", "'\"<"])
async def test_what_is_no_point_has_no_map(of: str) -> None:
    """A field that is no point, or none at all, is refused, and nothing is written."""
    async with browser("kaz-liaison") as console:
        path, _form = await begin(console, "seizure-notice")
        assert (await console.get(f"{path}/place?of={of}")).status == 400
        assert (await console.post(f"{path}/place", {"of": of, "lat": "1", "lon": "1"})).status == 400
        taken = await console.post(f"{path}/place", {"of": GROUP, "point": "nowhere"})
        assert taken.status == 400
