"""The `paiza-node` program: what an operator calls."""

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="paiza", prog_name="paiza-node")
def main() -> None:
    """Run and look after the node of one member."""


if __name__ == "__main__":
    main()
