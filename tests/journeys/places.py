"""Where shoppers are: addresses of their own, and those that many share."""
import itertools

from habits import ADDRESSES, BROWSERS, CARRIERS, EVENING, MOBILE_IPV6, OFFICES, OTHERS_PER_SHOPPER, RELAYED
from stories import chosen
from visitor import Browser


class Place:
    def __init__(self, town, browser, kind, address, is_shared=False):
        self.town, self.browser, self.kind, self.address, self.is_shared = town, browser, kind, address, is_shared

    def move(self, browser):
        """From Wi-Fi to a carrier, or back: another address, and new connections."""
        there = self.town.fresh()
        self.address = browser.address = lambda: there
        browser.close()

    def elsewhere(self):
        there = self.town.fresh()
        return lambda: there


class Town:
    """Every address that is handed out is of a network of its own; they are of blocks that nobody has."""

    evening = EVENING

    def __init__(self, random):
        self.random, self.numbers = random, itertools.count(1)
        self.carriers = [self.shared() for _ in range(CARRIERS)]
        self.offices = [self.shared() for _ in range(OFFICES)]
        self.relays = [self.shared() for _ in range(8)]

    def shared(self):
        return "241.%d.0.7" % (next(self.numbers) % 256)

    def fresh(self):
        number = next(self.numbers)
        if self.random.random() < 0.3:
            return "2001:db8:%x:%x::9" % (number >> 12, (number & 0xfff) << 4)
        return "240.%d.%d.%d" % (number >> 8 & 255, number & 255, 1 + self.random.randrange(250))

    def place(self):
        browser = chosen(self.random, BROWSERS)
        habits = BROWSERS[browser][2]
        kind = chosen(self.random, ADDRESSES)
        if kind == "mobile" and "mobile" not in habits:
            kind = "at home, an address of their own"
        if "itp" in habits and "app" not in habits and self.random.random() < RELAYED:
            return Place(self, browser, "a relay's addresses", lambda: self.random.choice(self.relays))
        if kind == "mobile" and self.random.random() >= MOBILE_IPV6:
            there = self.random.choices(self.carriers, [1 / rank for rank in range(1, CARRIERS + 1)])[0]
            return Place(self, browser, "a carrier's address, shared", lambda: there, True)
        if kind == "mobile":
            there = "2001:db8:f000:%x::1" % next(self.numbers)
            return Place(self, browser, "mobile, an address of their own", lambda: there)
        if kind.startswith("at the office"):
            there = self.random.choice(self.offices)
            return Place(self, browser, kind, lambda: there, True)
        there = self.fresh()
        return Place(self, browser, kind, lambda: there)

    def neighbours(self, scene, place):
        """Others at a shared address, who came without a link."""
        count = OTHERS_PER_SHOPPER if place.is_shared else 0
        return [Browser(scene, chosen(self.random, BROWSERS), place.address) for _ in range(count)]
