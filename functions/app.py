"""The Flask application: the one place that puts routes, limits, errors and the Temporal bridge together.

Routes come from routes.json; each function is a blueprint; whoever may call a route is enforced here from the
table, so that a view cannot forget it. Every error leaves as a problem document, and never as a redirect, as 410
or as a 5xx other than 503.
"""

import logging
from collections.abc import Callable, Mapping
from functools import wraps

from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from functions import logs, problems, tracing
from functions.access_log import AccessLog, Observer, note, request_id_of
from functions.admission import Admission
from functions.auth import GATEWAY, BearerKeys, Caller, operator_of
from functions.bare_flask import BareFlask
from functions.config import FunctionsConfig, load
from functions.description import Description
from functions.health import Health
from functions.payload_codec import codec_of
from functions.routes import Auth, Route, table
from functions.sent_headers import SentHeaders
from functions.source_settings import SourceConfig
from functions.temporal import Temporal
from functions.webhooks import Webhooks

_log = logging.getLogger(__name__)

View = Callable[..., Response]

_BY_STATUS: dict[int, tuple[type[problems.Problem], str]] = {
    404: (problems.NotFound, "there is no such thing"),
    405: (problems.MethodNotAllowed, "this method is not offered here"),
    413: (problems.TooLarge, "the body is too large"),
    415: (problems.UnsupportedMedia, "the body must be application/json in UTF-8"),
}
"""The framework's own refusals in our words; a redirect counts as 404, anything else as malformed."""


def create_app(config: FunctionsConfig | None = None) -> Flask:
    """Build the application. Connects to nothing. Raises ConfigurationError when settings are wrong."""
    config = config or load()
    logs.configure(config.logging)
    temporal = Temporal(config.temporal, config.api.deadline_ms, codec_of(config.encryption))
    sources = config.webhooks if "webhooks" in config.api.functions else {}
    operations = _operations(config, temporal, sources)
    observers: list[Observer] = []
    enter = tracing.enter
    if config.tracing.wanted:
        from functions.spans import Spans  # noqa: PLC0415 - nobody else pays for it
        from worker.contract.spans import SpanWriter  # noqa: PLC0415

        spans = Spans(SpanWriter("orders-functions", config.tracing), config.tracing.sample_per_mille)
        enter = spans.enter
        observers.append(spans)
    app = BareFlask("functions", static_folder=None)
    # A redirect is a failed delivery to every sender of webhooks.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    keys = BearerKeys(config.api.keys, config.api.shop)
    blueprints = {name: Blueprint(name, __name__) for name in operations}
    by_gateway = config.api.operator_auth == GATEWAY
    for route in table():
        if route.function not in config.api.functions:
            continue
        callers = _operators(config.api.shop) if route.operator and by_gateway else _holders(keys, route.function)
        view = _guarded(operations[route.function][route.operation], route, callers, enter)
        blueprints[route.function].add_url_rule(
            route.rule, route.operation, view, methods=[route.method], provide_automatic_options=False
        )
    for blueprint in blueprints.values():
        app.register_blueprint(blueprint)
    app.register_error_handler(problems.Problem, _problem)
    app.register_error_handler(HTTPException, _framework_refusal)
    app.register_error_handler(Exception, _defect)
    admission = Admission(app.wsgi_app, config.api.max_in_flight)
    app.wsgi_app = AccessLog(admission, observers)  # type: ignore[method-assign]
    app.extensions |= {"temporal": temporal, "observers": observers, "sources": sources}
    return app


def _operations(
    config: FunctionsConfig, temporal: Temporal, sources: Mapping[str, SourceConfig]
) -> dict[str, dict[str, View]]:
    """Return the views of the functions that this process serves, by function and name.

    What only others serve is not even loaded: in Lambda each function is a process of its own that starts cold.
    """
    served, limit = config.api.functions, config.api.max_body_bytes
    found: dict[str, dict[str, View]] = {
        "webhooks": Webhooks(temporal, sources, max_body_bytes=limit).operations,
        "health": Health(temporal).operations,
        "description": Description().operations,
    }
    if "orders" in served:
        from functions.orders import Orders  # noqa: PLC0415 - see above

        found["orders"] = Orders(temporal, max_body_bytes=limit).operations
    if "users" in served:
        from functions.users import Users  # noqa: PLC0415

        found["users"] = Users(temporal, max_body_bytes=limit).operations
    if "reconciliations" in served:
        from functions.reconciliations import Reconciliations  # noqa: PLC0415

        found["reconciliations"] = Reconciliations(temporal, max_body_bytes=limit).operations
    return found


def _holders(keys: BearerKeys, function: str) -> Callable[[], Caller]:
    return lambda: keys.caller(request.headers.get("Authorization"), function)


def _operators(shop: str) -> Callable[[], Caller]:
    # apig-wsgi's own entry: no header of a request can be called that.
    return lambda: operator_of(request.environ.get("apig_wsgi.request_context"), shop)


def _guarded(
    view: View, route: Route, caller: Callable[[], Caller], enter: Callable[[str, str], tracing.Trace]
) -> View:
    @wraps(view)
    def guarded(**parameters: str) -> Response:
        headers = SentHeaders(request.environ)
        trace = enter(headers.get("traceparent", ""), headers.get("tracestate", ""))
        note(route=route.path, trace_id=trace.trace_id)
        if route.auth is Auth.BEARER:
            g.caller = caller()
            note(holder=g.caller.holder)
        return view(**parameters)

    return guarded


def _problem(problem: problems.Problem) -> Response:
    note(problem=problem.code)
    body = problem.document(request_id_of(request.environ))
    return Response(body, problem.status, problem.headers, content_type=problems.CONTENT_TYPE)


def _framework_refusal(error: HTTPException) -> Response:
    code = error.code or 400
    if code >= 500:
        return _defect(error)
    problem, detail = _BY_STATUS.get(404 if code < 400 else code, (problems.Malformed, "the request cannot be read"))
    # Sorted: the framework's order is that of a set, another in every process.
    allowed = {name: ", ".join(sorted(value.split(", "))) for name, value in error.get_headers() if name == "Allow"}
    return _problem(problem(detail, headers=allowed))


def _defect(error: Exception) -> Response:
    _log.error(
        "a defect was hit",
        extra={
            "fields": {
                "request_id": request_id_of(request.environ),
                "error": type(error).__name__,
                "places": logs.places(error.__traceback__),
            }
        },
    )
    return _problem(problems.InternalError("something is wrong on our side; send it again"))
