"""Publishing a release: the functions' zip into the artifact bucket, the images into their repositories.

In this order: everything that can refuse is asked before anything is built, the zip marks the release as taken with
the digest of its sources, then the images follow. Repeated after an interruption, it does what is still missing.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.bundle.build import build
from infra.bundle.errors import BundleError
from infra.bundle.target import Target
from infra.deploy import aws, registry, release, source
from infra.deploy.builder import Builder, find
from infra.deploy.errors import DeployError

PLATFORMS = {"linux/arm64": "arm64", "linux/amd64": "x86_64"}
"""Platforms of images, and Lambda's names of their processors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What to publish, as what, to where. `images` are repository URLs by the name of their Dockerfile."""

    project: Path
    release: str
    bucket: str
    images: dict[str, str]
    platform: str
    python: str
    tool: str | None = None
    region: str | None = None


def publish(wanted: Publication, say: Callable[[str], None]) -> None:
    """Publish a release. Raises DeployError."""
    name = release.checked(wanted.release)
    target = _target(wanted)
    places = {image: registry.repository(url) for image, url in wanted.images.items()}
    s3 = aws.s3(wanted.region)
    digest = source.digest(wanted.project, target.name, wanted.platform)
    release.confirmed(release.published(s3, wanted.bucket, name), name, digest)
    missing = {
        image: place
        for image, place in places.items()
        if not _is_there(registry.has_tag(aws.ecr(place.region), place, name), place, name, say)
    }
    builder = find(wanted.tool) if missing else None
    revision = source.revision(wanted.project)
    if revision.endswith("-changed"):
        say("note: this checkout has changes that are not committed; they are part of the release")

    # Not in dist/: whoever builds there at this moment would put another zip in the place of the one that is uploaded.
    with tempfile.TemporaryDirectory(prefix="orders-release-") as folder:
        functions = _functions(wanted, target, digest, Path(folder))
        fresh = release.upload(s3, wanted.bucket, name, functions)
    say(
        f"functions: s3://{wanted.bucket}/{release.key(name)} {'uploaded' if fresh else 'was there already'}, "
        f"sha256 {release.hexadecimal(functions.sha256)}"
    )
    labels = {"org.opencontainers.image.version": name, "org.opencontainers.image.revision": revision}
    for image, place in missing.items():
        assert builder is not None
        _image(builder, wanted, image, place, labels, say)
    say(f'{name} is published; to deploy it: release = "{name}" in terraform.tfvars, then terraform apply')


def _target(wanted: Publication) -> Target:
    try:
        return Target(architecture=PLATFORMS[wanted.platform], python=wanted.python)
    except BundleError as error:
        raise DeployError(str(error)) from error


def _functions(wanted: Publication, target: Target, digest: str, folder: Path) -> release.Functions:
    try:
        bundle = build(wanted.project, target, output=folder, cache=wanted.project / ".local" / "cache" / "bundle")
    except BundleError as error:
        raise DeployError(f"the functions' bundle: {error}") from error
    return release.Functions(
        path=bundle.path,
        sha256=bundle.sha256,
        runtime=target.runtime,
        architecture=target.architecture,
        source=digest,
    )


def _is_there(found: bool, place: registry.Repository, name: str, say: Callable[[str], None]) -> bool:
    if found:
        say(f"image: {place.url}:{name} was there already")
    return found


def _image(
    builder: Builder,
    wanted: Publication,
    image: str,
    place: registry.Repository,
    labels: dict[str, str],
    say: Callable[[str], None],
) -> None:
    tagged = f"{place.url}:{wanted.release}"
    say(f"image: building {tagged} for {wanted.platform} with {builder.tool}")
    dockerfile = wanted.project / "infra" / "images" / f"{image}.Dockerfile"
    builder.build(dockerfile, wanted.project, image=tagged, platform=wanted.platform, labels=labels)
    user, password = registry.login(aws.ecr(place.region), place)
    builder.push(tagged, host=place.host, user=user, password=password)
    say(f"image: {tagged} pushed")
