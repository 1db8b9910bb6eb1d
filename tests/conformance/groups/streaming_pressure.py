"""Who goes away is noticed, who does not read holds up the other side, and much arrives whole."""

import threading
import time
import zlib

from groups.streaming import GET, POST, H, wait_in
from harness.cases import add, case
from harness.client import wait_for
from harness.upstream import echo, ok, serving
from harness.wire import Short, Slow

# -- going away


@case("streaming", "abort-while-waiting-cancels")
def abort_waiting(t):
    """The client goes away before the head: the shop hears of it."""

    def script(connection):
        connection.request()
        connection.ended(8.0)

    t.script(script)
    client = t.client()
    client.send(GET)
    t.check(wait_for(lambda: t.upstream.requests), "the request at the shop")
    client.close()
    t.check(wait_for(lambda: t.upstream.connections[0].reader.end, 2.5), "expected the end of the shop's connection")
    t.script(serving())
    t.probe()


@case("streaming", "abort-in-a-download-cancels")
def abort_download(t):
    stopped = threading.Event()

    def script(connection):
        connection.request()
        connection.send(H + b"Transfer-Encoding: chunked\r\n\r\n")
        while connection.send(b"5\r\nhello\r\n"):
            time.sleep(0.02)
        stopped.set()

    t.script(script)
    client = t.client()
    client.send(GET)
    wait_in(client, b"hello")
    client.close()
    t.check(stopped.wait(5), "the shop is still sending to nobody")


@case("streaming", "abort-by-reset-cancels")
def abort_reset(t):
    def script(connection):
        connection.request()
        connection.send(H + b"Content-Length: 100\r\n\r\nhello")
        connection.ended(8.0)

    t.script(script)
    client = t.client()
    client.send(GET)
    wait_in(client, b"hello")
    client.reset()
    t.check(wait_for(lambda: t.upstream.connections[0].reader.end, 2.5), "expected the end of the shop's connection")


@case("streaming", "shop-goes-away-in-an-upload")
def shop_leaves(t):
    def script(connection):
        request = connection.request(body=False)
        connection.reader.exactly(1000)
        connection.reset() if request.target == b"/stream" else connection.send(echo(request))

    t.script(script)
    client = t.client()
    client.send(POST + b"Content-Length: 50000000\r\n\r\n" + b"x" * 1000)
    end = time.monotonic() + 5
    while client.send(b"x" * 65536) and time.monotonic() < end and not client.reader.end:
        time.sleep(0.005)
        try:
            client.reader.more(client.reader.deadline(0.001))
            if b"\r\n\r\n" in client.reader.buffer:
                break
        except Slow:
            pass
    try:
        answer = client.answer(patience=3)
        t.check(answer.status in (502, 503, 504), "expected 502", answer)
    except Short:
        pass


# -- pressure


def blocked(t, send, most):
    """How much `send` takes before it takes nothing for half a second."""
    sent, last = 0, time.monotonic()
    while sent < most and time.monotonic() - last < 0.5:
        count = send()
        if count:
            sent, last = sent + count, time.monotonic()
        else:
            time.sleep(0.01)
    t.check(sent < most, "%d MiB were taken and nobody reads them" % (sent >> 20))


def trickle(sock):
    piece = b"x" * 65536

    def send():
        try:
            return sock.send(piece)
        except BlockingIOError:
            return 0

    sock.setblocking(False)
    return send


@case("streaming", "pressure-of-a-client-that-does-not-read")
def pressure_down(t):
    done = threading.Event()
    trouble = []

    def script(connection):
        connection.request()
        connection.send(H + b"Content-Length: 1000000000\r\n\r\n")
        try:
            blocked(t, trickle(connection.sock), 48 << 20)
        except Exception as error:
            trouble.append(error)
        done.set()

    t.script(script)
    client = t.client(receive_buffer=65536)
    client.send(GET)
    t.check(done.wait(12), "the shop never stopped")
    if trouble:
        raise trouble[0]
    client.close()
    t.script(serving())
    t.probe()


