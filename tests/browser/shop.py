"""An international shop, as unmodified as they come: one program, a host and a currency for each country.

It knows nothing of affiliates and nothing of refgate. It keeps a session, asks for consent where a country wants
that, offers every way there is to change the country, and shows an order on /thanks.
"""
import html
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

HOSTS = {"us": "www.store-us.example", "us-shop": "shop.store-us.example", "ca": "www.store-ca.example",
         "uk": "www.store-uk.example", "eu": "www.store-eu.example"}
PRICES = {"us": "$100.00", "us-shop": "$100.00", "ca": "$100.00", "uk": "£100.00", "eu": "100,00 €"}
PAYMENT = "pay.payments.example"
# What is no store, however it looks. A browser reads `\` as `/`, and takes tabs and line ends out.
EVIL = ["//evil.example/", "///evil.example/", "https://evil.example/?a=https://www.store-ca.example/",
        "https://www.store-ca.example.evil.example/", "https://www.store-ca.example@evil.example/",
        "https://www.store-ca.example:443@evil.example/", "https://evil.example\\@www.store-ca.example/",
        "https:\\\\evil.example/www.store-ca.example/", "https://www.store-ca.example%2eevil.example/",
        "https://www.store-ca.example%E3%80%82evil.example/", "https://www.store-ca.example\t.evil.example/"]
CHOICE = "cookieyes-consent"  # what CookieYes keeps the visitor's choice in (domain.md §7)
BANNER = """<div id="banner" hidden>We remember who sent you. <button id="accept" onclick="choose('yes')">Accept</button>
<button id="refuse" onclick="choose('no')">Refuse</button></div>
<button id="withdraw" onclick="choose('no')">Withdraw my consent</button>
<script>
function choose(word) {
  document.cookie = '%s=consentid:x,consent:' + word + ',action:yes,necessary:yes,functional:' + word
    + ',analytics:' + word + ',performance:' + word + ',advertisement:' + word
    + '; path=/; secure; samesite=lax; max-age=31536000';
  document.getElementById('banner').hidden = true;
}
document.getElementById('banner').hidden = document.cookie.includes('%s');
</script>""" % (CHOICE, CHOICE)


class Shop:
    """Listens on `port` of 127.0.0.1. `log` has every request as it came, `orders` each order's country."""

    def __init__(self):
        self.log, self.orders, self.sessions, self.lock = [], {}, {}, threading.Lock()
        shop = self

        class Handler(Pages):
            pass

        Handler.shop = shop

        class Server(ThreadingHTTPServer):
            daemon_threads, block_on_close = True, False

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def order(self, country):
        with self.lock:
            number = str(100001 + len(self.orders))
            self.orders[number] = country
            return number


