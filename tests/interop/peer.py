#!/usr/bin/env python3
"""A second implementation of the Duologue protocol, written from spec/protocol.md alone.

peer.py --shim            the control protocol of conformance/README.md on stdin and stdout
peer.py --listen ADDR     echoes as responder, any number of sessions
peer.py --connect ADDR    echoes as initiator, one session; both with the `config` in $DUOLOGUE_CONFIG
"""
import hashlib
import json
import os
import select
import socket
import sys
import threading
from collections import deque
from contextlib import suppress
from math import inf
from time import monotonic as now  # [L-13]
from types import SimpleNamespace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SUITES = {1: "25519_ChaChaPoly_SHA256", 2: "25519_AESGCM_SHA256",
          3: "25519+MLKEM768_ChaChaPoly_SHA256", 4: "25519+MLKEM768_AESGCM_SHA256"}
# By pattern, and whether the suite is hybrid: name, sizes of the messages [H-3], tokens of the first two [H-1].
PATTERNS = {(0, False): ("XX", (32, 96, 64), "e", "e ee s es"),
            (1, False): ("XK", (48, 48, 64), "e es", "e ee"),
            (16, False): ("XXpsk0", (48, 96, 64), "psk e", "e ee s es"),
            (17, False): ("XKpsk0", (48, 48, 64), "psk e es", "e ee"),
            (0, True): ("XXhfs", (1216, 1200, 64), "e e1", "e ee ekem1 s es"),
            (1, True): ("XKhfs", (1248, 1152, 64), "e es e1", "e ee ekem1"),
            (16, True): ("XXhfs+psk0", (1248, 1200, 64), "psk e e1", "e ee ekem1 s es"),
            (17, True): ("XKhfs+psk0", (1248, 1152, 64), "psk e es e1", "e ee ekem1")}
BATCH, MESSAGE, PIECE = 0, 1, 2  # the kinds of records
PADDING, PARAMS, MSG, END, RECEIPT, ABORT = 0, 1, 2, 4, 5, 6
PING, PONG, REKEY, ASK, DRAIN, FINAL, STOP, DISCARD = 7, 8, 9, 10, 11, 12, 13, 14
FRAMES = {PADDING: "zeros", PARAMS: "bytes", MSG: "bytes", END: "number code text", RECEIPT: "number",
          ABORT: "code text", PING: "eight", PONG: "eight", REKEY: "", ASK: "", DRAIN: "number", FINAL: "number",
          STOP: "number", DISCARD: ""}  # and their fields
LIMITS = {"number": 2**63 - 1, "bytes": 2**63 - 1, "code": 2**32 - 1, "text": 256}  # [W-2] [T-21]
COUNTS, ONCE, COSTLY = {RECEIPT, STOP, FINAL}, {DRAIN, STOP}, {PING, REKEY, DRAIN, ASK}  # [T-18] [E-4] [L-1]
AFTER_END = COUNTS | {PING, PONG, REKEY, PADDING, ABORT}  # [E-3]
REFUSED, NO_COMMON, VIOLATION, TOO_LARGE, TIMEOUT, INTERNAL = 1, 2, 3, 4, 5, 9  # codes [T-21]
BODY, HELD = 32_768, 256 * 1024  # [T-9], less the kind byte, and [L-6]
DEFAULTS = {"secret": "", "suites": [1, 2, 3, 4], "patterns": [0, 1, 16, 17], "remote": "", "accept": None, "psk": "",
            "context": "", "protocols": [], "max_message": 16_777_216, "idle_ms": 0, "handshake_ms": 10_000,
            "end_ms": 10_000, "stall_ms": 30_000, "app": "echo"}


def public(secret):
    return secret.public_key().public_bytes_raw()


class Cipher:
    """A key, its counter, and how many records it has sealed or opened since it was new."""

    def __init__(self, suite, key, n=0):
        self.suite, self.n, self.records, self.since = suite, n, 0, now()
        self.aead, self.order = (ChaCha20Poly1305(key), "little") if suite in (1, 3) else (AESGCM(key), "big")

    def apply(self, method, data, ad=b""):
        result = getattr(self.aead, method)(bytes(4) + self.n.to_bytes(8, self.order), data, ad)  # [T-3]
        self.n, self.records = self.n + 1, self.records + 1  # unless it has raised [T-4]
        return result

    def rekeyed(self):  # [T-10]
        key = self.aead.encrypt(bytes(4) + b"\xff" * 8, bytes(32), b"")[:32]
        return Cipher(self.suite, key, self.n)


