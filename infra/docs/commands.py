"""The page of the command line: every command of `orders` as click knows it."""

import inspect
import re
from collections.abc import Iterator

import click

from infra.docs.markdown import cell, code, fence, first_line, plain, section, table
from infra.docs.markdown import page as whole
from worker.cli import main
from worker.cli.main import COMMANDS, cli

Path = tuple[str, ...]


def page() -> str:
    """Return the page."""
    found = dict(every())
    parts = []
    for noun in sorted({path[0] for path in found}):
        below = [_command(path, command) for path, command in found.items() if path[0] == noun]
        parts.append(section(f"orders {noun}", plain(COMMANDS.get(noun, "")), *below))
    return whole(
        "The command line",
        "`orders --help` names every noun, `orders NOUN --help` its verbs, `orders NOUN VERB --help` says what stands "
        "here. Data goes to stdout, talk to stderr; every read takes `--json`.",
        section(
            "Exit statuses", table(("status", "meaning"), ((code(number), cell(told)) for number, told in exits()))
        ),
        *parts,
    )


def every(group: click.Group = cli, path: Path = ()) -> Iterator[tuple[Path, click.Command]]:
    """Return every command by its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield (*path, name), command
        if isinstance(command, click.Group):
            yield from every(command, (*path, name))


def exits() -> list[tuple[str, str]]:
    """Return the exit statuses as the command line's own text tells them."""
    told = " ".join((main.__doc__ or "").split()).partition("Exit codes are stable: ")[2]
    return re.findall(r"(\d+) ([^,.]+)[,.]", told)


def _command(path: Path, command: click.Command) -> str:
    context = click.Context(command, info_name=" ".join(path), parent=click.Context(cli, info_name="orders"))
    usage = command.get_usage(context).partition(": ")[2]
    options = [_row(option, context) for option in command.params if isinstance(option, click.Option)]
    return section(
        f"orders {' '.join(path)}",
        fence(" ".join(usage.split()), "text"),
        _help(command.help or ""),
        _help(command.epilog or ""),
        table(("option", "value", "default", "meaning"), options),
        level=3,
    )


def _help(text: str) -> str:
    """Return a command's help; what click is told not to wrap (behind a backspace) as a block."""
    parts = []
    for part in re.split(r"\n\s*\n", inspect.cleandoc(text.partition("\f")[0])):
        if part.lstrip().startswith("\b"):
            title, lines = "", part.replace("\b", "").strip("\n").splitlines()
            if len(lines) > 1 and lines[0].rstrip().endswith(":") and not lines[0].startswith(" "):
                title, lines = lines[0], lines[1:]
            parts += [title, fence("\n".join(line.strip() for line in lines))]
        else:
            parts.append(plain(part))
    return "\n\n".join(part for part in parts if part)


def _row(option: click.Option, context: click.Context) -> tuple[str, str, str, str]:
    names = ", ".join(code(name) for name in (*option.opts, *option.secondary_opts))
    value = "" if option.is_flag or option.count else option.make_metavar(context)
    default = option.get_default(context, call=False)
    shown = "**required**" if option.required else ""
    if not shown and not option.is_flag and isinstance(default, str | int) and default != "":
        shown = code(str(default))
    several = " Repeatable." if option.multiple else ""
    return names, code(value), shown, cell(first_line(option.help) + several)
