"""Python's `websockets` as a client: `websockets_client.py <host:port> <mode> <command>`.

Sends the command and prints every text message as a line until it is killed. It knows nothing of
the protocol; the test that reads its output judges.
"""

import asyncio
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

OFFERS = {
    "plain": [],
    "deflate": [ClientPerMessageDeflateFactory()],
    "small": [ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9)],
}


async def main(host, mode, command):
    out = sys.stdout.buffer
    url = f"ws://{host}/v1/stream"
    offers = OFFERS[mode]
    async with websockets.connect(
        url, compression=None, extensions=offers, max_size=None, proxy=None
    ) as socket:
        await socket.send(command)
        async for text in socket:
            out.write(text.encode() + b"\n")
            out.flush()


asyncio.run(main(*sys.argv[1:]))
