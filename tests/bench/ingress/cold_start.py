"""Cold starts under Lambda's own runtime client: the built bundle, and a minimal handler on the bundle's libraries."""

import os
import py_compile
import shutil
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from infra.bundle.build import build
from infra.bundle.target import ARCHITECTURES, Target, running_python
from infra.local.layout import CACHE, PROJECT
from tests.bench.cpu import cpu_seconds
from tests.bench.ingress import deliveries
from tests.bench.ingress.programs import BenchError
from tests.integration.api_gateway import event_of
from tests.integration.execution_environment import executing
from tests.integration.served_functions import SEALING, functions_env, stripe_headers

OWN = ("functions", "worker", "settings.frozen.json")


@dataclass(frozen=True, slots=True)
class ColdStart:
    """One cold start, from the start of the process to the first answer: seconds, and CPU seconds."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Handlers:
    """The folders of both handlers, ready to run."""

    functions: Path
    minimal: Path
    scratch: Path

    def start_functions(self, temporal: str) -> ColdStart:
        """Start the functions once."""
        return self._started(self.functions, "functions.lambda_handler.handler", temporal)

    def start_minimal(self, temporal: str) -> ColdStart:
        """Start the minimal handler once."""
        return self._started(self.minimal, "minimal_handler.handler", temporal)

    def _started(self, root: Path, handler: str, temporal: str) -> ColdStart:
        raw = deliveries.body(next(deliveries.event_ids()))
        event = event_of("POST", "/webhooks/stripe", raw, list(stripe_headers(raw).items()))
        with executing(root, handler, self.scratch, functions_env(temporal, **SEALING)) as function:
            answer = function.invoke(event)
            seconds = time.monotonic() - function.started
            used = cpu_seconds(function.process.pid)
        if answer["statusCode"] != 202:
            raise BenchError(f"{handler} answered {answer['statusCode']} to its first event")
        return ColdStart(seconds, used)


def prepare(folder: Path) -> Handlers:
    """Build the bundle of this machine's kind and lay out both handlers below `folder`. Raises BenchError."""
    target = next(
        (t for t in (Target(architecture=a, python=running_python()) for a in ARCHITECTURES) if t.is_ours), None
    )
    if target is None:
        raise BenchError("this machine is of no architecture that Lambda has")
    bundle = build(PROJECT, target, output=folder, cache=CACHE / "bundle")
    functions, minimal = folder / "functions", folder / "minimal"
    with zipfile.ZipFile(bundle.path) as archive:
        archive.extractall(functions)
    shutil.copytree(functions, minimal, ignore=_ours, copy_function=os.link)
    source = Path(shutil.copyfile(Path(__file__).with_name("minimal_handler.py"), minimal / "minimal_handler.py"))
    py_compile.compile(str(source), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return Handlers(functions, minimal, folder)


def _ours(folder: str, names: list[str]) -> list[str]:
    """Leave out what is this project's, at the top of a bundle."""
    return [name for name in names if name in OWN] if (Path(folder) / "settings.frozen.json").exists() else []
