"""Bytes go on when they come: events, long polls, uploads, both ways at once, and nobody's memory in between."""
import threading
import time
import zlib

from harness.cases import add, case
from harness.client import wait_for
from harness.upstream import echo, ok, serving
from harness.wire import Short, Slow

GET = b"GET /stream HTTP/1.1\r\nHost: shop.test\r\n\r\n"
POST = b"POST /stream HTTP/1.1\r\nHost: shop.test\r\n"
H = b"HTTP/1.1 200 OK\r\n"
EVENT = b"data: %d\n\n"
FRAMINGS = {
    "chunked": (H + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
                lambda data: b"%x\r\n%s\r\n" % (len(data), data), b"0\r\n\r\n"),
    "close-delimited": (H + b"Content-Type: text/event-stream\r\n\r\n", lambda data: data, b""),
    "length": (H + b"Content-Type: text/html\r\nContent-Length: %d\r\n\r\n" % (len(EVENT % 0) * 5), lambda data: data, b""),
    "http-1.0": (b"HTTP/1.0 200 OK\r\n\r\n", lambda data: data, b""),
    "gzip-named": (H + b"Content-Encoding: gzip\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n",
                   lambda data: b"%x\r\n%s\r\n" % (len(data), data), b"0\r\n\r\n"),
}


def wait_in(client, mark, patience=5.0):
    """Reads until `mark` has come, wherever it stands between framing."""
    end = client.reader.deadline(patience)
    while mark not in client.reader.taken:
        if not client.reader.more(end):
            raise Short("%s before %r" % (client.reader.end, mark))


for name, (head, frame, last) in FRAMINGS.items():
    def run(t, head=head, frame=frame, last=last):
        """The shop sends the next event only when the client has the one before."""
        seen = [threading.Event() for _ in range(6)]

        def script(connection):
            connection.request()
            connection.send(head)
            for at in range(5):
                if not seen[at].wait(6):
                    return
                connection.send(frame(EVENT % at))
            seen[5].wait(6)
            connection.send(last)

        t.script(script)
        client = t.client()
        client.send(GET)
        wait_in(client, b"\r\n\r\n")
        for at in range(5):
            seen[at].set()
            wait_in(client, EVENT % at)
        seen[5].set()
    add("streaming", "events-" + name, run)


@case("streaming", "single-bytes-come-at-once")
def single(t):
    acknowledged = threading.Semaphore(0)

    def script(connection):
        connection.request()
        connection.send(H + b"Transfer-Encoding: chunked\r\n\r\n")
        for at in range(20):
            connection.send(b"1\r\n%c\r\n" % (97 + at))
            if not acknowledged.acquire(timeout=5):
                return
        connection.send(b"0\r\n\r\n")

    t.script(script)
    client = t.client()
    client.send(GET)
    client.reader.until(b"\r\n\r\n")
    for at in range(20):
        wait_in(client, b"\n%c" % (97 + at))
        acknowledged.release()


@case("streaming", "long-poll")
def long_poll(t):
    t.answers_with(lambda request: time.sleep(2.0) or echo(request))
    t.equal("body", t.client().get("/poll").body, b"GET /poll\n")


