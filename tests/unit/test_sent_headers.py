"""Headers read from WSGI's environment are those that the framework reads there."""

from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import EnvironHeaders

from functions.sent_headers import SentHeaders

KEYS = st.from_regex(r"HTTP_[A-Z0-9]{1,6}(_[A-Z0-9]{1,6}){0,2}", fullmatch=True) | st.sampled_from(
    ["CONTENT_TYPE", "CONTENT_LENGTH", "PATH_INFO", "wsgi.url_scheme", "orders.request_id"]
)


@given(environ=st.dictionaries(KEYS, st.text(min_size=1, max_size=5)))
def test_they_are_what_the_framework_reads(environ: dict[str, str]) -> None:
    ours, theirs = SentHeaders(environ), EnvironHeaders(environ)
    assert dict(ours) == {name.lower(): value for name, value in theirs.items()}
    assert len(ours) == len(theirs)
    for name, value in theirs.items():
        assert ours[name.lower()] == ours[name] == value
    assert ours.get("x-not-sent-at-all") is None
    assert ours.get("x-not-sent-at-all", "") == ""
