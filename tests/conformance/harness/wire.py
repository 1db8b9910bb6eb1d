"""HTTP/1.1 off the wire, read strictly: whatever a second reader could understand otherwise is a fault.

Nothing here repairs what it reads. A message keeps its bytes, and says what is wrong with them.
"""

import re
import socket
import time

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
DIGITS = re.compile(rb"[0-9]+\Z")
CHUNK = re.compile(rb"([0-9A-Fa-f]+)((?:[ \t]*;[ \t]*[!-~\t ]*)*)\Z")
HEAD_LIMIT = 4 << 20


class Short(Exception):
    """The other side ended before the message did."""


class Slow(Exception):
    """Nothing came in time."""


class Reader:
    """A socket with a buffer and a deadline. Everything that was read stays in `taken`, unless `keep` is off."""

    def __init__(self, sock, patience=10.0, keep=True):
        self.sock, self.buffer, self.taken = sock, bytearray(), bytearray()
        self.patience, self.keep = patience, keep
        self.end = None  # None: open; "fin" or "reset" once the other side has ended

    def more(self, until):
        """One more piece into the buffer; False when the other side has ended."""
        if self.end:
            return False
        left = until - time.monotonic()
        if left <= 0:
            raise Slow("nothing more in time")
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(262144)
        except socket.timeout as error:
            raise Slow("nothing more in time") from error
        except OSError:
            self.end = "reset"
            return False
        if not data:
            self.end = "fin"
            return False
        self.buffer += data
        if self.keep:
            self.taken += data
        return True

    def deadline(self, patience=None):
        return time.monotonic() + (self.patience if patience is None else patience)

    def until(self, mark, patience=None, limit=HEAD_LIMIT):
        end, at = self.deadline(patience), 0
        while (found := self.buffer.find(mark, at)) < 0:
            at = max(0, len(self.buffer) - len(mark) + 1)
            if len(self.buffer) > limit:
                raise Short("%d bytes and no %r" % (len(self.buffer), mark))
            if not self.more(end):
                raise Short("%s before %r" % (self.end, mark))
        piece = bytes(self.buffer[: found + len(mark)])
        del self.buffer[: found + len(mark)]
        return piece

    def exactly(self, count, patience=None):
        """`count` bytes; `Short` carries what there was."""
        end = self.deadline(patience)
        while len(self.buffer) < count:
            if not self.more(end):
                piece = bytes(self.buffer)
                self.buffer.clear()
                raise Short("%s after %d of %d bytes" % (self.end, len(piece), count), piece)
        piece = bytes(self.buffer[:count])
        del self.buffer[:count]
        return piece

    def some(self, patience=None):
        """What is there, at least one byte; b"" when the other side has ended."""
        if not self.buffer:
            self.more(self.deadline(patience))
        piece = bytes(self.buffer)
        self.buffer.clear()
        return piece

    def rest(self, patience=None):
        """Everything until the other side ends."""
        end = self.deadline(patience)
        while self.more(end):
            pass
        piece = bytes(self.buffer)
        self.buffer.clear()
        return piece

    def ended(self, patience):
        """Whether the other side ends within `patience`; what it sends before stays in the buffer."""
        end = self.deadline(patience)
        try:
            while self.more(end):
                pass
        except Slow:
            return False
        return True


