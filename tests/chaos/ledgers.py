"""The ledger of either engine, as the suite sees it: beside refgate, by the database's own tools."""
import asyncio
import os
import shutil
import sqlite3
from collections import namedtuple

from relay import Relay

# `begun` is when the open attempt was committed, in milliseconds since 1970, if one is open.
Row = namedtuple("Row", "order network state leased attempts begun")
ROWS = """SELECT o.number, p.destination, p.state, p.lease IS NOT NULL, p.attempts,
  (SELECT max(a.begun) FROM {0}attempts a WHERE a.postback_id = p.id AND a.ended IS NULL)
  FROM {0}postbacks p JOIN {0}orders o ON o.id = p.order_id WHERE o.namespace = 'shop' """
OPEN = ROWS + "AND p.state IN ('due', 'sending')"
TOLD = """SELECT o.number, p.destination, p.state, p.amount, p.captured FROM {0}postbacks p
  JOIN {0}orders o ON o.id = p.order_id WHERE o.namespace = 'shop'"""
# Whose answer did not come in time, by refgate's own words.
LATE = """SELECT DISTINCT o.number, '' FROM {0}attempts a JOIN {0}postbacks p ON p.id = a.postback_id
  JOIN {0}orders o ON o.id = p.order_id WHERE a.words LIKE '%within%'"""
ORDERS = "SELECT count(*) FROM {0}orders WHERE namespace = 'shop'"


FIXTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "ledger-v1.db")


class Sqlite:
    """One process on one file, at first one of the first version.

    While nobody runs on it, it is read from a copy: closing the file itself would tidy it up, as no crash does."""

    replicas, shared = "a", False

    def __init__(self, data):
        shutil.copyfile(FIXTURE, os.path.join(data, "refgate.db"))
        self.path, self.copy = os.path.join(data, "refgate.db"), os.path.join(data, "copy.db")
        self.words, self.lock, self.live = '{ path: "%s" }' % self.path, None, lambda: False

    async def open(self):
        pass

    def url(self, _name):
        return ""

    async def ask(self, sql):
        return await asyncio.to_thread(self.read, sql.format(""))

    def read(self, sql):
        if self.live():
            database = sqlite3.connect("file:%s?mode=ro" % self.path, timeout=10, uri=True)
        else:
            for ending in ("", "-wal"):
                if os.path.exists(self.path + ending):
                    shutil.copyfile(self.path + ending, self.copy + ending)
                elif os.path.exists(self.copy + ending):
                    os.remove(self.copy + ending)
            database = sqlite3.connect(self.copy)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    async def migrated(self):
        """Whether its tables are those of today."""
        return (await self.ask("PRAGMA user_version"))[0][0] > 1

    async def migrating(self, _replica, spawn):
        """Has it started and stopped while it brings the tables up to date."""
        self.take()
        spawn()
        await asyncio.sleep(0.4)

    async def block(self, _replica):
        """Nothing can be committed from now on."""
        await asyncio.to_thread(self.take)

    def take(self):
        self.lock = sqlite3.connect(self.path, timeout=10, isolation_level=None, check_same_thread=False)
        self.lock.execute("BEGIN IMMEDIATE")

    def mend(self):
        if self.lock:
            self.lock.close()
            self.lock = None

    def away(self, replica):
        """The ledger takes nothing any more."""
        return self.block(replica)

    async def claimed(self, _replica, seconds):
        """Waits until something is claimed and not begun, looking without a pause."""
        def look():
            database = sqlite3.connect("file:%s?mode=ro" % self.path, uri=True)
            try:
                sql = "SELECT 1 FROM postbacks WHERE state = 'due' AND lease IS NOT NULL LIMIT 1"
                for _look in range(int(seconds * 10000)):
                    if database.execute(sql).fetchone():
                        return
            finally:
                database.close()
        await asyncio.to_thread(look)

    async def begun(self, _replica, _seconds):
        """An attempt that is committed and not known to be: not to be caught here from outside."""

    async def entered(self, _replica, _seconds):
        """The same for orders."""

    async def hurry(self):
        """A start ends every lease here."""


class Postgres:
    """Three processes on one database, each behind a relay of its own."""

    replicas, shared = "abc", True
    words = '{ url: "${LEDGER}" }'

    def __init__(self, server):
        self.server, self.relays = server, {}
        server.sql("CREATE DATABASE chaos")

    async def open(self):
        for name in self.replicas:
            relay = self.relays[name] = Relay(self.server.port)
            await relay.listen()

    def url(self, name):
        return "postgres://refgate@127.0.0.1:%d/chaos?sslmode=disable" % self.relays[name].port

    async def ask(self, sql):
        text = await asyncio.to_thread(self.server.sql, sql.format("refgate."), "chaos")
        number = lambda word: int(word) if word.lstrip("-").isdigit() else {"t": True, "f": False, "": None}.get(word, word)  # noqa: E731,E501
        return [tuple([line.split("|")[0], *map(number, line.split("|")[1:])]) for line in text.splitlines()]

    async def migrated(self):
        sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'refgate' AND tablename = 'meta'"
        return self.server.sql(sql, "chaos") == "1"

    async def migrating(self, replica, spawn):
        self.relays[replica].catch(b"CREATE TABLE", at_once=True)
        spawn()
        await asyncio.wait_for(self.relays[replica].caught.wait(), 10)

    async def block(self, replica):
        self.relays[replica].stop()

    async def away(self, replica):
        self.relays[replica].cut()

    def mend(self):
        for relay in self.relays.values():
            relay.mend()

    async def catch(self, replica, seconds, statement):
        self.relays[replica].catch(statement)
        try:
            await asyncio.wait_for(self.relays[replica].caught.wait(), seconds)
            await asyncio.sleep(0.02)  # the server commits
        except TimeoutError:
            pass

    def claimed(self, replica, seconds):
        return self.catch(replica, seconds, b"UPDATE postbacks SET lease")

    def begun(self, replica, seconds):
        return self.catch(replica, seconds, b"WITH begun AS")

    def entered(self, replica, seconds):
        return self.catch(replica, seconds, b"INSERT INTO orders")

    async def hurry(self):
        """As if the time of every lease had gone by. Nobody is at work now."""
        await self.ask("UPDATE {0}postbacks SET lease = 0 WHERE lease IS NOT NULL")
