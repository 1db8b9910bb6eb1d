"""A browser, as far as a proxy sees one: its fields, its cookie jar, its connections, by HTTP/1.1 or HTTP/2."""
import socket
import ssl
from urllib.parse import urlencode, urljoin, urlsplit

from harness.client import tls_context
from harness.h2 import H2
from harness.wire import Reader, read_answer

from habits import BROWSERS

KEPT = 60  # seconds after which a connection that was not used is gone
WEEK = 7 * 86400
CONTEXTS = {True: tls_context(["h2", "http/1.1"]), False: tls_context(["http/1.1"])}
ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class Answer:
    def __init__(self, url, status, fields, body):
        self.url, self.status, self.fields, self.body = url, status, fields, body

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name]

    def get(self, name):
        return next(iter(self.all(name)), None)


class Connection:
    """One to refgate's listener, by way of a balancer that speaks the PROXY protocol."""

    def __init__(self, port, address, host, speaks_h2):
        self.sock = socket.create_connection(("127.0.0.1", port), 20)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        family, here = ("TCP6", "2001:db8:ffff::1") if ":" in address else ("TCP4", "198.18.0.1")
        self.sock.sendall(b"PROXY %s %s %s 50000 443\r\n" % (family.encode(), address.encode(), here.encode()))
        self.sock = CONTEXTS[speaks_h2].wrap_socket(self.sock, server_hostname=host)
        self.reader = Reader(self.sock, 20, keep=False)
        self.h2 = H2(self) if self.sock.selected_alpn_protocol() == "h2" else None

    def send(self, data):
        self.sock.sendall(data)

    def ask(self, method, url, fields, body):
        parts = urlsplit(url)
        target = parts.path + ("?" + parts.query if parts.query else "")
        if self.h2:
            return self._ask_h2(method, url, target, fields, body)
        lines = ["%s %s HTTP/1.1" % (method, target), "Host: " + parts.netloc, *("%s: %s" % field for field in fields)]
        if body is not None:
            lines.append("Content-Length: %d" % len(body))
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))
        got = read_answer(self.reader, method)
        fields = [(name.decode(), value.decode("latin-1")) for name, value in got.fields]
        return Answer(url, got.status, fields, bytes(got.body))

    def _ask_h2(self, method, url, target, fields, body):
        host = urlsplit(url).netloc
        head = [(b":method", method.encode()), (b":scheme", b"https"), (b":path", target.encode()), (b":authority", host.encode())]
        for name, value in fields:
            if name == "Cookie":  # browsers send each by itself (RFC 9113, 8.2.3)
                head += [(b"cookie", crumb.encode("latin-1")) for crumb in value.split("; ")]
            else:
                head.append((name.lower().encode(), value.encode("latin-1")))
        if body is not None:
            head.append((b"content-length", b"%d" % len(body)))
        stream = self.h2.request(whole=head, end=body is None)
        if body is not None:
            self.h2.data(stream, body)
        got = self.h2.reply(stream, 20)
        if not got.clean:
            raise RuntimeError("%s %s: %r" % (method, target, got))
        fields = [(name.decode(), value.decode("latin-1")) for name, value in got.fields if not name.startswith(b":")]
        return Answer(url, got.status, fields, bytes(got.body))

    def close(self):
        try:
            self.sock.close()
        except (OSError, ssl.SSLError):
            pass