class Noise:
    """The handshake state of Noise revision 34, for the patterns and suites of section 2.1."""

    def __init__(self, initiator, hello, config):
        self.initiator, self.suite, self.cipher = initiator, hello[4], None
        name, self.sizes, *tokens = PATTERNS[hello[5], self.suite > 2]
        self.messages = [message.split() for message in (*tokens, "s se")]
        self.psk = config.psk if "psk" in name else None
        protocol = f"Noise_{name}_{SUITES[self.suite]}".encode()  # [W-6]
        self.h = self.ck = protocol.ljust(32, b"\0") if len(protocol) <= 32 else hashlib.sha256(protocol).digest()
        self.own = {"s": X25519PrivateKey.from_private_bytes(config.secret), "e": X25519PrivateKey.generate()}
        self.remote = {"s": config.remote}
        self.mix_hash(b"duologue/1" + hello + len(config.context).to_bytes(2, "big") + config.context)  # [H-2]
        if name.startswith("XK"):
            self.mix_hash(config.remote if initiator else public(self.own["s"]))

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def derive(self, data, count=2):
        """The HKDF of Noise, which is that of RFC 5869 without info."""
        keys = HKDF(SHA256(), 32 * count, self.ck, b"").derive(data)
        return [keys[at:at + 32] for at in range(0, 32 * count, 32)]

    def mix_key(self, data, count=2):
        self.ck, *others, key = self.derive(data, count)
        for other in others:  # of a psk
            self.mix_hash(other)
        self.cipher = Cipher(self.suite, key)

    def move(self, plain, size, clear=False):
        """Seals `plain` behind the message under way or, without one, opens the next `size` bytes of it."""
        cipher, writing = None if clear else self.cipher, plain is not None
        data = plain if writing else self.data[:size + (16 if cipher else 0)]
        result = cipher.apply("encrypt" if writing else "decrypt", data, self.h) if cipher else data
        self.mix_hash(result if writing else data)
        self.data = self.data + result if writing else self.data[len(data):]
        return plain if writing else result

    def message(self, data=None):
        """Writes the next message, or reads `data` as it, which has its size; ValueError or InvalidTag if wrong."""
        writing, self.data = data is None, data or b""
        for token in self.messages.pop(0):
            if token in ("e", "s"):
                key = self.move(public(self.own[token]) if writing else None, 32, token == "e")
                self.remote.update({} if writing else {token: key})
                if token == "e" and self.psk:
                    self.mix_key(key)
            elif token == "e1":  # [H-6]; what reads makes the check of FIPS 203, section 7.2 [H-7]
                self.kem = MLKEM768PrivateKey.generate() if writing else None
                key = self.move(public(self.kem) if writing else None, 1184)
                self.kem = self.kem or MLKEM768PublicKey.from_public_bytes(key)
            elif token == "ekem1":
                shared, sealed = self.kem.encapsulate() if writing else (None, None)
                sealed = self.move(sealed, 1088)
                self.mix_key(shared if writing else self.kem.decapsulate(sealed))
            elif token == "psk":
                self.mix_key(self.psk, 3)
            else:  # ee, es, se: the first letter is the initiator's key, the second the responder's
                ours, theirs = token if self.initiator else reversed(token)
                remote = X25519PublicKey.from_public_bytes(self.remote[theirs])
                self.mix_key(self.own[ours].exchange(remote))  # raises for a result of zeros [H-4]
        self.move(b"" if writing else None, 0)
        return self.data

    def split(self):  # [H-11]
        return [Cipher(self.suite, key) for key in self.derive(b"")]


class Violation(ValueError):
    """What the peer sent is forbidden: a text of our own, and the code with which the session ends [T-20]."""


def require(so, text, code=VIOLATION):
    if not so:
        raise Violation(text, code)


def varint(value):
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def encode(*fields):
    """Numbers become varints; bytes go behind their length."""
    return b"".join(varint(field) if isinstance(field, int) else varint(len(field)) + field for field in fields)


