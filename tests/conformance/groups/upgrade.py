"""Upgrade: a tunnel of bytes after the shop's 101, and an ordinary answer otherwise."""

import threading
import time
import zlib

from harness.cases import add, case
from harness.client import wait_for
from harness.upstream import echo, ok, serving
from harness.wire import Short

ASK = (
    b"GET /socket HTTP/1.1\r\nHost: shop.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


def tunnel(t, inside, ask=ASK, switch=SWITCH, expect=101):
    """Opens a tunnel; `inside(connection)` is the shop's side of it."""

    def script(connection):
        request = connection.request()
        if request and request.target.startswith(b"/socket"):
            connection.send(switch)
            inside(connection)
        elif request:
            connection.send(echo(request))

    t.script(script)
    client = t.client()
    answer = client.ask(ask)
    t.check(answer.status == expect, "expected %d" % expect, answer)
    return client, answer


def echoing(connection):
    while data := connection.reader.some(15):
        connection.send(data)


@case("upgrade", "websocket")
def websocket(t):
    client, answer = tunnel(t, echoing)
    t.equal("Sec-WebSocket-Accept", answer.get(b"sec-websocket-accept"), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    t.equal("Upgrade", (answer.get(b"upgrade") or b"").lower(), b"websocket")
    t.check(b"upgrade" in (answer.get(b"connection") or b"").lower(), "Connection", answer.head)
    t.check(
        not answer.all(b"content-length") and not answer.all(b"transfer-encoding"), "a 101 with framing", answer.head
    )
    client.send(b"\x81\x05hello\x00\xff")
    t.equal("the echo", client.reader.exactly(9), b"\x81\x05hello\x00\xff")
    request = t.upstream.requests[0]
    t.equal("Upgrade at the shop", (request.get(b"upgrade") or b"").lower(), b"websocket")
    t.check(b"upgrade" in (request.get(b"connection") or b"").lower(), "Connection at the shop", request.head)
    t.equal("Sec-WebSocket-Key", request.get(b"sec-websocket-key"), b"dGhlIHNhbXBsZSBub25jZQ==")


@case("upgrade", "bytes-right-behind-the-101")
def behind(t):
    client, _answer = tunnel(t, echoing, switch=SWITCH + b"\x81\x03now")
    t.equal("the shop's first bytes", client.reader.exactly(5), b"\x81\x03now")


@case("upgrade", "bytes-right-behind-the-request")
def before(t):
    """A client that does not wait: what it sent reaches the shop in the tunnel, or it is refused; never as a request."""
    got = threading.Event()

    def inside(connection):
        if connection.reader.exactly(5) == b"hello":
            got.set()

    try:
        tunnel(t, inside, ask=ASK + b"hello")
    except Short:
        return
    t.check(got.wait(5), "the client's first bytes in the tunnel", t.upstream.received)


@case("upgrade", "half-close-of-the-client-is-kept")
def client_half(t):
    def inside(connection):
        if connection.ended(8):
            connection.send(b"still here")

    client, _answer = tunnel(t, inside)
    client.half_close()
    t.equal("after the client's end", client.reader.exactly(10), b"still here")


@case("upgrade", "half-close-of-the-shop-is-kept")
def shop_half(t):
    got = threading.Event()

    def inside(connection):
        connection.send(b"bye")
        connection.finish()
        if connection.reader.exactly(10) == b"still here":
            got.set()

    client, _answer = tunnel(t, inside)
    t.equal("the shop's last bytes", client.reader.exactly(3), b"bye")
    t.check(client.ended(3), "the shop's end reaches the client")
    client.send(b"still here")
    t.check(got.wait(5), "after the shop's end, the client's bytes")


@case("upgrade", "shop-ends")
def shop_ends(t):
    client, _answer = tunnel(t, lambda connection: connection.send(b"bye"))
    t.equal("all that came", client.reader.rest(5), b"bye")


@case("upgrade", "shop-resets")
def shop_resets(t):
    client, _answer = tunnel(t, lambda connection: connection.reset())
    t.check(client.ended(5), "expected the end of the client's connection")
    t.probe()


for name in ("closes", "resets"):

    def run(t, name=name):
        ended = threading.Event()
        client, _answer = tunnel(t, lambda connection: connection.ended(8) and ended.set())
        client.close() if name == "closes" else client.reset()
        t.check(ended.wait(5), "expected the end of the shop's connection")
        t.probe()

    add("upgrade", "client-" + name, run)


@case("upgrade", "silence-shorter-than-the-idle-limit")
def silent_short(t):
    """A tunnel's limit is its own: longer than that of a body (3 s here; 6 s for a tunnel)."""
    client, _answer = tunnel(t, echoing)
    time.sleep(4.2)
    client.send(b"ping")
    t.equal("the echo", client.reader.exactly(4, 3), b"ping")


@case("upgrade", "silence-longer-than-the-idle-limit")
def silent_long(t):
    client, _answer = tunnel(t, echoing)
    t.check(client.ended(11), "expected the end of a silent tunnel")


@case("upgrade", "one-way-traffic-keeps-it-open")
def one_way(t):
    def inside(connection):
        for _at in range(8):
            time.sleep(1)
            connection.send(b"x")

    client, _answer = tunnel(t, inside)
    t.equal("what came in 8 s", client.reader.exactly(8, 12), b"x" * 8)


REFUSALS = (
    ("200", b"200 OK"),
    ("400", b"400 Bad Request"),
    ("403", b"403 Forbidden"),
    ("426", b"426 Upgrade Required"),
    ("503", b"503 Busy"),
)
for name, status in REFUSALS:

    def run(t, status=status):
        """The shop does not switch: an ordinary answer, and an ordinary connection after it."""

        def script(connection):
            while request := connection.request():
                connection.send(ok(b"no", b"", status) if request.target == b"/socket" else echo(request))

        t.script(script)
        client = t.client()
        answer = client.ask(ASK)
        t.equal("status", answer.status, int(status[:3]))
        t.equal("body", answer.body, b"no")
        try:
            again = client.get("/again", b"X: 1\r\n")
        except Short:
            return
        t.equal("the next answer", again.body, b"GET /again\n")
        t.check(
            t.upstream.requests[-1].get(b"x-forwarded-for"),
            "the next request was tunnelled, not proxied",
            t.upstream.requests[-1].head,
        )

    add("upgrade", "refused-with-" + name, run)


@case("upgrade", "other-protocol")
def other(t):
    ask = b"GET /socket HTTP/1.1\r\nHost: shop.test\r\nUpgrade: x-own/2\r\nConnection: upgrade\r\n\r\n"
    client, answer = tunnel(
        t, echoing, ask, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x-own/2\r\nConnection: Upgrade\r\n\r\n"
    )
    t.equal("Upgrade", answer.get(b"upgrade"), b"x-own/2")
    client.send(b"hello")
    t.equal("the echo", client.reader.exactly(5), b"hello")


@case("upgrade", "mixed-case-and-lists")
def mixed(t):
    ask = (
        b"GET /socket HTTP/1.1\r\nHost: shop.test\r\nupgrade: WebSocket\r\nConnection: keep-alive, uPgRaDe\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    client, _answer = tunnel(t, echoing, ask)
    client.send(b"hello")
    t.equal("the echo", client.reader.exactly(5), b"hello")


@case("upgrade", "several-connection-lines")
def several(t):
    client, _answer = tunnel(
        t, echoing, ASK.replace(b"Connection: Upgrade", b"Connection: keep-alive\r\nConnection: Upgrade")
    )
    client.send(b"hello")
    t.equal("the echo", client.reader.exactly(5), b"hello")


@case("upgrade", "late-101")
def late(t):
    def script(connection):
        connection.request()
        time.sleep(1.5)
        connection.send(SWITCH)
        echoing(connection)

    t.script(script)
    client = t.client()
    t.equal("status", client.ask(ASK).status, 101)
    client.send(b"hello")
    t.equal("the echo", client.reader.exactly(5), b"hello")


@case("upgrade", "103-before-101")
def hints(t):
    client, _answer = tunnel(t, echoing, switch=b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + SWITCH)
    client.send(b"hello")
    t.equal("the echo", client.reader.exactly(5), b"hello")


@case("upgrade", "http-1.0-cannot")
def http_1_0(t):
    """RFC 9110 §7.8: an upgrade in HTTP/1.0 is ignored."""

    def script(connection):
        request = connection.request()
        connection.send(SWITCH if request.get(b"upgrade") else ok(b"plain"))
        connection.hold(3)

    t.script(script)
    client = t.client()
    answer = client.ask(ASK.replace(b"HTTP/1.1", b"HTTP/1.0"))
    t.check(answer.status != 101, "a tunnel for HTTP/1.0", answer)


@case("upgrade", "h2c-opens-no-tunnel")
def h2c(t):
    """The classic way round a proxy's rules: `Upgrade: h2c` is not passed on, so nobody switches."""

    def script(connection):
        request = connection.request()
        if b"h2c" in (request.get(b"upgrade") or b""):
            connection.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
            connection.hold(3)
        else:
            connection.send(ok(b"plain"))

    t.script(script)
    answer = t.client().ask(
        b"GET /socket HTTP/1.1\r\nHost: shop.test\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
    )
    t.check(answer.status != 101, "an h2c tunnel was opened", answer)
    t.check(all(b"h2c" not in request.head for request in t.upstream.requests), "h2c at the shop", t.upstream.received)


@case("upgrade", "bad-version-then-a-hidden-request")
def hidden(t):
    """A proxy that believes in a tunnel which the shop refused would pass the second request unseen."""

    def script(connection):
        while request := connection.request():
            connection.send(
                ok(b"no", b"Sec-WebSocket-Version: 13\r\n", b"426 Upgrade Required")
                if request.get(b"upgrade")
                else echo(request)
            )

    t.script(script)
    client = t.client()
    client.send(ASK.replace(b"Version: 13", b"Version: 777") + b"GET /hidden HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    t.equal("status", client.answer().status, 426)
    try:
        client.answer(patience=3)
    except Short:
        return
    request = t.upstream.requests[-1]
    t.check(
        request.target == b"/hidden" and request.get(b"x-forwarded-for"),
        "the second request must be proxied",
        request.head,
    )


def much(count):
    block = bytes(at * 11 % 253 for at in range(65536))
    crc = 0
    for _ in range(count):
        crc = zlib.crc32(block, crc)
    return block, crc


def read_much(reader, count):
    crc, total, reader.keep = 0, 0, False
    while total < count * 65536 and (data := reader.some()):
        crc, total = zlib.crc32(data, crc), total + len(data)
    return crc


@case("upgrade", "16-mib-both-ways-at-once")
def both_ways(t):
    block, crc = much(256)
    found = []

    def inside(connection):
        sender = threading.Thread(target=lambda: [connection.send(block) for _ in range(256)])
        sender.start()
        found.append(read_much(connection.reader, 256))
        sender.join()
        connection.ended(5)

    client, _answer = tunnel(t, inside)
    sender = threading.Thread(target=lambda: [client.send(block, 30) for _ in range(256)])
    sender.start()
    t.equal("what the client got", read_much(client.reader, 256), crc)
    sender.join()
    t.check(wait_for(lambda: found, 10), "what the shop got")
    t.equal("what the shop got", found[0], crc)


@case("upgrade", "500-small-messages")
def ping_pong(t):
    client, _answer = tunnel(t, echoing)
    for at in range(500):
        client.send(b"%06d" % at)
        t.equal("the echo", client.reader.exactly(6), b"%06d" % at)


@case("upgrade", "50-tunnels-at-once")
def many(t):
    def script(connection):
        connection.request()
        connection.send(SWITCH)
        echoing(connection)

    t.script(script)
    clients = [t.client() for _ in range(50)]
    for client in clients:
        t.equal("status", client.ask(ASK).status, 101)
    for at, client in enumerate(clients):
        client.send(b"%06d" % at)
    for at, client in enumerate(clients):
        t.equal("the echo", client.reader.exactly(6), b"%06d" % at)
    t.script(serving())
    t.probe()


@case("upgrade", "connect-is-refused")
def connect(t):
    """A reverse proxy is nobody's way to anywhere."""
    client = t.client()
    client.send(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (t.upstream.port, t.upstream.port))
    answer = client.answer()
    t.check(400 <= answer.status < 600, "expected a refusal", answer)
    t.equal("what the shop got", t.upstream.received, b"")
