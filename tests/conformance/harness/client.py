"""A client that sends exactly the bytes it is told to."""

import socket
import ssl
import struct
import time

from .wire import Reader, Short, Slow, read_answer


class Client:
    """One connection to the proxy."""

    def __init__(self, port, patience=10.0, tls=None, receive_buffer=None, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(patience)
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context, name = tls
            self.sock = context.wrap_socket(self.sock, server_hostname=name)
        self.reader = Reader(self.sock, patience)
        self.patience = patience

    def send(self, data, patience=None):
        """All of it; a proxy that has ended already is no error here: the answer will tell."""
        self.sock.settimeout(patience or self.patience)
        try:
            self.sock.sendall(data)
            return True
        except OSError:
            return False

    def answer(self, method="GET", patience=None):
        return read_answer(self.reader, method, patience)

    def ask(self, data, method="GET", patience=None):
        self.send(data)
        return self.answer(method, patience)

    def get(self, target="/", fields=b"", method="GET", host="shop.test", version="1.1"):
        head = "%s %s HTTP/%s\r\nHost: %s\r\n" % (method, target, version, host)
        return self.ask(head.encode("latin-1") + fields + b"\r\n", method)

    def answers(self, methods=(), patience=7.0):
        """Every answer until the proxy closes or is quiet for `patience`, and how it ended: `fin`, `reset` or `open`.

        A cut or unreadable answer is the last one.
        """
        found, methods = [], iter(methods)
        while True:
            try:
                if not self.reader.buffer and not self.reader.more(self.reader.deadline(patience)):
                    break
                found.append(self.answer(next(methods, "GET"), patience))
            except (Short, Slow):
                break
            if not found[-1].clean or found[-1].switched:
                break
        return found, self.reader.end or "open"

    def ended(self, patience=7.0):
        return self.reader.ended(patience)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def tls_context(alpn=(), minimum=None, maximum=None):
    """A client side that believes any certificate: what is tested is the proxy."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if minimum:
        context.minimum_version = minimum
    if maximum:
        context.maximum_version = maximum
    return context


def wait_for(holds, seconds=5.0, pause=0.01):
    """Waits for a thing that another thread or process does; whether it came."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True
