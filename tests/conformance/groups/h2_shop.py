"""The shop behind an HTTP/2 client: faults, cancelling, tunnels by extended CONNECT (RFC 8441)."""

import base64
import hashlib
import struct
import threading
import time

from groups.h2_handshake import good
from harness.cases import add, case
from harness.client import wait_for
from harness.h2 import CONNECT_PROTOCOL, GOAWAY, RST_STREAM
from harness.upstream import echo, ok

# -- faults of the shop

for name, data in (
    ("length", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
    ("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    ("chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello"),
):

    def run(t, data=data):
        """Never END_STREAM: the client must see that something is missing, and the other streams go on."""

        def script(connection):
            while request := connection.request():
                if request.target == b"/cut":
                    connection.send(data)
                    time.sleep(0.1)
                    return
                connection.send(echo(request))

        t.script(script)
        h2 = t.h2()
        reply = h2.get(b"/cut")
        t.check(not reply.ended or reply.status >= 500, "expected a reset", reply, bytes(reply.body))
        t.check(reply.reset is not None or reply.status >= 500 or h2.reader.end, "the stream stays open", reply)
        good(t, h2.get(b"/next"), b"GET /next\n")

    add("h2", "cut-" + name, run)


@case("h2", "shop-never-answers")
def never(t):
    t.script(lambda connection: connection.request() and connection.hold(10))
    h2 = t.h2()
    reply = h2.get(b"/x")
    t.check(reply.status in (502, 504) or reply.reset is not None, "expected 504", reply)


@case("h2", "shop-ends-without-an-answer")
def nothing(t):
    t.script(lambda connection: connection.request(patience=2))
    reply = t.h2().get(b"/x", method=b"POST")
    # 7 is REFUSED_STREAM: it would tell the client that it may safely ask again.
    t.check(reply.status in (502, 503) or reply.reset not in (None, 7), "expected 502", reply)


@case("h2", "early-answer")
def early(t):
    """The shop refuses an upload that is still coming: its answer arrives whole, then the rest is not wanted."""

    def script(connection):
        request = connection.request(body=False)
        if request.target == b"/early":
            connection.reader.exactly(10)
            connection.send(ok(b"too large", b"Connection: close\r\n", b"413 Content Too Large"))
            connection.finish()
            connection.ended(3)
        else:
            connection.send(echo(request))

    t.script(script)
    h2 = t.h2()
    stream = h2.request(end=False, whole=h2.head(b"POST", b"/early", [(b"content-length", b"100000")]))
    h2.data(stream, b"x" * 1000, end=False)
    reply = h2.replies[stream]
    h2.until(lambda: reply.ended or reply.reset is not None)
    t.check(reply.status == 413 and bytes(reply.body) == b"too large", "expected the shop's 413", reply)
    good(t, h2.get(b"/next"), b"GET /next\n")


# -- cancelling


@case("h2", "reset-cancels-at-the-shop")
def reset_cancels(t):
    def script(connection):
        request = connection.request()
        if request.target == b"/x":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
            connection.ended(8)
        else:
            connection.send(echo(request))

    t.script(script)
    h2 = t.h2()
    stream = h2.request(path=b"/x")
    h2.until(lambda: h2.replies[stream].body)
    h2.frame(RST_STREAM, 0, stream, struct.pack(">I", 8))
    t.check(wait_for(lambda: t.upstream.connections[0].reader.end, 3), "expected the end of the shop's connection")
    good(t, h2.get(b"/next"), b"GET /next\n")


@case("h2", "end-of-the-connection-cancels-all")
def end_cancels(t):
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
        connection.ended(8)

    t.script(script)
    h2 = t.h2()
    streams = [h2.request(path=b"/%d" % at) for at in range(5)]
    h2.until(lambda: all(h2.replies[stream].body for stream in streams))
    h2.close()
    t.check(
        wait_for(lambda: len(t.upstream.connections) == 5 and all(one.reader.end for one in t.upstream.connections), 4),
        "expected the end of all connections to the shop",
        [one.reader.end for one in t.upstream.connections],
    )


@case("h2", "goaway-of-the-client-lets-streams-finish")
def client_goaway(t):
    t.answers_with(lambda request: time.sleep(0.5) or echo(request))
    h2 = t.h2()
    stream = h2.request(path=b"/x")
    h2.frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0))
    good(t, h2.reply(stream), b"GET /x\n")


