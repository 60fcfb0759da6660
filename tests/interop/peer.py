#!/usr/bin/env python3
"""The faces of a second implementation of the Duologue protocol, written from spec/protocol.md alone.

README.md beside this file tells how it is run. Clause ids in square brackets are those of the protocol's page.
"""
from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import threading
from collections import Counter, deque
from typing import Any

from config import Config
from noise import public_of
from session import Session
from vectors import replay
from wire import INTERNAL, NotAllowed

ROOM = 16 * 1024 * 1024  # of echoes that wait to be written, before an echo takes no more


# Addresses

def parse(address: str) -> tuple[int, Any]:
    kind, _, rest = address.partition(":")
    if kind == "unix" and rest:
        return socket.AF_UNIX, rest
    host, _, port = rest.rpartition(":")
    if kind != "tcp" or not host or not port.isdigit():
        raise ValueError(f"not an address: {address}")
    host = host.strip("[]")
    return socket.AF_INET6 if ":" in host else socket.AF_INET, (host, int(port))


def listener(address: str) -> tuple[socket.socket, str]:
    family, where = parse(address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_UNIX:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(where)
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(where)
    sock.listen(64)
    sock.setblocking(False)
    if family == socket.AF_UNIX:
        return sock, address
    host, port = sock.getsockname()[:2]
    return sock, f"tcp:[{host}]:{port}" if ":" in host else f"tcp:{host}:{port}"


async def dial(address: str) -> socket.socket:
    family, where = parse(address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock


# Applications

async def echo(session: Session) -> None:
    """Sends back what comes, and ends when the peer has ended or has stopped it."""
    while session.outcome is None:
        stopped = session.peer_stop is not None
        if stopped and not session.finished:
            session.finish()
        what, value = (session.todo_bytes < ROOM and session.next()) or ("", b"")
        with contextlib.suppress(NotAllowed):
            if what == "message" and not stopped:
                if len(value) > session.peer.max_message:
                    session.abort(INTERNAL, "the echo is too large")
                session.send(value)
            elif what == "end" and not session.finished:
                session.finish()
        if not what:
            await session.wait(lambda: session.outcome is not None or session.peer_stop is not None and not stopped
                               or bool(session.items) and session.todo_bytes < ROOM)


async def talk(session: Session, count: int, wrong: list[str]) -> None:
    """Sends messages of mixed sizes, compares their echoes as they come, and ends."""
    mixed = (0, 1, 200, 4_096, 32_749, 32_750, 65_519, 200_000)
    expected: deque[bytes] = deque()

    async def speak() -> None:
        await session.wait(lambda: session.established or session.outcome is not None)
        with contextlib.suppress(NotAllowed):
            for i in range(count):
                message = bytes([i % 251]) * min(mixed[i % len(mixed)], session.peer.max_message)
                expected.append(message)
                session.send(message)
                if i % 16 == 15:
                    session.rekey()
                    session.request_receipt()
                    session.ping()
                await session.wait(lambda: session.todo_bytes < ROOM // 16 or session.outcome is not None)
            session.finish()

    speaking = asyncio.ensure_future(speak())
    ended = False
    while not ended and await session.wait(lambda: bool(session.items) or session.outcome is not None):
        what, value = session.next() or ("end", b"")
        ended = what == "end"
        if what == "message" and (not expected or value != expected.popleft()):
            wrong.append("an echo is wrong")
    await speaking
    if expected:
        wrong.append(f"{len(expected)} echoes are missing")


# The shim (conformance/README.md)

class Shim:
    def __init__(self) -> None:
        self.session: Session | None = None
        self.tasks: set[asyncio.Future[None]] = set()
        self.mine: set[asyncio.Future[None]] = set()

    def spawn(self, coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        for group in (self.tasks, self.mine):
            group.add(task)
            task.add_done_callback(group.discard)

    def open(self) -> Session:
        if self.session is None:
            raise NotAllowed("there is no session")
        return self.session

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[str] = asyncio.Queue()

        def read() -> None:
            for line in sys.stdin:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, "")

        threading.Thread(target=read, daemon=True).start()
        while line := await lines.get():
            command = json.loads(line)
            name = command.pop("do")
            if name == "quit":
                break
            try:
                handler = getattr(self, f"do_{name}", None)
                if handler is None:
                    raise NotImplementedError(f"command {name}")
                answer = {"ok": await handler(**command) or {}}
            except NotImplementedError as error:
                answer = {"unsupported": str(error)}
            except (NotAllowed, ValueError, TypeError, OSError) as error:
                answer = {"error": str(error) or repr(error)}
            print(json.dumps(answer), flush=True)
        await self.do_reset()
        if self.tasks:  # sessions that are closing
            await asyncio.wait(self.tasks, timeout=3)

    async def do_hello(self) -> dict[str, Any]:
        return {"name": "duologue in Python"}

    def start(self, config: dict[str, Any], initiator: bool) -> Session:
        parsed = Config.load(config)
        if not parsed.suites or not parsed.patterns:
            raise NotImplementedError("none of these suites or patterns")
        if initiator and parsed.patterns[0] in (1, 17) and parsed.remote is None:
            raise ValueError("XK needs a remote key")
        self.session = Session(parsed, initiator)
        if parsed.app == "echo":
            self.spawn(echo(self.session))
        return self.session

    async def do_listen(self, config: dict[str, Any]) -> dict[str, Any]:
        await self.do_reset()
        session = self.start(config, False)
        sock, address = listener("tcp:127.0.0.1:0")

        async def serve() -> None:
            with sock:
                connection, _ = await asyncio.get_running_loop().sock_accept(sock)
            await session.run(connection)

        self.spawn(serve())
        return {"address": address}

    async def do_connect(self, address: str, config: dict[str, Any]) -> None:
        await self.do_reset()
        session = self.start(config, True)
        parse(address)

        async def run() -> None:
            try:
                connection = await asyncio.wait_for(dial(address), session.config.handshake_ms / 1000)
            except (OSError, asyncio.TimeoutError) as error:
                session.end("handshake", f"connecting: {error!r}")
            else:
                await session.run(connection)

        self.spawn(run())

    async def do_established(self, within_ms: int) -> dict[str, Any]:
        session = self.open()
        await session.wait(lambda: session.established or session.outcome is not None, within_ms / 1000)
        if not session.established:
            return {"established": False, "failed": session.detail or "not yet"}
        protocol = {} if session.protocol is None else {"protocol": session.protocol}
        return {"established": True, "hash": session.hash.hex(), "remote": session.remote.hex(), **protocol}

    async def do_send(self, message: str) -> None:
        self.open().send(bytes.fromhex(message))

    async def do_recv(self, within_ms: int) -> dict[str, Any]:
        session = self.open()
        await session.wait(lambda: bool(session.items) or session.outcome is not None, within_ms / 1000)
        what, value = session.next() or ("", b"")
        if what:
            return {what: value.hex() if what == "message" else value}
        if session.outcome is not None and session.outcome["cause"] != "ended":
            return {"failed": session.detail}
        return {"nothing": True}

    async def do_outcome(self, within_ms: int) -> dict[str, Any]:
        session = self.open()
        await session.wait(lambda: session.outcome is not None, within_ms / 1000)
        return {} if session.outcome is None else {"outcome": session.outcome}

    async def do_finish(self, code: int, reason: str) -> None:
        self.open().finish(code, reason)

    async def do_stop(self) -> None:
        self.open().stop()

    async def do_close(self) -> None:
        self.open().close()

    async def do_abort(self, code: int, reason: str) -> None:
        self.open().abort(code, reason)

    async def do_drain(self, milliseconds: int) -> None:
        self.open().drain(milliseconds)

    async def do_rekey(self) -> None:
        self.open().rekey()

    async def do_ping(self) -> None:
        self.open().ping()

    async def do_request_receipt(self) -> None:
        self.open().request_receipt()

    async def do_reset(self) -> None:
        if self.session is not None and self.session.outcome is None:
            for task in self.mine:
                task.cancel()
            await asyncio.gather(*self.mine, return_exceptions=True)
        self.mine = set()  # what has ended may close in peace
        self.session = None


# The echoes

def tell(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


async def one(session: Session, connection: socket.socket, app: Any) -> bool:
    async def announce() -> None:
        if await session.wait(lambda: session.established or session.outcome is not None) and session.established:
            protocol = {} if session.protocol is None else {"protocol": session.protocol}
            tell({"established": {"hash": session.hash.hex(), "remote": session.remote.hex(), "suite": session.suite,
                                  "pattern": session.pattern, **protocol}})

    await asyncio.gather(announce(), session.run(connection), app)
    outcome = dict(session.outcome or {})
    good = (outcome.get("cause"), outcome.get("incoming"), outcome.get("outgoing")) == ("ended", "ended", "all")
    tell({"outcome": outcome if good else {**outcome, "detail": session.detail}})
    return good


async def listen(address: str, config: Config, sessions: int | None) -> int:
    loop, results = asyncio.get_running_loop(), []
    sock, bound = listener(address)
    starting: Counter[str] = Counter()
    tasks: set[asyncio.Future[None]] = set()
    slots = asyncio.Semaphore(64)

    async def serve(connection: socket.socket, source: str) -> None:
        session = Session(config, False)
        starting[source] += 1

        async def begun() -> None:
            await session.wait(lambda: session.established or session.outcome is not None)
            starting[source] -= 1

        counter = asyncio.ensure_future(begun())
        try:
            results.append(await one(session, connection, echo(session)))
            await counter
        finally:
            slots.release()

    async def accept() -> None:
        count = 0
        while sessions is None or count < sessions:
            await slots.acquire()
            connection, peer = await loop.sock_accept(sock)
            source = peer[0] if isinstance(peer, tuple) else ""
            if starting[source] >= 16:  # [L-8]
                connection.close()
                slots.release()
                continue
            task = asyncio.ensure_future(serve(connection, source))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            count += 1
        await asyncio.gather(*tasks)

    accepting = asyncio.ensure_future(accept())
    loop.add_signal_handler(signal.SIGTERM, accepting.cancel)
    tell({"listening": bound, "public_key": public_of(config.secret).hex()})
    with contextlib.suppress(asyncio.CancelledError):
        await accepting
    sock.close()
    return 0 if all(results) else 1


async def connect(address: str, config: Config, count: int | None) -> int:
    session = Session(config, True)
    wrong: list[str] = []
    connection = await dial(address)
    app = echo(session) if count is None else talk(session, count, wrong)
    good = await one(session, connection, app)
    for problem in wrong:
        print(problem, file=sys.stderr)
    return 0 if good and not wrong else 1


def configure(options: argparse.Namespace) -> Config:
    values: dict[str, Any] = {}
    if options.config:
        with contextlib.ExitStack() as stack:
            source = sys.stdin if options.config == "-" else stack.enter_context(open(options.config, encoding="utf-8"))
            values = json.load(source)
    for name in ("secret", "psk", "remote", "accept"):
        if given := os.environ.get(f"DUOLOGUE_{name.upper()}"):
            values[name] = given.split(",") if name == "accept" else given
    for name, given in (("suites", options.suite), ("patterns", options.pattern), ("remote", options.remote),
                        ("accept", options.accept), ("protocols", options.protocol), ("context", options.context),
                        ("max_message", options.max_message), ("idle_ms", options.idle_ms)):
        if given is not None:
            values[name] = given
    if options.connect:
        values.setdefault("suites", [3])
        values.setdefault("patterns", [(1 if values.get("remote") else 0) + (16 if values.get("psk") else 0)])
    config = Config.load(values)
    if not config.suites or not config.patterns:
        raise ValueError("no suite or no pattern is left")
    if options.connect and config.patterns[0] in (1, 17) and config.remote is None:
        raise ValueError("XK needs a remote key")
    return config


def main() -> int:
    parser = argparse.ArgumentParser(description="A second implementation of the Duologue protocol.")
    face = parser.add_mutually_exclusive_group(required=True)
    face.add_argument("--shim", action="store_true", help="the control protocol on stdin and stdout")
    face.add_argument("--listen", metavar="ADDR", help="an echo, as responder")
    face.add_argument("--connect", metavar="ADDR", help="an echo, as initiator")
    face.add_argument("--vectors", metavar="PATH", help="replay the vectors of this directory or file")
    face.add_argument("--public-key", action="store_true", help="prints the public key of the secret")
    parser.add_argument("--config", metavar="FILE", help="JSON, as in the control protocol; - is stdin")
    parser.add_argument("--suite", type=int, action="append", metavar="ID")
    parser.add_argument("--pattern", type=int, action="append", metavar="ID")
    parser.add_argument("--remote", metavar="HEX", help="the responder's public key, for XK")
    parser.add_argument("--accept", action="append", metavar="HEX", help="a public key that is accepted")
    parser.add_argument("--protocol", action="append", metavar="NAME")
    parser.add_argument("--context", metavar="HEX")
    parser.add_argument("--max-message", type=int, metavar="N")
    parser.add_argument("--idle-ms", type=int, metavar="N")
    parser.add_argument("--sessions", type=int, metavar="N", help="listen: end after so many")
    parser.add_argument("--talk", type=int, metavar="N", help="connect: send N messages and compare their echoes")
    options = parser.parse_args()
    if options.shim:
        asyncio.run(Shim().run())
        return 0
    if options.vectors:
        return replay(options.vectors)
    try:
        config = configure(options)
        address = os.environ.get("DUOLOGUE_ADDRESS", "") if "env" in (options.listen, options.connect) else ""
        address = address or options.listen or options.connect or ""
        if address:
            parse(address)
    except (ValueError, TypeError, NotImplementedError, OSError) as error:
        print(f"peer.py: {error}", file=sys.stderr)
        return 2
    if options.public_key:
        print(public_of(config.secret).hex())
        return 0
    try:
        return asyncio.run(listen(address, config, options.sessions) if options.listen
                           else connect(address, config, options.talk))
    except OSError as error:
        print(f"peer.py: {address}: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
