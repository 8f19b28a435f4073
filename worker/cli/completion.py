"""`orders completion`: what a shell needs to complete the commands and options of `orders`."""

import click
from click.shell_completion import get_completion_class

from worker.cli.options import Noun, examples

SHELLS = ("bash", "zsh", "fish")


@click.group(cls=Noun)
def command() -> None:
    """Completion of commands and options in your shell."""


def _of(shell: str, *lines: str) -> None:
    @command.command(shell, help=f"Print the completion of {shell}, to be read by it.", epilog=examples(*lines))
    def script() -> None:
        kind = get_completion_class(shell)
        assert kind is not None
        from worker.cli.main import cli

        click.echo(kind(cli, {}, "orders", "_ORDERS_COMPLETE").source())


_of("bash", 'eval "$(orders completion bash)"', "orders completion bash > /etc/bash_completion.d/orders")
_of("zsh", 'eval "$(orders completion zsh)"', 'orders completion zsh > "${fpath[1]}/_orders"')
_of("fish", "orders completion fish > ~/.config/fish/completions/orders.fish")
