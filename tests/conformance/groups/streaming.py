"""Bytes go on when they come: events, long polls, uploads, both ways at once."""

import threading
import time

from harness.cases import add, case
from harness.upstream import echo, ok
from harness.wire import Short

GET = b"GET /stream HTTP/1.1\r\nHost: shop.test\r\n\r\n"
POST = b"POST /stream HTTP/1.1\r\nHost: shop.test\r\n"
H = b"HTTP/1.1 200 OK\r\n"
EVENT = b"data: %d\n\n"
FRAMINGS = {
    "chunked": (
        H + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        lambda data: b"%x\r\n%s\r\n" % (len(data), data),
        b"0\r\n\r\n",
    ),
    "close-delimited": (H + b"Content-Type: text/event-stream\r\n\r\n", lambda data: data, b""),
    "length": (
        H + b"Content-Type: text/html\r\nContent-Length: %d\r\n\r\n" % (len(EVENT % 0) * 5),
        lambda data: data,
        b"",
    ),
    "http-1.0": (b"HTTP/1.0 200 OK\r\n\r\n", lambda data: data, b""),
    "gzip-named": (
        H + b"Content-Encoding: gzip\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n",
        lambda data: b"%x\r\n%s\r\n" % (len(data), data),
        b"0\r\n\r\n",
    ),
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
