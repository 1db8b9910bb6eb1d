#!/usr/bin/env python3
"""Durability, read off the system calls: the ledger's commit is synced before the write that completes the page.

usage: run.py [WORKDIR]   environment: REFGATE, the binary (default target/release/refgate)
"""
import http.client
import os
import re
import shutil
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from network import Network  # noqa: E402
from suite import Suite, free_port, wait_until  # noqa: E402

PAGE = (b"<!doctype html><html><body><h1>Thank you for your order</h1><table id=totals><tr class=subtotal>"
        b"<td>$1,249.95</td></tr></table>" + b"<p>Come again.</p>" * 2000 + b"</body></html>")
CALLS = "write,writev,sendto,sendmsg,pwrite64,pwritev,fdatasync,fsync"


class Shop(BaseHTTPRequestHandler):
    """Confirms every order: an even number with Content-Length, an odd one in chunks."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        order = self.path.partition("?")[0].rpartition("/")[2]
        chunked = order.isdigit() and int(order) % 2 == 1
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(PAGE)))))
        self.end_headers()
        for at in range(0, len(PAGE), 4096):
            piece = PAGE[at:at + 4096]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


class Call:
    """One system call: where in the trace it began and ended, and on what."""

    def __init__(self, name, on, began):
        self.name, self.on, self.began, self.ended = name, on, began, None


def read_trace(path):
    """The calls of a trace of `strace -f -yy`, whose lines are in the order of what happened."""
    calls, open_calls = [], {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for at, line in enumerate(file):
            process, _space, rest = line.partition(" ")
            rest = rest.strip()
            resumed = re.match(r"<\.\.\. (\w+) resumed>", rest)
            if resumed and process in open_calls:
                open_calls.pop(process).ended = at
                continue
            began = re.match(r"(\w+)\(\d+<(.*?)>[,) ]", rest)
            if not began:
                continue
            call = Call(began.group(1), began.group(2), at)
            calls.append(call)
            if rest.endswith("<unfinished ...>"):
                open_calls[process] = call
            else:
                call.ended = at
    return calls


def completed_after_sync(calls, client):
    """(whether, why not) the last write to the client's port began after the commit's sync had returned."""
    to_client = [call for call in calls if call.on.startswith("TCP:") and call.on.endswith(":%d]" % client)]
    if not to_client:
        return False, "no write to the client was seen"
    first, last = to_client[0], to_client[-1]
    # What was written at the start is done; the first write after the page began is the order's, and the sync
    # after it is that commit's. Later ones are the postback's.
    wal = [call for call in calls if call.on.endswith("refgate.db-wal") and call.began > first.began]
    written = next((call for call in wal if call.name.startswith("pwrite")), None)
    if not written or written.began > last.began:
        return False, "the log was not written before the last write to the client"
    synced = next((call for call in wal if call.name in ("fdatasync", "fsync") and call.began > written.began), None)
    if not synced or synced.ended is None or synced.ended > last.began:
        return False, "the log was written but not synced before the last write to the client"
    if first is last:
        return False, "the whole page was one write, so nothing of it went out at once"
    return True, ""


def main():
    workdir = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target", "trace"))
    with Suite("the trace", workdir, limit=120) as suite:
        data = tempfile.mkdtemp(prefix="refgate-", dir=workdir)
        shop = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
        shop.daemon_threads = True
        threading.Thread(target=shop.serve_forever, daemon=True).start()
        network, front = Network(), free_port()
        refgate = os.environ.get("REFGATE") or os.path.join(ROOT, "target", "release", "refgate")
        clients = {}
        for order in ("1000", "1001"):
            # A run of its own for each, so that no other commit stands in its trace. -D: refgate is our child.
            trace = os.path.join(data, order + ".trace")
            program = suite.start(
                "refgate-" + order,
                ["strace", "-D", "-f", "-yy", "-s", "0", "-e", "trace=" + CALLS, "-o", trace,
                 refgate, "run", "--config", os.path.join(ROOT, "tests", "lib", "proxy.yaml")], front,
                {"LISTEN_PORT": str(front), "ADMIN_PORT": str(free_port()), "SHOP_PORT": str(shop.server_port),
                 "NETWORK_PORT": str(network.port), "DATA": data})
            clients[order] = confirm(front, order)
            suite.equal("refgate ends cleanly after order %s" % order, suite.stop(program), 0)
            wait_until("the trace is whole", lambda: " +++ exited with" in last_line(trace))
            kind = "in chunks" if int(order) % 2 else "with Content-Length"
            suite.claim("a page %s is completed only after the commit is synced" % kind,
                        *completed_after_sync(read_trace(trace), clients[order]))
        suite.equal("both orders reached the network", sorted(call["adv_unique1"] for call in network.calls),
                    sorted(clients))
        shutil.rmtree(data)


def confirm(front, order):
    """Clicks, comes to the checkout and gets the confirmation, each on a connection of its own; the port of the
    last one's near end."""
    cookie = ""
    for target in ("/?affiliate_id=123456", "/checkout"):
        step = http.client.HTTPConnection("127.0.0.1", front, timeout=20)
        step.request("GET", target, headers={"Host": "shop.localhost", "Cookie": cookie})
        answer = step.getresponse()
        answer.read()
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    connection = http.client.HTTPConnection("127.0.0.1", front, timeout=20)
    connection.connect()
    port = connection.sock.getsockname()[1]
    connection.request("GET", "/checkout/thank-you/" + order, headers={"Host": "shop.localhost", "Cookie": cookie})
    if connection.getresponse().read() != PAGE:
        raise ValueError("the page of order %s is not the shop's" % order)
    connection.close()
    return port


def last_line(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return (file.readlines() or [""])[-1]


if __name__ == "__main__":
    main()
