"""The scene of the stores' stories: certificates, the world outside, refgate, and visitors in a browser."""
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit
from urllib.request import urlopen

from browser import Browser, Fault
from network import Network
from shop import HOSTS, PAYMENT, Shop
from suite import free_port, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
BLOG = "www.blog.example"
# Their cookies, as ours() has them.
US, CA = (".store-us.example", "__Secure-refgate"), (HOSTS["ca"], "__Host-refgate")
EU, MARKER = (HOSTS["eu"], "__Host-refgate"), (HOSTS["ca"], "__Host-refgate-asked")
OUTSIDE = [BLOG, PAYMENT, "evil.example", "www.store-ca.example.evil.example"]
# What the network is told of an order, in its own currency.
AMOUNTS = {"us": "100.00", "us-shop": "100.00", "ca": "73.00", "uk": "125.00", "eu": "110.00"}
# A headless Chromium calls itself so, and refgate takes no click from what says that it is no person.
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%s.0.0.0 Safari/537.36"


DOCUMENT = ["Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate"]


def url(store, path="/"):
    return "https://%s%s" % (HOSTS[store], path)


class Scene:
    """What all stories share. `gates` are the refgates, `orders` what was bought and who must be paid for it."""

    def __init__(self, suite, refgate):
        self.suite, self.refgate = suite, os.path.abspath(refgate)
        self.network, self.shop = Network(), Shop()
        self._certificates()
        self.outside = Outside(self.file("outside"))
        self.owed, self.driver = {}, free_port()
        suite.start("chromedriver", ["chromedriver", "--port=%d" % self.driver], self.driver,
                    env={"HOME": self.file("home")})

    def file(self, name):
        return os.path.join(self.suite.workdir, name)

    def _certificates(self):
        """An authority that the browser trusts, and a certificate of it for the stores and one for the others."""
        def run(*command):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError("%s: %s" % (" ".join(command), done.stderr))

        def make(name, subject, *more):
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                "30", "-subj", "/CN=" + subject, "-keyout", self.file(name + ".key"), "-out", self.file(name + ".pem"), *more)

        make("ca", "refgate's tests")
        for name, hosts in (("stores", HOSTS.values()), ("outside", OUTSIDE)):
            make(name, name, "-CA", self.file("ca.pem"), "-CAkey", self.file("ca.key"), "-addext",
                 "subjectAltName=" + ",".join("DNS:" + host for host in hosts), "-addext", "basicConstraints=critical,CA:FALSE")
        store = self.file("home/.pki/nssdb")
        shutil.rmtree(store, ignore_errors=True)
        os.makedirs(store)
        run("certutil", "-d", "sql:" + store, "-N", "--empty-password")
        run("certutil", "-d", "sql:" + store, "-A", "-t", "C,,", "-n", "refgate", "-i", self.file("ca.pem"))
        self.trust = ssl.create_default_context(cafile=self.file("ca.pem"))

    def gate(self, name, lifetime="30m", ask=None):
        return Gate(self, name, lifetime, ask)

    def postback(self, number):
        """The first one that the network got for an order."""
        return wait_until("the network is told of order %s" % number, lambda: next(
            (call for call in list(self.network.calls) if call["adv_unique1"] == number), None), 20)


