"""Shoppers: each comes by an affiliate's link and buys; a page that breaks off is asked for again, or is not."""
import asyncio

import shop
import web

AT_ONCE = 32


class Order:
    """What one shopper bought, and what was seen of it."""

    def __init__(self, number, affiliate, dice):
        self.id, self.affiliate, self.amount = "C-%06d" % number, affiliate, "%d.%02d" % divmod(100 + 7 * number, 100)
        self.chunked = dice.random() < 0.5
        # Goes away in the middle; comes back when a page breaks off; looks at the page once more.
        self.leaves, self.returns, self.reloads = dice.random() < 0.02, dice.random() < 0.8, dice.random() < 0.1
        self.replica, self.shop_has_sent, self.view = None, False, None
        self.delivered, self.tries = False, 0

    @property
    def network(self):
        return "unique" if self.affiliate % 2 else "aspire"


def given(head):
    """The cookie that an answer sets, as it is sent back."""
    cookie = head.partition("et-cookie: ")[2] or head.partition("et-Cookie: ")[2]
    return cookie.partition(";")[0]


class View:
    """One request for a confirmation."""

    def __init__(self, order, replica):
        self.order, self.replica, self.complete, self.first = order, replica, False, not order.delivered
        self.over = asyncio.Event()


class Shoppers:
    def __init__(self, replicas, dice, reached):
        self.replicas, self.dice, self.reached = replicas, dice, reached
        self.queue, self.cookies, self.views, self.prefer = asyncio.Queue(), {}, set(), None
        self.tasks = [asyncio.create_task(self.work()) for _ in range(AT_ONCE)]
        self.wrong = []

    async def work(self):
        while True:
            order = await self.queue.get()
            try:
                await self.buy(order)
            except Exception as error:  # a fault of this suite's must not look like a lost order
                self.wrong.append(repr(error))
            self.queue.task_done()

    async def buy(self, order):
        while order.tries < 60:
            order.tries += 1
            replica = await self.choose()
            try:
                cookie = await self.click(order, replica)
                await self.confirm(order, replica, cookie)
                if order.delivered and not order.reloads:
                    return
                order.reloads = False
            except ConnectionError:
                continue  # nobody was there
            except web.Broken:
                if not order.returns or order.leaves:
                    return

    async def choose(self):
        """One that is there, as a load balancer would."""
        while not (there := [one for one in self.replicas.values() if one.up]):
            await asyncio.sleep(0.01)
        return next((one for one in there if one.name == self.prefer), None) or self.dice.choice(there)

    async def click(self, order, replica):
        cookie = self.cookies.get(order.affiliate)
        if cookie is None or self.dice.random() < 0.2:
            parameter = "partner" if order.network == "unique" else "affiliate_id"
            try:
                head, _body = await web.get(replica.port, "/?%s=%d" % (parameter, order.affiliate))
                head, _body = await web.get(replica.port, "/checkout", given(head))
            except web.Broken as error:
                await asyncio.sleep(0.02)
                raise ConnectionError from error
            cookie = self.cookies[order.affiliate] = given(head)
        return cookie

    async def confirm(self, order, replica, cookie):
        view = order.view = View(order, replica.name)
        order.replica, order.shop_has_sent = replica.name, False
        self.views.add(view)
        try:
            most = 1000 if order.leaves else None
            _head, body = await web.get(replica.port, "/checkout/thank-you/" + order.id, cookie, most)
            if body != shop.page(order):
                raise AssertionError("another page than the shop's: order %s" % order.id)
            view.complete = order.delivered = True
        finally:
            self.views.discard(view)
            view.over.set()
        await self.reached("delivered", order, replica.name)