class Browser:
    """`name` is one of `BROWSERS`; `address` says where it is now. `scene` compares every answer with what the shop said."""

    def __init__(self, scene, name, address, blocks=False):
        self.scene, self.name, self.address, self.blocks = scene, name, address, blocks
        _weight, self.agent, self.habits, self.extra = BROWSERS[name]
        self.jar, self.connections, self.page, self.came = {}, {}, None, "none"

    def forget(self):
        self.jar.clear()

    def close(self):
        for connection, _used in self.connections.values():
            connection.close()
        self.connections.clear()

    # -- what a person does

    def arrives(self, url, referer=None, form=None):
        """From another site: by a link, or by a form that it sends."""
        return self._navigate(url, "cross-site", referer, form)

    def types(self, url):
        """By typing, a bookmark, a mail program, or an app that hands an address over."""
        return self._navigate(url, "none", None, None)

    def goes(self, path, form=None):
        """By a link or form of the page that is open."""
        url = urljoin(self.page, path)
        same = urlsplit(url).netloc == urlsplit(self.page).netloc
        return self._navigate(url, "same-origin" if same else "cross-site", self.page, form)

    def reloads(self):
        return self._load("GET", self.page, self.came, None, None, {"Cache-Control": "max-age=0"})

    def comes_back(self, url):
        """By the back button, where the page is asked for again."""
        self.page = url
        return self._load("GET", url, "same-origin", None, None, {})

    def fetches(self, path, form):
        """A script of the page that is open does."""
        url = urljoin(self.page, path)
        return self._load("POST", url, "same-origin", self.page, {**form, "script": "1"}, {}, dest="empty")

    def fetches_ahead(self, url, purpose):
        """A page that may be opened: nothing of it shows yet."""
        return self._load("GET", url, "cross-site", None, None, {"Sec-Purpose": purpose})

    # -- how a browser does it

    def _navigate(self, url, site, referer, form):
        method = "GET" if form is None else "POST"
        for _hop in range(8):
            answer = self._load(method, url, site, referer, form, {})
            if answer.status not in (301, 302, 303):
                break
            there = urljoin(url, answer.get("location"))
            if urlsplit(there).netloc not in self.scene.hosts:
                self.page = url
                return answer  # to another site: the story goes on there
            if urlsplit(there).netloc != urlsplit(url).netloc and site == "same-origin":
                site = "cross-site"
            method, form, url = "GET", None, there
        self.page, self.came = url, site
        return answer

    def _load(self, method, url, site, referer, form, more, dest="document"):
        host = urlsplit(url).netloc
        fields = {"User-Agent": self.agent, "Accept": ACCEPT if dest == "document" else "*/*", **more, **self.extra}
        if "bare" not in self.habits:
            fields["Sec-Fetch-Site"] = site
            fields["Sec-Fetch-Mode"] = "navigate" if dest == "document" else "cors"
            fields["Sec-Fetch-Dest"] = dest
        if "gpc" in self.habits:
            fields["Sec-GPC"] = "1"
        if told := self._referer(referer, host):
            fields["Referer"] = told
        body = None
        if form is not None:
            fields["Content-Type"] = "application/x-www-form-urlencoded"
            fields["Origin"] = "https://" + (urlsplit(referer).netloc if referer else host)
            body = urlencode(form).encode()
        if cookies := self._cookies(host, method, site):
            fields["Cookie"] = "; ".join("%s=%s" % pair for pair in cookies)
        answer = self._ask(method, url, list(fields.items()), body)
        for line in answer.all("set-cookie"):
            self._keep(host, line)
        self.scene.compare(method, answer)
        return answer

    def _ask(self, method, url, fields, body):
        host, now = urlsplit(url).netloc, self.scene.now()
        connection, used = self.connections.pop(host, (None, 0))
        if connection and now - used > KEPT:
            connection.close()
            connection = None
        if not connection:
            connection = Connection(self.scene.port, self.address(), host, "h1" not in self.habits)
        answer = connection.ask(method, url, fields, body)
        self.connections[host] = (connection, now)
        return answer

    def _referer(self, page, host):
        if not page or "no-referer" in self.habits:
            return None
        parts = urlsplit(page)
        if parts.netloc == host:
            return page
        return None if "same-referer" in self.habits else "https://%s/" % parts.netloc

    def _cookies(self, host, method, site):
        lax = site != "cross-site" or method == "GET"
        jar, now = self.jar.get(host, {}), self.scene.now()
        return [(name, value) for name, (value, ends, same_site) in jar.items()
                if ends > now and (lax or same_site == "none")]

    def _keep(self, host, line):
        pair, *attributes = [part.strip() for part in line.split(";")]
        words = dict(part.lower().partition("=")[::2] for part in attributes)
        name, _equals, value = pair.partition("=")
        age = float(words.get("max-age", 400 * 86400))
        jar = self.jar.setdefault(host, {})
        jar.pop(name, None)
        if age > 0 and not (self.blocks and "refgate" in name):
            jar[name] = (value, self.scene.now() + age, words.get("samesite", "lax"))
