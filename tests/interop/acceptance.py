"""The hello, the handshake and the acceptance (sections 2.2, 3 and 5 of spec/protocol.md)."""
from __future__ import annotations

from typing import TYPE_CHECKING

from config import Params
from noise import Noise, public_of, sizes
from wire import (ABORT, BATCH, INTERNAL, NO_COMMON, PADDING, PARAMS, REFUSED, HandshakeEnd, Violation, frame,
                  frames, sized)

if TYPE_CHECKING:
    from session import Session


def prologue(hello: bytes, context: bytes) -> bytes:  # [H-2]
    return b"duologue/1" + hello + len(context).to_bytes(2, "big") + context


def judge_hello(first: bytes, suites: list[int], patterns: list[int]) -> str:  # [W-8]
    """Judges the first ten bytes of an initiator."""
    length, hello = int.from_bytes(first[:2], "big"), first[2:]
    if hello[:3] != b"duo":
        return "close"
    if hello[3] != 1 or hello[4] not in suites or hello[5] not in patterns or any(hello[6:]):
        return "refusal_list"
    return "proceed" if length == 8 + sizes(hello[4], hello[5])[0] else "close"


def judge_answer(first: bytes, size: int) -> str:  # [W-10]
    """Judges the first three bytes of a responder, or two if they tell a length of 0; `size` is that of message 2."""
    length = int.from_bytes(first[:2], "big")
    if length and first[2] == 0 and length == 1 + size:
        return "proceed"
    return "refused" if length in range(4, 98, 3) and first[2] == 1 else "end"


async def initiate(s: Session) -> None:
    config = s.config
    s.suite, s.pattern = config.suites[0], config.patterns[0]
    size = sizes(s.suite, s.pattern)
    hello = b"duo" + bytes([1, s.suite, s.pattern, 0, 0])  # [W-7]
    noise = Noise(s.suite, s.pattern, True, prologue(hello, config.context), config.secret, config.remote, config.psk)
    s.put(hello + noise.write())
    await s.need(2)
    length = int.from_bytes(s.input[:2], "big")
    await s.need(3 if length else 2)
    judgement = judge_answer(bytes(s.input[:3]), size[1])
    if judgement == "refused":  # and not tried again [W-11]
        refusal = await s.body(length, length, HandshakeEnd)
        raise HandshakeEnd(f"refused; the peer takes {refusal[1:].hex(' ', 3)}")
    if judgement != "proceed":
        raise HandshakeEnd("not a status byte, or not its length")
    noise.read((await s.body(length, length, HandshakeEnd))[1:])
    if not accepted(s, noise.rs or b""):  # [H-13]
        raise HandshakeEnd("the peer's key is not accepted")
    s.put(noise.write())
    s.tx, s.rx = noise.split()
    s.hash, s.remote = noise.h, noise.rs or b""
    s.put_record(BATCH, frame(PARAMS, sized(config.params(config.protocols, noise.h))))  # [H-14]
    s.peer = await record_0(s)
    ours, theirs = config.protocols, s.peer.protocols
    if (theirs is None) != (ours is None) or theirs and (len(theirs) != 1 or theirs[0] not in (ours or ())):
        raise Violation("the protocol that was picked was not offered", NO_COMMON)  # [H-22]
    s.protocol = theirs[0] if theirs else None


async def respond(s: Session) -> None:
    config = s.config
    await s.need(10)  # [W-8]
    hello = bytes(s.input[2:10])
    s.suite, s.pattern = hello[4], hello[5]
    judgement = judge_hello(bytes(s.input[:10]), config.suites, config.patterns)
    if judgement == "refusal_list":
        s.put(b"\1" + b"".join(bytes([1, suite, pattern]) for suite in config.suites for pattern in config.patterns))
    if judgement != "proceed":
        raise HandshakeEnd(f"the hello {hello.hex()} is not taken")
    size = sizes(s.suite, s.pattern)
    message = (await s.body(8 + size[0], 8 + size[0], HandshakeEnd))[8:]  # [H-3]
    noise = Noise(s.suite, s.pattern, False, prologue(hello, config.context), config.secret, None, config.psk)
    noise.read(message)
    s.put(b"\0" + noise.write())
    noise.read(await s.body(size[2], size[2], HandshakeEnd))
    s.rx, s.tx = noise.split()
    s.hash, s.remote = noise.h, noise.rs or b""
    if not accepted(s, s.remote):  # [H-16]
        raise Violation("the peer's key is not accepted", REFUSED)
    s.peer = await record_0(s)
    ours, theirs = config.protocols, s.peer.protocols
    s.protocol = next((name for name in theirs or () if name in (ours or ())), None)  # [H-22]
    if s.protocol is None and (ours or theirs):
        raise Violation("no common protocol", NO_COMMON)
    answer = config.params([s.protocol] if s.protocol else None, noise.h)
    s.put_record(BATCH, frame(PARAMS, sized(answer)))


def accepted(s: Session, key: bytes) -> bool:
    return key != public_of(s.config.secret) and (s.config.accept is None or key in s.config.accept)  # [H-8]


async def record_0(s: Session) -> Params:
    """Reads record 0 of the peer [H-14] [H-15]."""
    plain = await s.record(4_112)  # [H-18]
    if plain[-1] != BATCH:
        raise Violation("record 0 is not a BATCH")
    found = frames(plain[:-1])
    kind, values = next(found)
    if kind == ABORT and s.initiator:
        s.end("peer_aborted", "aborted by the peer", *values)
    elif kind != PARAMS or any(kind != PADDING for kind, _ in found):
        raise Violation("record 0 does not hold what it must, or more than it may")
    if s.outcome is not None:
        raise HandshakeEnd(s.detail)
    return Params.parse(values[0])


async def handshake(s: Session) -> None:
    await (initiate(s) if s.initiator else respond(s))
    if any(what == "message" and len(value) > s.peer.max_message for what, value in s.todo):
        raise Violation("a message that waited is above the peer's limit", INTERNAL)