@case("streaming", "silence-within-the-limit")
def silence(t):
    def script(connection):
        connection.request()
        connection.send(H + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        time.sleep(2.0)
        connection.send(b"5\r\nworld\r\n0\r\n\r\n")

    t.script(script)
    t.equal("body", t.client().get("/x").body, b"helloworld")


@case("streaming", "slow-download-longer-than-every-limit")
def slow_download(t):
    """A limit is for silence, not for the whole."""
    def script(connection):
        connection.request()
        connection.send(H + b"Content-Length: 10\r\n\r\n")
        for _at in range(10):
            time.sleep(0.45)
            connection.send(b"x")

    t.script(script)
    t.equal("body", t.client().get("/x").body, b"x" * 10)


@case("streaming", "slow-upload-longer-than-every-limit")
def slow_upload(t):
    client = t.client()
    client.send(POST + b"Content-Length: 10\r\n\r\n")
    for _at in range(10):
        time.sleep(0.45)
        client.send(b"x")
    t.equal("body", client.answer().body, b"POST /stream\n" + b"x" * 10)


def upload(t, fields, frame, last):
    """The client sends the next piece only when the shop has the one before."""
    pieces = [threading.Event() for _ in range(6)]

    def script(connection):
        request = connection.request(body=False)
        pieces[0].set()
        for at in range(5):
            while b"piece-%d" % at not in connection.reader.taken:
                if not connection.reader.more(connection.reader.deadline(6)):
                    return
            pieces[at + 1].set()
        request.read_body(connection.reader)
        connection.send(ok(request.body))

    t.script(script)
    client = t.client()
    client.send(POST + fields + b"\r\n")
    for at in range(5):
        t.check(pieces[at].wait(5), "the shop has not got piece %d while the client waits" % (at - 1))
        client.send(frame(b"piece-%d" % at))
    t.check(pieces[5].wait(5), "the shop has not got the last piece")
    client.send(last)
    t.equal("body", client.answer().body, b"".join(b"piece-%d" % at for at in range(5)))


@case("streaming", "upload-with-length")
def upload_length(t):
    upload(t, b"Content-Length: 35\r\n", lambda data: data, b"")


@case("streaming", "upload-in-chunks")
def upload_chunked(t):
    upload(t, b"Transfer-Encoding: chunked\r\n", lambda data: b"%x\r\n%s\r\n" % (len(data), data), b"0\r\n\r\n")


@case("streaming", "full-duplex")
def full_duplex(t):
    """The shop answers each piece of the request before the next one comes."""
    def script(connection):
        connection.request(body=False)
        connection.send(H + b"Transfer-Encoding: chunked\r\n\r\n")
        while (line := connection.reader.until(b"\r\n")) != b"0\r\n":
            data = connection.reader.exactly(int(line, 16))
            connection.reader.exactly(2)
            connection.send(b"%x\r\n%s\r\n" % (len(data), data.upper()))
        connection.reader.exactly(2)
        connection.send(b"0\r\n\r\n")

    t.script(script)
    client = t.client()
    client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
    for word in (b"one", b"two", b"three"):
        client.send(b"%x\r\n%s\r\n" % (len(word), word))
        wait_in(client, word.upper())
    client.send(b"0\r\n\r\n")
    answer = client.answer()
    t.check(answer.clean and answer.body == b"ONETWOTHREE", "the whole", answer, answer.body)


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
    t.check((t.upstream.requests[0].get(b"expect") or b"").lower() == b"100-continue", "Expect at the shop", t.upstream.requests[0].head)


@case("streaming", "expect-refused-by-the-shop")
def expect_refused(t):
    """The shop says no before the body: the client hears it without having sent a byte."""
    expecting(t, lambda connection, request: connection.send(ok(b"no", b"Connection: close\r\n", b"413 Content Too Large")) and False)
    client = t.client()
    client.send(EXPECT)
    answer = client.answer()
    t.equal("1xx", answer.interim, [])
    t.equal("status", answer.status, 413)
    t.probe(2)


@case("streaming", "expect-refused-and-the-connection")
def expect_refused_next(t):
    """After a refusal the body was not sent; the next request on the connection is no body, or the connection ends."""
    expecting(t, lambda connection, request: connection.send(ok(b"no", b"", b"401 Unauthorized"))
              and request.read_body(connection.reader))
    client = t.client()
    client.send(EXPECT)
    t.equal("status", client.answer().status, 401)
    try:
        again = client.get("/again")
        # RFC 9110 §10.1.1: who keeps the connection reads on for the body, and may find none here.
        t.check(again.status == 400 or again.body.startswith(b"GET /again\n"), "the next answer on the connection", again, again.body)
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
    answer = client.ask(b"POST /stream HTTP/1.0\r\nHost: shop.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
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
            connection.send(H + (b"Content-Length: %d\r\n\r\n" % (64 << 20) if framing == "length"
                                 else b"Transfer-Encoding: chunked\r\n\r\n"))
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
        client.send(POST + (b"Content-Length: %d\r\n\r\n" % (64 << 20) if framing == "length"
                            else b"Transfer-Encoding: chunked\r\n\r\n"))
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
