import http.client
import json
from typing import Any

import pytest

from worker.observability.health import Health, HealthServer, Pulse
from worker.observability.metrics import Backlog, Metrics


def ask(server: HealthServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def state(server: HealthServer, path: str) -> tuple[int, dict[str, Any]]:
    status, body = ask(server, path)
    return status, json.loads(body)


def serve(health: Health, metrics: Metrics | None = None) -> HealthServer:
    return HealthServer(health, [(metrics or Metrics()).exposition, lambda: b"sdk 1\n"], host="127.0.0.1", port=0)


def test_live_follows_the_event_loop() -> None:
    pulse = Pulse()
    with serve(Health(pulse, {})) as server:
        assert state(server, "/health/live") == (200, {"status": "ok", "checks": {"event_loop": "ok"}})
        pulse._at -= 11
        assert state(server, "/health/live") == (503, {"status": "unavailable", "checks": {"event_loop": "stuck"}})
        pulse.beat()
        assert state(server, "/health/live")[0] == 200


def test_ready_needs_the_worker_and_every_dependency() -> None:
    broken: list[Exception] = []

    def database() -> None:
        if broken:
            raise broken[0]

    health = Health(Pulse(), {"database": database, "temporal": lambda: True})
    with serve(health) as server:
        status, body = state(server, "/health/ready")
        assert status == 503
        assert body["checks"] == {"worker": "not taking work", "database": "ok", "temporal": "ok"}
        health.ready = True
        assert state(server, "/health/ready")[0] == 200
        broken.append(ConnectionRefusedError("mysql://orders:password@db"))
        assert state(server, "/health/ready")[0] == 200, "answers are kept for two seconds"
        health._asked = None
        status, body = state(server, "/health/ready")
        assert (status, body["checks"]["database"]) == (503, "ConnectionRefusedError")
        assert "password" not in json.dumps(body)


def test_a_sick_dependency_is_no_reason_to_restart() -> None:
    def never() -> None:
        raise TimeoutError

    with serve(Health(Pulse(), {"database": never})) as server:
        assert state(server, "/health/live")[0] == 200


def test_metrics_are_ours_and_the_sdks() -> None:
    metrics = Metrics()
    metrics.show_backlog([Backlog(queue="orders", kind="activity", tasks=7, oldest_seconds=1.5, pollers=2)])
    with serve(Health(Pulse(), {}), metrics) as server:
        status, body = ask(server, "/metrics")
    text = body.decode()
    assert status == 200
    assert 'orders_queue_backlog{kind="activity",queue="orders"} 7.0' in text
    assert text.endswith("sdk 1\n")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("HEAD", "/health/live", 200)])
def test_other_requests(method: str, path: str, status: int) -> None:
    with serve(Health(Pulse(), {})) as server:
        answered, body = ask(server, path, method)
    assert answered == status
    assert body == (b"" if method == "HEAD" else b'{"status": "not found"}')


def test_a_stopped_server_frees_its_port() -> None:
    server = serve(Health(Pulse(), {}))
    server.start()
    port = server.port
    server.stop()
    again = HealthServer(Health(Pulse(), {}), [], host="127.0.0.1", port=port)
    again.stop()