@case("streaming", "pressure-of-a-shop-that-does-not-read")
def pressure_up(t):
    def script(connection):
        connection.request(body=False)
        connection.hold(10)

    t.script(script)
    client = t.client()
    client.send(POST + b"Content-Length: 1000000000\r\n\r\n")
    t.check(wait_for(lambda: t.upstream.requests), "the request at the shop")
    try:
        blocked(t, trickle(client.sock), 48 << 20)
    except OSError:
        pass


# -- much


def large(size, piece=1 << 16):
    """(pieces, crc) of a body that is not all the same."""
    block = bytes(at * 7 % 251 for at in range(piece))
    crc, count = 0, size // piece
    for _ in range(count):
        crc = zlib.crc32(block, crc)
    return block, count, crc


def read_crc(client, chunked):
    crc, total = 0, 0
    client.reader.keep = False
    if not chunked:
        while data := client.reader.some():
            crc, total = zlib.crc32(data, crc), total + len(data)
            if total >= 64 << 20:
                break
        return crc, total
    while count := int(client.reader.until(b"\r\n").split(b";")[0], 16):
        crc, total = zlib.crc32(client.reader.exactly(count), crc), total + count
        client.reader.exactly(2)
    return crc, total


for framing in ("length", "chunked"):

    def run(t, framing=framing):
        block, count, crc = large(64 << 20)

        def script(connection):
            connection.request()
            connection.send(
                H
                + (
                    b"Content-Length: %d\r\n\r\n" % (64 << 20)
                    if framing == "length"
                    else b"Transfer-Encoding: chunked\r\n\r\n"
                )
            )
            for _ in range(count):
                connection.send(block if framing == "length" else b"%x\r\n%s\r\n" % (len(block), block))
            if framing == "chunked":
                connection.send(b"0\r\n\r\n")

        t.script(script)
        client = t.client(patience=30)
        client.send(GET)
        client.reader.until(b"\r\n\r\n")
        t.equal("crc and length", read_crc(client, framing == "chunked"), (crc, 64 << 20))

    add("streaming", "download-of-64-mib-" + framing, run)

    def run_up(t, framing=framing):
        block, count, crc = large(64 << 20)

        def script(connection):
            request = connection.request(body=False)
            connection.reader.keep = False
            if request.coded:
                found, total = read_crc(connection, True)
                connection.reader.until(b"\r\n")
            else:
                found, total = 0, 0
                while total < 64 << 20 and (data := connection.reader.some()):
                    found, total = zlib.crc32(data, found), total + len(data)
            connection.send(ok(b"%d %d" % (found, total)))

        t.script(script)
        client = t.client(patience=30)
        client.send(
            POST
            + (
                b"Content-Length: %d\r\n\r\n" % (64 << 20)
                if framing == "length"
                else b"Transfer-Encoding: chunked\r\n\r\n"
            )
        )
        for _ in range(count):
            client.send(block if framing == "length" else b"%x\r\n%s\r\n" % (len(block), block), 30)
        if framing == "chunked":
            client.send(b"0\r\n\r\n")
        t.equal("crc and length at the shop", client.answer().body, b"%d %d" % (crc, 64 << 20))

    add("streaming", "upload-of-64-mib-" + framing, run_up)


@case("streaming", "20-streams-at-once")
def streams(t):
    """Each gets its own events, and they go on while others are silent."""
    go = threading.Event()

    def script(connection):
        request = connection.request()
        connection.send(H + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(request.target), request.target))
        go.wait(8)
        connection.send(b"4\r\ndone\r\n0\r\n\r\n")

    t.script(script)
    clients = [t.client() for _ in range(20)]
    for at, client in enumerate(clients):
        client.send(b"GET /stream-%02d HTTP/1.1\r\nHost: shop.test\r\n\r\n" % at)
    for at, client in enumerate(clients):
        wait_in(client, b"/stream-%02d" % at)
    go.set()
    for at, client in enumerate(clients):
        t.equal("body", client.answer().body, b"/stream-%02ddone" % at)
