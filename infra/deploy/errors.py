"""What can go wrong when something is published or a task is run; every message is fit to be shown to a person.

The exit statuses are those of the `orders` command: 3 settings, 4 a dependency does not answer, 5 refused.

DeployError
    NotConfigured       no credentials, no region, no bucket known
    MissingProgram      a program that is needed is not installed, or does not work here
    Unavailable         AWS does not answer
    Refused             AWS said no, and why
    ReleaseExists       a release of that name was published from other sources
    ImageFailed         an image could not be built or pushed
    TaskNotStarted      the task never ran: its image, its secrets, its network, its roles
    TaskUnfinished      the task still runs after the time that was given
"""


class DeployError(Exception):
    """The root of the tree; `exit_code` is the program's exit status."""

    exit_code = 5


class NotConfigured(DeployError):
    """Something that only the caller can say is missing."""

    exit_code = 3


class MissingProgram(DeployError):
    """A program is not installed or does not work; the message says which ones would do."""

    exit_code = 3


class Unavailable(DeployError):
    """AWS could not be reached, or did not answer in time."""

    exit_code = 4


class Refused(DeployError):
    """AWS refused a request; `code` is its own name of the reason."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class ReleaseExists(DeployError):
    """A release is never changed: what was rolled back to must be what it was."""


class ImageFailed(DeployError):
    """A tool that builds images failed; the message ends with what it said last."""


class TaskNotStarted(DeployError):
    """ECS could not start the task's program; the message says what to do."""

    exit_code = 4


class TaskUnfinished(DeployError):
    """The task did not end within its time. It goes on: a migration must not be cut off."""

    exit_code = 4
