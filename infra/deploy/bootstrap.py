"""Where releases go: what infra/aws/bootstrap made, as its Terraform state tells."""

import json
import shutil
import subprocess
from pathlib import Path

from infra.deploy.errors import MissingProgram, NotConfigured

BUCKET = "artifact_bucket"
WORKER = "worker_repository_url"
_SECONDS = 120


def outputs(folder: Path) -> dict[str, str]:
    """Return the bootstrap's outputs that are texts. Raises MissingProgram, NotConfigured."""
    program = shutil.which("terraform")
    if program is None:
        raise MissingProgram("terraform is not installed; or name --artifact-bucket and --worker-repository yourself")
    command = [program, f"-chdir={folder}", "output", "-json", "-no-color"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise NotConfigured(f"terraform did not tell the outputs of {folder} within {_SECONDS} s") from error
    found = json.loads(done.stdout or "{}") if done.returncode == 0 else {}
    texts = {name: each["value"] for name, each in found.items() if isinstance(each.get("value"), str)}
    if not {BUCKET, WORKER} <= set(texts):
        said = done.stderr.strip().splitlines()
        raise NotConfigured(
            f"the bootstrap in {folder} has no outputs {BUCKET} and {WORKER}: apply it first, or name "
            f"--artifact-bucket and --worker-repository" + (f" (terraform: {said[-1]})" if said else "")
        )
    return texts
