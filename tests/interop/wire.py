"""Bytes and errors (section 2 of spec/protocol.md)."""
from __future__ import annotations

from typing import Any, Iterator

BATCH, MESSAGE, PIECE = 0, 1, 2  # the kinds of records
PADDING, PARAMS, MSG, END, RECEIPT, ABORT = 0, 1, 2, 4, 5, 6
PING, PONG, REKEY, ASK, DRAIN, FINAL, STOP, DISCARD = 7, 8, 9, 10, 11, 12, 13, 14
FRAMES = {PADDING: ("zeros",), PARAMS: ("sized",), MSG: ("sized",), END: ("varint", "code", "reason"),
          RECEIPT: ("varint",), ABORT: ("code", "reason"), PING: ("eight",), PONG: ("eight",), REKEY: (), ASK: (),
          DRAIN: ("varint",), FINAL: ("varint",), STOP: ("varint",), DISCARD: ()}  # and how their fields are read
REFUSED, NO_COMMON, VIOLATION, TOO_LARGE, TIMEOUT, INTERNAL = 1, 2, 3, 4, 5, 9  # codes [T-21]


class Violation(Exception):
    """What the peer sent is forbidden; the session ends with this code [T-20]."""

    def __init__(self, text: str, code: int = VIOLATION, reason: str = "") -> None:
        super().__init__(text)
        self.code, self.reason = code, reason


class HandshakeEnd(Exception):
    """The handshake is over, and nothing is said about it [H-9]."""


class TransportEnd(Exception):
    """The transport ended or failed [E-10]."""


class NotAllowed(Exception):
    """The session does not allow what its application asks for."""


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def sized(data: bytes) -> bytes:
    return varint(len(data)) + data


def frame(kind: int, *parts: int | bytes) -> bytes:
    return bytes([kind]) + b"".join(varint(p) if isinstance(p, int) else p for p in parts)


class Fields:
    """Reads the fields of frames and parameters."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise Violation("a field is cut off")
        self.at += count
        return self.data[self.at - count:self.at]

    def varint(self) -> int:  # [W-2]
        value = 0
        for i in range(9):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << 7 * i
            if byte < 0x80:
                if byte == 0 and i > 0:
                    raise Violation("a varint is not minimal")
                return value
        raise Violation("a varint is too long")

    def sized(self) -> bytes:
        return self.take(self.varint())

    def code(self) -> int:  # [T-21]
        code = self.varint()
        if code > 2**32 - 1:
            raise Violation("a code is too large")
        return code

    def reason(self) -> str:
        size = self.varint()
        if size > 256:
            raise Violation("a reason is too long")
        return text(self.take(size))

    def zeros(self) -> bytes:  # [T-13]
        zeros = self.take(self.left)
        if any(zeros):
            raise Violation("PADDING is not zero")
        return zeros

    def eight(self) -> bytes:
        return self.take(8)


def text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Violation("not UTF-8") from None


def frames(body: bytes) -> Iterator[tuple[int, list[Any]]]:
    """The frames of a BATCH with their fields, each judged by itself and when it is asked for [T-12] [T-13]."""
    source, behind_rekey = Fields(body), False
    if not source.left:
        raise Violation("a BATCH without a frame")
    while source.left:
        kind = source.take(1)[0]
        if kind not in FRAMES:
            raise Violation("an unknown frame")
        if behind_rekey and kind != PADDING:
            raise Violation("a frame behind REKEY")
        behind_rekey = kind == REKEY
        yield kind, [getattr(source, name)() for name in FRAMES[kind]]
