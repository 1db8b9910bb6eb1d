#!/usr/bin/env python3
"""What fails beneath refgate: the disk, the file's limits, the ledger's lock, descriptors, the network, the clock.

Each story is told twice over: while the fault lasts the shop's page comes byte for byte and soon, and the order is kept
or named in the log with all that is needed to enter it; when it is over, refgate recovers by itself, and the network
is told of every order once. Faults of the disk are injected into the running process's own calls (libfiu), the clock's
by libfaketime, limits by prlimit.

usage: run.py [WORKDIR]   environment: REFGATE, the binary (default target/release/refgate)
"""
import os
import shutil
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
sys.path.insert(0, HERE)
from network import Network  # noqa: E402
from suite import Suite  # noqa: E402

import clock  # noqa: E402
import disk  # noqa: E402
import limits  # noqa: E402
import tail  # noqa: E402
from scene import Scene  # noqa: E402


class Shop(BaseHTTPRequestHandler):
    """Confirms every order."""

    protocol_version = "HTTP/1.1"

    @staticmethod
    def page(order):
        return (b"<!doctype html><html><body><h1>Thank you for your order</h1><table id=totals><tr class=subtotal><td>$"
                + order.encode() + b".00</td></tr></table>" + b"<p>Come again.</p>" * 2000 + b"</body></html>")

    def do_GET(self):
        body = self.page(self.path.partition("?")[0].rpartition("/")[2])
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    workdir = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target", "faults"))
    with Suite("the faults", workdir, limit=240) as suite:
        shop = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
        shop.daemon_threads = True
        threading.Thread(target=shop.serve_forever, daemon=True).start()
        for stories in (disk, limits, tail, clock):
            data = tempfile.mkdtemp(prefix="refgate-", dir=workdir)
            scene = Scene(suite, data, shop.server_port, Shop.page, Network())
            stories.tell(suite, scene)
            scene.close()
            shutil.rmtree(data)


if __name__ == "__main__":
    main()
