"""What became of every order, beside what should have."""
from collections import Counter


class Outcome:
    def __init__(self, scene, truths, told):
        self.scene, self.truths, self.told = scene, truths, told
        self.right, self.nature, self.held, self.missed, self.wrong, self.lost = [], [], [], [], [], []
        rows = {}
        for number, namespace, standing, doubt, affiliate, why in scene.orders():
            rows.setdefault(number, []).append((namespace, standing, doubt, affiliate, why))
        self.twice = [number for number, of_it in rows.items() if len(of_it) > 1]
        for number, truth in truths.items():
            self.sort(number, truth, rows.get(number))
        self.strangers = [number for number in rows if number not in truths]
        self.could = len(self.right) + len(self.held) + len(self.missed)

    def sort(self, number, truth, rows):
        if not rows:
            self.lost.append((number, truth, "no order"))
            return
        _namespace, standing, doubt, affiliate, why = rows[0]
        seen = (number, truth, "%s %s, %s: %s" % (standing, doubt or "", affiliate, why))
        if affiliate and affiliate != truth.owed:
            self.wrong.append(seen)
        elif standing == "credited":
            self.right.append(seen)
        elif standing == "held" and affiliate:
            self.held.append((*seen, doubt))
        elif truth.owed:
            self.missed.append(seen)
        else:
            self.nature.append(seen)

    def tell(self, seed):
        percent = lambda part, whole: "%5d  %5.2f %%" % (part, 100.0 * part / max(whole, 1))  # noqa: E731
        without = [seen for seen in self.nature if seen[1].browser is None]
        shoppers = [seen for seen in self.nature if seen[1].browser]
        print("\norders of shoppers who followed a link (seed %d):" % seed)
        print("  %s  of those that a cookie could tell of: credited to the right one" % percent(len(self.right), self.could))
        print("  %s  held" % percent(len(self.held), self.could))
        for doubt, count in Counter(seen[3] for seen in self.held).most_common():
            print("      %5d  %s" % (count, doubt))
        print("  %s  nobody's, though it could be known" % percent(len(self.missed), self.could))
        print("  %5d          nobody's by nature:" % len(shoppers))
        for nature, count in Counter(seen[1].nature for seen in shoppers).most_common():
            print("      %5d  %s" % (count, nature))
        print("  by browser: credited, held, nobody's by nature")
        count = lambda seen: Counter(truth.browser for _number, truth, *_words in seen)  # noqa: E731
        right, held, nature = count(self.right), count(self.held), count(shoppers)
        for browser in sorted({*right, *held, *nature}, key=lambda name: -right[name]):
            print("      %5d %5d %5d  %s" % (right[browser], held[browser], nature[browser], browser))
        print("orders without a link, from shared addresses: %d, of them aside %d" % (len(without), self.aside()))
        for what, all_of_it in (("held", self.held), ("nobody's", self.missed), ("WRONG", self.wrong), ("LOST", self.lost)):
            for number, truth, words, *_doubt in all_of_it[:60]:
                print("%s: order %s, owed to %s (%s); %s" % (what, number, truth.owed, words, "; ".join(truth.tags)))

    def aside(self):
        return sum(1 for row in self.scene.orders() if row[1] != "demo" and row[2] == "organic")

    def claim(self, suite, bound):
        scene = self.scene
        some = lambda found: lambda: "%d, like %s" % (len(found), found[0])  # noqa: E731
        suite.claim("what shoppers got are the shop's bytes, in %d answers" % scene.asked, not scene.differs, some(scene.differs))
        suite.claim("no order is lost", not self.lost, some(self.lost))
        suite.claim("no order is entered twice", not self.twice, some(self.twice))
        suite.claim("the shop placed every order that there is", not self.strangers, some(self.strangers))
        suite.claim("none is credited to somebody else", not self.wrong, some(self.wrong))
        rate = 100.0 * len(self.held) / max(self.could, 1)
        suite.claim("at most %.1f %% of those that a cookie could tell of are held (%.2f %%)" % (bound, rate), rate <= bound)
        suite.claim("no other is nobody's", not self.missed, some(self.missed))
        told = sorted((call["adv_unique1"], call["aff_id"]) for call in scene.network.calls)
        owed = sorted((number, truth.owed) for number, truth, _words in self.right)
        suite.claim("the network is told of each credited order once, with its affiliate", told == owed,
                    lambda: "told of %d, owed %d: %s" % (len(told), len(owed), sorted(set(told) ^ set(owed))[:5]))
