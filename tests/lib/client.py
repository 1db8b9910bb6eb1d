"""A shopper: keeps cookies and follows redirects as a browser does, and remembers every byte it got.

Its URLs live on `host`, while it connects to 127.0.0.1, as if its name service pointed there.
"""
import html
import http.client
import re
import zlib
from urllib.parse import urlencode, urljoin, urlsplit

AGENT = ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Chrome/140.0.0.0 Safari/537.36")
REDIRECTS = (301, 302, 303, 307, 308)


class Page:
    """One answer: `raw` as it came, `text` decoded; `cookies` the Set-Cookie lines."""

    def __init__(self, method, url, sent, answer, raw):
        self.method, self.url, self.sent, self.status, self.raw = method, url, sent, answer.status, raw
        self.headers = answer.headers
        self.cookies = [value.encode("latin-1") for value in answer.headers.get_all("Set-Cookie") or []]
        encoding = answer.headers.get("Content-Encoding")
        packed = raw and encoding in ("gzip", "deflate")  # HEAD has the field and no body
        self.text = (zlib.decompress(raw, 47) if packed else raw).decode("utf-8", "replace")

    def field(self, name):
        """The value of the first input of that name."""
        for tag in re.findall(r"<input\b[^>]*>", self.text):
            if re.search(r'\bname="%s"' % re.escape(name), tag):
                value = re.search(r'\bvalue="([^"]*)"', tag)
                return html.unescape(value.group(1)) if value else ""
        raise LookupError("no input named %s on %s" % (name, self.url))

    def find(self, pattern):
        found = re.search(pattern, self.text, re.S)
        if not found:
            raise LookupError("no %s on %s (status %d)" % (pattern, self.url, self.status))
        return html.unescape(found.group(1))


class Shopper:
    def __init__(self, port, host=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.origin = "http://%s:%d" % (host or "127.0.0.1", port)
        self.jar, self.pages, self.last = {}, [], None

    def get(self, path, **headers):
        return self._follow("GET", path, None, headers)

    def post(self, path, form, **headers):
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.origin, **headers}
        return self._follow("POST", path, urlencode(form).encode(), headers)

    def _follow(self, method, path, body, headers):
        url, referer, site = urljoin(self.last or self.origin, path), self.last, "same-origin" if self.last else "none"
        for _hop in range(10):
            if urlsplit(url).netloc != urlsplit(self.origin).netloc:
                raise LookupError("the shop sends its shopper to %s" % url)
            page = self._send(method, url, body, {**headers, **({"Referer": referer} if referer else {}),
                                                  "Sec-Fetch-Site": site})
            if page.status not in REDIRECTS:
                break
            url = urljoin(url, page.headers["Location"])
            if page.status not in (307, 308):
                method, body, headers = "GET", None, {}
        else:
            raise LookupError("more than ten redirects at %s" % url)
        self.last = page.url
        if page.status != 200:
            raise LookupError("%s %s answered %d" % (page.method, page.url, page.status))
        return page

    def _send(self, method, url, body, headers):
        parts = urlsplit(url)
        sent = b"; ".join(name + b"=" + value for name, value in self.jar.items())
        headers = {
            "Host": parts.netloc, "User-Agent": AGENT, "Accept-Encoding": "gzip, deflate",
            "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Accept-Language": "en-US,en;q=0.9", "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate",
            "Upgrade-Insecure-Requests": "1", **headers, **({"Cookie": sent} if sent else {}),
        }
        self.connection.request(method, parts.path + ("?" + parts.query if parts.query else ""), body, headers)
        answer = self.connection.getresponse()
        page = Page(method, url, sent, answer, answer.read())
        self.pages.append(page)
        for line in page.cookies:
            self._keep(line)
        return page

    def _keep(self, line):
        """One path and one host: a name is all that tells cookies apart here."""
        pair, *attributes = line.split(b";")
        name, _equals, value = pair.strip().partition(b"=")
        if any(a.strip().lower() == b"max-age=0" for a in attributes):
            self.jar.pop(name, None)
        else:
            self.jar[name] = value
