#!/usr/bin/env python3
"""Certificates from an authority: Debian's pebble, on loopback, gives refgate what a browser would take.

usage: run.py [WORKDIR]   environment: REFGATE, the binary (default target/release/refgate)
"""
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from suite import Suite, free_port, wait_until  # noqa: E402

US, DE, REFUSED, ELSEWHERE = "us.shop.test", "de.shop.test", "refused.shop.test", "elsewhere.shop.test"
LONG, SHORT = 86_400, 12  # seconds that a certificate is valid


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"the shop's page"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Names:
    """A name service in which every host is this machine's first address, but for one at which nobody listens."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self):
        while True:
            query, asker = self.socket.recvfrom(4096)
            end = query.index(b"\0", 12) + 5
            kind = struct.unpack(">H", query[end - 4:end - 2])[0]
            where = "127.0.0.2" if b"elsewhere" in query else "127.0.0.1"
            address = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(where)
            answers = [address] if kind == 1 else []
            head = query[:2] + struct.pack(">HHHHH", 0x8180, 1, len(answers), 0, 0)
            self.socket.sendto(head + query[12:end] + b"".join(answers), asker)


class Advice:
    """pebble's directory with renewal information (RFC 9773), which this pebble has not: `window` in seconds from now."""

    def __init__(self, bench):
        self.window, self.asked = (3600, 7200), 0
        advice = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if self.path == "/dir":
                    with urlopen(bench.directory, context=bench.trust) as answer:
                        found = {**json.load(answer), "renewalInfo": advice.url("ari")}
                else:
                    advice.asked += 1
                    stamp = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + at)) for at in advice.window]
                    found = {"suggestedWindow": {"start": stamp[0], "end": stamp[1]}}
                body = json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Retry-After", "3600")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(bench.certificate, bench.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return "https://127.0.0.1:%d/%s" % (self.server.server_port, path)


