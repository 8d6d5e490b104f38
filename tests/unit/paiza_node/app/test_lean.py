"""A serving node loads what it needs: memory and start do not pay for what is merely installed."""

import subprocess
import sys

UNNEEDED = ("alembic", "psycopg", "rich", "pygments", "pkcs11", "asn1crypto")


def loaded(statements: str) -> set[str]:
    """The top-level modules that a program has loaded after these statements."""
    told = subprocess.run(
        [sys.executable, "-c", f"{statements}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in told.stdout.split()}


def test_a_serving_node_does_not_load_what_is_merely_installed() -> None:
    """Libraries for migrations, other databases, terminals and tokens are loaded by those who need them."""
    assert loaded("import paiza_node.app.lean").isdisjoint(UNNEEDED)


def test_what_was_left_out_can_be_loaded_later() -> None:
    """A key on a token, or the progress of a verification, still finds its library."""
    found = loaded("import paiza_node.app.lean; import paiza_node.ops.cli.verify; import rich.progress")
    assert {"rich"} <= found
