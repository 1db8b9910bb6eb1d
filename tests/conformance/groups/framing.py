"""Requests whose end, or whose fields, two readers could see differently.

A row says which outcomes are right:
  refuse  4xx, 501 or 505 (or the end of the connection), nothing reaches the shop, the connection ends
  safe    the same; or the shop gets one clean request, which is answered, and the connection ends
  clean   the same; or the shop gets clean requests only, and the connection may stay: there is no doubt where it ends
  accept  one clean request with the stated body, answered 200, and the connection still serves
Whatever follows a doubtful request (`/smuggled`) never reaches the shop as a request.
"""

import select
import time

from harness.cases import Failed, add, case
from harness.upstream import echo, serving

REFUSALS = (400, 403, 404, 405, 408, 411, 413, 414, 417, 421, 422, 431, 501, 502, 505)
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n"
GET = b"GET /first HTTP/1.1\r\nHost: shop.test\r\n"
POST = b"POST /first HTTP/1.1\r\nHost: shop.test\r\n"
TE = b"Transfer-Encoding: chunked\r\n"
SMUGGLE_CHUNKED = b"0\r\n\r\n" + NEXT


def judge(t, sent, want, body=None, patience=7.0):
    def respond(request):
        return echo(request)

    t.script(serving(respond))
    client = t.client()
    if isinstance(sent, (list, tuple)):
        for piece in sent:
            time.sleep(piece) if isinstance(piece, float) else client.send(piece)
    else:
        client.send(sent)
    if want == "accept":
        answer = client.answer()
        t.check(answer.clean and answer.status == 200, "expected 200", answer, answer.body[:200])
        request = t.one_request()
        t.check(request.target == b"/first", "expected /first at the upstream", request)
        if body is not None:
            t.equal("the body at the upstream", request.body, body)
        again = client.get("/second")
        t.check(again.clean and again.body.startswith(b"GET /second\n"), "the connection must still serve", again)
        return
    answers, end = client.answers(patience=patience if want != "clean" else 1.0)
    requests = t.upstream.requests
    seen = "answers %r, connection %s, upstream %r" % (answers, end, requests)
    for request in requests:
        if request.faults:
            raise Failed("expected no doubtful request at the upstream; seen %s: %r" % (seen, request.head[:300]))
        if b"smuggled" in request.target:
            raise Failed("expected no request /smuggled at the upstream; seen " + seen)
    loose = [piece for piece in t.upstream.leftovers() if piece.strip(b"\r\n")]
    if loose:
        raise Failed("expected no stray bytes at the upstream; seen %r; %s" % (loose, seen))
    refused = not requests and all(answer.status in REFUSALS for answer in answers)
    cut = all(not request.complete for request in requests) and all(answer.status in REFUSALS for answer in answers)
    if want == "refuse":
        if not refused:
            raise Failed("expected a refusal; seen " + seen)
    elif not (refused or cut):
        served = [answer for answer in answers if answer.status not in REFUSALS]
        if len(served) > len(requests) or len(requests) > 1 and want == "safe":
            raise Failed("expected a refusal or one clean exchange; seen " + seen)
    if want != "clean" and end == "open":
        raise Failed("expected the end of the connection; seen " + seen)
    for answer in answers:
        if answer.faults:
            raise Failed("expected a well-formed answer; seen " + seen)
    t.probe()


# -- Content-Length: name, fields, what follows the head, outcome

