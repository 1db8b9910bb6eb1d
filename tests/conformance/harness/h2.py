"""An HTTP/2 client at the level of frames: it can send what no honest client does."""

import struct
import time

import hpack

from .wire import Short, Slow

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 1, 1, 4, 8, 32
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_LIST, CONNECT_PROTOCOL = 1, 2, 3, 4, 5, 6, 8


def pack(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def settings(*pairs):
    return b"".join(struct.pack(">HI", *pair) for pair in pairs)


def plain(name, value):
    """A field in HPACK as a literal without indexing and Huffman: any bytes at all."""

    def text(data):
        if len(data) < 127:
            return bytes((len(data),)) + data
        count, length = len(data) - 127, b"\x7f"
        while count >= 128:
            length, count = length + bytes((count % 128 | 128,)), count >> 7
        return length + bytes((count,)) + data

    return b"\0" + text(name) + text(value)


class Reply:
    """What one stream brought: `ended` by END_STREAM, or `reset` with a code."""

    def __init__(self):
        self.interim, self.fields, self.body, self.trailers = [], None, bytearray(), None
        self.ended, self.reset = False, None

    @property
    def status(self):
        return int(self.get(b":status") or 0) if self.fields is not None else 0

    @property
    def clean(self):
        return self.ended and self.reset is None

    def get(self, name):
        found = self.all(name)
        return found[0] if found else None

    def all(self, name):
        return [value for key, value in self.fields or () if key == name]

    def __repr__(self):
        return "h2 %d, %d bytes, %s" % (
            self.status,
            len(self.body),
            "reset %d" % self.reset if self.reset is not None else "ended" if self.ended else "open",
        )


class H2:
    """One connection. With `auto`, SETTINGS and PING are acknowledged and what was read is given back as window."""

    def __init__(self, client, pairs=(), start=True, auto=True):
        self.client, self.reader, self.auto = client, client.reader, auto
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 24
        self.replies, self.goaway, self.settings, self.acknowledged, self.pongs = {}, None, None, 0, []
        self.pushed, self.next, self.block, self.window = False, 1, None, 65535
        self.stream_windows, self.frames = {}, 0
        if start:
            client.send(PREFACE + pack(SETTINGS, 0, 0, settings(*pairs)))

    # -- sending

    def frame(self, kind, flags, stream, payload=b""):
        return self.client.send(pack(kind, flags, stream, payload))

    def raw(self, data):
        return self.client.send(data)

    def stream(self):
        number, self.next = self.next, self.next + 2
        self.replies[number] = Reply()
        return number

    def head(self, method=b"GET", path=b"/", fields=(), authority=b"shop.test", scheme=b"https"):
        return [(b":method", method), (b":scheme", scheme), (b":path", path), (b":authority", authority), *fields]

    def request(self, whole=None, end=True, stream=None, **options):
        """Sends a head (`whole` as it is, or made of `options`); its stream."""
        stream = stream or self.stream()
        block = self.encoder.encode(whole if whole is not None else self.head(**options))
        self.frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block)
        return stream

    def literal(self, fields, end=True, stream=None):
        """The same, without a word of HPACK's table: names and values may be anything."""
        stream = stream or self.stream()
        block = b"".join(plain(*field) for field in fields)
        first, rest = block[:16000], block[16000:]
        self.frame(HEADERS, (0 if rest else END_HEADERS) | (END_STREAM if end else 0), stream, first)
        while rest:
            first, rest = rest[:16000], rest[16000:]
            self.frame(CONTINUATION, 0 if rest else END_HEADERS, stream, first)
        return stream

    def data(self, stream, data, end=True):
        for at in range(0, len(data) or 1, 16384):
            piece = data[at : at + 16384]
            self.frame(DATA, END_STREAM if end and at + 16384 >= len(data) else 0, stream, piece)

    def upload(self, stream, data, end=True, patience=15):
        """The same within the windows that the proxy grants."""
        limit = time.monotonic() + patience
        initial = dict(self.settings or {}).get(INITIAL_WINDOW, 65535)
        self.stream_windows.setdefault(stream, initial)
        while data:
            room = min(len(data), self.window, self.stream_windows[stream], 16384)
            if room <= 0:
                if self.read(limit - time.monotonic()) is None or self.replies[stream].reset is not None:
                    return False
                continue
            self.window -= room
            self.stream_windows[stream] -= room
            piece, data = data[:room], data[room:]
            self.frame(DATA, END_STREAM if end and not data else 0, stream, piece)
        return True

    # -- reading

    def read(self, patience=None):
        """The next frame, worked into the replies; None when the proxy has ended. `Slow` when nothing comes."""
        try:
            head = self.reader.exactly(9, patience)
            length = int.from_bytes(head[:3], "big")
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF
            payload = self.reader.exactly(length, patience)
        except Short:
            return None
        self.frames += 1
        self.take(kind, flags, stream, payload)
        return kind, flags, stream, payload

    def take(self, kind, flags, stream, payload):
        reply = self.replies.get(stream)
        if kind == DATA:
            body = payload[1 : len(payload) - payload[0]] if flags & PADDED else payload
            if reply:
                reply.body += body
                reply.ended = reply.ended or bool(flags & END_STREAM)
            if self.auto and payload:
                for where in (0, stream):
                    self.frame(WINDOW_UPDATE, 0, where, struct.pack(">I", len(payload)))
        elif kind in (HEADERS, CONTINUATION):
            if kind == HEADERS:
                if flags & PADDED:
                    payload = payload[1 : len(payload) - payload[0]]
                if flags & PRIORITIZED:
                    payload = payload[5:]
                self.block = (bytearray(), bool(flags & END_STREAM))
            self.block[0].extend(payload)
            if flags & END_HEADERS:
                self.fields(reply, self.decoder.decode(bytes(self.block[0]), raw=True), self.block[1])
        elif kind == RST_STREAM and reply:
            reply.reset = int.from_bytes(payload[:4], "big")
        elif kind == SETTINGS:
            if flags & ACK:
                self.acknowledged += 1
            else:
                self.settings = {
                    **(self.settings or {}),
                    **{number: value for number, value in struct.iter_unpack(">HI", payload)},
                }
                if self.auto:
                    self.frame(SETTINGS, ACK, 0)
        elif kind == PING:
            if flags & ACK:
                self.pongs.append(payload)
            elif self.auto:
                self.frame(PING, ACK, 0, payload)
        elif kind == GOAWAY:
            self.goaway = int.from_bytes(payload[4:8], "big")
        elif kind == WINDOW_UPDATE:
            count = int.from_bytes(payload, "big")
            if stream == 0:
                self.window += count
            else:
                self.stream_windows[stream] = (
                    self.stream_windows.get(stream, dict(self.settings or {}).get(INITIAL_WINDOW, 65535)) + count
                )
        elif kind == PUSH_PROMISE:
            self.pushed = True

    @staticmethod
    def fields(reply, fields, end):
        if reply is None:
            return
        fields = [(bytes(name), bytes(value)) for name, value in fields]
        status = next((value for name, value in fields if name == b":status"), None)
        if reply.fields is not None:
            reply.trailers = fields
        elif status and status[:1] == b"1" and not end:
            reply.interim.append(fields)
        else:
            reply.fields = fields
        reply.ended = reply.ended or end

    def until(self, holds, patience=8.0):
        """Reads until `holds()`; False when the proxy ended or nothing came in time."""
        end = time.monotonic() + patience
        while not holds():
            try:
                if self.read(max(0.001, end - time.monotonic())) is None:
                    return bool(holds())
            except Slow:
                return False
        return True

    def reply(self, stream, patience=8.0):
        """The stream's whole reply, or as much as there is when the connection ends or the time is over."""
        reply = self.replies[stream]
        self.until(lambda: reply.ended or reply.reset is not None, patience)
        return reply

    def get(self, path=b"/", patience=8.0, **options):
        return self.reply(self.request(path=path, **options), patience)

    def ready(self):
        """Until the proxy's SETTINGS are there."""
        return self.until(lambda: self.settings is not None)

    def gone(self, patience=6.0):
        """Whether the proxy gives the connection up: GOAWAY, or its end."""
        return self.until(lambda: self.goaway is not None, patience) or bool(self.reader.end)

    def close(self):
        self.client.close()