class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer(b"")

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    do_HEAD = do_GET

    def _answer(self, body):
        headers = {name.lower(): "; ".join(self.headers.get_all(name)) for name in self.headers}
        self.shop.log.append({"method": self.command, "host": self.headers["Host"], "target": self.path,
                              "headers": headers, "body": body})
        self.set, target = [], urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(target.query).items()}
        self.form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.country = next((name for name, host in HOSTS.items() if host == self.headers["Host"]), None)
        page = {"/": self.home, "/products/1": self.product, "/checkout": self.checkout, "/thanks": self.thanks,
                "/countries": self.countries, "/switch": self.switch, "/moved": self.moved, "/enter": self.enter,
                "/welcome": self.welcome, "/go": self.go, "/offers": self.offers, "/outward": self.outward}.get(target.path)
        if not self.country or not page:
            self._send(404, [("Content-Type", "text/plain")], b"no such page")
        else:
            page()

    def session(self):
        """Payment pages come back by POST from another site, so the session's cookie is SameSite=None."""
        pairs = (pair.strip().partition("=") for pair in (self.headers["Cookie"] or "").split(";"))
        known = {name: value for name, _equals, value in pairs}.get("sid")
        if not known:
            known = secrets.token_hex(16)
            self.set.append("sid=%s; Path=/; Secure; HttpOnly; SameSite=None" % known)
        return self.shop.sessions.setdefault((self.country, known), {})

    def _send(self, status, headers, body):
        self.send_response_only(status)  # no Date: the same page has the same bytes
        for name, value in [*headers, *(("Set-Cookie", line) for line in self.set), ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def show(self, name, content, head=""):
        self.session()
        text = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>%s</title>
<link rel="canonical" href="https://%s%s">%s%s</head>
<body id="%s"><nav><a id="home-link" href="/">Home</a> <a id="product-link" href="/products/1">Shoes</a>
<a id="countries-link" href="/countries">Countries</a></nav>
%s
%s</body></html>
""" % (name, HOSTS[self.country], urlsplit(self.path).path,
            "".join('<link rel="alternate" hreflang="en-%s" href="https://%s/">' % (country, host)
                    for country, host in HOSTS.items()), head, name, content,
            BANNER if self.country == "eu" else "")
        self._send(200, [("Content-Type", "text/html; charset=utf-8")], text.encode())

    def lead(self, status, location):
        self.session()
        self._send(status, [("Location", location)], b"")

    def home(self):
        self.show("home", "<h1>Welcome</h1>")

    def product(self):
        self.show("product", '<h1>Shoes</h1><p>%s</p><a id="buy" href="/checkout">Buy</a>' % PRICES[self.country])

    def checkout(self):
        if self.command == "POST":
            self.session()["order"] = self.shop.order(self.country)
            back = "https://%s/thanks" % HOSTS[self.country]
            return self.lead(303, "https://%s/?back=%s" % (PAYMENT, quote(back, "")) if self.form.get("pay") else "/thanks")
        return self.show("checkout", """<h1>Checkout</h1>
<form method="post" action="/checkout"><button id="place">Pay when it arrives</button>
<button id="pay" name="pay" value="card">Pay by card</button></form>""")

    def thanks(self):
        number = self.session().get("order")
        if not number:
            return self.show("empty", "<h1>Your cart is empty</h1>")
        return self.show("thanks", """<h1>Thank you for your order</h1>
<p>Number <b id="order-number">%s</b>, total <b id="total">%s</b></p>""" % (number, PRICES[self.country]))

    def countries(self):
        """Every way to another country: link, redirect, forms, meta refresh, script."""
        ways = []
        for country, host in HOSTS.items():
            if country != self.country:
                ways.append("""<p>{0}: <a id="link-{0}" href="https://{1}/">a link</a>
<a id="redirect-{0}" href="/switch?to=https://{1}/">a redirect</a> <a id="refresh-{0}" href="/moved?to=https://{1}/">a refresh</a>
<button id="script-{0}" onclick="location = 'https://{1}/'">a script</button></p>
<form action="https://{1}/" method="get"><input type="hidden" name="lang" value="en"><button id="get-{0}">GET</button></form>
<form action="https://{1}/welcome" method="post"><input type="hidden" name="lang" value="en"><button id="post-{0}">POST</button></form>
<form action="https://{1}/enter" method="post"><input type="hidden" name="lang" value="en"><button id="enter-{0}">POST</button></form>
<form action="/switch" method="post"><input type="hidden" name="to" value="https://{1}/"><button id="switch-{0}">POST, then a redirect</button></form>
""".format(country, host))
        self.show("countries", "".join(ways))

    def switch(self):
        """Goes wherever it is told to: many shops' do."""
        self.lead(303 if self.command == "POST" else 302, self.form.get("to") or self.query.get("to", "/"))

    def moved(self):
        self.show("moved", "<h1>This way</h1>",
                  '<meta http-equiv="refresh" content="0; url=%s">' % html.escape(self.query["to"]))

    def welcome(self):
        """Shown in the answer to a POST."""
        self.home()

    def enter(self):
        """Leads on from a POST."""
        self.lead(303, "/")

    def go(self):
        """A landing page that has moved to another country."""
        self.lead(302, "https://%s/" % HOSTS["ca"])

    def offers(self):
        """A page that has a partner's link fetched ahead of time, by prefetch or prerender."""
        link = "/?affiliate_id=%d" % int(self.query["partner"])
        rules = '{"%s": [{"source": "list", "urls": ["%s"], "eagerness": "immediate"}]}' % (
            "prerender" if self.query["way"] == "prerender" else "prefetch", link)
        self.show("offers", '<a id="offer" href="%s">An offer</a><script type="speculationrules">%s</script>' % (link, rules))

    def outward(self):
        self.show("outward", "".join('<a id="evil-%d" href="%s">out</a>\n' % (number, html.escape(url))
                                     for number, url in enumerate(EVIL)))

    def log_message(self, *_):
        pass
