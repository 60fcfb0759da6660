"""One session (sections 2.2 and 4 to 7 of spec/protocol.md)."""
from __future__ import annotations

import asyncio
import os
import socket
import traceback
from collections import deque
from typing import Any, Callable

from cryptography.exceptions import InvalidTag

from acceptance import handshake
from config import Config, Params
from noise import now
from wire import (ABORT, ASK, BATCH, DISCARD, DRAIN, END, FINAL, INTERNAL, MESSAGE, MSG, PADDING, PARAMS, PIECE, PING,
                  PONG, RECEIPT, REKEY, STOP, TIMEOUT, TOO_LARGE, HandshakeEnd, NotAllowed, TransportEnd,
                  Violation, frame, frames, sized)

AFTER_END = {RECEIPT, STOP, FINAL, PING, PONG, REKEY, PADDING, ABORT}  # [E-3]
NOT_IN_PIECES = {MSG, END, PARAMS}  # [T-7]
COSTLY = {PING, REKEY, DRAIN, ASK}  # [L-1]
BODY = 32_749  # [T-9], less the kind byte
HELD = 256 * 1024  # [L-6]
CREDIT = 32  # [L-1]


class Session:
    """One session over one socket. `run` is its whole life; the other public methods are the application's."""

    def __init__(self, config: Config, initiator: bool) -> None:
        self.config, self.initiator = config, initiator
        self.wake, self.changed, self.over = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.input, self.output, self.broken, self.established = bytearray(), bytearray(), False, False
        self.tx: Any = None  # the Ciphers, once there are keys
        self.rx: Any = None
        self.outcome: dict[str, Any] | None = None
        self.detail, self.hash, self.remote = "", b"", b""
        self.suite = self.pattern = 0
        self.protocol: str | None = None
        self.peer = Params()
        self.abort_due: bytes | None = None
        # our direction
        self.todo: deque[tuple[str, Any]] = deque()
        self.todo_bytes, self.sent, self.withdrawn, self.told_us = 0, 0, False, 0
        self.rest: Any = None  # the rest, a memoryview, of a message in pieces
        self.finished = self.end_sent = self.drained = self.rekey_due = False
        self.peer_stop: int | None = None
        self.peer_final: int | None = None
        self.end_deadline = float("inf")
        # the peer's direction
        self.items: deque[tuple[str, Any, int]] = deque()  # what the application has not taken, with its weight
        self.held, self.received, self.taken, self.told = 0, 0, 0, 0
        self.pieces: bytearray | None = None
        self.pieces_size = 0
        self.peer_end = self.peer_drained = self.not_taking = self.stop_due = False
        self.stopped_at: int | None = None
        self.final_sent = self.final_written = False
        self.asked: list[int] = []  # counts at which a RECEIPT is owed: the first and the last asked for [T-17]
        # life
        self.pong_due: bytes | None = None
        self.ping_sent: bytes | None = None
        self.ping_due, self.pong_at, self.heard, self.paused = False, 0.0, now(), False
        self.period, self.idle, self.began, self.ticks = 1.0, 0.0, 0.0, 0
        self.credit, self.piece_octets = CREDIT, 0
        # The same as our peer counts it, by messages alone, less one that is left for a PING in each period [L-2].
        self.own_credit, self.own_piece_octets = CREDIT - 1, 0

    # The application's side

    async def wait(self, ready: Callable[[], bool], within: float | None = None) -> bool:
        until = None if within is None else now() + within
        while not ready():
            try:
                await asyncio.wait_for(self.changed.wait(), None if until is None else max(0.0, until - now()))
            except asyncio.TimeoutError:
                return ready()
        return True

    def notify(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()
        self.wake.set()

    def check(self, *forbidden: tuple[bool, str]) -> None:
        for so, why in ((self.outcome is not None, f"the session is over: {self.detail}"), *forbidden):
            if so:
                raise NotAllowed(why)

    def send(self, message: bytes) -> None:
        self.check((self.finished, "the direction has ended"), (self.peer_stop is not None, "the peer has stopped"),
                   (self.established and len(message) > self.peer.max_message, "above the peer's limit"))
        self.queue("message", message)

    def queue(self, what: str, value: Any = None) -> None:
        self.todo.append((what, value))
        self.todo_bytes += len(value) if what == "message" else 0
        self.notify()

    def next(self) -> tuple[str, Any] | None:
        """The next thing in order, if there is one; a message is taken by that."""
        if not self.items:
            return None
        what, value, weight = self.items.popleft()
        self.held -= weight
        self.taken += what == "message"
        self.notify()
        return what, value

    def finish(self, code: int = 0, reason: str = "") -> None:
        self.check((self.finished, "the direction has ended"))
        self.finished = True
        self.queue("end", (code, reason))

    def stop(self) -> None:  # [E-4]
        self.check()
        if not self.not_taking:
            self.not_taking, self.stop_due, self.pieces = True, not self.peer_end, None
            self.items = deque(item for item in self.items if item[0] != "message")
            self.held = sum(item[2] for item in self.items)
            self.notify()

    def close(self) -> None:  # [E-14]
        self.check()
        if not self.finished:
            self.finish()
        self.stop()
        self.end_deadline = now() + self.config.end_ms / 1000

    def abort(self, code: int, reason: str = "") -> None:
        self.check()
        self.fail(Violation("aborted by the application", code, reason))

    def drain(self, milliseconds: int) -> None:
        self.check((self.finished, "the direction has ended"), (self.drained, "a second DRAIN"))
        self.pay_own()
        self.drained = True
        self.queue("drain", milliseconds)

    def request_receipt(self) -> None:
        self.check((self.finished, "the direction has ended"))
        self.pay_own()
        self.queue("ask")

    def rekey(self) -> None:
        self.check((not self.established, "not established"))
        if not self.rekey_due:
            self.pay_own()
            self.rekey_due = True
            if not self.output:  # at once, so that nothing that comes meanwhile is answered before it
                self.build()
            self.notify()

    def ping(self) -> None:
        self.check((not self.established, "not established"))
        if self.ping_sent is None and not self.ping_due:
            if now() - self.pong_at < self.period * 1.1:  # a whole period since the last has earned one
                self.pay_own()
            self.ping_due = True
            self.notify()

    def pay_own(self) -> None:
        if self.own_credit < 1:
            raise NotAllowed("no progress credit")
        self.own_credit -= 1

    # Its life

    async def run(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        writer = asyncio.ensure_future(self.write_loop())
        drive, ticker = asyncio.ensure_future(self.drive()), asyncio.ensure_future(self.tick())
        reading: asyncio.Future[None] | None = None
        try:
            await self.over.wait()
            drive.cancel()
            ticker.cancel()
            await asyncio.gather(drive, ticker, return_exceptions=True)
            if not self.broken:  # [L-14]
                reading = asyncio.ensure_future(self.read_off())
                await writer
                sock.shutdown(socket.SHUT_WR)
                await asyncio.wait_for(reading, 2)
        except (OSError, asyncio.TimeoutError):
            pass
        finally:
            tasks = [task for task in (writer, drive, ticker, reading) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            sock.close()

    async def read_off(self) -> None:
        left = 64 * 1024
        while left > 0 and (data := await asyncio.get_running_loop().sock_recv(self.sock, 4096)):
            left -= len(data)

    async def drive(self) -> None:
        try:
            await asyncio.wait_for(handshake(self), self.config.handshake_ms / 1000)  # [H-19]
            self.idle = min((ms for ms in (self.config.idle_ms, self.peer.idle_ms) if ms), default=0) / 1000  # [H-23]
            self.period = min(1.0, self.idle / 4 or 1.0)
            self.began = self.heard = now()
            self.established = True
            self.notify()
            await self.read_loop()
        except Violation as error:
            self.fail(error)
        except HandshakeEnd as error:
            self.end("handshake", str(error))
        except asyncio.TimeoutError:
            self.end("handshake", "the handshake took too long")
        except TransportEnd as error:
            self.end("transport" if self.established else "handshake", str(error))
        except Exception as error:  # a fault of this program
            traceback.print_exc()
            self.fail(Violation(f"internal: {error!r}", INTERNAL))

    async def need(self, count: int) -> None:
        while len(self.input) < count:
            try:
                data = await asyncio.get_running_loop().sock_recv(self.sock, 65536 if self.established else 4096)
            except OSError as error:
                raise TransportEnd(f"reading: {error}") from None
            if not data:
                raise TransportEnd("the transport has ended")
            self.input += data

    async def body(self, least: int, most: int, error: type[Exception]) -> bytes:
        await self.need(2)
        size = int.from_bytes(self.input[:2], "big")
        if not least <= size <= most:
            raise error(f"a length of {size}")
        await self.need(2 + size)
        body = bytes(self.input[2:2 + size])
        del self.input[:2 + size]
        return body

    def put(self, body: bytes) -> None:
        self.output += len(body).to_bytes(2, "big") + body
        self.wake.set()

    def put_record(self, kind: int, body: bytes) -> None:
        self.put(self.tx.seal(body + bytes([kind])))

    async def record(self, most: int) -> bytes:
        sealed = await self.body(17, most, Violation)
        if self.rx.records >= 2**24:  # [T-11]
            raise Violation("the peer's key is too old")
        try:
            plain = self.rx.open(sealed)
        except InvalidTag:
            raise Violation("a record does not open") from None
        self.heard = now()
        return plain

    # Receiving

    async def read_loop(self) -> None:
        while self.outcome is None:
            if self.held >= HELD:  # [L-6]
                self.paused = True
                await self.wait(lambda: self.held < HELD)
                self.paused, self.heard = False, now()
            plain = await self.record(65_535)
            if plain[-1] == BATCH:
                self.on_batch(plain[:-1])
            elif plain[-1] in (MESSAGE, PIECE):
                self.on_message(plain[:-1], plain[-1] == PIECE)
            else:
                raise Violation("an unknown kind of record")

    def earn(self, count: int) -> None:
        self.credit = min(CREDIT, self.credit + count)

    def pay(self) -> None:  # [L-1]
        ticks = int((now() - self.began) / self.period)
        self.earn(ticks - self.ticks)
        self.ticks = ticks
        if self.credit < 1:
            raise Violation("the progress budget is used up")
        self.credit -= 1

    def deliver(self, what: str, value: Any, size: int = 0) -> None:
        self.items.append((what, value, size + 64))
        self.held += size + 64
        self.notify()

    def on_message(self, data: bytes, more: bool) -> None:
        if self.peer_end:
            raise Violation("a message after END")
        if more and not data:
            raise Violation("an empty PIECE")
        in_pieces = more or self.pieces_size > 0
        if self.pieces_size + len(data) > self.config.max_message:  # [T-8]
            raise Violation("a message is too large", TOO_LARGE)
        if in_pieces:
            if self.pieces is None and not self.not_taking:
                self.pieces = bytearray()
            if self.pieces is not None:
                self.pieces += data
            self.pieces_size += len(data)
            self.piece_octets += len(data)
            self.earn(self.piece_octets // 1024)
            self.piece_octets %= 1024
        if more:
            if len(data) < 1024:
                self.pay()
            return
        message = bytes(self.pieces or b"") if in_pieces else data
        self.pieces, self.pieces_size = None, 0
        self.received += 1
        self.earn(1)
        if not self.not_taking:
            self.deliver("message", message, len(message))

    def on_batch(self, body: bytes) -> None:
        kinds = set()
        for kind, values in frames(body):
            if kind == PARAMS:
                raise Violation("PARAMS outside record 0")
            if self.peer_end and kind not in AFTER_END:
                raise Violation("a frame that may not follow END")
            if self.pieces_size and kind in NOT_IN_PIECES:
                raise Violation("a frame that may not stand between pieces")
            kinds.add(kind)
            if kind in COSTLY:
                self.pay()
            self.on_frame(kind, *values)
            if self.outcome is not None:
                return
        if kinds == {PADDING}:
            self.pay()
        if REKEY in kinds:
            self.rx.rekey()

    def on_frame(self, kind: int, value: Any = None, *more: Any) -> None:
        if kind == MSG:
            self.on_message(value, False)
        elif kind == END:
            if value != self.received:
                raise Violation("END does not count what has come")
            self.peer_end = True
            self.deliver("end", {"code": more[0], "reason": more[1]})
        elif kind in (RECEIPT, STOP, FINAL):
            self.on_count(kind, value)
        elif kind == ABORT:
            self.end("peer_aborted", "aborted by the peer", value, *more)
        elif kind == PING:
            if self.pong_due is not None:
                raise Violation("a PING before its answer")
            self.pong_due = value
        elif kind == PONG:
            if value != self.ping_sent:
                raise Violation("a PONG that answers nothing")
            self.ping_sent, self.pong_at = None, now()
        elif kind == ASK:
            if self.received > self.told and not self.not_taking:
                self.asked[1:] = [self.received]
        elif kind == DRAIN:
            if self.peer_drained:
                raise Violation("a second DRAIN")
            self.peer_drained = True
            self.deliver("drain", value)
        elif kind == DISCARD:
            if not self.pieces_size:
                raise Violation("a DISCARD outside a message in pieces")
            self.pieces, self.pieces_size = None, 0
        self.wake.set()

    def on_count(self, kind: int, count: int) -> None:
        if not self.told_us <= count <= self.sent:
            raise Violation("a count falls, or is above what was sent")  # [T-16]
        if self.peer_final is not None or kind == STOP and self.peer_stop is not None:
            raise Violation("a count after FINAL_RECEIPT, or a second STOP")  # [E-4] [E-7]
        if self.peer_stop is not None and count != self.peer_stop:
            raise Violation("a count differs from that of STOP")  # [E-5] [E-6]
        if kind == RECEIPT and count == self.told_us:
            self.pay()
        self.told_us = count
        if kind == STOP:
            self.peer_stop = count
        elif kind == FINAL:
            if not self.end_sent:
                raise Violation("a FINAL_RECEIPT before our END")
            self.peer_final = count
            self.check_over()
        self.notify()

    # Sending

    async def write_loop(self) -> None:
        try:
            while True:
                if not self.output:
                    self.build()
                if self.output:
                    await self.flush()
                    self.final_written = self.final_sent
                    self.check_over()
                    await asyncio.sleep(0)
                elif self.over.is_set():
                    return
                else:
                    self.wake.clear()
                    await self.wake.wait()
        except asyncio.TimeoutError:  # [L-5]
            self.broken = True
            self.end("transport" if self.established else "handshake", "a write stalled")
        except OSError as error:  # what came before may still be read
            self.output.clear()
            await asyncio.wait([asyncio.ensure_future(self.over.wait())], timeout=1)
            self.end("transport" if self.established else "handshake", f"writing: {error}")

    async def flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self.output:
            try:
                del self.output[:self.sock.send(self.output[:65536])]
            except BlockingIOError:
                writable = loop.create_future()
                loop.add_writer(self.sock, lambda: None if writable.done() else writable.set_result(None))
                try:
                    await asyncio.wait_for(writable, self.config.stall_ms / 1000)
                finally:
                    loop.remove_writer(self.sock)

    def build(self) -> None:
        """Appends the next record to the output, if there is something to say."""
        if self.abort_due is not None:
            self.put_record(BATCH, self.abort_due)
            self.abort_due = None
        if self.outcome is not None or not self.established:
            return
        batch = bytearray(self.answers())
        if self.rest is not None and self.peer_stop is not None:  # [E-5]
            batch += frame(DISCARD)
            self.rest, self.withdrawn = None, True
        if self.rest is not None and not batch:
            self.put_piece()
            return
        while self.todo and self.rest is None:
            what, value = self.todo[0]
            if what == "message" and self.peer_stop is not None:
                self.withdrawn = True
            elif what == "message":
                if len(value) > 4096 or len(batch) + len(value) > BODY - 400:
                    if batch:
                        break
                    self.rest = memoryview(value)
                else:
                    batch += frame(MSG, sized(value))
                    self.count_message()
            elif what == "end":
                batch += frame(END, self.sent, value[0], sized(value[1].encode()))
                self.end_sent = True
            else:
                batch += frame(DRAIN, value) if what == "drain" else frame(ASK)
            self.todo.popleft()
            self.todo_bytes -= len(value) if what == "message" else 0
            self.notify()
        if self.tx.records >= 2**20 - 8 or self.tx.octets >= 2**35 or now() - self.tx.since >= 3600:  # [T-11]
            self.rekey_due = True
        if self.rekey_due:
            batch += frame(REKEY)
        if batch:
            self.put_record(BATCH, bytes(batch))
        elif self.rest is not None:
            self.put_piece()
        if self.rekey_due:
            self.tx.rekey()
            self.rekey_due = False

    def put_piece(self) -> None:
        piece, self.rest = bytes(self.rest[:BODY]), self.rest[BODY:]
        last = not self.rest
        self.put_record(MESSAGE if last else PIECE, piece)
        if last:
            self.rest = None
            self.count_message()
        else:
            self.own_credit = min(CREDIT - 1, self.own_credit + len(piece) // 1024)

    def count_message(self) -> None:
        self.sent += 1
        self.own_credit = min(CREDIT - 1, self.own_credit + 1)

    def answers(self) -> bytes:
        """What is owed to the peer, from a constant number of slots [L-6]."""
        out = b""
        if self.pong_due is not None:
            out, self.pong_due = frame(PONG, self.pong_due), None
        if self.ping_due:
            self.ping_due, self.ping_sent = False, os.urandom(8)
            out += frame(PING, self.ping_sent)
        if self.stop_due:
            self.stop_due = False
            self.tell()
            out += frame(STOP, self.taken)
        if self.peer_end and not self.final_sent and (self.not_taking or self.taken == self.received):  # [E-6]
            self.final_sent = True
            self.tell()
            out += frame(FINAL, self.taken)
        if self.asked and self.taken >= self.asked[0]:
            self.tell()
            out += frame(RECEIPT, self.taken)
        return out

    def tell(self) -> None:
        self.told = self.taken
        self.asked = [mark for mark in self.asked if mark > self.taken]

    # Ends

    def check_over(self) -> None:  # [E-8]
        if self.end_sent and self.peer_end and self.final_written and self.peer_final is not None:
            self.end("ended", "both directions have ended")

    def fail(self, error: Violation) -> None:
        """Ends the session with an ABORT, if there is a key to seal it with."""
        if self.tx is None:
            self.end("handshake", str(error))
        elif self.outcome is None:
            self.abort_due = frame(ABORT, error.code, sized(error.reason.encode()))
            self.end("we_aborted", str(error), error.code, error.reason)

    def end(self, cause: str, detail: str, code: int = 0, reason: str = "") -> None:
        if self.outcome is not None:  # [E-12]
            return
        outgoing, taken = "at_least", self.told_us  # [E-11]
        whole = not self.withdrawn and not any(what == "message" for what, _ in self.todo) and self.rest is None
        if self.peer_final is not None and self.peer_final == self.sent and whole:
            outgoing = "all"
        elif self.peer_final is not None or self.peer_stop is not None and (self.peer_stop < self.sent or not whole):
            outgoing = "exactly"
        self.outcome = {"incoming": "ended" if self.peer_end else "truncated", "outgoing": outgoing,
                        "taken": taken, "cause": cause, "code": code, "reason": reason}
        self.detail = detail
        if cause == "transport":
            self.output.clear()
        self.pieces = self.rest = None
        self.over.set()
        self.notify()

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            if now() >= self.end_deadline:
                self.fail(Violation("the end took too long", TIMEOUT))
            if self.established and self.idle and not self.paused:
                if now() - self.heard >= self.idle:  # [L-3]
                    self.fail(Violation("the peer is silent", TIMEOUT))
                elif now() - self.heard >= self.idle / 3 and self.outcome is None:  # [L-4]
                    try:
                        self.ping()
                    except NotAllowed:
                        pass
