"""Ending: what is under way finishes, nothing new is taken, and it has an end."""

import signal
import time

from harness.cases import case, pause
from harness.client import tls_context, wait_for
from harness.h2 import H2
from harness.upstream import echo
from harness.wire import Slow

ASK = b"GET /x HTTP/1.1\r\nHost: shop.test\r\n\r\n"
OURS = ("refgate",)


def slowly(seconds):
    def respond(request):
        if request.target.startswith(b"/slow"):
            time.sleep(seconds)
        return echo(request)

    return respond


def under_way(t, proxy, count=1, target=b"/slow"):
    """Clients whose requests have reached the shop."""
    clients = [t.client(proxy.plain, patience=15) for _ in range(count)]
    for client in clients:
        client.send(b"GET %s HTTP/1.1\r\nHost: shop.test\r\n\r\n" % target)
    t.check(wait_for(lambda: len(t.upstream.requests) >= count), "the requests at the shop", t.upstream.requests)
    return clients


# -- ending


@case("lifecycle", "drain-lets-requests-finish")
def drain(t):
    t.answers_with(slowly(1.5))
    proxy = t.start_proxy()
    clients = under_way(t, proxy, 3)
    proxy.drain()
    for client in clients:
        answer = client.answer()
        t.check(answer.clean and answer.body == b"GET /slow\n", "expected the whole answer", answer)
        t.check(client.ended(5), "the connection stays open after the last answer")
    t.equal("exit status", proxy.wait(8), 0)


@case("lifecycle", "drain-lets-a-download-finish")
def drain_download(t):
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
        for _at in range(20):
            time.sleep(0.1)
            connection.send(b"x")

    t.script(script)
    proxy = t.start_proxy()
    client = under_way(t, proxy)[0]
    client.reader.until(b"\r\n\r\n")
    proxy.drain()
    t.equal("the rest", client.reader.exactly(20, 8), b"x" * 20)
    t.equal("exit status", proxy.wait(8), 0)


@case("lifecycle", "drain-lets-an-upload-finish")
def drain_upload(t):
    proxy = t.start_proxy()
    client = t.client(proxy.plain)
    client.send(b"POST /up HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 10\r\n\r\n")
    t.check(wait_for(lambda: t.upstream.requests), "the request at the shop")
    proxy.drain()
    for _at in range(10):
        pause(0.1)
        client.send(b"x")
    t.equal("body", client.answer().body, b"POST /up\n" + b"x" * 10)
    t.equal("exit status", proxy.wait(8), 0)


@case("lifecycle", "drain-takes-nothing-new")
def drain_new(t):
    t.answers_with(slowly(2.0))
    proxy = t.start_proxy()
    clients = under_way(t, proxy)
    proxy.drain()

    def refused():
        try:
            client = t.client(proxy.plain, patience=1)
            client.send(ASK)
            return client.ended(0.5) and not client.reader.taken
        except OSError:
            return True
        except Slow:
            return False

    t.check(wait_for(refused, 1.6, 0.05), "a new connection is still served while it drains")
    t.equal("body", clients[0].answer().body, b"GET /slow\n")
    t.equal("exit status", proxy.wait(8), 0)


@case("lifecycle", "drain-ends-idle-connections")
def drain_idle(t):
    proxy = t.start_proxy()
    clients = [t.client(proxy.plain) for _ in range(5)]
    for client in clients:
        t.equal("status", client.get("/x").status, 200)
    proxy.drain()
    for client in clients:
        t.check(client.ended(5), "an idle connection stays open")
    t.equal("exit status", proxy.wait(8), 0)


@case("lifecycle", "drain-ends-silent-connections")
def drain_silent(t):
    """Connections that never asked anything hold nobody up."""
    proxy = t.start_proxy()
    clients = [t.client(proxy.plain) for _ in range(5)]
    t.equal("status", t.client(proxy.plain).get("/x").status, 200)
    proxy.drain()
    t.check(proxy.wait(8) == 0, "expected exit status 0", proxy.process.poll())
    t.check(all(client.ended(2) for client in clients), "a silent connection stays open")


@case("lifecycle", "drain-has-an-end", only=OURS)
def drain_limit(t):
    """An answer without end is cut when `drain` (4 s here) is over."""

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while connection.send(b"1\r\nx\r\n"):
            time.sleep(0.1)

    t.script(script)
    proxy = t.start_proxy()
    client = under_way(t, proxy)[0]
    client.reader.until(b"\r\n\r\n")
    proxy.drain()
    t.check(proxy.wait(10) is not None, "it is still there 10 s after SIGTERM")
    t.check(b"\r\n0\r\n\r\n" not in client.reader.rest(3), "the cut answer has a clean end")


@case("lifecycle", "drain-and-a-tunnel")
def drain_tunnel(t):
    """A tunnel does not keep the process."""

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
        while data := connection.reader.some():
            connection.send(data)

    t.script(script)
    proxy = t.start_proxy()
    client = t.client(proxy.plain)
    t.equal(
        "status",
        client.ask(b"GET / HTTP/1.1\r\nHost: shop.test\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n").status,
        101,
    )
    client.send(b"ping")
    t.equal("the echo", client.reader.exactly(4), b"ping")
    proxy.drain()
    t.check(proxy.wait(10) is not None, "it is still there 10 s after SIGTERM")


@case("lifecycle", "drain-h2-says-goaway")
def drain_h2(t):
    t.need("tls")
    t.answers_with(slowly(1.0))
    proxy = t.start_proxy()
    h2 = H2(t.client(proxy.tls, tls=(tls_context(("h2",)), "shop.test")))
    stream = h2.request(path=b"/slow")
    t.check(wait_for(lambda: t.upstream.requests), "the request at the shop")
    proxy.drain()
    reply = h2.reply(stream)
    t.check(reply.clean and bytes(reply.body) == b"GET /slow\n", "expected the whole answer", reply)
    t.check(h2.gone(5) and h2.goaway in (0, None), "expected GOAWAY", h2.goaway)
    t.equal("exit status", proxy.wait(8), 0)


@case("lifecycle", "sigint-ends-as-sigterm", only=OURS)
def sigint(t):
    t.answers_with(slowly(1.0))
    proxy = t.start_proxy()
    client = under_way(t, proxy)[0]
    proxy.signal(signal.SIGINT)
    t.equal("body", client.answer().body, b"GET /slow\n")
    t.equal("exit status", proxy.wait(8), 0)


@case("lifecycle", "second-sigterm-ends-at-once", only=OURS)
def second_signal(t):
    t.answers_with(slowly(3.0))
    proxy = t.start_proxy()
    under_way(t, proxy)
    proxy.drain()
    pause(0.3)
    t.check(proxy.alive(), "it has ended before the request")
    proxy.drain()
    t.check(proxy.wait(2) is not None, "it is still there")
