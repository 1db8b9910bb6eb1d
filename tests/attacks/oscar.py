"""django-oscar behind refgate, as the suite `oscar` installs it and buys from it."""
import os
import subprocess

from order import check_out, fill
from same_bytes import same_bytes
from scene import ROOT, Scene
from suite import free_port
from tap import Tap
from visitor import Visitor

HERE = os.path.join(ROOT, "tests", "shops", "oscar")
SITE = os.path.join(ROOT, "target", "shops", "oscar")


class Buyer(Visitor):
    """A visitor of this shop."""

    def fills(self, items=None):
        fill(self, items or {"lamp": 1})

    def pays(self, **address):
        self.scene.later(60)
        number, self.thanks = check_out(self, **address)
        return number

    def buys(self, link="/?affiliate_id=123456", **address):
        if link:
            self.clicks(link)
        self.scene.later(60)
        self.fills()
        return self.pays(**address)


class Oscar(Scene):
    name, namespace = "refgate-oscar", "oscar"

    def __init__(self, suite, data):
        super().__init__(suite, data)
        self.shoppers = []
        subprocess.run([os.path.join(HERE, "setup.sh"), SITE], check=True, timeout=240, stdin=subprocess.DEVNULL)
        self.site = free_port()
        suite.start("shop", [os.path.join(HERE, "start.sh"), SITE, str(self.site)], self.site)
        self.tap = Tap(self.site)
        self.start(self.tap.port)

    def configuration(self):
        """That of the suite `oscar`, with refgate's own defaults for how old a click must be, and with the shop's session."""
        with open(os.path.join(HERE, "proxy.yaml"), encoding="utf-8") as file:
            text = file.read()
        for before, after in (("/aff_lsr?offer_id=1&", "/aspire?"), ("  min_click_age: 0s # no person buys here\n", ""),
                              ("\nstores:", "\ntrusted_proxies: 127.0.0.1\n\nstores:"),
                              ("    checkout: [", "    session_cookie: sessionid\n    checkout: [")):
            if before not in text:
                raise LookupError("no %r in oscar's proxy.yaml" % before)
            text = text.replace(before, after)
        return text

    def visitor(self, **habits):
        self.shoppers.append(Buyer(self, host="shop", **habits))
        return self.shoppers[-1]

    def honest(self, **habits):
        """An honest shopper beside the attack, who buys the lamp; the outcome of his order."""
        return self.credited(self.visitor(**habits).buys())

    def credited(self, number, partner="123456"):
        """The lamp's price is told, before tax and shipping; the outcome."""
        self.owe(number, partner, "39.90")
        return self.outcome(number)

    def end(self):
        same_bytes(self.suite, self.tap, self.shoppers)
        super().end()
