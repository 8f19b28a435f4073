import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from worker.observability.logging import configure


@dataclass(frozen=True)
class Settings:
    level: str = "INFO"
    json: bool = True


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_level_logger_and_utc_time(stream: io.StringIO) -> None:
    configure(Settings(), stream)
    logging.getLogger("worker.temporal").info("schedules converged", extra={"updated": 2})
    (line,) = lines(stream)
    assert line.pop("at").endswith("Z")
    assert line == {"event": "schedules converged", "level": "info", "logger": "worker.temporal", "updated": 2}


def test_a_field_cannot_pose_as_what_every_line_has(stream: io.StringIO) -> None:
    configure(Settings(), stream)
    logging.getLogger("one").warning("said", extra={"event": "posed", "level": "info", "at": "", "logger": "two"})
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"]) == ("said", "warning", "one")
    assert line["at"]


def test_what_was_raised_is_a_field_and_stands_below_columns(stream: io.StringIO) -> None:
    for as_json in (True, False):
        configure(Settings(json=as_json), stream)
        try:
            raise ValueError("none is left")
        except ValueError:
            logging.getLogger("one").exception("failed", extra={"order_id": "7"})
        logging.getLogger("one").error("nothing was raised", exc_info=True)  # noqa: LOG014 - what a library may do
    as_object, without, *columns = stream.getvalue().splitlines()
    trace: str = json.loads(as_object)["exception"]
    assert trace.startswith("Traceback")
    assert trace.endswith("ValueError: none is left")
    assert "exception" not in json.loads(without)
    assert columns[0].endswith("[one] order_id=7")
    assert (columns[1], columns[-2]) == ("Traceback (most recent call last):", "ValueError: none is left")


def test_temporals_context_becomes_fields_and_arguments_never_show(stream: io.StringIO) -> None:
    configure(Settings(), stream)
    context = {
        "activity_id": "5",
        "activity_type": "capture_payment",
        "attempt": 2,
        "namespace": "default",
        "task_queue": "orders",
        "workflow_id": "order/main/7",
        "workflow_run_id": "r-1",
        "workflow_type": "OrderWorkflow",
    }
    info = {"args": ("jane",)}
    logging.getLogger("temporalio.activity").warning(
        "Completing activity as failed", extra={"temporal_activity": context, "activity_info": info}
    )
    (line,) = lines(stream)
    assert line["activity"] == "capture_payment"
    assert (line["attempt"], line["queue"], line["workflow_id"], line["run_id"]) == (2, "orders", "order/main/7", "r-1")
    assert "jane" not in stream.getvalue()
    assert "temporal_activity" not in line


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_and_local_variables_stay_inside(stream: io.StringIO, as_json: bool) -> None:
    configure(Settings(json=as_json), stream)
    row = {"email": "jane@shop.example"}
    try:
        raise ValueError(f"cannot store {row['email']}")
    except ValueError:
        logging.getLogger("x").exception("failed for %s", "joe@shop.example", extra={"seen": ["sk_test_abcdef"]})
    text = stream.getvalue()
    assert "Traceback" in text
    assert "ValueError: cannot store [address]" in text
    assert "[secret]" in text
    assert "shop.example" not in text
    assert "sk_test" not in text


def test_the_level_counts_and_chatty_libraries_are_quiet(stream: io.StringIO) -> None:
    configure(Settings(level="WARNING"), stream)
    logging.getLogger("worker").info("not written")
    logging.getLogger("apscheduler.executors.default").info("not written")
    logging.getLogger("worker").warning("written")
    assert [line["event"] for line in lines(stream)] == ["written"]


def test_a_level_that_does_not_exist_is_an_error(stream: io.StringIO) -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configure(Settings(level="loud"), stream)
