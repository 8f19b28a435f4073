"""Every command line of `orders` that any page names can be typed: its words, its options, the values of choices."""

import re
from pathlib import Path

import click
import pytest

from tests.docs.written import ROOT, commands, pages, text_of
from worker.cli.main import cli

PLACEHOLDER = re.compile(r"\.\.\.|…|[A-Z_]+|<.*>|\[.*|\$.*")


def complaints(words: list[str]) -> str:
    """Return what is wrong with a command line; nothing when it can be typed."""
    command: click.Command = cli
    context = click.Context(cli, info_name="orders")
    left = list(words)
    while isinstance(command, click.Group):
        if not left or PLACEHOLDER.fullmatch(left[0]):
            return ""
        if left[0] in {"--help", "-h", "--version"}:
            return ""
        alternatives = [command.get_command(context, word) for word in left[0].split("|")]
        inner = alternatives[0]
        if inner is None or None in alternatives:
            return f"there is no `{left[0]}`"
        context, command = click.Context(inner, info_name=left.pop(0), parent=context), inner
    context.resilient_parsing = False
    context.allow_extra_args = True
    if left and left[-1].startswith("-") and "=" not in left[-1]:
        left.append("...")  # prose may name an option without its value
    try:
        values, _, _ = command.make_parser(context).parse_args(list(left))
    except click.UsageError as problem:
        return problem.format_message()
    for parameter in command.params:
        value = values.get(parameter.name or "")
        if isinstance(parameter.type, click.Choice) and isinstance(value, str) and not PLACEHOLDER.fullmatch(value):
            try:
                parameter.type.convert(value, parameter, context)
            except click.UsageError as problem:
                return problem.format_message()
    return ""


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_can_be_typed(page: Path) -> None:
    if page.name == "commands.md":
        return  # rendered from the same commands, with placeholders of click's own
    found = {" ".join(words): complaints(words) for words in commands(text_of(page))}
    assert {line: problem for line, problem in found.items() if problem} == {}


def test_commands_are_found_and_wrong_ones_are_seen() -> None:
    text = """
    `orders breaks list --status open` and `orders breaks vanish`
```sh
$ orders webhooks list --no-such
.venv/bin/orders reconcile run --mode heavy   # never
python -m infra.deploy run-task --cluster c --service s -- webhooks list
```
"""
    found = list(commands(text))
    assert ["webhooks", "list"] in found
    said = [complaints(words) for words in found]
    assert any("vanish" in one for one in said)
    assert any("--no-such" in one for one in said)
    assert any("heavy" in one for one in said)
    assert complaints(["order", "list"]) == ""


def test_pages_name_many_commands() -> None:
    assert sum(len(list(commands(text_of(page)))) for page in pages()) > 100
