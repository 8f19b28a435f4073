"""What a Dockerfile of infra/images would build, read and carried out without a container tool.

Enough of the two formats for the files that are ours: a test fails on an instruction or a pattern that is not known
here, instead of passing over it.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
IMAGES = PROJECT / "infra" / "images"
DOCKERFILES = sorted(IMAGES.glob("*.Dockerfile"))
_OF_STAGES = {"ADD", "ARG", "COPY", "FROM", "RUN", "SHELL", "WORKDIR"}
_OF_PROGRAMS = {"CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "STOPSIGNAL", "USER", "VOLUME"}


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction with its lines joined; `flags` are its leading `--name=value`."""

    name: str
    value: str
    flags: dict[str, str] = field(default_factory=dict)

    @property
    def list(self) -> list[str]:
        """The value in exec form. Raises ValueError when it is in shell form."""
        return [str(each) for each in json.loads(self.value)]


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile, by its path."""

    path: Path

    @cached_property
    def stages(self) -> list[list[Instruction]]:
        """Its stages; each begins with its FROM."""
        found: list[list[Instruction]] = []
        for instruction in _instructions(self.path.read_text("utf-8")):
            if instruction.name == "FROM":
                found.append([])
            found[-1].append(instruction)
        return found

    @property
    def last(self) -> dict[str, Instruction]:
        """The last stage's instructions by name, the later one where there are several."""
        return {each.name: each for each in self.stages[-1]}

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the image sets."""
        words = [word for each in self.stages[-1] if each.name == "ENV" for word in shlex.split(each.value)]
        return dict(word.split("=", 1) for word in words)

    def of_context(self) -> Iterator[tuple[str, str]]:
        """Yield what is copied from the context: source and destination."""
        for stage in self.stages:
            for each in stage:
                if each.name == "COPY" and "from" not in each.flags:
                    *sources, destination = each.value.split()
                    yield from ((source, destination) for source in sources)


def context() -> set[str]:
    """Return the files that a build gets to see, relative to the project."""
    patterns = [
        _pattern(line) for line in (PROJECT / ".dockerignore").read_text("utf-8").splitlines() if _is_rule(line)
    ]
    found = set()
    for folder, folders, files in os.walk(PROJECT):
        at = Path(folder).relative_to(PROJECT)
        # Nothing of these is ever let in again; walking them takes long.
        folders[:] = [name for name in folders if not (at == Path() and name in {".git", ".venv", ".local"})]
        found |= {(at / name).as_posix() for name in files if not _is_ignored((at / name).as_posix(), patterns)}
    return found


def copied(source: str, files: set[str]) -> set[str]:
    """Return the files of the context that a COPY's source names."""
    name = source.rstrip("/")
    return {file for file in files if file == name or file.startswith(f"{name}/")}


def carry_out(dockerfile: Dockerfile, folder: Path) -> Path:
    """Do in `folder` what the first stage does with the project's own files; return what becomes /app, without lib."""
    build, app = folder / "build", folder / "app"
    files = context()
    for source, destination in dockerfile.of_context():
        for file in sorted(copied(source, files)):
            place = Path(destination) / (
                Path(file).relative_to(source.rstrip("/")) if source.endswith("/") else Path(file).name
            )
            target = app / place.relative_to("/image/app") if place.is_absolute() else build / place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / file, target)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input", "install"]
    options = ["--no-compile", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(app)]
    settings = (app / "settings.toml").read_bytes()
    subprocess.run([*pip, *options, "."], cwd=build, check=True, timeout=120)
    assert (app / "settings.toml").read_bytes() == settings
    if any("rm -r /image/app/bin" in each.value for each in dockerfile.stages[0]):
        shutil.rmtree(app / "bin")
    for path in [app, *app.rglob("*")]:
        path.chmod(0o555 if path.is_dir() or path.parent.name == "bin" else 0o444)
    return app


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for logical in re.split(r"(?<!\\)\n", "\n".join(lines)):
        joined = re.sub(r"\s*\\\n\s*", " ", logical).strip()
        if not joined:
            continue
        name, _, value = joined.partition(" ")
        assert name in _OF_STAGES | _OF_PROGRAMS, f"{name} is not known to this reading of a Dockerfile"
        flags = {}
        while match := re.match(r"--([a-z-]+)=(\S+)\s+", value):
            flags[match[1]] = match[2]
            value = value[match.end() :]
        yield Instruction(name=name, value=value, flags=flags)


def _is_rule(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _pattern(line: str) -> tuple[bool, str]:
    lets_in, pattern = line.startswith("!"), line.removeprefix("!").strip()
    assert not re.search(r"\*\*(?!/)|/\*\*|[\[\]?\\]", pattern), f"{pattern} is not known to this reading"
    return lets_in, pattern.strip("/")


def _is_ignored(file: str, patterns: list[tuple[bool, str]]) -> bool:
    """Tell whether the last pattern that matches the file, or a folder it is in, ignores it."""
    ignored = False
    parts = file.split("/")
    for lets_in, pattern in patterns:
        prefixes = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
        if any(_matches(prefix, pattern) for prefix in prefixes):
            ignored = not lets_in
    return ignored


def _matches(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return any(_matches(path.split("/", depth)[depth], pattern[3:]) for depth in range(path.count("/") + 1))
    ours, theirs = path.split("/"), pattern.split("/")
    return len(ours) == len(theirs) and all(map(fnmatch.fnmatchcase, ours, theirs))
