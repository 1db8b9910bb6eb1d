"""A relay before PostgreSQL, one for each replica: forwards, cuts off, stands still, and catches a commit.

It reads as much of PostgreSQL's protocol as it takes to know which statement a commit belongs to (message formats:
PostgreSQL's documentation, 55.7).
"""
import asyncio
import re


class Relay:
    """Listens on `port` of 127.0.0.1 and forwards to `upstream` there."""

    def __init__(self, upstream):
        self.upstream, self.port, self.pairs = upstream, 0, set()
        self.open, self.flows = True, asyncio.Event()
        self.wanted, self.at_once, self.caught = None, False, asyncio.Event()
        self.flows.set()

    async def listen(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    def cut(self):
        """From now on the database is away."""
        self.open = False
        for writers in list(self.pairs):
            for writer in writers:
                writer.transport.abort()

    def stop(self):
        """Answers stay here from now on; what is asked goes through."""
        self.flows.clear()

    def catch(self, statement, at_once=False):
        """The next commit of a transaction with this statement goes through, its answer does not; `at_once`: already
        the statement's answer does not. `caught` is set then."""
        self.caught.clear()
        self.wanted, self.at_once = statement, at_once

    def mend(self):
        self.wanted, self.open = None, True
        self.flows.set()

    async def serve(self, reader, writer):
        if not self.open:
            writer.transport.abort()
            return
        try:
            back_reader, back = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, back)
        self.pairs.add(pair)
        await asyncio.gather(self.ask(reader, back), self.tell(back_reader, writer))
        self.pairs.discard(pair)
        for one in pair:
            one.transport.abort()

    async def ask(self, reader, back):
        names, under_way = set(), False
        try:
            while data := await reader.read(65536):
                if self.wanted:
                    under_way = self.look(data, names, under_way)
                else:
                    self.learn(data, names)
                back.write(data)
                await back.drain()
        except OSError:
            pass
        finally:
            back.transport.abort()

    def learn(self, data, names):
        """Which statements were prepared under which name."""
        for found in re.finditer(rb"P....(s\d+)\0([^\0]{0,60})", data, re.S):
            names.add((found[1], found[2]))

    def look(self, data, names, under_way):
        self.learn(data, names)
        wanted = {name for name, text in names if text.startswith(self.wanted)}
        under_way = under_way or self.wanted in data or any(b"\0" + name + b"\0" in data for name in wanted)
        if under_way and (self.at_once or b"COMMIT\0" in data):
            self.wanted = None
            self.stop()
            self.caught.set()
        return under_way and self.wanted is not None

    async def tell(self, reader, writer):
        try:
            while data := await reader.read(65536):
                await self.flows.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()
