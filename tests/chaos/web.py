"""As much of HTTP/1.1 as the suite speaks, on asyncio's streams."""
import asyncio


async def read_request(reader):
    """The target of the next request (none has a body), or None when the connection ends."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, OSError):
        return None
    return head.split(b" ", 2)[1].decode("latin-1")


def answer(status, body, close=False, more=""):
    """A whole answer."""
    head = "HTTP/1.1 %d x\r\nContent-Type: text/html\r\nContent-Length: %d\r\n%s%s\r\n" % (
        status, len(body), "Connection: close\r\n" if close else "", more)
    return head.encode("latin-1") + body


class Broken(Exception):
    """The answer did not come to its end."""


async def get(port, path, cookie=None, most=None):
    """Head and body of an answer that came to its end. With `most`, goes away after so many bytes of it."""
    writer = None
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = ["GET %s HTTP/1.1" % path, "Host: shop.localhost", "Connection: close",
                 "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "Sec-Fetch-Dest: document",
                 "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: none", *(["Cookie: " + cookie] if cookie else [])]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        if most is not None:
            await reader.readexactly(most)
            raise Broken("the shopper went away")
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        if not head.startswith("HTTP/1.1 200 "):
            raise Broken(head.partition("\r\n")[0])
        return head, await read_body(reader, head.lower())
    except (asyncio.IncompleteReadError, OSError) as error:
        raise Broken(str(error)) from error
    finally:
        if writer:
            writer.transport.abort()


async def read_body(reader, head):
    """Up to its terminator."""
    if "transfer-encoding: chunked" not in head:
        return await reader.readexactly(int(head.partition("content-length:")[2].partition("\r\n")[0]))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body
