"""What to do about a task that ECS could not start: its own words are long, and name the cause rarely.

Patterns are looked for in the stop reason, in this order. Source: AWS's pages on stopped tasks' error messages.
"""

import re
from collections.abc import Callable

_FIRST = "What to do: "


def _image(match: re.Match[str]) -> str:
    image = re.search(r"[\w.-]+/[\w./-]+:[\w.-]+", match.string)
    tag = image[0].rpartition(":")[2] if image else "<release>"
    return (
        f"the image {image[0] if image else ''} is not in the registry (or is for another platform): publish the "
        f"release with `make publish RELEASE={tag}`, or set `release` to one that was published."
    ).replace("  ", " ")


def _secret(match: re.Match[str]) -> str:
    found = re.search(r"secret:([\w/+=.@-]+?)(?:-\w{6})?(?![\w/+=.@-])", match.string)
    name = found[1] if found else "<name>/<environment>/worker"
    return (
        f"the secret {name} has no value yet: `orders secrets check {name.rpartition('/')[0]}` tells what is missing, "
        f"`orders secrets put {name} KEY` puts it."
    )


def _parameter(match: re.Match[str]) -> str:
    name = match[1].rstrip(".")
    return (
        f"there is no parameter {name}: the bootstrap makes them where its variable secret_stores names the environment "
        f'"parameter_store", as the environment\'s secret_store does; then `orders secrets put {name} KEY`.'
    )


def _json_key(match: re.Match[str]) -> str:
    return (
        f"the secret lacks the key {match[1]}: put it with `orders secrets put`, or take it out of the list of secrets "
        "that the tasks get (the variable `worker_secret_keys`)."
    )


def _said(text: str) -> Callable[[re.Match[str]], str]:
    return lambda _match: text


_NETWORK = (
    'the task has no way to AWS: it needs a public address (egress = "public_ip"), a NAT gateway, or the interface '
    "endpoints for ecr.api, ecr.dkr, secretsmanager and logs; and a security group that lets it out on port 443."
)

_ADVICE: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"invalid (?:ssm )?parameters:\s*([\w/.-]+)", _parameter),
    (r"did not contain json key ([\w]+)", _json_key),
    (r"can.t find the specified secret value|staging label", _secret),
    (
        r"i/o timeout|request canceled|context deadline|unable to retrieve ecr registry auth.*request send",
        _said(_NETWORK),
    ),
    (
        r"secret.*AccessDenied|AccessDenied.*(secretsmanager|ssm):",
        _said(
            "the execution role may not read that secret: a `terraform apply` that was interrupted does that; apply again."
        ),
    ),
    (r"CannotPullContainer.*(not found|manifest|does not exist)", _image),
    (r"CannotPullContainer.*(platform|descriptor)", _image),
    (
        r"exec format error",
        _said(
            "the image was built for another processor: publish it again with the platform that the tasks have "
            "(`--platform linux/arm64` unless you changed it), under a new release."
        ),
    ),
    (r"CannotPullContainer", _said(_NETWORK)),
    (r"unable to pull secrets or registry auth", _said(_NETWORK)),
    (
        r"assume the (service linked )?role",
        _said(
            "a role is not known everywhere yet, or does not trust ecs-tasks.amazonaws.com: apply again in a minute."
        ),
    ),
    (r"capacity", _said("AWS has no room in these zones at the moment: try again in some minutes.")),
    (
        r"CannotStartContainer|CannotCreateContainer",
        _said("the image's program cannot be started: run `orders --help` in the image, as user 10001."),
    ),
)


def advice(reason: str) -> str:
    """Return what to do about a task that was not started for `reason`."""
    for pattern, say in _ADVICE:
        match = re.search(pattern, reason, re.IGNORECASE | re.DOTALL)
        if match:
            return _FIRST + say(match)
    return _FIRST + "see the stopped task in the ECS console, or `aws ecs describe-tasks`; then apply again."