class Gate:
    """A refgate with a ledger of its own in front of the shop."""

    def __init__(self, scene, name, lifetime, ask):
        self.scene, self.name, self.port, self.admin = scene, name, free_port(), free_port()
        data = scene.file(name)
        shutil.rmtree(data, ignore_errors=True)
        os.makedirs(data)
        with open(os.path.join(HERE, "stores.yaml"), encoding="utf-8") as file:
            text = file.read()
        if ask:
            text = text.replace("redirects: true, links: true", "redirects: true, links: true, ask: [%s]" % ask)
        self.config = os.path.join(data, "proxy.yaml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)
        self.environment = {"LISTEN_PORT": str(self.port), "ADMIN_PORT": str(self.admin), "DATA": data,
                            "CERTIFICATES": scene.suite.workdir, "LIFETIME": lifetime,
                            "SHOP_PORT": str(scene.shop.port), "NETWORK_PORT": str(scene.network.port)}
        scene.suite.start(name, [scene.refgate, "--config", self.config, "run"], self.port, self.environment)

    def explain(self, number):
        """All that is known of an order."""
        done = subprocess.run([self.scene.refgate, "--config", self.config, "--json", "explain", number], check=False,
                              capture_output=True, text=True, env={**os.environ, **self.environment})
        if done.returncode:
            raise RuntimeError("explain %s: %s" % (number, done.stderr))
        return json.loads(done.stdout)[0]

    def count(self, name):
        with urlopen("http://127.0.0.1:%d/metrics" % self.admin) as answer:
            return int(re.search(r"^refgate_%s_total (\d+)$" % name, answer.read().decode(), re.M).group(1))

    def visitor(self, settings=None):
        return Visitor(self, settings)

    def fetch(self, store, path, headers=DOCUMENT):
        """The bytes of an answer, as they come over TLS."""
        raw = socket.create_connection(("127.0.0.1", self.port), 20)
        return exchange(self.scene.trust.wrap_socket(raw, server_hostname=HOSTS[store]), store, path, headers)

    def fetch_from_shop(self, store, path, headers=DOCUMENT):
        """The same, from the shop itself."""
        return exchange(socket.create_connection(("127.0.0.1", self.scene.shop.port), 20), store, path, headers)


def exchange(connection, store, path, headers):
    lines = ["GET %s HTTP/1.1" % path, "Host: " + HOSTS[store], "User-Agent: " + AGENT % 140, *headers]
    with connection:
        connection.sendall("".join(line + "\r\n" for line in [*lines, ""]).encode())
        got = b""
        while data := connection.recv(65536):
            got += data
            head, end, body = got.partition(b"\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
            if end and (len(body) >= int(length.group(1)) if length else body.endswith(b"0\r\n\r\n")):
                break
    return got


def body_of(answer):
    """Without its chunks' sizes."""
    head, _end, body = answer.partition(b"\r\n\r\n")
    if b"content-length" in head.lower():
        return body
    whole = b""
    while body:
        size, _end, body = body.partition(b"\r\n")
        whole, body = whole + body[:int(size, 16)], body[int(size, 16) + 2:]
    return whole


class Visitor(Browser):
    """A browser with a profile of its own, and what a visitor does with it."""

    def __init__(self, gate, settings=None):
        self.gate, self.suite, self.scene = gate, gate.scene.suite, gate.scene
        self.profile = tempfile.mkdtemp(prefix="chromium-", dir=self.suite.workdir)
        outside = "127.0.0.1:%d" % self.scene.outside.port
        rules = ["MAP %s %s" % (host, outside) for host in (BLOG, PAYMENT, "evil.example", "*.evil.example")]
        rules += ["MAP *.example 127.0.0.1:%d" % gate.port, "MAP * ~NOTFOUND"]
        self.began = 0
        super().__init__(self.scene.driver, self.profile, settings=settings, flags=[
            "--host-resolver-rules=" + ", ".join(rules), "--user-agent=" + AGENT % 140])

    def __exit__(self, *error):
        super().__exit__(*error)
        shutil.rmtree(self.profile, ignore_errors=True)

    def forget(self):
        """As good as a fresh profile: no cookies, no cache, no page."""
        self.open("about:blank")
        self.devtools("Network.clearBrowserCookies")
        self.devtools("Network.clearBrowserCache")
        self.began = len(self.documents())

    def since(self):
        """The URLs of the documents asked for since this was last asked."""
        seen, self.began = self.documents()[self.began:], len(self.documents())
        return seen

    def at(self, store, page):
        try:
            return self.script("return [location.host, document.body ? document.body.id : '', document.readyState]"
                               ) == [HOSTS[store], page, "complete"]
        except Fault:  # between two pages
            return False

    def go(self, css, store, page):
        """Clicks, and waits for a page of a store."""
        self.click(css)
        wait_until("%s leads to %s of %s; it led to %s" % (css, page, store, self.url), lambda: self.at(store, page), 20)

    def land(self, store, affiliate, path="/", at=None):
        """Follows an affiliate's link on his own page."""
        self.open("https://%s/?link=%s" % (BLOG, quote(url(store, "%s?affiliate_id=%d" % (path, affiliate)), "")))
        self.go("#link", *(at or (store, "home")))

    def cross(self, way, store):
        """To another country's store, by one of the ways that the shop offers."""
        self.click("#countries-link")
        wait_until("the countries are shown", lambda: self.has("#%s-%s" % (way, store)), 20)
        self.go("#%s-%s" % (way, store), store, "home")

    def buy(self, store, button="#place"):
        """From any page of a store; the order's number."""
        self.go("#product-link", store, "product")
        self.go("#buy", store, "checkout")
        if button == "#pay":
            self.click(button)
            wait_until("the payment page is shown", lambda: self.has("#confirm"), 20)
            button = "#confirm"
        self.go(button, store, "thanks")
        return self.text("#order-number")

    def kept(self):
        """The cookies of refgate, of all stores, by domain and name."""
        kept = self.devtools("Storage.getCookies")["cookies"]
        return {(cookie["domain"], cookie["name"]): cookie for cookie in kept if "refgate" in cookie["name"]}

    def ours(self):
        """The same, as a list without their values."""
        return sorted(self.kept())

    def credited(self, text, number, affiliate):
        """Claims that the network was told of an order; returns what refgate explains."""
        country = self.scene.shop.orders[number]
        story = self.gate.explain(number)
        self.scene.owed[number] = affiliate
        text = "%s: the network is told of affiliate %d, %s USD" % (text, affiliate, AMOUNTS[country])
        if not story["postbacks"]:
            self.suite.claim(text, False, story)
            return story
        call = self.scene.postback(number)
        self.suite.equal(text, (call["aff_id"], call["amount"]), (str(affiliate), AMOUNTS[country]))
        return story

    def organic(self, text, number):
        """Claims that nobody is owed an order."""
        story = self.gate.explain(number)
        self.suite.claim("%s: the order is nobody's, and no postback is due" % text,
                         story["order"]["click"] is None and not story["postbacks"], story)
        return story


class Outside:
    """By TLS, whatever is no store: the affiliate's page, the payment page, and who would like to be one."""

    def __init__(self, certificate):
        self.log = []
        outside = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outside.log.append((self.headers["Host"], self.path, self.headers["Referer"] or ""))
                query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                body = {BLOG: '<a id="link" href="%s">Shoes</a>' % query.get("link", ""),
                        PAYMENT: '<form method="post" action="%s"><input type="hidden" name="paid" value="yes">'
                                 '<button id="confirm">Confirm</button></form>' % query.get("back", "")
                        }.get(self.headers["Host"], "<h1 id='evil'>Not the shop</h1>")
                body = ("<!DOCTYPE html><title>outside</title>" + body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads, block_on_close = True, False

            def handle_error(self, *_):  # browsers open connections that they do not use
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate + ".pem", certificate + ".key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