LENGTHS = [
    ("cl-two-differing", b"Content-Length: 5\r\nContent-Length: 6\r\n", b"helloX" + NEXT, "refuse"),
    ("cl-two-differing-zero", b"Content-Length: 0\r\nContent-Length: 44\r\n", NEXT, "refuse"),
    ("cl-two-equal", b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello", "clean"),
    ("cl-list-equal", b"Content-Length: 5, 5\r\n", b"hello", "clean"),
    ("cl-list-differing", b"Content-Length: 5, 6\r\n", b"helloX" + NEXT, "refuse"),
    ("cl-list-empty-member", b"Content-Length: 5,\r\n", b"hello", "clean"),
    ("cl-plus", b"Content-Length: +5\r\n", b"hello" + NEXT, "refuse"),
    ("cl-minus", b"Content-Length: -5\r\n", b"hello" + NEXT, "refuse"),
    ("cl-minus-zero", b"Content-Length: -0\r\n", NEXT, "refuse"),
    ("cl-hex", b"Content-Length: 0x5\r\n", b"hello" + NEXT, "refuse"),
    ("cl-octal-like", b"Content-Length: 0o5\r\n", b"hello" + NEXT, "refuse"),
    ("cl-underscore", b"Content-Length: 1_0\r\n", b"helloworld" + NEXT, "refuse"),
    ("cl-decimal-point", b"Content-Length: 5.0\r\n", b"hello" + NEXT, "refuse"),
    ("cl-exponent", b"Content-Length: 5e0\r\n", b"hello" + NEXT, "refuse"),
    ("cl-inner-space", b"Content-Length: 1 0\r\n", b"helloworld" + NEXT, "refuse"),
    ("cl-trailing-word", b"Content-Length: 5 bytes\r\n", b"hello" + NEXT, "refuse"),
    ("cl-semicolon", b"Content-Length: 5;q=1\r\n", b"hello" + NEXT, "refuse"),
    ("cl-quoted", b'Content-Length: "5"\r\n', b"hello" + NEXT, "refuse"),
    ("cl-empty", b"Content-Length: \r\n", NEXT, "refuse"),
    ("cl-empty-and-number", b"Content-Length: \r\nContent-Length: 5\r\n", b"hello" + NEXT, "refuse"),
    ("cl-word", b"Content-Length: five\r\n", b"hello" + NEXT, "refuse"),
    ("cl-above-64-bits", b"Content-Length: 18446744073709551621\r\n", b"hello" + NEXT, "refuse"),
    ("cl-above-63-bits", b"Content-Length: 9223372036854775813\r\n", b"hello", "clean"),
    ("cl-40-digits", b"Content-Length: 9999999999999999999999999999999999999999\r\n", b"hello" + NEXT, "refuse"),
    ("cl-full-width-digit", b"Content-Length: \xef\xbc\x95\r\n", b"hello" + NEXT, "refuse"),
    ("cl-vertical-tab", b"Content-Length: \x0b5\r\n", b"hello" + NEXT, "refuse"),
    ("cl-nul", b"Content-Length: 5\x00\r\n", b"hello" + NEXT, "refuse"),
    ("cl-bare-cr", b"Content-Length: 5\rX\r\n", b"hello" + NEXT, "refuse"),
    ("cl-space-before-colon", b"Content-Length : 5\r\n", b"hello" + NEXT, "refuse"),
    ("cl-tab-before-colon", b"Content-Length\t: 5\r\n", b"hello" + NEXT, "refuse"),
    ("cl-leading-space-line", b" Content-Length: 5\r\n", b"hello" + NEXT, "refuse"),
    ("cl-leading-zeros", b"Content-Length: 0005\r\n", b"hello", "clean"),
    ("cl-tab-padded", b"Content-Length:\t5\t \r\n", b"hello", "clean"),
    ("cl-obs-folded", b"Content-Length:\r\n 5\r\n", b"hello", "clean"),
    ("cl-underscored-name", b"Content_Length: 44\r\n", b"", "clean"),
]

for name, fields, rest, want in LENGTHS:
    add("framing", name, lambda t, sent=POST + fields + b"\r\n" + rest, want=want: judge(t, sent, want))

# -- Transfer-Encoding, alone and beside Content-Length

CODINGS = [
    ("cl-and-te", b"Content-Length: 4\r\n" + TE, b"0\r\n\r\n" + NEXT, "safe"),
    ("te-and-cl", TE + b"Content-Length: 4\r\n", b"0\r\n\r\n" + NEXT, "safe"),
    ("cl-zero-and-te", b"Content-Length: 0\r\n" + TE, b"5\r\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("cl-invalid-and-te", b"Content-Length: x\r\n" + TE, b"0\r\n\r\n" + NEXT, "safe"),
    ("te-and-two-cl", TE + b"Content-Length: 4\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + NEXT, "safe"),
    ("te-cl-prefix-post", b"Content-Length: 49\r\n" + TE, b"0\r\n\r\n" + NEXT, "safe"),
    ("te-twice", TE + TE, SMUGGLE_CHUNKED, "refuse"),
    ("te-list-chunked-chunked", b"Transfer-Encoding: chunked, chunked\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-identity-then-chunked", b"Transfer-Encoding: identity, chunked\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-chunked-then-identity", b"Transfer-Encoding: chunked, identity\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-two-fields-identity", TE + b"Transfer-Encoding: identity\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-two-fields-identity-first", b"Transfer-Encoding: identity\r\n" + TE, SMUGGLE_CHUNKED, "refuse"),
    ("te-identity", b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n", b"hello" + NEXT, "safe"),
    ("te-gzip", b"Transfer-Encoding: gzip\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-gzip-chunked", b"Transfer-Encoding: gzip, chunked\r\n", SMUGGLE_CHUNKED, "safe"),
    ("te-chunked-gzip", b"Transfer-Encoding: chunked, gzip\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-unknown", b"Transfer-Encoding: xchunked\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-unknown-suffix", b"Transfer-Encoding: chunkedx\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-empty", b"Transfer-Encoding: \r\nContent-Length: 5\r\n", b"hello" + NEXT, "safe"),
    ("te-empty-member", b"Transfer-Encoding: , chunked\r\n", SMUGGLE_CHUNKED, "safe"),
    ("te-trailing-comma", b"Transfer-Encoding: chunked,\r\n", SMUGGLE_CHUNKED, "safe"),
    ("te-quoted", b'Transfer-Encoding: "chunked"\r\n', SMUGGLE_CHUNKED, "refuse"),
    ("te-parameter", b"Transfer-Encoding: chunked;q=1\r\n", SMUGGLE_CHUNKED, "safe"),
    ("te-semicolon", b"Transfer-Encoding: chunked;\r\n", SMUGGLE_CHUNKED, "safe"),
    ("te-vertical-tab", b"Transfer-Encoding: \x0bchunked\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-form-feed", b"Transfer-Encoding: chunked\x0c\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-nul", b"Transfer-Encoding: chunked\x00\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-bare-cr", b"Transfer-Encoding: chun\rked\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-del", b"Transfer-Encoding: chunked\x7f\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-non-ascii", b"Transfer-Encoding: \xc4\x89hunked\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-nbsp", b"Transfer-Encoding: \xa0chunked\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-space-before-colon", b"Transfer-Encoding : chunked\r\nContent-Length: 49\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-tab-before-colon", b"Transfer-Encoding\t: chunked\r\nContent-Length: 49\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-leading-space-line", b"X: 1\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n", "clean"),
    ("te-obs-folded", b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 49\r\n", SMUGGLE_CHUNKED, "safe"),
    ("te-obs-folded-tab", b"Transfer-Encoding: identity,\r\n\tchunked\r\n", SMUGGLE_CHUNKED, "refuse"),
    ("te-no-colon", b"Transfer-Encoding chunked\r\nContent-Length: 5\r\n", b"hello" + NEXT, "refuse"),
    ("te-underscored-name", b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n", "clean"),
    ("te-prefixed-name", b"X-Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n", "clean"),
    ("te-mixed-case", b"tRANSFER-eNCODING: ChUnKeD\r\n", b"5\r\nhello\r\n0\r\n\r\n", "clean"),
    ("te-padded", b"Transfer-Encoding:  \t chunked \t\r\n", b"5\r\nhello\r\n0\r\n\r\n", "clean"),
    ("te-hidden-after-bare-lf", b"X: 1\nTransfer-Encoding: chunked\r\nContent-Length: 49\r\n", SMUGGLE_CHUNKED, "safe"),
    ("te-hidden-after-bare-cr", b"X: 1\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n", "refuse"),
]

for name, fields, rest, want in CODINGS:
    add("framing", name, lambda t, sent=POST + fields + b"\r\n" + rest, want=want: judge(t, sent, want))


@case("framing", "te-in-http-1.0")
def te_in_1_0(t):
    judge(
        t,
        b"POST /first HTTP/1.0\r\nHost: shop.test\r\nConnection: keep-alive\r\n" + TE + b"\r\n" + SMUGGLE_CHUNKED,
        "safe",
    )


@case("framing", "cl-and-te-in-http-1.0")
def cl_te_in_1_0(t):
    judge(
        t,
        b"POST /first HTTP/1.0\r\nHost: shop.test\r\nConnection: keep-alive\r\nContent-Length: 49\r\n"
        + TE
        + b"\r\n"
        + SMUGGLE_CHUNKED,
        "safe",
    )


@case("framing", "get-with-chunked-body")
def get_chunked(t):
    judge(t, GET + TE + b"\r\n5\r\nhello\r\n0\r\n\r\n", "accept", b"hello")


@case("framing", "get-with-length-body")
def get_length(t):
    judge(t, GET + b"Content-Length: 5\r\n\r\nhello", "accept", b"hello")


@case("framing", "post-without-length-has-no-body")
def post_without(t):
    """RFC 9112 §6.3: no length and no coding is no body. 411 is allowed too."""
    client = t.client()
    answer = client.ask(POST + b"\r\n")
    t.check(answer.clean and answer.status in (200, 411), "expected 200 or 411", answer)
    t.check(
        all(not request.faults and not request.body for request in t.upstream.requests), "no body", t.upstream.requests
    )


# -- chunks: name, the body's bytes, outcome

CHUNKS = [
    ("chunk-size-minus", b"-5\r\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-size-plus", b"+5\r\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-size-0x", b"0x5\r\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-size-word", b"zz\r\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-size-empty", b"\r\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-size-space-first", b" 5\r\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-size-inner-space", b"1 0\r\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-size-underscore", b"1_0\r\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-size-comma", b"5,5\r\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-size-overflow-64", b"10000000000000005\r\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-size-overflow-32", b"100000005\r\nhello\r\n0\r\n\r\n" + NEXT, "clean"),
    ("chunk-size-many-digits", b"f" * 40 + b"\r\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-size-nul", b"5\x00\r\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-size-bare-lf", b"5\nhello\r\n0\r\n\r\n" + NEXT, "chunk"),
    ("chunk-size-bare-cr", b"5\rX\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-data-bare-lf", b"5\r\nhello\n0\r\n\r\n" + NEXT, "chunk"),
    ("chunk-data-no-end", b"5\r\nhello0\r\n\r\n" + NEXT, "safe"),
    ("chunk-data-too-long", b"5\r\nhelloXY\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-data-cr-x", b"5\r\nhello\rX0\r\n\r\n" + NEXT, "safe"),
    ("chunk-end-xx", b"5\r\nhelloXX0\r\n\r\n" + NEXT, "safe"),
    ("chunk-ext-bare-lf", b"5;a\nb\r\nhello\r\n0\r\n\r\n" + NEXT, "chunk"),
    ("chunk-ext-bare-cr", b"5;a\rb\r\nhello\r\n0\r\n\r\n" + NEXT, "safe"),
    ("chunk-ext-nul", b"5;a\x00b\r\nhello\r\n0\r\n\r\n" + NEXT, "chunk"),
    ("chunk-ext-hides-request", b"2;\nxx\r\n4c\r\n0\r\n\r\n" + NEXT, "clean"),
    ("chunk-trailer-bare-lf", b"5\r\nhello\r\n0\r\nX: 1\n\r\n" + NEXT, "chunk"),
    ("chunk-trailer-no-colon", b"5\r\nhello\r\n0\r\nsmuggled line\r\n\r\n" + NEXT, "chunk"),
    ("chunk-trailer-space-name", b"5\r\nhello\r\n0\r\nX : 1\r\n\r\n" + NEXT, "chunk"),
    ("chunk-trailer-nul", b"5\r\nhello\r\n0\r\nX: a\x00b\r\n\r\n" + NEXT, "chunk"),
    ("chunk-last-many-zeros", b"5\r\nhello\r\n0000000\r\n\r\n", "clean"),
    ("chunk-size-leading-zeros", b"0005\r\nhello\r\n0\r\n\r\n", "clean"),
    ("chunk-ext-plain", b"5;name=value\r\nhello\r\n0;last\r\n\r\n", "clean"),
    ("chunk-ext-quoted", b'5;name="a;b,c"\r\nhello\r\n0\r\n\r\n', "clean"),
    ("chunk-ext-spaces", b"5 ; name = value\r\nhello\r\n0\r\n\r\n", "clean"),
]

for name, rest, want in CHUNKS:
    # "chunk": what is wrong does not move the body's end, so that whoever reads on has read the next request rightly
    if want == "chunk":
        rest, want = rest.removesuffix(NEXT), "clean"
    add("framing", name, lambda t, sent=POST + TE + b"\r\n" + rest, want=want: judge(t, sent, want))


@case("framing", "chunk-upper-case-size")
def chunk_upper(t):
    judge(t, POST + TE + b"\r\nA\r\nhellohello\r\n0\r\n\r\n", "accept", b"hellohello")


@case("framing", "chunk-ext-never-reaches-the-shop-malformed")
def chunk_ext(t):
    judge(t, POST + TE + b"\r\n5;x=1;y\r\nhello\r\n0\r\n\r\n", "accept", b"hello")


@case("framing", "chunk-ext-of-64-kib")
def chunk_ext_large(t):
    judge(t, POST + TE + b"\r\n5;" + b"x" * 65536 + b"\r\nhello\r\n0\r\n\r\n", "clean")


def flood(t, start, piece, most):
    """Sends `start`, then `piece` over and over, until the proxy says something or ends; never more than `most`."""
    client, sent = t.client(patience=5.0), 0
    client.send(start)
    while sent < most and client.send(piece):
        sent += len(piece)
        if select.select([client.sock], [], [], 0)[0]:
            break
    else:
        t.check(sent < most, "expected an end; sent %d MiB and heard nothing" % (sent >> 20))
    answers, _end = client.answers(patience=3.0)
    t.check(all(answer.status in REFUSALS for answer in answers), "expected a refusal", answers)
    t.probe()


@case("framing", "chunk-ext-flood")
def chunk_ext_flood(t):
    """One byte of body to 4 KiB of extension, for as long as it is taken: there is a limit (CVE-2023-39326)."""
    flood(t, POST + TE + b"\r\n", (b"1;" + b"x" * 4096 + b"\r\nx\r\n") * 16, 32 << 20)


@case("framing", "chunk-size-endless-zeros")
def chunk_zero_flood(t):
    flood(t, POST + TE + b"\r\n", b"0" * 65536, 8 << 20)


@case("framing", "trailer-flood")
def trailer_flood(t):
    flood(t, POST + TE + b"\r\n5\r\nhello\r\n0\r\n", b"X-Trailer: %s\r\n" % (b"x" * 1000) * 64, 8 << 20)


TRAILERS = (
    "Content-Length: 99",
    "Transfer-Encoding: chunked",
    "Host: evil.test",
    "Connection: close",
    "Authorization: x",
    "Cookie: a=b",
)


@case("framing", "trailers-do-not-become-head-fields")
def trailer_merge(t):
    """RFC 9110 §6.5.1: what a trailer says never stands in the head that the shop sees."""
    lines = "".join(line + "\r\n" for line in TRAILERS).encode()
    client = t.client()
    answer = client.ask(POST + TE + b"\r\n5\r\nhello\r\n0\r\n" + lines + b"\r\n")
    requests = t.upstream.requests
    if answer.status == 400 and not [request for request in requests if request.complete]:
        return
    request = t.one_request()
    for name in (b"authorization", b"cookie"):
        t.check(request.get(name) is None, "a trailer became a head field", request.head)
    t.equal("the body", request.body, b"hello")
    t.equal("the Host fields", request.all(b"host"), [b"shop.test"])
    forbidden = {b"content-length", b"transfer-encoding", b"host"} & {name.lower() for name, _ in request.trailers}
    t.check(not forbidden, "framing or routing fields forwarded as trailers", request.trailers)
