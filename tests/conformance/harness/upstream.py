"""The shop: a raw server that does what the case's script says, and remembers every byte that arrived."""

import socket
import struct
import threading
import time

from .wire import Reader, Request, Short, Slow


class Connection:
    """One connection from the proxy."""

    def __init__(self, sock, number, keep):
        self.sock, self.number = sock, number
        self.reader = Reader(sock, 20.0, keep)
        self.requests, self.over, self.opened = [], False, time.monotonic()
        self.held = threading.Event()

    @property
    def received(self):
        return bytes(self.reader.taken)

    def request(self, body=True, patience=None):
        """The next request, logged when its head is there; None when the proxy has ended the connection."""
        try:
            head = self.reader.until(b"\r\n\r\n", patience)
        except Short:
            return None
        request = Request(head)
        self.requests.append(request)
        if body:
            request.read_body(self.reader)
        return request

    def send(self, data):
        """Whether it could be sent."""
        self.sock.settimeout(30)
        try:
            self.sock.sendall(data)
            return True
        except OSError:
            return False

    def ended(self, patience=10.0):
        """Whether the proxy ends the connection within `patience`."""
        return self.reader.ended(patience)

    def hold(self, patience=20.0):
        """Does nothing until the case is over."""
        self.held.wait(patience)

    def finish(self):
        """Ends the sending side."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def reset(self):
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.close()

    def close(self):
        self.over = True
        try:
            self.sock.close()
        except OSError:
            pass


def ok(body=b"", fields=b"", status=b"200 OK"):
    """A plain answer with Content-Length."""
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, fields, len(body), body)


def echo(request):
    """What the upstream answers when nothing else is scripted: method, target and body as they came."""
    body = b"%s %s\n%s" % (request.method, request.target, request.body)
    return ok(b"" if request.method == b"HEAD" else body)


def serving(respond=echo):
    """A script that answers each request of a connection with `respond(request)`, until one is not whole."""

    def script(connection):
        while (request := connection.request()) and request.complete and not request.faults:
            data = respond(request)
            if data is None or not connection.send(data):
                return
            if (request.get(b"connection") or b"").lower() == b"close":
                return

    return script


class Upstream:
    """Listens on a port of 127.0.0.1; `script(connection)` runs in a thread for each connection.

    With `tls`, a context of the server's side, it speaks HTTPS.
    """

    def __init__(self, port=0, keep=True, tls=None):
        self.tls = tls
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port, self.keep = self.listener.getsockname()[1], keep
        self.script, self.connections, self.lock = serving(), [], threading.Lock()
        self.errors, self.closed = [], False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self.closed:
            try:
                sock, _address = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                connection = Connection(sock, len(self.connections), self.keep)
                self.connections.append(connection)
            threading.Thread(target=self._run, args=(connection, self.script), daemon=True).start()

    def _run(self, connection, script):
        try:
            if self.tls:
                connection.sock.settimeout(5)
                connection.sock = connection.reader.sock = self.tls.wrap_socket(connection.sock, server_side=True)
            script(connection)
        except (Short, Slow, OSError):
            pass
        except Exception as error:  # a fault of the script is a fault of the case
            self.errors.append("%s: %s" % (type(error).__name__, error))
        connection.over = True
        connection.finish()

    def begin(self, script=None):
        """Forgets what was, for the next case."""
        self.end()
        self.script, self.errors = script or serving(), []

    def end(self):
        """Ends every connection, and waits a little until the proxy has seen that it did, so that none is left in a pool.

        A proxy that looks at a pooled connection only when it takes it is not waited for long.
        """
        with self.lock:
            connections, self.connections = self.connections, []
        for connection in connections:
            connection.held.set()
            connection.finish()
        for connection in connections:
            if not connection.over and connection.sock.fileno() >= 0:
                end = time.monotonic() + 0.2
                while not connection.over and time.monotonic() < end:
                    time.sleep(0.005)
            if connection.over and connection.sock.fileno() >= 0:
                try:
                    connection.reader.keep = False
                    connection.reader.ended(0.2)
                except (OSError, ValueError):
                    pass
            connection.close()

    @property
    def requests(self):
        """Every request so far, connection by connection."""
        with self.lock:
            return [request for connection in self.connections for request in connection.requests]

    @property
    def received(self):
        """Every byte so far."""
        with self.lock:
            return b"".join(connection.received for connection in self.connections)

    def leftovers(self):
        """What came and is no request: bytes that a script has not read as one."""
        with self.lock:
            return [
                bytes(connection.reader.buffer)
                for connection in self.connections
                if connection.reader.buffer and not (connection.requests and not connection.requests[-1].complete)
            ]

    def close(self):
        """From now on connections are refused."""
        self.closed = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.end()
