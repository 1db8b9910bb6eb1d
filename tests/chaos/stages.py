"""In which stages a kill found what was under way."""
import asyncio
import time

from ledgers import OPEN, Row

# Each is hit, or the suite fails.
STAGES = {
    "migrating": "it was making the ledger's tables, or bringing them up to date",
    "starting": "it did not serve yet",
    "stopping": "it had been told to end",
    "page": "the shop was sending the page",
    "held": "the page was read, the order not committed",
    "group": "eight orders or more waited for a commit, or for its answer",
    "committed": "the order was committed, the page not complete",
    "spooled": "orders were in the spool",
    "due": "the page was complete, the postback not claimed",
    "claimed": "the postback was claimed, no attempt committed",
    "begun": "an attempt was committed, the network not called",
    "called": "the network was called and had not answered",
    "answered": "the network had answered, that was not settled",
    "repeat": "an attempt had failed, the next was to come",
    "between": "nothing was under way",
}
GROUP = 8


class Scene:
    """What is known at the very moment of a kill; no `await` before it is made."""

    def __init__(self, replica, orders, shoppers, networks, spooled):
        self.replica, self.up, self.stopping, self.spooled = replica.name, replica.up, replica.stopping, spooled
        self.orders = orders
        self.views = [(view, view.order.shop_has_sent) for view in shoppers.views if view.replica == replica.name]
        self.calls = {}
        now = time.time() * 1000
        for call in networks.calls[-2000:]:
            at = now - (time.monotonic() - call.at) * 1000
            self.calls[call.order] = (at, call.answered, call.replica == replica.name)

    async def stages(self, ledger, orphans):
        """The stages, and the orders that were found in each. `orphans` are rows of the dead, which wait for the end of
        their lease: known ones are left out, new ones added."""
        found = {}
        for view, _sent in self.views:
            await view.over.wait()  # what was on its way to the shopper is still his
        rows = [Row(*row) for row in await ledger.ask(OPEN)] if self.up or self.stopping else []
        known = {row.order for row in rows}
        unseen = [view.order.id for view, sent in self.views if sent and view.order.id not in known]
        if unseen:
            sql = "SELECT number, '' FROM {0}aliases WHERE number IN (%s)" % ",".join("'%s'" % one for one in unseen)
            known |= {row[0] for row in await ledger.ask(sql)}
        for view, sent in self.views:
            if view.first and not view.complete:
                stage = "page" if not sent else "committed" if view.order.id in known else "held"
                found.setdefault(stage, set()).add(view.order.id)
        waiting = found.get("held", set()) | found.get("committed", set())
        if len(waiting) >= GROUP:
            found["group"] = waiting
        # What the others do goes on: what stands still was this one's.
        rows, still = set(rows) - orphans, rows
        if ledger.shared and rows:
            await asyncio.sleep(0.4)
            still = {Row(*row) for row in await ledger.ask(OPEN)}
            orphans |= {row for row in still & rows if row.leased}
        for row in rows:
            stage = self.of(row)
            ours = row in still if stage not in ("due", "repeat") else self.entered(row.order)
            if ours and stage:
                found.setdefault(stage, set()).add(row.order)
        if self.spooled:
            found["spooled"] = set(self.spooled)
        if self.stopping:
            found["stopping"] = set()
        if not self.up and not self.stopping:
            found = {"starting": set()} if await ledger.migrated() else {"migrating": set()}
        return found or {"between": set()}

    def of(self, row):
        if row.state == "due":
            return "claimed" if row.leased else "repeat" if row.attempts else "due"
        at, answered, ours = self.calls.get(row.order, (0, False, True))
        # Clocks are read a moment apart.
        if at < row.begun - 5:
            return "begun"
        return ("answered" if answered else "called") if ours else None

    def entered(self, order):
        """Whether its shopper was at this replica."""
        return self.orders[order].replica == self.replica
