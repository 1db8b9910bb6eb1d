"""The load: h2load for requests over kept connections, the bench's own client for a connection a request, wrk for
orders that are new each time. All of them bounded in count and time, all on core 0."""
import collections
import http.client
import os
import re
import resource
import socket
import ssl
import subprocess
import time

from peers import HOST, pinned

# What is asked for: `protocol` is h1, h2 or new (a connection a request); with `streams` requests at once on each;
# `browser`: with all the fields that a browser sends, where h2load sends two.
Work = collections.namedtuple("Work", "path protocol tls connections streams browser",
                              defaults=("h1", False, 32, 1, False))
LENGTHS = {"/1k": 1024, "/32k": 32 << 10, "/1m": 1 << 20}
BROWSER = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "accept-language": "en-US,en;q=0.9",
    "accept-encoding": "gzip, deflate, br, zstd",
    "sec-ch-ua": '"Chromium";v="140", "Not=A?Brand";v="24"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "same-origin",
    "sec-fetch-user": "?1",
    "upgrade-insecure-requests": "1",
    "priority": "u=0, i",
    "referer": "https://%s/catalogue/things?page=2" % HOST,
}

LUA = """
local prefix, from = "%s", %d
request = function()
  from = from + 1
  return wrk.format("GET", prefix .. from)
end
"""


class Failed(Exception):
    """The load did not get what it asked for; the text is what the tool said."""


def h2load(port, work, count, cookie=None, cores="0", seconds=60, paths=(), host=None, fields=(), status="2xx"):
    """Exactly `count` requests, on `work.connections` connections at most, all answered with `status`; returns requests
    per second. Asked for is the shop's host with `port`, or `host`; `fields` are (name, value)."""
    scheme = "https" if work.tls else "http"
    base = "%s://%s" % (scheme, host or "%s:%d" % (HOST, port))
    connections = min(work.connections, count)
    command = ["h2load", "-n%d" % count, "-c%d" % connections, "-m%d" % work.streams, "-t1",
               "--connect-to=127.0.0.1:%d" % port]
    command += ["--h1"] if work.protocol == "h1" else ["--no-tls-proto=h2c"]
    command += [word for name in (BROWSER if work.browser else ()) for word in ("-H", "%s: %s" % (name, BROWSER[name]))]
    command += [word for name, value in fields for word in ("-H", "%s: %s" % (name, value))]
    command += ["-H", "cookie: " + cookie] if cookie else []
    command += [base + path for path in paths or [work.path]]
    started = time.monotonic()
    try:
        out = subprocess.run(pinned(cores, command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=seconds).stdout
    except subprocess.TimeoutExpired as error:
        raise Failed("%s took longer than %d s" % (" ".join(command), seconds)) from error
    spent = time.monotonic() - started
    good = re.search(r"status codes: .*?(\d+) " + status, out)
    if not good or int(good.group(1)) != count or not re.search(r" 0 failed, 0 errored, 0 timeout", out):
        raise Failed("%s:\n%s" % (" ".join(command), out))
    data = int(re.search(r"\((\d+)\) data$", out, re.M).group(1))
    if status == "2xx" and not paths and work.path in LENGTHS and data != count * LENGTHS[work.path]:
        raise Failed("%d bytes of data, not %d times %d:\n%s" % (data, count, LENGTHS[work.path], out))
    return count / spent


def connections(port, work, count, certificate, cookie=None, cores="0", seconds=60):
    """`count` requests, each on a connection of its own which the proxy must close; returns requests per second."""
    command = [os.environ["LOAD"], "127.0.0.1:%d" % port, HOST, work.path, str(count), str(work.connections),
               str(LENGTHS[work.path])]
    command += ["--cookie", cookie] if cookie else []
    command += ["--tls", certificate] if work.tls else []
    started = time.monotonic()
    try:
        ended = subprocess.run(pinned(cores, command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise Failed("%s took longer than %d s" % (" ".join(command), seconds)) from error
    if ended.returncode != 0:
        raise Failed("%s:\n%s" % (" ".join(command), ended.stdout))
    return count / (time.monotonic() - started)


def wrk(port, prefix, first, folder, seconds, cookie=None):
    """Requests to `prefix` with a number of its own each, from `first` on; returns how many."""
    script = os.path.join(folder, "new.lua")
    with open(script, "w") as file:
        file.write(LUA % (prefix, first))
    command = ["wrk", "-t1", "-c32", "-d%ds" % seconds, "-H", "Host: " + HOST, "-s", script]
    command += ["-H", "Cookie: " + cookie] if cookie else []
    out = subprocess.run(pinned("0", command + ["http://127.0.0.1:%d/" % port]), check=True, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, text=True, timeout=seconds + 30).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise Failed(out)
    return int(re.search(r"(\d+) requests in", out).group(1))


def get(running, path, cookie=None, host=HOST, fields=()):
    """One request; returns the answer and its body."""
    if running.tls:
        connection = Trusting(running.port, running.site.certificate)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.request("GET", path, headers={"Host": host, **dict(fields), **({"Cookie": cookie} if cookie else {})})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


class Trusting(http.client.HTTPConnection):
    """HTTPS to 127.0.0.1 for the shop's name, trusting its own certificate."""

    def __init__(self, port, certificate):
        super().__init__("127.0.0.1", port, timeout=20)
        self.context = ssl.create_default_context(cafile=certificate)

    def connect(self):
        super().connect()
        self.sock = self.context.wrap_socket(self.sock, server_hostname=HOST)


def hold(port, path, count):
    """Opens `count` connections, sends one request on each, reads the answer; returns the open sockets."""
    _soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    request = ("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (path, HOST)).encode()
    held = []
    for _at in range(count):
        one = socket.create_connection(("127.0.0.1", port), 20)
        held.append(one)
        one.sendall(request)
        answer = b""
        while not (end := answer.find(b"\r\n\r\n") + 4) > 3 or len(answer) < end + length(answer[:end]):
            piece = one.recv(65536)
            if not piece:
                raise Failed("connection %d was closed after %r" % (len(held), answer[:200]))
            answer += piece
        if not answer.startswith(b"HTTP/1.1 200"):
            raise Failed("connection %d got %r" % (len(held), answer[:200]))
    return held


def length(head):
    return int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head).group(1))
