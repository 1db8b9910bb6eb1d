"""The shop: confirms every order, with Content-Length or in chunks."""
import asyncio

import web

ENDING = 100


def page(order):
    """An order's confirmation."""
    return (b"<!doctype html><html><body><h1>Thank you for your order</h1><table id=totals><tr class=subtotal><td>$"
            + order.amount.encode() + b"</td></tr></table>" + b"<p>Come again.</p>" * 200 + b"</body></html>")


class Shop:
    """`reached` is told when all but the end of a page is sent, and when all of it is."""

    def __init__(self, orders, reached):
        self.orders, self.reached, self.port = orders, reached, 0

    async def open(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        try:
            while target := await web.read_request(reader):
                order = self.orders.get(target.partition("?")[0].rpartition("/")[2])
                if order is None:
                    writer.write(web.answer(200, b"<!doctype html><p>Welcome."))
                else:
                    await self.confirm(writer, order)
                await writer.drain()
        except OSError:
            pass  # the other end was killed
        finally:
            writer.transport.abort()

    async def confirm(self, writer, order):
        body = page(order)
        order.shop_has_sent = False
        begin, end = body[:-ENDING], body[-ENDING:]
        if order.chunked:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
                         b"%x\r\n%s\r\n" % (len(begin), begin))
            end = b"%x\r\n%s\r\n0\r\n\r\n" % (len(end), end)
        else:
            writer.write(web.answer(200, body)[:-ENDING])
        await writer.drain()
        await self.reached("page", order, order.replica)
        writer.write(end)
        await writer.drain()
        order.shop_has_sent = True
        await self.reached("last byte", order, order.replica)
