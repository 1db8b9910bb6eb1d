"""Much at once and for long: nothing leaks, nothing grows, nobody gets another's answer."""

import random
import threading
import time

from harness.cases import case, pause
from harness.client import wait_for
from harness.upstream import echo, ok
from harness.wire import Short, Slow

MIB = 1 << 20
H = b"HTTP/1.1 200 OK\r\n"


def crowd(count, work):
    """`work(number)` in `count` threads; the first trouble of any."""
    trouble = []

    def run(number):
        try:
            work(number)
        except Exception as error:
            trouble.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if trouble:
        raise trouble[0]


def expected(t, client, target, **options):
    answer = client.get(target, **options)
    t.check(
        answer.clean and answer.body.startswith(b"%s %s\n" % (options.get("method", "GET").encode(), target.encode())),
        "%s got another's answer" % target,
        answer,
        answer.body[:100],
    )


def settled(proxy, before, slack=8):
    """Whether the descriptors come back to what they were."""
    return wait_for(lambda: proxy.descriptors() <= before + slack, 15, 0.2)


@case("load", "20000-requests-leak-no-descriptor", alone=True)
def descriptors(t):
    t.upstream.keep = False
    t.probe(2)
    before, memory = t.proxy.descriptors(), t.proxy.memory()

    def work(number):
        client = t.client(patience=30)
        client.reader.keep = False
        for at in range(2500):
            expected(t, client, "/%d/%d" % (number, at))
        client.close()

    try:
        crowd(8, work)
    finally:
        t.upstream.keep = True
    t.upstream.end()
    t.check(settled(t.proxy, before), "descriptors: %d before, %d after" % (before, t.proxy.descriptors()))
    grown = t.proxy.memory() - memory
    t.check(grown < 48 * MIB, "it grew by %d MiB" % (grown // MIB))


@case("load", "3000-connections-leak-no-descriptor", alone=True)
def connections(t):
    t.probe(2)
    before = t.proxy.descriptors()

    def work(number):
        for at in range(375):
            client = t.client(patience=20)
            expected(t, client, "/%d/%d" % (number, at), fields=b"Connection: close\r\n")
            client.close()

    crowd(8, work)
    t.upstream.end()
    t.check(settled(t.proxy, before), "descriptors: %d before, %d after" % (before, t.proxy.descriptors()))


@case("load", "1000-aborts-leak-nothing", alone=True)
def aborts(t):
    """Clients that leave at any point of an exchange."""
    t.answers_with(lambda request: ok(b"x" * 200000))
    t.client().get("/x")
    t.upstream.end()
    before = t.proxy.descriptors()
    sent = b"POST /x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 100\r\n\r\n" + b"x" * 100

    def work(number):
        chance = random.Random(number)
        for _at in range(125):
            client = t.client(patience=20)
            client.send(sent[: chance.randrange(len(sent) * 2)])
            if chance.random() < 0.5:
                try:
                    client.reader.more(time.monotonic() + chance.random() * 0.02)
                except Slow:
                    pass
            client.reset() if chance.random() < 0.5 else client.close()

    crowd(8, work)
    pause(0.5)
    t.upstream.begin()
    t.check(settled(t.proxy, before), "descriptors: %d before, %d after" % (before, t.proxy.descriptors()))
    t.probe(3)


@case("load", "2000-idle-connections", alone=True)
def idle(t):
    memory = t.proxy.memory()
    clients = [t.client() for _ in range(2000)]
    for client in clients[:200]:
        expected(t, client, "/warm")
    t.probe(5)
    grown = t.proxy.memory() - memory
    t.check(grown < 100 * MIB, "2,000 idle connections cost %d MiB" % (grown // MIB))
    alive = sum(1 for client in clients[::100] if not client.reader.end)
    t.check(alive, "none was kept")


@case("load", "500-mib-to-a-slow-client", alone=True)
def slow_client(t):
    """It reads with long pauses; what waits for it waits at the shop."""
    total, block = 500 * MIB, b"0123456789abcdef" * 65536

    def script(connection):
        connection.request()
        connection.send(H + b"Content-Length: %d\r\n\r\n" % total)
        for _ in range(total // len(block)):
            if not connection.send(block):
                return

    t.probe(2)
    memory, most = t.proxy.memory(), 0
    t.upstream.begin(script)
    client = t.client(patience=30, receive_buffer=262144)
    client.reader.keep = False
    client.send(b"GET /x HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    client.reader.until(b"\r\n\r\n")
    got = 0
    while got < total:
        piece = client.reader.some()
        t.check(piece, "cut after %d MiB" % (got // MIB))
        if got % (50 * MIB) + len(piece) >= 50 * MIB:
            pause(0.5)
            most = max(most, t.proxy.memory() - memory)
        got += len(piece)
    t.equal("bytes", got, total)
    t.check(most < 32 * MIB, "it grew by %d MiB" % (most // MIB))


@case("load", "200-mib-to-a-slow-shop", alone=True)
def slow_shop(t):
    total, block = 200 * MIB, b"0123456789abcdef" * 65536

    def script(connection):
        connection.request(body=False)
        connection.reader.keep = False
        got = 0
        while got < total and (piece := connection.reader.some()):
            if got % (40 * MIB) + len(piece) >= 40 * MIB:
                pause(0.5)
            got += len(piece)
        connection.send(ok(b"%d" % got))

    t.probe(2)
    memory, most = t.proxy.memory(), 0
    t.upstream.begin(script)
    client = t.client(patience=30)
    client.send(b"POST /x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: %d\r\n\r\n" % total)
    for at in range(total // len(block)):
        t.check(client.send(block, 30), "cut after %d MiB" % at)
        if at % 20 == 0:
            most = max(most, t.proxy.memory() - memory)
    t.equal("bytes at the shop", client.answer().body, b"%d" % total)
    t.check(most < 32 * MIB, "it grew by %d MiB" % (most // MIB))


@case("load", "200-slow-requests-at-once", alone=True)
def slow_requests(t):
    """They wait side by side, not one after the other."""
    t.answers_with(lambda request: time.sleep(1.0) or echo(request))
    began = time.monotonic()
    clients = [t.client(patience=20) for _ in range(200)]
    for at, client in enumerate(clients):
        client.send(b"GET /%d HTTP/1.1\r\nHost: shop.test\r\n\r\n" % at)
    for at, client in enumerate(clients):
        t.equal("body", client.answer().body, b"GET /%d\n" % at)
    t.check(time.monotonic() - began < 15, "it took %d s" % (time.monotonic() - began))


@case("load", "50-downloads-of-4-mib-at-once", alone=True)
def downloads(t):
    t.answers_with(lambda request: ok(bytes((int(request.target[1:]) % 256,)) * (4 * MIB)))

    def work(number):
        answer = t.client(patience=30).get("/%d" % number)
        t.check(
            answer.clean and answer.body == bytes((number % 256,)) * (4 * MIB),
            "another's body",
            answer,
            answer.body[:8],
        )

    crowd(50, work)


@case("load", "50-uploads-of-2-mib-at-once", alone=True)
def uploads(t):
    t.answers_with(lambda request: ok(b"%d %d" % (len(request.body), request.body[0])))

    def work(number):
        body = bytes((number,)) * (2 * MIB)
        answer = t.client(patience=30).ask(
            b"POST /x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        t.equal("body", answer.body, b"%d %d" % (2 * MIB, number))

    crowd(50, work)


@case("load", "1000-connections-in-a-burst", alone=True)
def burst(t):
    clients = [t.client(patience=20) for _ in range(1000)]
    for at, client in enumerate(clients):
        client.send(b"GET /%d HTTP/1.1\r\nHost: shop.test\r\n\r\n" % at)
    for at, client in enumerate(clients):
        t.equal("body", client.answer().body, b"GET /%d\n" % at)


@case("load", "1000-pipelined-requests", alone=True)
def pipelined(t):
    client = t.client(patience=20)
    sender = threading.Thread(
        target=lambda: client.send(
            b"".join(b"GET /%d HTTP/1.1\r\nHost: shop.test\r\n\r\n" % at for at in range(1000)), 20
        )
    )
    sender.start()
    for at in range(1000):
        t.equal("body", client.answer().body, b"GET /%d\n" % at)
    sender.join()


@case("load", "connections-to-the-shop-are-used-again", alone=True)
def reuse(t):
    client = t.client()
    for at in range(200):
        expected(t, client, "/%d" % at)
    t.check(
        len(t.upstream.connections) <= 5,
        "200 requests, one after the other, took %d connections" % len(t.upstream.connections),
    )


@case("load", "errors-and-successes-mixed", alone=True)
def mixed(t):
    """Broken answers in between: everybody gets their own, or an error."""

    def script(connection):
        while (request := connection.request()) and request.complete:
            kind = int(request.target.rpartition(b"/")[2]) % 7
            if kind == 3:
                return
            if kind == 5:
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
                return
            if kind == 6:
                connection.send(echo(request) + b"extra bytes")
                continue
            connection.send(echo(request))

    t.script(script)

    def work(number):
        client = t.client(patience=20)
        for at in range(150):
            target = "/%d/%d" % (number, at)
            try:
                answer = client.get(target, method="GET" if at % 2 else "POST", fields=b"Content-Length: 0\r\n")
                if answer.clean and answer.status == 200:
                    t.check(answer.body.split()[1] == target.encode(), "another's answer", target, answer.body)
                if not answer.clean:
                    raise Short("cut")
            except Short:
                client = t.client(patience=20)

    crowd(8, work)


@case("load", "h2-4000-requests", alone=True)
def h2_requests(t):
    t.need("tls")
    t.probe(2)
    before = t.proxy.descriptors()

    def work(number):
        h2 = t.h2()
        h2.client.reader.patience, h2.client.reader.keep = 30, False
        h2.ready()
        for at in range(0, 1000, 50):
            streams = [(h2.request(path=b"/%d/%d" % (number, at + n)), at + n) for n in range(50)]
            for stream, n in streams:
                reply = h2.reply(stream, 30)
                t.check(
                    reply.clean and bytes(reply.body) == b"GET /%d/%d\n" % (number, n),
                    "another's answer",
                    reply,
                    bytes(reply.body),
                )
        h2.close()

    crowd(4, work)
    t.upstream.end()
    t.check(settled(t.proxy, before), "descriptors: %d before, %d after" % (before, t.proxy.descriptors()))


@case("load", "h2-100-mib-to-a-slow-client", alone=True)
def h2_slow(t):
    t.need("tls")
    t.answers_with(lambda request: ok(b"x" * (100 * MIB)))
    h2 = t.h2()
    h2.client.reader.keep = False
    memory, most, at = t.proxy.memory(), 0, 0
    stream = h2.request(path=b"/x")
    reply = h2.replies[stream]
    while not reply.ended:
        t.check(h2.read(20) is not None and reply.reset is None, "cut", reply)
        if len(reply.body) // (20 * MIB) > at:
            at += 1
            pause(0.4)
            most = max(most, t.proxy.memory() - memory)
    t.equal("bytes", len(reply.body), 100 * MIB)
    t.check(most < 48 * MIB, "it grew by %d MiB" % (most // MIB))