class Fields(bytearray):
    """What is left to be read, of the transport, of frames or of parameters."""

    def take(self, count):
        require(count <= len(self), "a field is cut off")
        data = bytes(self[:count])
        del self[:count]
        return data

    def read(self, kind, limit=None):
        if kind in ("eight", "zeros"):
            require(kind == "eight" or not any(self), "PADDING is not zero")  # [T-13]
            return self.take(8 if kind == "eight" else len(self))
        number, shift, byte = 0, 0, 0x80
        while byte & 0x80:  # [W-2]
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << shift
            require(shift < 63 and (byte or not shift), "a varint is longer than needed, or too long")
            shift += 7
        require(number <= (limit or LIMITS[kind]), "a number is above its limit")
        if kind in ("number", "code"):
            return number
        return self.take(number).decode() if kind == "text" else self.take(number)

    def frames(self, kind=None):
        """The frames of a BATCH with their fields, each judged by itself and when it is asked for [T-12]."""
        require(self, "a BATCH without a frame")
        while self:
            rekeyed, kind = kind == REKEY, self.take(1)[0]
            require(kind in FRAMES and (kind == PADDING or not rekeyed), "an unknown frame, or one behind REKEY")
            yield kind, [self.read(field) for field in FRAMES[kind].split()]

    def params(self):  # [H-20]
        """The list of protocols, max_message and idle_timeout."""
        found = {}
        while self:
            kind, value = self.read("number"), Fields(self.read("bytes"))
            require(kind not in found, "a parameter occurs twice")
            found[kind] = []
            if kind == 1:
                while value:
                    found[1].append(value.read("text", 64))
                require(1 <= len(found[1]) <= 16 and all(found[1]), "the list of protocols is out of range")
            elif kind in (2, 3):
                found[kind] = number = value.read("number", 2**62 if kind == 2 else 2**32)
                require(not value and (number > 0 if kind == 2 else not 0 < number < 1000), "a parameter out of range")
        return found.get(1, []), found.get(2, 16_777_216), found.get(3, 0)


