"""The help of `paiza-node policy`."""

from paiza_node.ops.cli.policy import ABOUT_MESSAGES, OTHERS, explain


def test_help_names_every_action() -> None:
    """The actions that may be asked about are listed where they are explained."""
    assert explain.help is not None
    assert ", ".join((*ABOUT_MESSAGES, *OTHERS)) in explain.help
