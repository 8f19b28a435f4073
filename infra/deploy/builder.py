"""The tool that builds and pushes images: docker, podman or buildah, the first of them that works on this machine.

Passwords go through standard input and are forgotten afterwards: podman and buildah keep them in a file that is
deleted, docker is logged out.
"""

import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.deploy.errors import ImageFailed, MissingProgram

TOOLS = ("docker", "podman", "buildah")
_WORKS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    # docker builds for other platforms through buildx, and needs its daemon.
    "docker": (("buildx", "version"), ("info",)),
    "podman": (("info",),),
    "buildah": (("info",),),
}
_HINTS = {
    "exec format error": "A step ran a program of the other platform; this machine cannot (binfmt_misc with QEMU would).",
    "x509": "The tool does not trust the registry's certificate: is there a proxy, and is its certificate installed?",
    "toomanyrequests": "Docker Hub limits who is not logged in: wait, or `docker login`.",
    "no space left": "The disk is full: `docker system prune`.",
    "tag is immutable": "An image of that tag was pushed meanwhile: choose another release.",
    "TagAlreadyExists": "An image of that tag was pushed meanwhile: choose another release.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """One of the three, found to work."""

    tool: str
    program: str
    run: Callable[[Sequence[str], str, str | None], None]

    def build(self, dockerfile: Path, context: Path, *, image: str, platform: str, labels: Mapping[str, str]) -> None:
        """Build `dockerfile` over `context` for `platform` as `image`. Raises ImageFailed."""
        # HEALTHCHECK needs Docker's format; an attestation would make the tag an index, which the scan does not read.
        own = {
            "docker": ["buildx", "build", "--load", "--provenance=false", "--sbom=false", "--progress=plain"],
            "podman": ["build", "--format=docker"],
            "buildah": ["build", "--format=docker"],
        }[self.tool]
        told = [option for name, value in sorted(labels.items()) for option in ("--label", f"{name}={value}")]
        options = ["--platform", platform, "--pull", "--file", str(dockerfile), "--tag", image, *told]
        self.run([self.program, *own, *options, str(context)], f"building {image}", None)

    def push(self, image: str, *, host: str, user: str, password: str) -> None:
        """Push `image` to `host`. Raises ImageFailed."""
        with tempfile.TemporaryDirectory() as folder:
            kept = [] if self.tool == "docker" else ["--authfile", str(Path(folder) / "auth.json")]
            login = [self.program, "login", *kept, "--username", user, "--password-stdin", host]
            self.run(login, f"logging in to {host}", password)
            try:
                self.run([self.program, "push", *kept, image], f"pushing {image}", None)
            finally:
                if self.tool == "docker":
                    self.run([self.program, "logout", host], f"logging out of {host}", None)


def find(wanted: str | None = None) -> Builder:
    """Return the first tool that works, or `wanted`. Raises MissingProgram with what each of them lacks."""
    problems = []
    for tool in (wanted,) if wanted else TOOLS:
        program = shutil.which(tool)
        problem = "is not installed" if program is None else _problem(tool, program)
        if program is not None and problem is None:
            return Builder(tool=tool, program=program, run=run)
        problems.append(f"  {tool} {problem}")
    raise MissingProgram("no tool that builds images works here:\n" + "\n".join(problems))


def run(command: Sequence[str], what: str, stdin: str | None) -> None:
    """Run a command, showing what it writes as it writes it. Raises ImageFailed with a hint where there is one."""
    last = deque[str](maxlen=60)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        if stdin is not None and process.stdin is not None:
            process.stdin.write(stdin)
            process.stdin.close()
        for line in process.stdout or ():
            last.append(line)
            sys.stdout.write(f"  {line}")
            sys.stdout.flush()
    if process.returncode != 0:
        said = "".join(last)
        hint = next((f"\n{text}" for words, text in _HINTS.items() if words.lower() in said.lower()), "")
        raise ImageFailed(f"{what} failed: {Path(command[0]).name} ended with {process.returncode}, see above.{hint}")


def _problem(tool: str, program: str) -> str | None:
    for arguments in _WORKS[tool]:
        try:
            asked = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if asked.returncode != 0:
            said = asked.stderr.strip().splitlines() or ["it said nothing"]
            return f"does not work (`{tool} {' '.join(arguments)}`: {said[-1].strip()})"
    return None
