"""Seeded mutations. Whatever is sent: the proxy stays, what reaches the shop is clean, what reaches the client too.

A seed and a round name one input: the same seed makes the same bytes, and a failure prints both.
"""

import random
import threading

from harness.cases import Failed, add
from harness.client import wait_for
from harness.h2 import END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, pack, plain
from harness.upstream import echo, ok
from harness.wire import Short, Slow, chunked

REQUESTS = [
    b"GET /a?b=c HTTP/1.1\r\nHost: shop.test\r\nAccept: */*\r\nCookie: a=b\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 11\r\n\r\nhello world",
    b"POST /a HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nT: 1\r\n\r\n",
    b"PUT /a HTTP/1.1\r\nHost: shop.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    b"GET http://shop.test/a HTTP/1.1\r\nHost: shop.test\r\nConnection: keep-alive, X-A\r\nX-A: 1\r\nTE: trailers\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: shop.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    b"HEAD /a HTTP/1.0\r\nHost: shop.test\r\nConnection: keep-alive\r\n\r\n",
    b"DELETE /a HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0\r\n\r\nGET /b HTTP/1.1\r\nHost: shop.test\r\n\r\n",
]
ANSWERS = [
    ok(b"hello world", b"Content-Type: text/html\r\nSet-Cookie: a=b\r\n"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"hello", b" world", trailers=b"T: 1\r\n"),
    b"HTTP/1.1 200 OK\r\n\r\nhello world",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok(b"hello"),
    b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n",
]
SPICE = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"0",
    b"-1",
    b"\xff",
    b"\r\n\r\n",
    b"\x0b",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: x\r\n",
    b"Host: evil.test\r\n",
    b"Connection: close\r\n",
    b"chunked",
    b"99999999999",
    b" chunked",
    b"0\r\n\r\n",
    b"\r\n ",
    b"HTTP/1.1",
    b"Content-Length: 0\r\n",
    b"a" * 300,
    b"GET /s HTTP/1.1\r\nHost: shop.test\r\n\r\n",
]


def mutate(data, chance):
    """One to four cuts, doublings, swaps, flips or insertions."""
    data = bytearray(data)
    for _at in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(6)
        if kind == 0:
            data[at:at] = chance.choice(SPICE)
        elif kind == 1:
            del data[at : at + chance.randint(1, 6)]
        elif kind == 2 and at < len(data):
            data[at] = chance.randrange(256)
        elif kind == 3:
            end = min(len(data), at + chance.randint(1, 40))
            data[at:at] = data[at:end]
        elif kind == 4:
            end = min(len(data), at + len(spice)) if (spice := chance.choice(SPICE)) else at
            data[at:end] = spice
        elif kind == 5 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
    return bytes(data)


def clean_upstream(t, what):
    if t.upstream.errors:
        raise Failed("%s: the upstream: %s" % (what, t.upstream.errors[0]))
    for request in t.upstream.requests:
        if request.faults:
            raise Failed("%s: the shop got a doubtful request: %s %r" % (what, request.faults, request.head))
    loose = [piece for piece in t.upstream.leftovers() if piece.strip(b"\r\n")]
    if loose:
        raise Failed("%s: the shop got stray bytes: %r" % (what, loose[0][:200]))


def request_round(t, data, what):
    with t.client(patience=0.4) as client:
        client.send(data)
        answers = []
        methods = [line.split(b" ")[0].decode("latin-1") for line in data.split(b"\n") if b" HTTP/" in line]
        try:
            while len(answers) < 4:
                method = methods[len(answers)] if len(answers) < len(methods) else "GET"
                answers.append(client.answer("HEAD" if method.strip().endswith("HEAD") else "GET", 0.15))
        except (Short, Slow):
            pass
        for answer in answers:
            if answer.faults and answer is not answers[-1] or answer.status == 0:
                raise Failed("%s: the client got %r %r" % (what, answer, answer.head))
    if len([answer for answer in answers if answer.status == 200]) > len(t.upstream.requests):
        raise Failed("%s: more answers than requests: %r %r" % (what, answers, t.upstream.requests))
    clean_upstream(t, what)


def fuzz_requests(t, seed, rounds=60):
    chance = random.Random(seed)
    for at in range(rounds):
        data = mutate(chance.choice(REQUESTS), chance)
        t.upstream.begin()
        request_round(t, data, "seed %d round %d, sent %r" % (seed, at, data))
    t.probe(2)


def answer_round(t, data, what):
    """A connection that has brought a whole answer stays open, with whatever is left on it; any other is ended."""
    whole = threading.Event()

    def script(connection):
        while (request := connection.request(patience=5)) and request.complete:
            if request.target != b"/fuzz":
                connection.send(echo(request))
                continue
            connection.send(data)
            if not whole.wait(0.15):
                return

    t.upstream.begin(script)
    with t.client(patience=1.0) as client:
        try:
            answer = client.get("/fuzz")
        except (Short, Slow):
            answer = None
        if answer and answer.complete and answer.framing != "close":
            whole.set()
        elif not wait_for(lambda: all(one.over for one in t.upstream.connections), 1.0):
            raise Failed("%s: the shop's script did not end" % what)
        if answer and answer.faults and answer.complete:
            raise Failed("%s: the client got %r %r" % (what, answer, answer.head))
    t.probe(1, " (%s)" % what)


def fuzz_answers(t, seed, rounds=40):
    chance = random.Random(1000 + seed)
    for at in range(rounds):
        data = mutate(chance.choice(ANSWERS), chance)
        answer_round(t, data, "seed %d round %d, answered %r" % (seed, at, data))


def fuzz_h2(t, seed, rounds=40):
    """Frames of a good exchange, mutated as bytes; and fields, mutated within good frames."""
    chance = random.Random(2000 + seed)
    head = [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":path", b"/a"),
        (b":authority", b"shop.test"),
        (b"content-length", b"5"),
        (b"x-a", b"b"),
    ]
    for at in range(rounds):
        if at % 2:
            block = b"".join(plain(*field) for field in head)
            data = mutate(
                pack(HEADERS, END_HEADERS, 1, block) + pack(0, END_STREAM, 1, b"hello") + pack(6, 0, 0, b"12345678"),
                chance,
            )
        else:
            fields = [
                (
                    mutate(name, chance) if chance.random() < 0.2 else name,
                    mutate(value, chance) if chance.random() < 0.3 else value,
                )
                for name, value in head
            ]
            chance.shuffle(fields) if chance.random() < 0.2 else None
            data = pack(HEADERS, END_HEADERS, 1, b"".join(plain(*field) for field in fields)) + pack(
                0, END_STREAM, 1, b"hello"
            )
        t.upstream.begin()
        h2 = t.h2(start=False)
        h2.raw(PREFACE + pack(SETTINGS, 0, 0) + data)
        stream = h2.stream()
        what = "seed %d round %d, sent %r" % (seed, at, data)
        h2.until(lambda: h2.goaway is not None or h2.replies[stream].ended or h2.replies[stream].reset is not None, 0.3)
        h2.close()
        clean_upstream(t, what)
    t.probe(2)


for seed in range(10):
    add("fuzz", "requests-%d" % seed, lambda t, seed=seed: fuzz_requests(t, seed))
for seed in range(6):
    add("fuzz", "answers-%d" % seed, lambda t, seed=seed: fuzz_answers(t, seed))
for seed in range(6):
    add("fuzz", "h2-%d" % seed, lambda t, seed=seed: fuzz_h2(t, seed))
