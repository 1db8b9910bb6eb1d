"""A shop of several hosts, as unmodified shops are: a session, a cart, a checkout, a payment page elsewhere.

It has never heard of affiliates. What it answered last stands in `said`, to be compared with what a shopper got.
"""
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

HOSTS = {"us": "store-us.example", "ca": "store-ca.example", "eu": "store-eu.example", "uk": "store-uk.example"}
PAYMENT = "pay.example"
PRICE, DISCOUNT = 4000, 400


SIGNS = {"us": "$", "ca": "CA$", "eu": "€", "uk": "£"}
SIGN_OF = {host: SIGNS[store] for store, host in HOSTS.items()}


class Shop:
    def __init__(self):
        self.sessions, self.orders, self.said = {}, {}, None
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                shop.answer(self, {})

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                shop.answer(self, {name: values[0] for name, values in parse_qs(body).items()})

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, request, form):
        target = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        cookies = dict(pair.split("=", 1) for pair in (request.headers.get("Cookie") or "").split("; ") if "=" in pair)
        sid = cookies.get("sid")
        if sid not in self.sessions:
            sid = secrets.token_hex(16)
            self.sessions[sid] = {"sid": sid, "cart": 0, "coupon": False}
        status, more, body = self.page(request, target.path, {**query, **form}, self.sessions[sid])
        body = body.encode()
        fields = [("Content-Type", "application/json" if body[:1] == b"{" else "text/html; charset=utf-8"),
                  ("Content-Length", str(len(body))), ("Set-Cookie", "sid=%s; Path=/; Secure; HttpOnly; SameSite=None" % sid),
                  ("Cache-Control", "private, no-cache"), *more]
        self.said = (status, fields, body)
        text = "HTTP/1.1 %d OK\r\n%s\r\n" % (status, "".join("%s: %s\r\n" % field for field in fields))
        request.wfile.write(text.encode() + body)

    def page(self, request, path, form, session):
        """Status, more fields, body."""
        goto = lambda where: (303, [("Location", where)], "")  # noqa: E731
        tell = lambda **words: (200, [], json.dumps(words))  # noqa: E731
        post = request.command == "POST"
        if path == "/switch":
            return 302, [("Location", "https://%s/" % HOSTS["ca"])], ""
        if path == "/recover":  # a link in a mail: the cart that was left, in whatever browser it is opened
            session["cart"] = 1
            return goto("/cart")
        if post and path in ("/cart", "/checkout/api/cart"):
            session["cart"] += 1
            return tell(cart=session["cart"]) if form.get("script") else goto("/cart")
        if post and path == "/cart/coupon":
            session["coupon"] = True
            return goto("/checkout")
        if post and path in ("/checkout", "/checkout/api/place", "/express"):
            number = self.place(session, request.headers["Host"])
            there = "/checkout/thank-you/" + number
            return goto(there) if path == "/checkout" else tell(go=there)
        if post and path == "/checkout/hosted":
            number = self.place(session, request.headers["Host"])
            return goto("https://%s/?order=%s" % (PAYMENT, number))
        if path == "/payment/return" and (post or form.get("order")):
            order = self.orders.get(form.get("order"))
            if order and post and not form.get("then"):
                return 200, [], self.thanks(form["order"])
            return goto("/checkout/thank-you/%s%s" % (form["order"], "?key=" + order["key"] if form.get("then") == "key" else ""))
        if path.startswith("/checkout/thank-you/"):
            order = self.orders.get(path.rpartition("/")[2])
            if order and (order["sid"] == session["sid"] or form.get("key") == order["key"]):
                return 200, [], self.thanks(path.rpartition("/")[2])
            return 404, [], self.text("There is no such order.")
        return 200, [], self.text("Welcome to %s." % path)

    def place(self, session, host):
        number = str(100001 + len(self.orders))
        self.orders[number] = {"sid": session["sid"], "host": host, "key": secrets.token_hex(8), "coupon": session["coupon"]}
        session["cart"], session["coupon"] = 0, False
        return number

    @staticmethod
    def text(words):
        """A page that leads to another store, by a link and by forms."""
        there = "https://%s" % HOSTS["ca"]
        return ("<!doctype html><title>Shop</title><p>%s</p><a href=\"%s/product/2\">Canada</a><form action=\"%s/from-form\"><input name=q>"
                "</form><form method=post action=\"%s/posted\"><button>Go</button></form>" % (words, there, there, there))

    def thanks(self, number):
        order = self.orders[number]
        money = lambda cents: "%s%d.%02d" % (SIGN_OF[order["host"]], *divmod(cents, 100))  # noqa: E731
        discount = "<tr class=discount><td>%s</td></tr>" % money(DISCOUNT) if order["coupon"] else ""
        return ("<!doctype html><title>Shop</title><h1>Thank you for your order</h1><p>No. <b id=order-number>%s</b></p><table id=totals>"
                "<tr class=subtotal><td>%s</td></tr>%s</table>" % (number, money(PRICE), discount))
