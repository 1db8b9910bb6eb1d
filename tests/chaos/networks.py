"""The two networks, and what networks do: refuse, hang, reset, lie, repeat themselves, ask for time, fail.

`/aspire` deduplicates nothing, `/unique` does by order. What a call meets with depends on the seed, the order and how
often it was called before, not on the time.
"""
import asyncio
import random
import socket
import struct
import time
from urllib.parse import parse_qsl, urlsplit

import web

ACCEPTED, REJECTED = b"success=true;", b"success=false;err_msg=not of ours;"
DUPLICATE = b"success=false;err_msg=Duplicate order;"
# How often each, of some hundred calls.
MANNERS = {
    "accept": 50, "slow": 6, "twice": 4,                      # says yes; in pieces; and again
    "reject": 5,                                              # says no
    "429": 4, "503": 6,                                       # has not taken it
    "500": 3, "nonsense": 4, "cut": 4, "hang": 2, "reset": 4, "close": 4,  # nobody can tell
}
YES, NOT_TAKEN = {"accept", "slow", "twice"}, {"429", "503"}
CONCLUSIVE = YES | NOT_TAKEN | {"reject"}
PATIENT = 5  # called so often, it says yes


class Call:
    """One call: what it said, from which replica, when, and whether all of the answer went out."""

    def __init__(self, network, query, replica, manner):
        self.network, self.replica, self.manner = network, replica, manner
        self.order, self.affiliate, self.amount = query["order"], query["aff_id"], query["amount"]
        self.at, self.answered = time.monotonic(), False


class Networks:
    """Both behind one port; `reached` is told when a call is read, and when it is answered."""

    def __init__(self, seed, replicas, reached):
        self.seed, self.replicas, self.reached = seed, replicas, reached
        self.calls, self.counted, self.port, self.server, self.held = [], set(), 0, None, []
        self.of = {}

    async def open(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=512, reuse_address=True)
        self.port = self.server.sockets[0].getsockname()[1]

    async def refuse(self):
        """From now on connections are refused."""
        self.server.close()

    async def stand_still(self):
        """From now on connections are neither refused nor taken: the queue of the listener is full."""
        await self.refuse()
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(0)
        self.held = [listener]
        for _place in range(3):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", self.port))
            self.held.append(caller)

    async def return_(self):
        for one in self.held:
            one.close()
        self.held = []
        if not self.server.is_serving():
            await self.open()

    def manner(self, order, before):
        dice = random.Random("%s/%s/%d" % (self.seed, order, before))
        if before >= PATIENT:
            return "accept"
        return dice.choices(list(MANNERS), MANNERS.values())[0]

    async def serve(self, reader, writer):
        try:
            target = await web.read_request(reader)
            if target:
                await self.take(target, writer)
                # Until the caller has gone: a reset could overtake the answer.
                await asyncio.wait_for(reader.read(), 8)
        except (OSError, TimeoutError):
            pass  # the other end was killed
        finally:
            writer.transport.abort()

    async def take(self, target, writer):
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        before = self.of.setdefault(query["order"], [])
        replica = self.replicas.get(writer.get_extra_info("peername")[0])
        call = Call(parts.path[1:], query, replica, self.manner(query["order"], len(before)))
        before.append(call)
        self.calls.append(call)
        await self.reached("call", call, replica)
        if call.manner == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if call.manner in ("reset", "close"):
            writer.transport.abort()
        elif call.manner != "hang":
            await self.answer(call, writer)

    async def answer(self, call, writer):
        whole = web.answer(*self.words(call), close=True, more="Retry-After: 0\r\n")
        if call.manner == "cut":
            whole = whole[:-4]
        if call.manner == "slow":
            writer.write(whole[:-5])
            await writer.drain()
            await asyncio.sleep(0.05)
            whole = whole[-5:]
        writer.write(whole * 2 if call.manner == "twice" else whole)
        await writer.drain()
        writer.write_eof()
        if call.manner != "cut":
            call.answered = True
            await self.reached("answered", call, call.replica)

    def words(self, call):
        if call.manner in ("429", "503", "500"):
            return int(call.manner), b"later"
        if call.manner == "nonsense":
            return 200, b"<html>Welcome to your network"
        if call.manner == "reject":
            return 200, REJECTED
        known = call.order in self.counted
        self.counted.add(call.order)
        return 200, DUPLICATE if known and call.network == "unique" else ACCEPTED
