"""Routes of the provider."""

from aiohttp import web


def setup(app: web.Application) -> None:
    """Register the routes."""
