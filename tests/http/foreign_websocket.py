#!/usr/bin/python3
"""foreign_websocket.py DAEMON: Python's websockets, a client that is not ours, as the user of sockets that the daemon owns."""
import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile
import urllib.request

import websockets

DEADLINE_S = 60


class Daemon:
    def __init__(self, program, directory):
        self.process = subprocess.Popen(
            [program, "--unix", f"{directory}/socket", "--listen", "127.0.0.1:0", "--token-file", f"{directory}/token"],
            stdout=subprocess.PIPE, text=True)
        line = ""
        while "listening on http://" not in line:
            line = self.process.stdout.readline()
        self.url = line.split()[-1]
        with open(f"{directory}/token", encoding="ascii") as file:
            self.token = file.read().strip()

    def post(self, path, **parameters):
        request = urllib.request.Request(self.url + path, method="POST", data=json.dumps(parameters).encode(), headers={
            "Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
            return json.load(reply)

    def pair(self, kind):
        return [item["id"] for item in self.post("/v1/socketpairs", family="AF_UNIX", type=kind)["sockets"]]

    def stream(self, socket, protocol):
        """As a browser's page does it: the token is a subprotocol."""
        return websockets.connect(f"{self.url.replace('http', 'ws', 1)}/v1/sockets/{socket}/stream", max_size=None,
                                  subprotocols=[f"bearer.{self.token}", protocol])


async def receive(daemon, socket, size):
    reply = await asyncio.to_thread(daemon.post, f"/v1/sockets/{socket}/recv", until={"bytes": size}, size=size)
    return base64.b64decode(reply["data"])


async def exchange_bytes(daemon):
    near, far = daemon.pair("SOCK_STREAM")
    block = os.urandom(3_000_000)
    async with daemon.stream(near, "sockwright.bytes") as client:
        assert client.subprotocol == "sockwright.bytes"
        received = asyncio.create_task(receive(daemon, far, len(block)))
        for start in range(0, len(block), 700_000):
            await client.send(block[start:start + 700_000])
        assert await received == block
        await (await client.ping())
        await asyncio.to_thread(daemon.post, f"/v1/sockets/{far}/send", text="bye")
        await asyncio.to_thread(daemon.post, f"/v1/sockets/{far}/shutdown", how="SHUT_WR")
        assert [message async for message in client] == [b"bye"]
        assert client.close_code == 1000


async def exchange_datagrams(daemon):
    near, far = daemon.pair("SOCK_DGRAM")
    async with daemon.stream(near, "sockwright.datagrams") as client:
        for text in (b"one", b"", b"three"):
            await client.send(json.dumps({"data": base64.b64encode(text).decode()}))
        for text in (b"one", b"", b"three"):
            reply = await asyncio.to_thread(daemon.post, f"/v1/sockets/{far}/recv")
            assert base64.b64decode(reply["data"]) == text
        await asyncio.to_thread(daemon.post, f"/v1/sockets/{far}/send", text="back")
        assert json.loads(await client.recv())["data"] == "YmFjaw=="


async def see_the_end(daemon):
    async with daemon.stream(daemon.pair("SOCK_STREAM")[0], "sockwright.bytes") as client:
        daemon.process.terminate()
        await client.wait_closed()
        assert client.close_code == 1001


async def run(daemon):
    await exchange_bytes(daemon)
    await exchange_datagrams(daemon)
    await see_the_end(daemon)


def main():
    with tempfile.TemporaryDirectory() as directory:
        daemon = Daemon(sys.argv[1], directory)
        try:
            asyncio.run(asyncio.wait_for(run(daemon), DEADLINE_S))
            assert daemon.process.wait(DEADLINE_S) == 0
        finally:
            daemon.process.kill()


main()
