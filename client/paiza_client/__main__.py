"""The `paiza` program: what an officer calls."""

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="paiza", prog_name="paiza")
def main() -> None:
    """Exchange sealed and signed messages with other members."""


if __name__ == "__main__":
    main()
