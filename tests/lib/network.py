"""A test network: answers a postback as TUNE does when it accepts one, and keeps every call."""
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class Network:
    """Listens on `port` of 127.0.0.1, always the same; `before` and `after` are called around each answer, and `words`
    gives it."""

    def __init__(self):
        self.calls, self.port = [], 0
        self.before = self.after = lambda call: None
        self.words = lambda call: b"success=true;"
        self.open()

    def open(self):
        network = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                target = urlsplit(self.path)
                call = {"path": target.path, **dict(parse_qsl(target.query, keep_blank_values=True))}
                network.calls.append(call)
                network.before(call)
                body = network.words(call)
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                network.after(call)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_):  # the other end was killed: that is what some suites do
                pass

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        """From now on connections are refused."""
        self.server.shutdown()
        self.server.server_close()