# -- extended CONNECT (RFC 8441)


def switching(request):
    """RFC 6455 §4.2.2: the answer to the request's key."""
    key = (request.get(b"sec-websocket-key") or b"") + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
        % base64.b64encode(hashlib.sha1(key).digest())
    )


def connecting(t, inside, fields=()):
    def script(connection):
        request = connection.request()
        connection.send(switching(request))
        inside(connection)

    t.script(script)
    h2 = t.h2()
    h2.ready()
    if not h2.settings.get(CONNECT_PROTOCOL):
        t.check(False, "SETTINGS_ENABLE_CONNECT_PROTOCOL is not announced", h2.settings)
    stream = h2.request(
        [
            (b":method", b"CONNECT"),
            (b":protocol", b"websocket"),
            (b":scheme", b"https"),
            (b":path", b"/socket"),
            (b":authority", b"shop.test"),
            (b"sec-websocket-version", b"13"),
            *fields,
        ],
        end=False,
    )
    return h2, stream


@case("h2", "extended-connect")
def extended(t):
    def inside(connection):
        while data := connection.reader.some():
            connection.send(data)

    h2, stream = connecting(t, inside)
    reply = h2.replies[stream]
    t.check(h2.until(lambda: reply.fields is not None) and reply.status == 200, "expected 200", reply)
    request = t.upstream.requests[0]
    t.equal("the request line", request.start, b"GET /socket HTTP/1.1")
    t.equal("Upgrade", request.get(b"upgrade"), b"websocket")
    t.check(request.get(b"sec-websocket-key"), "Sec-WebSocket-Key, which HTTP/1.1 needs", request.head)
    t.check(not request.all(b"content-length") and not request.coded, "framing in an upgrade", request.head)
    h2.data(stream, b"hello", end=False)
    t.check(h2.until(lambda: bytes(reply.body) == b"hello", 5), "the echo", reply)
    t.check(not reply.get(b"connection") and not reply.get(b"upgrade"), "fields of the connection", reply.fields)


@case("h2", "extended-connect-ends-of-the-client")
def extended_client_end(t):
    ended = threading.Event()

    def inside(connection):
        if connection.ended(8):
            ended.set()
            connection.send(b"still here")

    h2, stream = connecting(t, inside)
    h2.until(lambda: h2.replies[stream].fields is not None)
    h2.data(stream, b"")
    t.check(ended.wait(5), "END_STREAM reaches the shop as the end")
    reply = h2.reply(stream)
    t.check(bytes(reply.body) == b"still here" and reply.ended, "after the client's end", reply)


@case("h2", "extended-connect-refused")
def extended_refused(t):
    t.answers_with(lambda request: ok(b"no", b"", b"403 Forbidden"))
    h2 = t.h2()
    h2.ready()
    if not h2.settings.get(CONNECT_PROTOCOL):
        t.check(False, "SETTINGS_ENABLE_CONNECT_PROTOCOL is not announced", h2.settings)
    stream = h2.request(
        [
            (b":method", b"CONNECT"),
            (b":protocol", b"websocket"),
            (b":scheme", b"https"),
            (b":path", b"/socket"),
            (b":authority", b"shop.test"),
        ],
        end=False,
    )
    reply = h2.replies[stream]
    h2.until(lambda: reply.fields is not None)
    t.equal("status", reply.status, 403)


@case("h2", "websocket-over-tls-http-1.1")
def wss(t):
    def script(connection):
        connection.send(switching(connection.request()))
        connection.send(connection.reader.exactly(5))

    t.script(script)
    client = t.tls()
    answer = client.ask(
        b"GET /s HTTP/1.1\r\nHost: shop.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    t.equal("status", answer.status, 101)
    client.send(b"hello")
    t.equal("the echo", client.reader.exactly(5), b"hello")
