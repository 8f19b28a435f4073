"""`python -m infra.deploy`: what a deployment does beside `terraform apply`, on the engineer's machine or in a pipeline.

    publish     the functions' zip and the images of a release, to where Terraform finds them
    run-task    one run of an ECS task, watched to its end; exits with the task's status

Exit status: 0 done, 2 wrong arguments, 3 something is not installed or configured, 4 AWS does not answer or the task
never ran, 5 refused, 130 interrupted; of run-task else the one of the task's program.
"""

import argparse
import sys
import time
from pathlib import Path

from infra.bundle.target import RUNTIMES, running_python
from infra.deploy import aws, bootstrap, service
from infra.deploy.builder import TOOLS
from infra.deploy.errors import DeployError
from infra.deploy.publish import PLATFORMS, Publication, publish
from infra.deploy.task import TaskRequest, TaskRun
from infra.deploy.task_log import log_of, tail

PROJECT = Path(__file__).resolve().parents[2]
_TRUE, _FALSE = {"true", "1", "yes", "enabled"}, {"false", "0", "no", "disabled"}


def main(arguments: list[str]) -> int:
    """Do what `arguments` ask for and return the exit status."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.run is _run_task:
        _check(parser, asked)
    try:
        status: int = asked.run(asked)
    except DeployError as error:
        sys.stderr.write(f"deploy: cannot go on: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("deploy: interrupted; a task that was started goes on by itself\n")
        return 130
    return status


def _run_task(asked: argparse.Namespace) -> int:
    command = tuple(asked.command[1:] if asked.command[:1] == ["--"] else asked.command)
    client = aws.ecs(asked.region)
    if asked.service is not None:
        request = service.like(
            client,
            cluster=asked.cluster,
            service=asked.service,
            command=command,
            timeout_seconds=asked.timeout_seconds,
        )
    else:
        request = TaskRequest(
            cluster=asked.cluster,
            task_definition=asked.task_definition,
            subnets=asked.subnets,
            security_groups=asked.security_groups,
            assign_public_ip=asked.assign_public_ip,
            command=command,
            timeout_seconds=asked.timeout_seconds,
        )
    began = time.monotonic()
    run = TaskRun(client=client, request=request, say=_say)
    container = run.container()
    end = run.wait(run.start(container.get("name", "")))
    log = log_of(container)
    if log is not None:
        for line in tail(aws.logs(log.region), log, end.arn):
            sys.stdout.write(f"  | {line}\n")
    why = f" ({end.reason})" if end.exit_code and end.reason else ""
    _say(f"the task's program ended with {end.exit_code}{why}, {time.monotonic() - began:.0f} s in all")
    return end.exit_code


def _publish(asked: argparse.Namespace) -> int:
    bucket, worker = asked.artifact_bucket, asked.worker_repository
    if bucket is None or (worker is None and asked.only != "functions"):
        told = bootstrap.outputs(asked.bootstrap)
        bucket, worker = bucket or told[bootstrap.BUCKET], worker or told[bootstrap.WORKER]
    images = {"worker": worker, "functions": asked.functions_repository}
    publish(
        Publication(
            project=PROJECT,
            release=asked.release,
            bucket=bucket,
            images={} if asked.only == "functions" else {name: url for name, url in images.items() if url},
            platform=asked.platform,
            python=asked.python,
            tool=asked.tool,
            region=asked.region,
        ),
        _say,
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description="Publish releases, run one-off tasks.")
    parser.add_argument("--region", help="the AWS region (default: as the AWS variables and profile say)")
    nouns = parser.add_subparsers(required=True, metavar="publish | run-task")

    task = nouns.add_parser("run-task", help="run an ECS task to its end and exit with its status")
    task.add_argument("--cluster", required=True, help="name or ARN")
    task.add_argument("--service", help="run it like a task of this service, in place of the four below")
    task.add_argument("--task-definition", help="family, family:revision or ARN")
    task.add_argument("--subnets", type=_names, help="their ids, with commas between")
    task.add_argument("--security-groups", type=_names, help="their ids, with commas between")
    task.add_argument("--assign-public-ip", type=_truth, nargs="?", const=True, default=False, metavar="true|false")
    task.add_argument("--timeout-seconds", type=int, default=1800, help="how long to wait (default: %(default)s)")
    task.add_argument("--region", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    task.add_argument("command", nargs=argparse.REMAINDER, help="after --: instead of the task definition's command")
    task.set_defaults(run=_run_task)

    release = nouns.add_parser("publish", help="build and upload a release")
    release.add_argument("--release", required=True, help="its name: image tag and folder of the zip; never changed")
    release.add_argument("--artifact-bucket", help="(default: what the bootstrap's state says)")
    release.add_argument("--worker-repository", metavar="URL", help="(default: what the bootstrap's state says)")
    release.add_argument("--functions-repository", metavar="URL", help="publish the functions' image, too")
    release.add_argument("--platform", choices=list(PLATFORMS), default="linux/arm64", help="(default: %(default)s)")
    release.add_argument(
        "--python", choices=RUNTIMES, default=running_python(), help="Lambda's Python (default: %(default)s)"
    )
    release.add_argument("--only", choices=["functions"], help="the zip alone, where something else builds the images")
    release.add_argument("--tool", choices=TOOLS, help="(default: the first that works)")
    release.add_argument("--bootstrap", type=Path, default=PROJECT / "infra" / "aws" / "bootstrap", metavar="FOLDER")
    release.add_argument("--region", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    release.set_defaults(run=_publish)
    return parser


def _check(parser: argparse.ArgumentParser, asked: argparse.Namespace) -> None:
    """Exit with 2 unless a task is described in one of the two ways, and completely."""
    described = (asked.task_definition, asked.subnets, asked.security_groups)
    if asked.service is None and None in described:
        parser.error("run-task needs --service, or --task-definition, --subnets and --security-groups")
    if asked.service is not None and any(described):
        parser.error("run-task takes --service, or a task definition and its network, not both")
    if asked.service is not None and not asked.command:
        parser.error("run-task --service needs a command of yours after --: another worker is nothing to wait for")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("at least one is needed")
    return names


def _truth(text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise argparse.ArgumentTypeError("true or false")
    return text.lower() in _TRUE


def _say(text: str) -> None:
    sys.stdout.write(f"deploy: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
