"""`paiza-node issuer run`: serve the node until stopped."""

import asyncio
from pathlib import Path

import click
import structlog

from paiza_node.app.run import logs
from paiza_node.core.errors import N_, NodeStopped
from paiza_node.ops.cli.issuer.options import shared
from paiza_node.ops.issuer.serve import serve
from paiza_node.ops.issuer.settings import load_settings
from paiza_node.ops.passphrase import issuer_sealer
from paiza_wire.errors import PaizaError
from paiza_wire.identity.token_uri import TokenUri


@click.command("run", help=N_("Serve the node on the issuer's socket until stopped (SIGTERM or Ctrl-C)."))
@shared
def command(config_path: Path) -> None:
    """Serve."""
    settings = load_settings(config_path)
    if settings.sealed and not all(isinstance(key, TokenUri) for key in (settings.node_ca, settings.officer_ca)):
        issuer_sealer(settings.passphrase_file).passphrase()  # while somebody is at the terminal
    with logs(settings.log_level):
        try:
            asyncio.run(serve(settings))
        except (NodeStopped, PaizaError) as error:
            structlog.get_logger("paiza.issuer").critical("stopped", reason=error.reason, detail=str(error))
            raise
        except Exception:
            structlog.get_logger("paiza.issuer").critical("ended", exc_info=True)
            raise