class Bench:
    """pebble, refgate, and a browser's eyes."""

    def __init__(self, suite, folder):
        self.suite, self.folder, self.count = suite, folder, 0
        self.http, self.tls, self.admin, self.acme, self.management = (free_port() for _ in range(5))
        self.names = Names()
        shop = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
        shop.daemon_threads = True
        threading.Thread(target=shop.serve_forever, daemon=True).start()
        self.shop = shop.server_port
        self.directory = "https://127.0.0.1:%d/dir" % self.acme
        self.certificate, self.key = os.path.join(folder, "pebble.crt"), os.path.join(folder, "pebble.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", self.key, "-out", self.certificate, "-days", "2", "-subj", "/CN=pebble",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"],
                       check=True, capture_output=True)
        self.trust = ssl.create_default_context(cafile=self.certificate)

    def pebble(self, validity):
        """Started anew it has a new root and knows nobody."""
        self.count += 1
        config = os.path.join(self.folder, "pebble.json")
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"pebble": {
                "listenAddress": "127.0.0.1:%d" % self.acme, "managementListenAddress": "127.0.0.1:%d" % self.management,
                "certificate": self.certificate, "privateKey": self.key, "httpPort": self.http, "tlsPort": self.tls,
                "domainBlocklist": [REFUSED], "certificateValidityPeriod": validity}}, file)
        self.pebble_log = "pebble-%d" % self.count
        program = self.suite.start(self.pebble_log, ["pebble", "-config", config, "-dnsserver",
                                                     "127.0.0.1:%d" % self.names.port], self.acme,
                                   {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"})
        with urlopen("https://127.0.0.1:%d/roots/0" % self.management, context=self.trust) as answer:
            self.browser = ssl.create_default_context(cadata=answer.read().decode())
        return program

    def refgate(self, cache, challenge="http-01", directory=None):
        self.count += 1
        self.refgate_log = "refgate-%d" % self.count
        refgate = os.path.abspath(os.environ.get("REFGATE") or os.path.join(ROOT, "target", "release", "refgate"))
        return self.suite.start(
            self.refgate_log, [refgate, "run", "--config", os.path.join(HERE, "proxy.yaml")], self.tls,
            {"HTTP_PORT": str(self.http), "TLS_PORT": str(self.tls), "ADMIN_PORT": str(self.admin),
             "SHOP_PORT": str(self.shop), "DATA": self.folder, "CA": self.certificate, "CHALLENGE": challenge,
             "CACHE": os.path.join(self.folder, cache), "DIRECTORY": directory or self.directory})

    def serial(self, host, seconds=30):
        """The serial of the certificate that a browser takes for `host`, once there is one."""
        return wait_until("%s has a certificate" % host, lambda: self.look(host), seconds)

    def look(self, host):
        """None where the handshake fails, or a browser would not take the certificate."""
        try:
            with socket.create_connection(("127.0.0.1", self.tls), 5) as bare:
                with self.browser.wrap_socket(bare, server_hostname=host) as safe:
                    return safe.getpeercert()["serialNumber"]
        except (ssl.SSLError, ConnectionError):
            return None

    def is_refused(self, host):
        """Whether even somebody who takes any certificate gets none."""
        anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anything.check_hostname, anything.verify_mode = False, ssl.CERT_NONE
        try:
            with socket.create_connection(("127.0.0.1", self.tls), 5) as bare:
                anything.wrap_socket(bare, server_hostname=host).close()
            return False
        except ssl.SSLError:
            return True

    def page(self, host):
        connection = http.client.HTTPSConnection("127.0.0.1", self.tls, timeout=20, context=self.browser)
        # The address is this machine's, the name in the handshake is the host's.
        connection.sock = self.browser.wrap_socket(socket.create_connection(("127.0.0.1", self.tls), 20),
                                                   server_hostname=host)
        connection.request("GET", "/", headers={"Host": host})
        return connection.getresponse().read()

    def plain(self, path, host=US):
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=20)
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers["Location"]

    def counted(self, name):
        with urlopen("http://127.0.0.1:%d/metrics" % self.admin) as answer:
            return int(re.search(r"^refgate_%s_total (\d+)" % name, answer.read().decode(), re.M).group(1))

    def orders(self):
        """How many pebble took; it turns some good requests away for their nonce, and these are sent again."""
        return self.suite.log(self.pebble_log).count("Added order")

    def validations(self):
        """How often pebble looked at a host, and how often of these by HTTP (three times each)."""
        log = self.suite.log(self.pebble_log)
        return log.count("Starting 3 validations"), log.count("Attempting to validate w/ HTTP: http://")


def without_its_authority(suite, bench):
    program = bench.refgate("nobody")
    wait_until("each host was tried", lambda: bench.counted("certificates_failed") == 4, 30)
    suite.claim("without its authority refgate says so, loudly", re.search(
        r"ERROR.*could not obtain a certificate.*%s" % re.escape(US), suite.log(bench.refgate_log)),
        lambda: suite.log(bench.refgate_log))
    suite.equal("and sends shoppers on all the same", bench.plain("/a?b"),
                (308, "https://%s:%d/a?b" % (US, bench.tls)))
    suite.claim("without a certificate no handshake is made", bench.is_refused(US))
    suite.equal("refgate ends cleanly", suite.stop(program), 0)


def by_http(suite, bench):
    program = bench.refgate("http")
    serials = {host: bench.serial(host) for host in (US, DE)}
    suite.claim("by http-01 each host gets a certificate of its own", len(set(serials.values())) == 2, serials)
    suite.equal("the shop is served by TLS", bench.page(US), b"the shop's page")
    wait_until("both failures are told", lambda: bench.counted("certificates_failed") == 2, 30)
    for host, words in ((REFUSED, "forbidden by policy"), (ELSEWHERE, "127.0.0.2")):
        suite.claim("%s is named, with pebble's words" % host, re.search(
            r"ERROR.*could not obtain.*%s.*%s" % (re.escape(host), words), suite.log(bench.refgate_log)),
            lambda: suite.log(bench.refgate_log))
    suite.claim("a host without a certificate is not served with another's", bench.is_refused(REFUSED))
    suite.claim("a host that is nobody's is", not bench.is_refused("stranger.test"))
    suite.equal("pebble asked by HTTP", bench.validations(), (3, 9))
    suite.equal("certificates are counted", bench.counted("certificates_changed"), 2)
    tokens = re.findall(r"/\.well-known/acme-challenge/[\w-]+", suite.log(bench.pebble_log))
    suite.claim("a challenge that is over is no page any more",
                tokens and bench.plain(tokens[0])[0] == 308, lambda: bench.plain(tokens[0]))
    suite.equal("refgate ends cleanly", suite.stop(program), 0)

    folder = os.path.join(bench.folder, "http", "127.0.0.1-%d-dir" % bench.acme)
    modes = {name: oct(os.stat(os.path.join(folder, name)).st_mode & 0o777) for name in os.listdir(folder)}
    suite.equal("what is kept is its owner's only", modes,
                {"account.json": "0o600", US + ".pem": "0o600", DE + ".pem": "0o600"})

    orders, program = bench.orders(), bench.refgate("http")
    suite.equal("after a restart both are there at once", {host: bench.look(host) for host in (US, DE)}, serials)
    wait_until("the others are tried again", lambda: bench.counted("certificates_failed") == 2, 30)
    suite.equal("and of the others' orders pebble took the one that its policy allows", bench.orders() - orders, 1)
    suite.equal("refgate ends cleanly", suite.stop(program), 0)


def by_handshake(suite, bench):
    before, program = bench.validations(), bench.refgate("alpn", "tls-alpn-01")
    suite.claim("by tls-alpn-01 both hosts get certificates", bench.serial(US) != bench.serial(DE))
    after = bench.validations()
    suite.claim("pebble asked, and not by HTTP", after[0] >= before[0] + 2 and after[1] == before[1], (before, after))
    suite.equal("the shop is served by TLS", bench.page(DE), b"the shop's page")
    suite.equal("refgate ends cleanly", suite.stop(program), 0)


def forgotten(suite, bench):
    """The authority knows our account no longer, and its certificates are short-lived."""
    folder = os.path.join(bench.folder, "http", "127.0.0.1-%d-dir" % bench.acme)
    for name in os.listdir(folder):
        if name.endswith(".pem"):
            os.unlink(os.path.join(folder, name))
    pebble, program = bench.pebble(SHORT), bench.refgate("http")
    serials = [bench.serial(US)]
    suite.claim("with an authority that has forgotten us there is a new account",
                "account.json.gone" in os.listdir(folder), lambda: os.listdir(folder))
    # As long as five certificates last.
    looks, gaps, end = 0, [], time.monotonic() + 5 * SHORT
    while len(serials) < 4 and time.monotonic() < end:
        serial = bench.look(US)
        looks += 1
        if serial is None:
            gaps.append(looks)
        elif serial != serials[-1]:
            serials.append(serial)
        time.sleep(0.1)
    suite.equal("certificates are renewed, again and again", len(set(serials)), 4)
    suite.equal("and none of %d shoppers met one that was over" % looks, gaps, [])
    suite.equal("refgate ends cleanly", suite.stop(program), 0)
    suite.stop(pebble)


def advised(suite, bench):
    pebble = bench.pebble(LONG)
    advice = Advice(bench)
    program = bench.refgate("advised", directory=advice.url("dir"))
    serial = bench.serial(US)
    bench.serial(DE)
    suite.stop(program)
    program = bench.refgate("advised", directory=advice.url("dir"))
    wait_until("the authority is asked about both", lambda: advice.asked >= 2, 30)
    suite.equal("a certificate that need not be renewed stays", bench.look(US), serial)
    suite.stop(program)
    advice.window = (-7200, -3600)
    program = bench.refgate("advised", directory=advice.url("dir"))
    wait_until("it is renewed", lambda: bench.look(US) not in (serial, None), 30)
    suite.claim("one that the authority wants renewed is renewed", True)
    suite.equal("refgate ends cleanly", suite.stop(program), 0)
    suite.stop(pebble)


def main():
    workdir = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target", "acme"))
    with Suite("certificates", workdir, limit=240) as suite:
        folder = tempfile.mkdtemp(prefix="refgate-", dir=workdir)
        bench = Bench(suite, folder)
        without_its_authority(suite, bench)
        pebble = bench.pebble(LONG)
        by_http(suite, bench)
        by_handshake(suite, bench)
        suite.stop(pebble)
        forgotten(suite, bench)
        advised(suite, bench)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
