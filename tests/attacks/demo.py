"""The demo's shop, with weaknesses, behind refgate."""
import itertools
import os
import re

import untouched
from scene import REFGATE, ROOT, Scene
from shop import Shop, template
from suite import free_port
from visitor import subtotal


class Demo(Scene):
    namespace = "demo"

    def __init__(self, suite, data):
        super().__init__(suite, data)
        self.old = itertools.count(20001)
        self.shop = Shop(self.demo())
        self.start(self.shop.port)
        shopper = self.visitor()
        shopper.buys(link=None)
        self.shop.thanks = template(shopper.thanks)

    def demo(self):
        """The demo, for its shop; that one's port."""
        with open(os.path.join(ROOT, "proxy.yaml"), encoding="utf-8") as file:
            text = file.read()
        ports = {port: free_port() for port in ("8080", "8081", "8082", "8083", "8084")}
        path = os.path.join(self.data, "demo.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(r"\b808[0-4]\b", lambda found: str(ports[found.group()]), text))
        self.suite.start("demo", [REFGATE, "--config", path, "demo"], ports["8081"])
        return ports["8081"]

    def old_order(self):
        """The number of an order that nobody bought through refgate; the shop shows it to whoever asks."""
        return str(next(self.old))

    def credited(self, shopper, number, partner="123456", network="aspire", namespace=None):
        """The honest shopper's order is told with what his page says; the outcome."""
        self.owe(number, partner, subtotal(shopper.thanks), network)
        return self.outcome(number, namespace)

    def honest(self, **habits):
        """An honest shopper beside the attack: the outcome of his order."""
        shopper = self.visitor(**habits)
        return self.credited(shopper, shopper.buys())

    def end(self):
        untouched.claims(self)
        super().end()
