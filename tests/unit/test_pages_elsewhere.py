"""A page that an answer names is asked for where the shop is, and nowhere else: the token goes with it."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from worker.domain.errors import SourceUnreadable
from worker.gateways.shopify import ShopifyShop

DAY = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))


class Pages(ThreadingHTTPServer):
    """Answers with no orders, and at first with a further page at `following`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.following = ""
        self.asked: list[str] = []


class _Answer(BaseHTTPRequestHandler):
    server: Pages

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        if len(self.server.asked) == 1:
            self.send_header("Link", f'<{self.server.following}/more>; rel="next"')
        self.end_headers()
        self.wfile.write(b'{"orders": []}')

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serving() -> Iterator[Pages]:
    with Pages() as pages:
        thread = threading.Thread(target=pages.serve_forever, daemon=True)
        thread.start()
        yield pages
        pages.shutdown()
        thread.join()


def test_a_page_at_another_host_is_not_asked_for_and_the_list_is_not_whole() -> None:
    with ExitStack() as stack:
        shop, elsewhere = stack.enter_context(serving()), stack.enter_context(serving())
        client = ShopifyShop(api_base=shop.address, access_token="a-token", timeout_seconds=60)
        stack.callback(client.close)
        shop.following = elsewhere.address
        with pytest.raises(SourceUnreadable, match="names a page at"):
            list(client.orders(*DAY))
        assert elsewhere.asked == []
        shop.asked.clear()
        shop.following = shop.address
        assert list(client.orders(*DAY)) == []
        assert shop.asked[-1] == "/more"
