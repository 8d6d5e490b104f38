"""The console says of reference data that nobody compared them with their source."""

from tests.integration.client.test_console_writing import browser, surroundings

__all__ = ["surroundings"]


async def test_what_nobody_compared_is_shown_as_such() -> None:
    """An HS code of its own standing, and a border point, which is from a list of ours."""
    async with browser("kaz-liaison") as console:
        fentanyl = (await console.get("/substances?q=acetylfentanyl")).text
        assert "2933.34 (не сверено)" in fentanyl
        assert "3258-84-2 (" not in fentanyl
        law = (await console.get("/law?first=kaz&second=uzb")).text
        assert "general knowledge (не сверено)" in law
        assert "kun.uz) (сверено" in law
