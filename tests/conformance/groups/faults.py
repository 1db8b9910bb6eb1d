"""Networks and peers that fail: nobody there, nobody answering, slow, half-open."""

import socket
import time

from harness.cases import add, case, pause
from harness.client import wait_for
from harness.proxies import free_ports
from harness.upstream import Upstream, echo, ok
from harness.wire import Short, Slow

GET = b"GET /x HTTP/1.1\r\nHost: shop.test\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: shop.test\r\n"


# -- the shop is away


@case("faults", "shop-refuses-connections")
def refuses(t):
    proxy = t.start_proxy(upstream=free_ports(1)[0])
    for method in ("GET", "POST"):
        answer = t.client(proxy.plain).get("/x", b"Content-Length: 0\r\n", method=method)
        t.check(answer.clean and answer.status in (502, 503), "expected 502", answer)


@case("faults", "shop-comes-back")
def comes_back(t):
    """502 while it is away, and the next request after it is there again is served."""
    port = free_ports(1)[0]
    proxy = t.start_proxy(upstream=port)
    client = t.client(proxy.plain)
    t.check(client.get("/x").status in (502, 503), "expected 502")
    shop = Upstream(port)
    try:
        answer = None
        for _time in range(30):
            answer = t.client(proxy.plain).get("/x")
            if answer.status == 200:
                break
            pause(0.1)
        t.check(answer.status == 200, "expected 200 once the shop is there", answer)
    finally:
        shop.close()


@case("faults", "shop-goes-and-comes-back")
def goes(t):
    """Restarting a shop: its old connections are dead, and nobody gets one."""
    port = free_ports(1)[0]
    shop = Upstream(port)
    proxy = t.start_proxy(upstream=port)
    clients = [t.client(proxy.plain) for _ in range(5)]
    for client in clients:
        t.equal("status", client.get("/x").status, 200)
    shop.close()
    t.check(t.client(proxy.plain).get("/x").status in (502, 503), "expected 502")
    shop = Upstream(port)
    try:
        wait_for(lambda: t.client(proxy.plain).get("/x").status == 200, 3, 0.1)
        for method in ("GET", "POST") * 3:
            answer = t.client(proxy.plain).get("/x", b"Content-Length: 0\r\n", method=method)
            t.equal("status of %s" % method, answer.status, 200)
    finally:
        shop.close()


@case("faults", "shop-does-not-accept")
def backlog(t):
    """Its queue is full, so that a connection is never made: 504 (or 502) within the limit."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    held = []
    for _at in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
        held.append(sock)
    pause(0.1)
    try:
        proxy = t.start_proxy(upstream=listener.getsockname()[1])
        began = time.monotonic()
        answer = t.client(proxy.plain, patience=15).get("/x")
        t.check(answer.status in (502, 503, 504), "expected 504", answer)
        t.check(time.monotonic() - began < 12, "it took %d s" % (time.monotonic() - began))
    finally:
        for sock in held + [listener]:
            sock.close()


@case("faults", "shop-does-not-read-and-not-answer")
def no_read(t):
    t.script(lambda connection: connection.hold(12))
    client = t.client(patience=15)
    client.send(POST + b"Content-Length: 20000000\r\n\r\n" + b"x" * 1000000)
    answers, end = client.answers(patience=12)
    t.check(
        [answer.status in (408, 502, 504) for answer in answers] == [True] or not answers and end != "open",
        "expected 504",
        answers,
        end,
    )


# -- slow clients


def ends(t, client, within, text):
    began = time.monotonic()
    t.check(client.ended(within), "expected the end of %s within %d s" % (text, within))
    return time.monotonic() - began


@case("faults", "slow-head-stops")
def slow_head(t):
    client = t.client()
    client.send(GET + b"X: 1\r\n")
    ends(t, client, 8, "a head that stopped")
    answer = bytes(client.reader.buffer)
    t.check(not answer or answer.startswith((b"HTTP/1.1 408", b"HTTP/1.1 400")), "expected 408 or nothing", answer)
    t.equal("what the shop got", t.upstream.received, b"")


@case("faults", "slow-head-drips")
def slow_head_drips(t):
    """A byte now and then must not keep a head open for ever."""
    client = t.client()
    client.send(GET + b"X: ")
    end = time.monotonic() + 12
    while time.monotonic() < end:
        try:
            client.reader.more(time.monotonic() + 0.4)
        except Slow:
            pass
        if client.reader.end or client.reader.buffer or not client.send(b"x"):
            return
    t.check(False, "a head that drips was still awaited after 12 s")


@case("faults", "slow-body-stops")
def slow_body(t):
    client = t.client()
    client.send(POST + b"Content-Length: 10\r\n\r\nhello")
    ends(t, client, 8, "a body that stopped")
    t.check(
        all(not request.complete for request in t.upstream.requests),
        "a cut body must not look whole",
        t.upstream.requests,
    )
    t.check(
        wait_for(lambda: all(one.reader.end or one.over for one in t.upstream.connections), 3),
        "the shop's connection stays",
    )


@case("faults", "slow-chunk-stops")
def slow_chunk(t):
    client = t.client()
    client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    ends(t, client, 8, "chunks that stopped")
    t.check(
        all(not request.complete for request in t.upstream.requests),
        "a cut body must not look whole",
        t.upstream.requests,
    )


@case("faults", "connection-without-a-byte")
def silent(t):
    ends(t, t.client(), 15, "a connection that never said anything")


@case("faults", "idle-kept-alive-connection-ends")
def idle(t):
    client = t.client()
    client.get("/x")
    took = ends(t, client, 16, "an idle connection")
    t.check(took > 2, "kept alive for %.1f s only" % took)


@case("faults", "client-takes-nothing")
def takes_nothing(t):
    """A client that stops reading is given up, and with it the shop's connection."""
    gone = []

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        while connection.send(b"x" * 65536):
            pass
        gone.append(1)

    t.script(script)
    client = t.client(receive_buffer=4096)
    client.send(GET + b"\r\n")
    t.check(wait_for(lambda: gone, 18), "the shop is still sending to a client that takes nothing")
    client.close()


