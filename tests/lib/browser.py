"""Headless Chromium, driven over WebDriver (https://www.w3.org/TR/webdriver2/) with the standard library."""
import base64
import http.client
import json
import os
import signal

# Without these Chromium calls home; there is nothing but loopback here. --no-sandbox: CI runs as root. Headless
# Chromium says so in its User-Agent, and refgate takes no robot's click: it has a person's.
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
         "--user-agent=" + AGENT]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Fault(Exception):
    """The driver says no."""


class Browser:
    """One session with a profile of its own, driven by the ChromeDriver that listens on `port`."""

    def __init__(self, port, profile, flags=(), settings=None):
        """`flags` are further ones of the command line, `settings` of the profile."""
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.session = ""
        options = {"binary": "/usr/bin/chromium", "args": [*FLAGS, "--user-data-dir=" + os.path.abspath(profile), *flags],
                   "prefs": settings or {}}
        made = self._call("POST", "", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"performance": "ALL"}, "pageLoadStrategy": "normal"}}})
        self.session, self.version = "/" + made["sessionId"], made["capabilities"]["browserVersion"]
        self.process = made["capabilities"]["goog:processID"]
        self.got, self._documents, self._requests = [], [], {}

    def _call(self, method, path, body=None):
        self.connection.request(method, "/session" + self.session + path,
                                None if method in ("GET", "DELETE") else json.dumps(body or {}),
                                {"Content-Type": "application/json"})
        value = json.loads(self.connection.getresponse().read())["value"]
        if isinstance(value, dict) and "error" in value:
            raise Fault("%s %s: %s: %s" % (method, path, value["error"], value["message"].splitlines()[0]))
        return value

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def reload(self):
        self._call("POST", "/refresh")

    @property
    def url(self):
        return self._call("GET", "/url")

    @property
    def source(self):
        return self._call("GET", "/source")

    def _element(self, css):
        return "/element/" + self._call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def has(self, css):
        return bool(self._call("POST", "/elements", {"using": "css selector", "value": css}))

    def text(self, css):
        return self._call("GET", self._element(css) + "/text")

    def click(self, css):
        self._call("POST", self._element(css) + "/click")

    def type(self, css, text):
        self._call("POST", self._element(css) + "/value", {"text": text})

    def script(self, code):
        return self._call("POST", "/execute/sync", {"script": code, "args": []})

    def devtools(self, command, **parameters):
        """A command of the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/)."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._call("GET", "/screenshot")))

    def cookies(self):
        """Those for the page shown. A `domain` without a leading dot is of that host only."""
        return {cookie["name"]: cookie for cookie in self._call("GET", "/cookie")}

    def traffic(self):
        """The documents' heads so far, as the wire had them: (url, status or None, response headers)."""
        self._listen()
        return [seen[1:] for seen in self.got]

    def documents(self):
        """The URLs of all documents so far that were asked for, redirects too."""
        self._listen()
        return list(self._documents)

    def _listen(self):
        for entry in self._call("POST", "/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            params = message["params"]
            if message["method"] == "Network.requestWillBeSent" and params.get("type") == "Document":
                self._requests.setdefault(params["requestId"], []).append(params["request"]["url"])
                self._documents.append(params["request"]["url"])
            elif message["method"] == "Network.responseReceivedExtraInfo" and params["requestId"] in self._requests:
                urls = self._requests[params["requestId"]]
                at = sum(1 for seen in self.got if seen[0] == params["requestId"])
                self.got.append((params["requestId"], urls[min(at, len(urls) - 1)], params["statusCode"],
                                 {name.lower(): value for name, value in params["headers"].items()}))

    def __enter__(self):
        return self

    def __exit__(self, _kind, error, _trace):
        """Ends Chromium. After an error the driver may not answer any more, and would leave it running."""
        if error is None:
            self._call("DELETE", "")
        else:
            os.kill(self.process, signal.SIGTERM)
