"""A session of the AWS library: credentials as it finds them, the region by AWS_REGION, too, which it would not read."""

import os

import boto3


def session() -> boto3.session.Session:
    """Return a session. A profile's region is used where no variable names one."""
    return boto3.session.Session(region_name=os.environ.get("AWS_REGION") or None)
