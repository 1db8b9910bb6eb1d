"""`Expect: 100-continue` is the shop's to answer, and other 1xx come at once."""

import threading
import time

from groups.streaming import GET, POST
from harness.cases import case
from harness.upstream import echo, ok
from harness.wire import Short

# -- Expect: 100-continue

EXPECT = POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"


def expecting(t, answers):
    """A script that keeps the request with `Expect`, and does `answers(connection, request)`."""

    def script(connection):
        while request := connection.request(body=False):
            if not request.target.startswith(b"/stream"):
                request.read_body(connection.reader)
                connection.send(echo(request))
            elif answers(connection, request) is False:
                return

    t.script(script)


@case("streaming", "expect-passed-to-the-shop")
def expect_passed(t):
    """The 100 is the shop's: it comes when the shop sends it, not before."""
    said = threading.Event()

    def answers(connection, request):
        time.sleep(0.5)
        said.set()
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.read_body(connection.reader)
        connection.send(ok(request.body))

    expecting(t, answers)
    client = t.client()
    client.send(EXPECT)
    line = client.reader.until(b"\r\n\r\n")
    t.check(line.startswith(b"HTTP/1.1 100"), "expected 100", line)
    t.check(said.is_set(), "the 100 came before the shop's")
    client.send(b"hello")
    t.equal("body", client.answer().body, b"hello")
    t.check(
        (t.upstream.requests[0].get(b"expect") or b"").lower() == b"100-continue",
        "Expect at the shop",
        t.upstream.requests[0].head,
    )


@case("streaming", "expect-refused-by-the-shop")
def expect_refused(t):
    """The shop says no before the body: the client hears it without having sent a byte."""
    expecting(
        t,
        lambda connection, request: connection.send(ok(b"no", b"Connection: close\r\n", b"413 Content Too Large"))
        and False,
    )
    client = t.client()
    client.send(EXPECT)
    answer = client.answer()
    t.equal("1xx", answer.interim, [])
    t.equal("status", answer.status, 413)
    t.probe(2)


@case("streaming", "expect-refused-and-the-connection")
def expect_refused_next(t):
    """After a refusal the body was not sent; the next request on the connection is no body, or the connection ends."""
    expecting(
        t,
        lambda connection, request: connection.send(ok(b"no", b"", b"401 Unauthorized"))
        and request.read_body(connection.reader),
    )
    client = t.client()
    client.send(EXPECT)
    t.equal("status", client.answer().status, 401)
    try:
        again = client.get("/again")
        # RFC 9110 §10.1.1: who keeps the connection reads on for the body, and may find none here.
        t.check(
            again.status == 400 or again.body.startswith(b"GET /again\n"),
            "the next answer on the connection",
            again,
            again.body,
        )
    except Short:
        pass
    t.probe(2)


@case("streaming", "expect-and-the-client-does-not-wait")
def expect_no_wait(t):
    def answers(connection, request):
        request.read_body(connection.reader)
        connection.send(ok(request.body))

    expecting(t, answers)
    client = t.client()
    client.send(EXPECT + b"hello")
    answer = client.answer()
    t.check(answer.status == 200 and answer.body == b"hello", "expected hello", answer)


@case("streaming", "expect-answered-without-100")
def expect_no_100(t):
    """A shop that knows no 100: the client may send after a while, and all is well."""

    def answers(connection, request):
        request.read_body(connection.reader)
        connection.send(ok(request.body))

    expecting(t, answers)
    client = t.client()
    client.send(EXPECT)
    time.sleep(1.0)
    client.send(b"hello")
    answer = client.answer()
    t.check(answer.status == 200 and answer.body == b"hello", "expected hello", answer)


@case("streaming", "expect-in-chunks")
def expect_chunked(t):
    def answers(connection, request):
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.read_body(connection.reader)
        connection.send(ok(request.body))

    expecting(t, answers)
    client = t.client()
    client.send(POST + b"Transfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n")
    t.check(client.reader.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100"), "expected 100")
    client.send(b"5\r\nhello\r\n0\r\n\r\n")
    t.equal("body", client.answer().body, b"hello")


@case("streaming", "expect-of-http-1.0")
def expect_1_0(t):
    """RFC 9110 §10.1.1: an HTTP/1.0 client gets no 100."""

    def answers(connection, request):
        if request.get(b"expect"):
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.read_body(connection.reader)
        connection.send(ok(request.body))

    expecting(t, answers)
    client = t.client()
    answer = client.ask(
        b"POST /stream HTTP/1.0\r\nHost: shop.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"
    )
    t.equal("1xx", answer.interim, [])
    t.equal("body", answer.body, b"hello")


@case("streaming", "expect-unknown")
def expect_unknown(t):
    expecting(t, lambda connection, request: request.read_body(connection.reader) or connection.send(ok(b"x")))
    answer = t.client().ask(POST + b"Content-Length: 5\r\nExpect: x-magic\r\n\r\nhello")
    t.check(answer.status in (200, 417), "expected 200 or 417", answer)


@case("streaming", "103-comes-at-once")
def early_hints(t):
    seen = threading.Event()

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        seen.wait(4)
        connection.send(ok(b"hello"))

    t.script(script)
    client = t.client()
    client.send(GET)
    head = client.reader.until(b"\r\n\r\n", 2.5)
    t.check(head.startswith(b"HTTP/1.1 103"), "expected 103", head)
    seen.set()
    t.equal("body", client.answer().body, b"hello")
