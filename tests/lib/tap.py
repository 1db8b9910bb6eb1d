"""A tap: forwards TCP bytes unchanged and keeps them, so that what the shop sent and got can be compared."""
import http.client
import io
import socket
import threading


class Tap:
    """Listens on `port` of 127.0.0.1 and forwards to `upstream` there."""

    def __init__(self, upstream):
        self.upstream = upstream
        self.connections = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            front, _address = self.listener.accept()
            back = socket.create_connection(("127.0.0.1", self.upstream))
            sent, got = bytearray(), bytearray()
            self.connections.append((sent, got))
            for source, target, record in ((front, back, sent), (back, front, got)):
                threading.Thread(target=self._copy, args=(source, target, record), daemon=True).start()

    @staticmethod
    def _copy(source, target, record):
        try:
            while data := source.recv(65536):
                record += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            target.close()

    def exchanges(self):
        """Everything so far, as (request, response) in the order of each connection."""
        return [pair for sent, got in self.connections
                for pair in zip(requests(bytes(sent)), responses(bytes(got)))]


def requests(data):
    """The requests of one connection, as dicts of `line`, `headers` (a list of pairs of bytes) and `body`."""
    found = []
    while data:
        head, _end, data = data.partition(b"\r\n\r\n")
        line, headers = split_head(head)
        length = int(first(headers, b"content-length") or 0)
        assert first(headers, b"transfer-encoding") is None, "a shopper of these suites sends no chunks"
        found.append({"line": line, "headers": headers, "body": data[:length]})
        data = data[length:]
    return found


def responses(data):
    """The responses of one connection; `body` is what was sent, without chunking. No HEAD is among them."""
    stream, found = io.BufferedReader(io.BytesIO(data)), []
    while stream.peek(1):
        at = stream.tell()
        answer = http.client.HTTPResponse(_Stream(stream), method="GET")
        answer.begin()
        body = answer.read()
        line, headers = split_head(data[at:].partition(b"\r\n\r\n")[0])
        found.append({"line": line, "status": answer.status, "headers": headers, "body": body})
    return found


def split_head(head):
    line, *fields = head.split(b"\r\n")
    return line, [(name, value.strip()) for name, _colon, value in (field.partition(b":") for field in fields)]


def first(headers, name):
    return next((value for key, value in headers if key.lower() == name), None)


class _Stream:
    """What HTTPResponse takes for a socket."""

    def __init__(self, stream):
        self.stream = stream

    def makefile(self, _mode):
        return _Unclosable(self.stream)


class _Unclosable:
    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def flush(self):
        pass

    def close(self):
        pass
