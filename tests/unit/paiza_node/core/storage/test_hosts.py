"""The URL of a database with several servers, in libpq's form."""

import pytest
from sqlalchemy import create_engine

from paiza_node.core.storage.engine import hosts_of, parse_url
from tests.postgresql import PostgreSQL


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("postgresql://paiza@one,two/paiza?target_session_attrs=read-write", "one,two", None),
        ("postgresql+psycopg://paiza@one:1,two:2/paiza", "one,two", "1,2"),
        ("postgres://paiza@one,[2001:db8::1]:5433/paiza", "one,2001:db8::1", ",5433"),
        ("postgresql://paiza@/paiza?host=/run/a,/run/b", "/run/a,/run/b", None),
        ("postgresql://paiza@one:1/paiza", "one", 1),
    ],
)
def test_several_servers_are_handed_to_libpq(url: str, host: str, port: object) -> None:
    """Hosts and ports arrive as lists in libpq's order, and other parameters stay."""
    engine = create_engine(parse_url(url))
    arguments = engine.dialect.create_connect_args(engine.url)[1]
    assert (arguments["host"], arguments["user"], arguments["dbname"]) == (host, "paiza", "paiza")
    assert str(arguments.get("port", "")).strip(",") == str(port or "").strip(",")
    assert ("target_session_attrs" in arguments) == ("target_session_attrs" in url)
    assert hosts_of(url) == host.split(",")


def test_the_second_server_answers_where_the_first_is_silent(postgresql: PostgreSQL) -> None:
    """A server that is not there is passed over."""
    url = postgresql.create_database("hosts").replace("host=", "host=/nowhere,")
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT current_database()").scalar_one() == "hosts"
    engine.dispose()
