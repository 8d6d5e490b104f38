"""The `paiza-trust` program: the federation's ceremonies."""

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="paiza", prog_name="paiza-trust")
def main() -> None:
    """Create and change the register of a federation."""


if __name__ == "__main__":
    main()