class Session:
    """One session over one socket. Its lock is for `run`, and for an application in another thread."""

    def __init__(self, config, initiator):
        self.config, self.initiator, self.lock, self.steps = config, initiator, threading.Condition(), self.drive()
        self.input, self.output, self.established, self.detail, self.protocol = Fields(), bytearray(), False, "", {}
        self.tx = self.rx = self.outcome = self.ping_sent = None
        self.deadline, self.end_deadline, self.idle, self.heard, self.wrote = inf, inf, inf, now(), now()
        # Our direction: what is queued; the kinds of frames asked for by the application, and said; counts of messages.
        self.todo, self.at, self.asked, self.said, self.peer_max, self.pong_at = deque(), 0, set(), set(), inf, inf
        self.given = self.sent = self.told_us = 0
        # The peer's: what the application has not taken; the kinds of frames that came; what is owed [L-6]; counts.
        self.items, self.held, self.pieces, self.seen, self.due = deque(), 0, bytearray(), set(), {}
        self.received = self.taken = self.told = self.wanted = 0
        # The progress credit, and ours as the peer reckons it: by messages, less one for a PING in each period [L-2].
        self.credit, self.own, self.octets, self.periods, self.period = 32, 31, 0, 0, inf

    def ask(self, kind, *fields):
        """The application says or queues a message, END, DRAIN, RECEIPT_REQUEST, REKEY or PING."""
        if kind == PING and self.ping_sent is not None:
            return
        cost = kind in COSTLY and (kind != PING or now() - self.pong_at < self.period)
        late = self.outcome or END in self.asked and kind not in AFTER_END or kind in ONCE & self.asked
        too_early = kind in COSTLY and (not self.established or self.own < cost)
        if late or too_early or kind == MSG and (STOP in self.seen or len(fields[0]) > self.peer_max):
            raise PermissionError(self.detail or "not in this state, or above a limit")
        self.asked.add(kind)
        self.given, self.own = self.given + (kind == MSG), self.own - cost
        if kind == PING:
            self.ping_sent = self.due[PING] = os.urandom(8)
        elif kind == REKEY:
            self.due[REKEY] = b""
        else:
            self.todo.append((kind, fields))

    def next(self):  # the next thing in order; a message is taken by that
        what, value = self.items.popleft()
        if what == "message":
            self.taken, self.held = self.taken + 1, self.held - 64 - len(value)
        return what, value

    def echo(self):
        """Sends back what comes, and ends when the peer has ended or has stopped it."""
        while self.items and len(self.todo) < 256:
            what, value = self.next()
            if what == "message" and STOP not in self.seen:
                require(len(value) <= self.peer_max, "the echo is too large", INTERNAL)
                self.ask(MSG, value)
        if self.seen & {END, STOP} and not self.items and END not in self.asked:
            self.ask(END, 0, b"")

    def stop(self):  # [E-4]
        if STOP not in self.asked:
            self.asked.add(STOP)
            if END not in self.seen:
                self.due[STOP] = b""
            self.items, self.held = deque(item for item in self.items if item[0] != "message"), 0

    def close(self):  # [E-14]
        if END not in self.asked:
            self.ask(END, 0, b"")
        self.stop()
        self.end_deadline = now() + self.config.end_ms / 1000

    def run(self, sock, listening=False):
        """The whole life of the session; how it went is in `outcome`."""
        sock = sock.accept()[0] if listening else sock
        sock.setblocking(False)
        self.deadline = now() + self.config.handshake_ms / 1000  # [H-19]
        while self.outcome is None:  # [L-6]; the time is how soon the word of an application is seen
            readable, writable, _ = select.select([sock] * (self.held < HELD), [sock] * bool(self.output), [], 0.005)
            with self.lock:
                data = b"" if readable else None
                with suppress(OSError):
                    data = sock.recv(65536 if self.established else 4096) if readable else None
                    if writable:  # where it fails there is no progress, and reading tells more
                        del self.output[:sock.send(self.output)]
                        self.wrote = now()
                if {END, FINAL} <= self.seen & self.said and not self.output:  # [E-8]
                    self.end("ended", "both directions have ended")
                elif data == b"" or self.output and now() - self.wrote > self.config.stall_ms / 1000:  # [E-10] [L-5]
                    self.end("transport" if self.established else "handshake", "the end of the transport, or a stall")
                else:
                    self.input += data or b""
                    self.live()
                self.lock.notify_all()
        with suppress(OSError), sock:  # [L-14]
            sock.settimeout(2)
            sock.sendall(self.output if self.outcome["cause"] != "transport" else b"")
            sock.shutdown(socket.SHUT_WR)
            left, until = 64 * 1024, now() + 2
            while left > 0 and now() < until:
                sock.settimeout(max(until - now(), 0.001))
                left -= len(sock.recv(4096)) or left

    def live(self):
        """Judges what has come, looks at the time, and says what is to be said."""
        try:
            next(self.steps)
            if self.config.app == "echo":
                self.echo()
        except (ValueError, InvalidTag) as error:
            self.end(None, *(error.args if isinstance(error, Violation) else (repr(error), VIOLATION)))
        quiet = now() - self.heard
        if now() >= min(self.deadline, self.end_deadline) or quiet >= self.idle:  # [L-3]
            self.end(None, "a limit of time has passed", TIMEOUT)
        elif quiet >= self.idle / 3:  # [L-4]
            with suppress(PermissionError):
                self.ask(PING)
        if self.established and self.outcome is None and not self.output:
            self.build()

    def end(self, cause, detail, code=0, reason=""):
        """Writes the outcome, once [E-12]; without a cause it is an ABORT, if there is a key to seal it with [H-24]."""
        if self.outcome is None:
            cause, code = (cause, code) if cause else ("we_aborted", code) if self.tx else ("handshake", 0)
            if cause == "we_aborted":
                self.say(ABORT, code, reason.encode())
            self.detail, final, short = detail, FINAL in self.seen, self.told_us < self.given  # [E-11]
            outgoing = "exactly" if short and (final or STOP in self.seen) else "all" if final else "at_least"
            self.outcome = {"incoming": "ended" if END in self.seen else "truncated", "outgoing": outgoing,
                            "taken": self.told_us, "cause": cause, "code": code, "reason": reason}

    def put(self, body, kind=None):  # a body of the handshake or, if it has a kind, a record
        body = body if kind is None else self.tx.apply("encrypt", body + bytes([kind]))
        self.wrote = self.wrote if self.output else now()
        self.output += len(body).to_bytes(2, "big") + body

    def say(self, kind, *fields, raw=b""):  # a BATCH of one frame
        if kind in COUNTS:
            self.told, fields = self.taken, [self.taken]
        self.put(encode(kind, *fields) + raw, BATCH)
        self.said.add(kind)
        if kind == REKEY:
            self.tx = self.tx.rekeyed()

    def need(self, count):  # what needs input is a generator, and yields when there is not enough
        while len(self.input) < count:
            yield

    def body(self, least, most):
        yield from self.need(2)
        size = int.from_bytes(self.input[:2], "big")
        require(least <= size <= most, f"a length of {size}")
        yield from self.need(2 + size)
        return self.input.take(2 + size)[2:]

    def record(self, most):
        sealed = yield from self.body(17, most)
        require(self.rx.records < 2**24, "the peer's key is too old")  # [T-11]
        plain = self.rx.apply("decrypt", sealed)
        self.heard = now()
        require(plain[-1] in (BATCH, MESSAGE, PIECE), "an unknown kind of record")
        return plain[-1], plain[:-1]

    def shake(self):
        config, suites, patterns = self.config, self.config.suites, self.config.patterns
        hello = bytes([*b"duo", 1, suites[0], patterns[0], 0, 0])  # [W-7]
        if not self.initiator:  # [W-8]
            yield from self.need(10)
            hello = bytes(self.input[2:10])
            require(hello[:3] == b"duo", "not a hello")
            if hello[3] != 1 or hello[4] not in suites or hello[5] not in patterns or any(hello[6:]):
                self.put(b"\1" + b"".join(bytes([1, suite, pattern]) for suite in suites for pattern in patterns))
                raise Violation("the hello is not taken")
        noise = Noise(self.initiator, hello, config)
        for number, head in enumerate([hello, b"\0", b""]):
            size = len(head) + noise.sizes[number]
            if self.initiator and number == 1:  # [W-10]; a refusal is not tried again [W-11]
                yield from self.need(2)
                yield from self.need(3 if any(self.input[:2]) else 2)
                proceeds = self.input[:3] == size.to_bytes(2, "big") + b"\0"
                require(proceeds, f"refused, or no answer: {self.input[:99].hex(' ')}")
            if self.initiator == (number != 1):
                self.put(head + noise.message())
            else:
                noise.message((yield from self.body(size, size))[len(head):])  # [H-3]
                self.remote, own = noise.remote["s"], public(noise.own["s"])
                accepted = self.remote != own and (config.accept is None or self.remote in config.accept)  # [H-8]
                require(accepted or number != 1, "the peer's key is not accepted")  # [H-13]
        self.hash, keys = noise.h, noise.split()
        self.tx, self.rx = keys if self.initiator else reversed(keys)
        require(accepted, "the peer's key is not accepted", REFUSED)  # [H-16]

    def drive(self):
        yield from self.shake()
        ours = self.config.protocols
        if self.initiator:  # [H-14]
            self.say_params(ours)
        record, body = yield from self.record(4_112)  # [H-15] [H-18]
        found = Fields(body if record == BATCH else b"").frames()
        kind, values = next(found)
        if kind == ABORT and self.initiator:
            self.end("peer_aborted", "aborted by the peer", *values)
        require(kind == PARAMS and all(kind == PADDING for kind, _ in found), "record 0 does not hold what it must")
        theirs, self.peer_max, idle = Fields(*values).params()
        picked = [name for name in theirs if name in ours][:1]  # [H-22]
        fits = any(picked) == any(ours + theirs) and (picked == theirs or not self.initiator)
        require(fits, "no common protocol, or another than was offered", NO_COMMON)
        if not self.initiator:
            self.say_params(picked)
        self.protocol = {"protocol": name for name in picked}
        self.idle = min(self.config.idle_ms or inf, idle or inf) / 1000  # [H-23]
        self.period = min(1.0, self.idle / 4)
        self.established, self.deadline, self.heard, self.pong_at, self.began = True, inf, now(), now(), now()
        require(all(kind != MSG or len(fields[0]) <= self.peer_max for kind, fields in self.todo), "too long", INTERNAL)
        while True:
            while self.held >= HELD:
                self.heard = now()
                yield
            record, body = yield from self.record(65_535)
            for kind, values in Fields(body).frames() if record == BATCH else [(MSG, [body])]:
                inside = record == BATCH and self.pieces and kind in (MSG, END)  # [T-7]
                late = END in self.seen and kind not in AFTER_END or kind in ONCE & self.seen
                require(not inside and not late and kind != PARAMS, "a frame where it may not stand")
                require(kind not in COSTLY and (kind != PADDING or body[0]) or self.change(-1), "no progress credit")
                self.on_frame(kind, record == PIECE, *values)
                self.seen.add(kind)

    def say_params(self, protocols):
        values = {1: b"".join(encode(name.encode()) for name in protocols), 2: encode(self.config.max_message),
                  3: encode(self.config.idle_ms), 0x40 + self.hash[0] % 32: bytes(self.hash[0] // 32)}  # [H-21]
        self.say(PARAMS, b"".join(encode(*item) for item in values.items() if item != (1, b"")))

    def change(self, count, octets=0):  # [L-1]: earns for messages and for octets of pieces, or pays
        octets, passed = self.octets + octets, (now() - self.began) // self.period
        credit = min(32, self.credit + octets // 1024 + passed - self.periods) + count
        self.credit, self.octets, self.periods = min(32, credit), octets % 1024, passed
        return credit >= 0

    def on_frame(self, kind, more, value=b"", *rest):
        if kind == MSG:
            require(value or not more, "an empty PIECE")
            require(len(self.pieces) + len(value) <= self.config.max_message, "too large", TOO_LARGE)  # [T-8]
            self.change(not more, len(value) if more or self.pieces else 0)
            require(not more or len(value) >= 1024 or self.change(-1), "no progress credit")
            self.pieces += value
            if not more:
                value, self.pieces, self.received = bytes(self.pieces), bytearray(), self.received + 1
            if not more and STOP not in self.asked:
                self.items.append(("message", value))
                self.held += 64 + len(value)
        elif kind == END:
            require(value == self.received, "END does not count what has come")
            self.items.append(("end", dict(zip(("code", "reason"), rest))))
        elif kind in COUNTS:
            require(self.told_us <= value <= self.sent, "a count falls, or is above what was sent")  # [T-16]
            require(STOP not in self.seen or value == self.told_us, "a count differs from that of STOP")  # [E-5] [E-6]
            require(FINAL not in self.seen and (kind != FINAL or END in self.said), "a count at a wrong time")  # [E-7]
            require(kind != RECEIPT or value > self.told_us or self.change(-1), "no progress credit")
            self.told_us = value
            if kind == STOP:
                kept = [item for item in self.todo if item[0] != MSG]
                self.todo, self.at = deque([(DISCARD, ())] * bool(self.at) + kept), 0
        elif kind == ABORT:
            self.end("peer_aborted", "aborted by the peer", value, *rest)
            raise Violation("nothing behind an ABORT is looked at")
        elif kind == PING:
            require(PONG not in self.due, "a PING before its answer")
            self.due[PONG] = value
        elif kind == PONG:
            require(value == self.ping_sent, "a PONG that answers nothing")
            self.ping_sent, self.pong_at = None, now()
        elif kind == REKEY:
            self.rx = self.rx.rekeyed()
        elif kind == ASK:
            self.wanted = self.received
        elif kind == DRAIN:
            self.items.append(("drain", value))
        elif kind == DISCARD:
            require(self.pieces, "a DISCARD outside a message in pieces")
            self.pieces = bytearray()

    def build(self):
        """Seals what is owed to the peer or else what the application asked for."""
        if self.tx.records >= 2**20 - 8 or now() - self.tx.since >= 3600:  # [T-11]; that many hold 32 GiB at most
            self.due[REKEY] = b""
        if END in self.seen and FINAL not in self.said and (self.taken == self.received or STOP in self.asked):
            self.due[FINAL] = b""  # [E-6]
        elif self.told < min(self.taken, self.wanted) and STOP not in self.due:  # [T-17]
            self.due[RECEIPT] = b""
        for kind in list(self.due):
            self.say(kind, raw=self.due.pop(kind))
        if self.output or not self.todo:
            return
        kind, fields = self.todo[0]
        if kind == MSG and len(fields[0]) > 4096:
            piece = fields[0][self.at:self.at + BODY]
            self.at = (self.at + len(piece)) % len(fields[0])  # 0 behind the last
            self.put(piece, PIECE if self.at else MESSAGE)
        else:
            self.say(kind, *([self.sent] if kind == END else []), *fields)
        if not self.at:
            self.todo.popleft()
            self.sent += kind == MSG
            self.own = min(31, self.own + (kind == MSG))


def configured(values):
    config = SimpleNamespace(**{**DEFAULTS, **values})
    for name in ("secret", "remote", "psk", "context"):
        setattr(config, name, bytes.fromhex(getattr(config, name)))
    config.secret = config.secret or os.urandom(32)
    config.accept = None if config.accept is None else [bytes.fromhex(key) for key in config.accept]
    config.patterns = [pattern for pattern in config.patterns if pattern < 16 or config.psk]
    return config


def opened(address, listening):
    """A socket for `tcp:HOST:PORT` or `unix:PATH`, and its address."""
    kind, _, rest = address.partition(":")
    host, _, port = rest.rpartition(":")
    sock = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
    (sock.bind if listening else sock.connect)(rest if kind == "unix" else (host, int(port)))
    if listening:
        sock.listen()
    return sock, address if kind == "unix" else f"tcp:{host}:{sock.getsockname()[1]}"


def recv(session):
    failed = session.outcome and session.outcome["cause"] != "ended"
    what, value = session.next() if session.items else ("failed", session.detail) if failed else ("nothing", True)
    return {what: value.hex() if what == "message" else value}


COMMANDS = {"hello": lambda session: {"name": "duologue in Python"}, "quit": lambda session: sys.exit(),
            "established": lambda session: (
                {"established": True, "hash": session.hash.hex(), "remote": session.remote.hex(), **session.protocol}
                if session.established else {"established": False, "failed": session.detail or "not yet"}),
            "recv": recv, "stop": Session.stop, "close": Session.close,
            "outcome": lambda session: {"outcome": session.outcome} if session.outcome else {},
            "send": lambda session, message: session.ask(MSG, bytes.fromhex(message)),
            "finish": lambda session, code, reason: session.ask(END, code, reason.encode()),
            "abort": lambda session, code, reason: session.end(None, "aborted by the application", code, reason),
            "drain": lambda session, milliseconds: session.ask(DRAIN, milliseconds),
            "request_receipt": lambda session: session.ask(ASK), "rekey": lambda session: session.ask(REKEY),
            "ping": lambda session: session.ask(PING), "reset": lambda session: session.end("transport", "dropped")}


def shim():
    session = Session(configured({}), True)
    session.end("handshake", "there is no session")
    for line in sys.stdin:
        given = json.loads(line)
        do, within = given.pop("do"), given.pop("within_ms", 0) / 1000
        try:
            with session.lock:
                session.lock.wait_for(lambda: session.outcome or do == "established" and session.established
                                      or do == "recv" and session.items, within)
                answer = COMMANDS["reset"](session) if "config" in given else COMMANDS[do](session, **given)
            if "config" in given:
                session = Session(configured(given["config"]), do == "connect")
                sock, address = opened(given.get("address", "tcp:127.0.0.1:0"), do == "listen")
                threading.Thread(target=session.run, args=(sock, do == "listen"), daemon=True).start()
                answer = {"address": address} if do == "listen" else {}
            print(json.dumps({"ok": answer or {}}), flush=True)
        except (ValueError, OSError) as error:
            print(json.dumps({"error": str(error)}), flush=True)


def serve(session, sock):
    session.run(sock)
    print(json.dumps({"outcome": {**session.outcome, "detail": session.detail}}) + "\n", end="", flush=True)
    return 0 if session.outcome["cause"] == "ended" and session.outcome["outgoing"] == "all" else 1


def main(face="", address=""):
    if face not in ("--listen", "--connect"):
        return __doc__
    config = configured(json.loads(os.environ.get("DUOLOGUE_CONFIG", "{}")))
    sock, address = opened(address, face == "--listen")
    if face == "--connect":
        return serve(Session(config, True), sock)
    print(json.dumps({"listening": address}), flush=True)
    starting = []
    while True:
        connection, peer = sock.accept()
        starting = [(source, s) for source, s in starting if not s.established and s.outcome is None]
        if len(starting) >= 64 or [source for source, _ in starting].count(peer[:1]) >= 16:  # [L-8]
            connection.close()
            continue
        starting.append((peer[:1], Session(config, False)))
        threading.Thread(target=serve, args=(starting[-1][1], connection), daemon=True).start()


if __name__ == "__main__":
    sys.exit(shim() if sys.argv[1:] == ["--shim"] else main(*sys.argv[1:]))
