"""The demo's shop, with weaknesses that real shops have.

What it does not know of goes on to the demo's own shop, and comes back as that gave it. Added are: paths that are read
leniently, confirmations that whoever has the address may see (of any id at all), texts of shoppers on its pages,
uploads, forms that are echoed, pages that work once, and answers that only look like a confirmation.
"""
import html
import http.client
import itertools
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote

THANKS = "/checkout/thank-you/"
PAID = "/payment/return/"
OVERRIDES = ("X-Original-URL", "X-Rewrite-URL")
METHODS = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
# The store that marks a first view.
FIRST = "first.localhost"
# What an order costs that nobody bought here.
PRICE = "49.00"
HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length", "date", "server")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def field(self, name):
        return next((value for found, value in self.headers if found.lower() == name), None)

    @classmethod
    def page(cls, text, status=200):
        return cls(status, [("Content-Type", "text/html; charset=utf-8")], text.encode())


class Shop:
    """Listens on `port`; `asked` and `answered` are what it got and gave, by the number in `X-Answer`."""

    def __init__(self, demo):
        self.demo, self.asked, self.answered = demo, {}, {}
        self.numbers, self.views = itertools.count(1), set()
        self.texts, self.uploads = {}, {}
        self.thanks = ""  # a confirmation of the demo's shop
        self.pixel = ""  # what its confirmations load from elsewhere
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                number, target = next(shop.numbers), self.requestline.split(" ")[1]
                shop.asked[number] = (self.command, target, list(self.headers.items()), body)
                given = shop.answer(self.command, target, self.headers, body)
                given.headers.append(("X-Answer", str(number)))
                if given.status != 304:
                    given.headers.append(("Content-Length", str(len(given.body))))
                shop.answered[number] = given
                self.send_response_only(given.status)
                for name, value in given.headers:
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD" and given.status != 304:
                    self.wfile.write(given.body)

            do_GET = do_HEAD = do_POST = do_PUT = answer

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads, server.block_on_close = True, False
        self.port = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, method, target, headers, body):
        method, path, wishes = lenient(method, target, headers)
        if path.startswith("/uploads/"):
            if method == "POST":
                self.uploads[path] = body.decode()
            return Answer.page(self.uploads.get(path, ""))
        if path == "/switch":
            return Answer(302, [("Location", wishes["to"])], b"")
        if path.startswith(PAID):
            return Answer.page(self.confirmation(path[len(PAID):]))
        if path.startswith(THANKS) and method == "POST":
            return Answer.page("<h1>Thank you for your order</h1>" + body.decode())
        if path.startswith(THANKS):
            return self.confirmed(method, path, headers, wishes)
        given = self.pass_on(method, target, headers, body)
        if path == "/checkout" and method == "POST" and given.status == 303:
            number = given.field("location").rpartition("/")[2]
            self.texts[number] = dict(parse_qsl(body.decode()))
        return given

    def confirmed(self, method, path, headers, wishes):
        """The confirmation, to whoever asks for it."""
        number = spelled(path[len(THANKS):])
        path = THANKS + number
        given = self.pass_on(method, quote(path), headers, b"")
        texts = self.texts.get(number, {})
        above, added = texts.get("above", ""), self.first_view(headers["Host"], number) + said(texts) + self.pixel
        if given.status == 200 and not (wishes or above or added):
            return given
        text = plain(given) if given.status == 200 else self.confirmation(number)
        text = text.replace("</main>", added + "</main>").replace("<main>", "<main>" + above)
        return changed(text, wishes)

    def first_view(self, host, number):
        """The mark that one of the stores prints once."""
        view = (host.partition(":")[0], number)
        if view in self.views or view[0] != FIRST:
            return ""
        self.views.add(view)
        return '<p class="just-bought"></p>'

    def confirmation(self, number):
        """One of the demo's shop, with another number and price."""
        return self.thanks.replace("NUMBER", html.escape(number))

    def pass_on(self, method, target, headers, body):
        demo = http.client.HTTPConnection("127.0.0.1", self.demo, timeout=30)
        demo.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            if name.lower() not in ("connection", "content-length"):
                demo.putheader(name, value.encode("latin-1"))
        demo.putheader("Content-Length", str(len(body)))
        demo.endheaders(body)
        answer = demo.getresponse()
        given = Answer(answer.status, [], answer.read())
        given.headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
        demo.close()
        return given


def said(texts):
    """What the shopper has written: escaped, as shops should, or as it came."""
    words = html.escape(texts.get("gift", "")) + texts.get("raw", "")
    return '<p class="gift">%s</p>\n' % words if words else ""


def lenient(method, target, headers):
    """Method, path and query as the most lenient of shops reads them."""
    for name in METHODS:
        method = headers[name] or method
    for name in OVERRIDES:
        target = headers[name] or target
    path, _question, query = target.partition("?")
    path = unquote(unquote(path)).replace("\\", "/").replace("\0", "")
    parts = []
    for part in path.split("/"):
        part = part.partition(";")[0].rstrip(".") if part != ".." else part
        if part == "..":
            parts = parts[:-1]
        elif part:
            parts.append(part)
    path = "/" + "/".join(parts)
    for begin in (THANKS, PAID):
        if path.lower().startswith(begin):
            path = begin + path[len(begin):]
    return method, path, dict(parse_qsl(query))


def spelled(number):
    """As a shop that looks for a number: `0042` and `+42` are 42, and so is `４２`."""
    try:
        return str(int(number))
    except ValueError:
        return number


def changed(text, wishes):
    """The page as the query wants it: what a shop may come to show, whoever brings it about."""
    status = int(wishes.get("status", 200))
    if "price" in wishes:
        begin, _mark, rest = text.partition('<tr class="subtotal"><th>Subtotal</th><td>')
        text = begin + _mark + wishes["price"] + rest[rest.index("</td>"):]
    answer = Answer.page(text, status)
    if status == 206:
        answer.headers.append(("Content-Range", "bytes 0-%d/%d" % (len(answer.body) - 1, len(answer.body))))
    return answer


def plain(answer):
    return (zlib.decompress(answer.body, 47) if answer.field("content-encoding") == "gzip" else answer.body).decode()


def template(page):
    """A confirmation of the demo's shop, for any number."""
    number = page.find(r'id="order-number">(\d+)<')
    begin, mark, rest = page.text.partition('<tr class="subtotal"><th>Subtotal</th><td>')
    return (begin + mark + "$" + PRICE + rest[rest.index("</td>"):]).replace(number, "NUMBER")

