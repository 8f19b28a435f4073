"""functions.bare_flask answers as Flask does, and takes nothing that it would never call."""

import pytest
from flask import Flask, request
from werkzeug.exceptions import HTTPException

from functions.app import create_app
from functions.bare_flask import BareFlask, Reply
from tests.integration.served_functions import functions_env


def filled(app: Flask) -> Flask:
    """Give the application one route of each kind that the functions have."""

    def given(name: str) -> Reply:
        if name == "broken":
            raise KeyError(name)
        return Reply(f"{name} {request.args.get('at', '')}", 202, content_type="text/plain")

    app.url_map.strict_slashes = app.url_map.merge_slashes = False
    app.add_url_rule("/things/<name>", "given", given, methods=["POST"], provide_automatic_options=False)
    app.register_error_handler(HTTPException, lambda error: (f"refused {error.code}", error.code))
    app.register_error_handler(KeyError, lambda _: ("a defect", 500))
    return app


REQUESTS = [
    ("POST", "/things/one?at=now"),
    ("POST", "/things/b%C3%BCcher"),
    ("POST", "//things/one"),
    ("POST", "/things/one/"),
    ("POST", "/things/broken"),
    ("GET", "/things/one"),
    ("OPTIONS", "/things/one"),
    ("POST", "/nothing"),
    ("POST", "/%00%ff"),
]


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_it_answers_as_flask_does(method: str, path: str) -> None:
    answers = []
    for kind in (Flask, BareFlask):
        answer = filled(kind("each")).test_client().open(path, method=method)
        answers.append((answer.status, answer.get_data(), sorted(answer.headers.to_wsgi_list())))
    assert answers[0] == answers[1]


def test_what_would_never_be_called_cannot_be_registered() -> None:
    app = BareFlask("each")
    for register in (app.before_request, app.after_request, app.teardown_request, app.teardown_appcontext):
        with pytest.raises(NotImplementedError, match="not called here"):
            register(lambda *_: None)


def test_the_application_has_nothing_that_is_never_called(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in functions_env("127.0.0.1:1").items():
        monkeypatch.setenv(name, value)
    app = create_app()
    waiting = (
        app.before_request_funcs,
        app.after_request_funcs,
        app.teardown_request_funcs,
        app.url_value_preprocessors,
    )
    assert [each for each in (*waiting, app.teardown_appcontext_funcs) if each] == []
