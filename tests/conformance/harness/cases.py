"""A case: a name, a group, and a function that raises when what must hold does not."""

import time

from .client import Client, tls_context
from .upstream import echo, serving
from .wire import Short, Slow

GROUPS = ("framing", "responses", "transparency", "streaming", "upgrade", "h2", "faults", "load", "fuzz", "lifecycle")
CASES = []


class Failed(Exception):
    """What must hold does not; the text says what was expected and what was seen."""


class Skipped(Exception):
    """The case means nothing for this proxy; the text says why."""


class Case:
    def __init__(self, group, name, run, alone, only):
        self.group, self.name, self.run, self.alone, self.only = group, name, run, alone, only

    @property
    def title(self):
        return "%s/%s" % (self.group, self.name)


def add(group, name, run, alone=False, only=None):
    """Registers one case. `alone`: nothing else may run beside it. `only`: the proxies it means anything for."""
    assert group in GROUPS, group
    assert all(case.title != "%s/%s" % (group, name) for case in CASES), "two cases named %s/%s" % (group, name)
    CASES.append(Case(group, name, run, alone, only))


def case(group, name, alone=False, only=None):
    """The same, for a function of its own."""

    def register(run):
        add(group, name, run, alone, only)
        return run

    return register


class Context:
    """What a case has in its hands: one proxy and the upstream behind it, both its own while it runs."""

    def __init__(self, slot):
        self.slot, self.proxy, self.upstream = slot, slot.proxy, slot.upstream
        self.opened = []

    # -- what must hold

    def check(self, holds, text, *seen):
        if not holds:
            raise Failed(text + ("; seen " + "; ".join(repr(thing)[:600] for thing in seen) if seen else ""))

    def equal(self, what, found, expected):
        if found != expected:
            raise Failed("%s: expected %s, seen %s" % (what, short(expected), short(found)))

    # -- clients

    def client(self, port=None, **options):
        client = Client(port or self.proxy.plain, **options)
        self.opened.append(client)
        return client

    def tls(self, alpn=("http/1.1",), name="shop.test", minimum=None, maximum=None, **options):
        self.need("tls")
        return self.client(self.proxy.tls, tls=(tls_context(alpn, minimum, maximum), name), **options)

    def h2(self, **options):
        from .h2 import H2

        self.need("tls")
        connection = H2(self.tls(alpn=("h2",)), **options)
        self.opened.append(connection)
        return connection

    def need(self, feature):
        """Fails where the proxy does not offer what the case is about."""
        if feature not in self.proxy.features:
            raise Failed("needs %s, which this proxy's configuration does not have" % feature)

    def script(self, script):
        self.upstream.script = script

    def answers_with(self, respond):
        self.upstream.script = serving(respond)

    def exchange(self, data, respond=echo, method="GET", patience=None):
        """Sends `data` on a new connection; the answer, and the one request that the upstream got."""
        self.answers_with(respond)
        answer = self.client().ask(data, method, patience)
        return answer, self.one_request()

    def one_request(self):
        requests = self.upstream.requests
        self.check(len(requests) == 1, "expected one request at the upstream", requests)
        self.check(not requests[0].faults, "the upstream got a malformed request", requests[0], requests[0].head)
        return requests[0]

    def probe(self, times=1, why=""):
        """The proxy still serves: a new connection, each time its own answer."""
        for _time in range(times):
            target = "/probe-%d" % self.slot.count()
            try:
                answer = self.client().get(target)
            except (Short, Slow, OSError) as error:
                raise Failed("afterwards%s: no answer to a plain GET: %s" % (why, error)) from error
            if not answer.clean or answer.status != 200 or not answer.body.startswith(b"GET %s\n" % target.encode()):
                raise Failed("afterwards%s: a plain GET of %s got %r %r" % (why, target, answer, answer.body[:100]))

    def start_proxy(self, **options):
        """A proxy of this case's own, before the same upstream; ended with the case."""
        proxy = self.slot.start_proxy(**options)
        self.opened.append(proxy)
        return proxy

    def cleanup(self):
        for thing in self.opened:
            thing.close()


def short(thing):
    text = repr(thing)
    return text if len(text) <= 600 else text[:420] + " … " + text[-160:] + " (%d long)" % len(text)


def pause(seconds):
    """Waits where nothing can be waited for: that something does not happen."""
    time.sleep(seconds)