@case("faults", "client-takes-little")
def takes_little(t):
    """Slow is not dead: whoever takes something now and then gets it all."""
    t.answers_with(lambda request: ok(b"x" * 3000000))
    client = t.client(receive_buffer=65536)
    client.reader.keep = False
    client.send(GET + b"\r\n")
    client.reader.until(b"\r\n\r\n")
    got = 0
    for _at in range(10):
        pause(0.5)
        got += len(client.reader.exactly(20000))
    got += len(client.reader.exactly(3000000 - got))
    t.equal("bytes", got, 3000000)


for name, data in (
    ("in-the-request-line", b"GET /x HT"),
    ("in-the-head", GET + b"X: 1"),
    ("in-the-body", POST + b"Content-Length: 10\r\n\r\nhel"),
    ("after-the-request", GET + b"\r\n"),
):
    for how in ("closes", "resets"):

        def run(t, data=data, how=how):
            for _at in range(5):
                client = t.client()
                client.send(data)
                pause(0.01)
                client.close() if how == "closes" else client.reset()
            t.probe(2)

        add("faults", "client-%s-%s" % (how, name), run)


@case("faults", "client-half-closes-after-its-request")
def half_close(t):
    """RFC 9112 §9.6 leaves it open: the whole answer, or an end; but no wrong one, and nothing is left over."""
    t.answers_with(lambda request: time.sleep(0.2) or echo(request))
    client = t.client()
    client.send(GET + b"\r\n")
    client.half_close()
    try:
        answer = client.answer()
        t.check(answer.clean and (answer.status >= 400 or answer.body == b"GET /x\n"), "a whole answer or none", answer)
    except Short:
        pass
    t.check(client.ended(5), "the connection stays open")
    t.probe()


@case("faults", "200-half-open-connections")
def half_open(t):
    """Heads that never end, many at once, and everybody else is served."""
    clients = [t.client() for _ in range(200)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: sh")
    t.probe(3)


# -- no files left


@case("faults", "out-of-descriptors", only=("refgate",))
def out_of_files(t):
    """More connections than the system allows files: it waits, and serves again when they are gone."""
    proxy = t.start_proxy(prefix=["prlimit", "--nofile=96"])
    t.equal("status", t.client(proxy.plain).get("/x").status, 200)
    pause(0.5)  # its first listener answers while the last thread may still be starting
    clients = []
    for _at in range(150):
        try:
            clients.append(t.client(proxy.plain, patience=2))
        except OSError:
            break
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: sh")
    pause(0.3)
    for client in clients:
        client.close()
    t.check(proxy.alive(), "it has ended", proxy.log()[-300:])

    def served():
        try:
            return t.client(proxy.plain, patience=3).get("/x").status == 200
        except (Short, Slow, OSError):
            return False

    t.check(wait_for(served, 10, 0.2), "it does not serve again")
