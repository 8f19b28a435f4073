"""Amazon ECR: whether a tag is taken, and a password for the tool that pushes."""

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from infra.deploy.aws import code_of, translated
from infra.deploy.errors import DeployError, Refused

if TYPE_CHECKING:
    from types_boto3_ecr import ECRClient

_URL = re.compile(
    r"(?P<host>(?P<account>\d{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+)/(?P<name>[a-z0-9][a-z0-9._/-]*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository of images, by its URL without a tag."""

    url: str
    host: str
    account: str
    region: str
    name: str


def repository(url: str) -> Repository:
    """Read the URL of a repository. Raises DeployError when it is none of ECR's."""
    match = _URL.fullmatch(url)
    if match is None:
        raise DeployError(
            f"{url!r} is no ECR repository like 123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders/worker; "
            "`terraform output worker_repository_url` in infra/aws/bootstrap shows it"
        )
    return Repository(url=url, host=match["host"], account=match["account"], region=match["region"], name=match["name"])


def has_tag(client: "ECRClient", where: Repository, tag: str) -> bool:
    """Tell whether an image of that tag is in the repository. Raises what AWS refuses."""
    with translated(f"looking for {where.name}:{tag}"):
        try:
            answer = client.describe_images(
                registryId=where.account, repositoryName=where.name, imageIds=[{"imageTag": tag}]
            )
        except ClientError as error:
            if code_of(error) == "ImageNotFoundException":
                return False
            if code_of(error) == "RepositoryNotFoundException":
                raise Refused(
                    f"there is no repository {where.name} in {where.region}: apply infra/aws/bootstrap first",
                    code_of(error),
                ) from error
            raise
    return bool(answer["imageDetails"])


def login(client: "ECRClient", where: Repository) -> tuple[str, str]:
    """Return a user and a password for the registry, good for twelve hours. Raises what AWS refuses."""
    with translated(f"asking for a password of {where.host}"):
        answer = client.get_authorization_token()
    token = base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode()
    user, _, password = token.partition(":")
    return user, password