class Message:
    """A request or an answer: its start line, its fields as they came, its body, and every fault in it."""

    def __init__(self, head):
        self.head, self.faults, self.body, self.trailers = head, [], b"", []
        self.complete, self.framing, self.chunks = False, "none", []
        self.why = ""
        text = head[:-4] if head.endswith(b"\r\n\r\n") else head
        lines = text.split(b"\r\n")
        for line in lines:
            for byte, name in ((b"\n", "bare LF"), (b"\r", "bare CR"), (b"\0", "NUL")):
                if byte in line:
                    self.faults.append("%s in the head" % name)
        self.start, self.fields = lines[0], []
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon or not TOKEN.match(name):
                self.faults.append("not a field: %r" % line[:80])
            self.fields.append((name, value.strip(b" \t")))

    def all(self, name):
        """The values of every field of that name, in their order."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name):
        """The one value; several are joined as RFC 9110 §5.3 joins them; None where there is none."""
        found = self.all(name)
        return b", ".join(found) if found else None

    def length(self):
        """The Content-Length, or None. Anything but one number is a fault."""
        found = self.all(b"content-length")
        if len(found) > 1:
            self.faults.append("several Content-Length: %r" % found)
        if any(not DIGITS.match(value) for value in found):
            self.faults.append("Content-Length is no number: %r" % found)
            return None
        return int(found[0]) if found else None

    def read_chunked(self, reader):
        self.framing = "chunked"
        body = bytearray()
        try:
            while True:
                line = reader.until(b"\r\n")[:-2]
                size = CHUNK.match(line)
                if not size:
                    self.faults.append("not a chunk's size: %r" % line[:80])
                    return
                count = int(size.group(1), 16)
                if count == 0:
                    break
                self.chunks.append(count)
                body += reader.exactly(count)
                end = reader.exactly(2)
                if end != b"\r\n":
                    self.faults.append("a chunk ends in %r" % end)
                    return
            while (line := reader.until(b"\r\n")) != b"\r\n":
                name, colon, value = line[:-2].partition(b":")
                if not colon or not TOKEN.match(name):
                    self.faults.append("not a trailer field: %r" % line[:80])
                self.trailers.append((name, value.strip(b" \t")))
            self.complete = True
        except Short as short:
            self.why = "chunked: %s" % short.args[0]
            body += short.args[1] if len(short.args) > 1 else b""
        finally:
            self.body = bytes(body)

    def read_length(self, reader, count):
        self.framing = "length"
        try:
            self.body = reader.exactly(count)
            self.complete = True
        except Short as short:
            self.why = "length: %s" % short.args[0]
            self.body = short.args[1] if len(short.args) > 1 else b""


class Request(Message):
    """A request as the upstream got it."""

    def __init__(self, head):
        super().__init__(head)
        parts = self.start.split(b" ")
        if len(parts) != 3 or not TOKEN.match(parts[0]) or not parts[1]:
            self.faults.append("not a request line: %r" % self.start[:80])
            parts = (parts + [b"", b""])[:3]
        self.method, self.target, self.version = parts
        if self.version not in (b"HTTP/1.1", b"HTTP/1.0"):
            self.faults.append("version %r" % self.version[:20])
        if len(self.all(b"host")) != 1:
            self.faults.append("%d Host fields" % len(self.all(b"host")))
        codings = self.all(b"transfer-encoding")
        self.coded = bool(codings)
        if codings and codings[0].lower() != b"chunked" or len(codings) > 1:
            self.faults.append("Transfer-Encoding %r" % codings)
        self.announced = self.length()
        if self.coded and (self.all(b"content-length") or self.version == b"HTTP/1.0"):
            self.faults.append("Transfer-Encoding beside Content-Length or in HTTP/1.0")

    def read_body(self, reader):
        if self.coded:
            self.read_chunked(reader)
        elif self.announced:
            self.read_length(reader, self.announced)
        else:
            self.complete = True

    def __repr__(self):
        return "%s%s %d bytes%s" % (
            self.start.decode("latin-1"),
            "" if self.complete else " (cut)",
            len(self.body),
            " FAULTS %s" % self.faults if self.faults else "",
        )


class Answer(Message):
    """An answer as the client got it. `clean`: its end is the end that its framing announced."""

    def __init__(self, head):
        super().__init__(head)
        found = re.match(rb"(HTTP/1\.[01]) ([0-9]{3})(?: (.*))?\Z", self.start, re.S)
        if not found:
            self.faults.append("not a status line: %r" % self.start[:80])
        self.version, status, self.reason = found.groups() if found else (b"", b"0", b"")
        self.status, self.interim, self.switched = int(status), [], False

    @property
    def clean(self):
        return self.complete and not self.faults

    def read_body(self, reader, method):
        if self.status == 101:
            self.complete = self.switched = True
            return
        codings, announced = self.all(b"transfer-encoding"), self.length()
        if codings and [value.lower() for value in codings] != [b"chunked"]:
            self.faults.append("Transfer-Encoding %r" % codings)
        if codings and announced is not None:
            self.faults.append("both Transfer-Encoding and Content-Length")
        if method == "HEAD" or self.status in (204, 304):
            self.complete = True
        elif codings:
            self.read_chunked(reader)
        elif announced is not None:
            self.read_length(reader, announced)
        else:
            self.framing = "close"
            self.body = reader.rest()
            self.complete = reader.end == "fin"
            self.why = "" if self.complete else "ended by %s" % reader.end

    def __repr__(self):
        return "%d %s %d bytes %s%s%s" % (
            self.status,
            (self.reason or b"").decode("latin-1"),
            len(self.body),
            self.framing,
            "" if self.complete else " (cut: %s)" % self.why,
            " FAULTS %s" % self.faults if self.faults else "",
        )


def read_answer(reader, method="GET", patience=None):
    """The next answer with the 1xx before it. `Short`: the other side ended without one (whole)."""
    interim = []
    while True:
        answer = Answer(reader.until(b"\r\n\r\n", patience))
        if 100 <= answer.status < 200 and answer.status != 101:
            interim.append(answer)
            continue
        answer.interim = interim
        answer.read_body(reader, method)
        return answer


def chunked(*pieces, trailers=b""):
    """A whole chunked body."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n" + trailers + b"\r\n"
