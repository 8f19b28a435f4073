"""A request's headers by their names in lower case, read where WSGI has put them."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_PREFIX = "HTTP_"
_OWN_KEYS = ("CONTENT_TYPE", "CONTENT_LENGTH")


class SentHeaders(Mapping[str, str]):
    """A view of the environment, which costs what is looked at: two or three headers of a dozen or more.

    Several headers of one name are one text, joined with commas.
    """

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        key = name.upper().replace("-", "_")
        value: str = self._environ[key if key in _OWN_KEYS else _PREFIX + key]
        return value

    def __iter__(self) -> Iterator[str]:
        for key in self._environ:
            if key in _OWN_KEYS:
                yield key.replace("_", "-").lower()
            elif key.startswith(_PREFIX):
                yield key.removeprefix(_PREFIX).replace("_", "-").lower()

    def __len__(self) -> int:
        return sum(1 for _ in self)
