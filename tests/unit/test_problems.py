"""Problem documents: one shape, stable codes, and only statuses that senders of webhooks take well."""

import json

from functions import problems
from functions.problems import FieldProblem, Problem


def kinds(of: type[Problem] = Problem) -> list[type[Problem]]:
    return [of, *(deeper for kind in of.__subclasses__() for deeper in kinds(kind))]


def test_a_document_has_the_members_of_rfc_9457_and_ours() -> None:
    problem = problems.Unprocessable("the request does not fit", fields=[FieldProblem("lines[0].sku", "is needed")])
    assert json.loads(problem.document("req-1")) == {
        "type": "urn:orders:problem:invalid",
        "title": "Unprocessable Entity",
        "status": 422,
        "code": "invalid",
        "detail": "the request does not fit",
        "request_id": "req-1",
        "errors": [{"path": "lines[0].sku", "problem": "is needed"}],
    }


def test_without_field_problems_there_is_no_list_of_them() -> None:
    assert "errors" not in json.loads(problems.NotFound("nothing here").document("r"))


def test_codes_are_stable() -> None:
    assert {kind.code: kind.status for kind in kinds()} == {
        "malformed": 400,
        "unauthorized": 401,
        "signature_invalid": 401,
        "forbidden": 403,
        "address_refused": 403,
        "not_found": 404,
        "method_not_allowed": 405,
        "conflict": 409,
        "too_large": 413,
        "target_too_long": 414,
        "unsupported_media_type": 415,
        "invalid": 422,
        "rate_limited": 429,
        "headers_too_large": 431,
        "unavailable": 503,
        "overloaded": 503,
        "temporal_unavailable": 503,
        "internal": 503,
    }


def test_whoever_should_try_again_is_told_when() -> None:
    for kind in kinds(problems.Unavailable):
        assert int(kind("later").headers["Retry-After"]) >= 1
    assert problems.RateLimited("later", retry_after_seconds=7).headers["Retry-After"] == "7"
