"""What is configured, and PARAMS (section 5.1 of spec/protocol.md)."""
from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from typing import Any

from noise import PATTERNS, SUITES
from wire import Fields, Violation, sized, text, varint


@dataclass
class Config:
    secret: bytes = b""
    suites: list[int] = field(default_factory=lambda: list(SUITES))
    patterns: list[int] = field(default_factory=lambda: list(PATTERNS))
    remote: bytes | None = None
    accept: list[bytes] | None = None
    psk: bytes | None = None
    context: bytes = b""
    protocols: list[str] | None = None
    max_message: int = 16_777_216
    idle_ms: int = 0
    handshake_ms: int = 10_000
    end_ms: int = 10_000
    stall_ms: int = 30_000
    app: str = "echo"

    @staticmethod
    def load(values: dict[str, Any]) -> Config:
        unknown = set(values) - {f.name for f in fields(Config)}
        if unknown:
            raise NotImplementedError(f"config: {', '.join(sorted(unknown))}")
        values = {k: v for k, v in values.items() if v is not None}
        for name in {"secret", "remote", "psk", "context"} & set(values):
            values[name] = bytes.fromhex(values[name])
        if "accept" in values:
            values["accept"] = [bytes.fromhex(key) for key in values["accept"]]
        config = Config(**values)
        for name in ("secret", "remote", "psk"):
            if len(getattr(config, name) or bytes(32)) != 32:
                raise ValueError(f"{name}: not 32 bytes")
        config.secret = config.secret or os.urandom(32)
        config.patterns = [p for p in config.patterns if p in PATTERNS and (p < 16 or config.psk)]
        config.suites = [s for s in config.suites if s in SUITES]
        return config

    def params(self, protocols: list[str] | None, h: bytes) -> bytes:
        out = b""
        if protocols:
            names = b"".join(sized(name.encode()) for name in protocols)
            out += varint(1) + sized(names)
        if self.max_message != 16_777_216:
            out += varint(2) + sized(varint(self.max_message))
        if self.idle_ms:
            out += varint(3) + sized(varint(self.idle_ms))
        return out + varint(0x40 + h[0] % 32) + sized(bytes(h[0] // 32))  # [H-21]


@dataclass
class Params:
    protocols: list[str] | None = None
    max_message: int = 16_777_216
    idle_ms: int = 0

    @staticmethod
    def parse(data: bytes) -> Params:  # [H-20]
        params, source, seen = Params(), Fields(data), set()
        while source.left:
            kind, value = source.varint(), Fields(source.sized())
            if kind in seen:
                raise Violation("a parameter occurs twice")
            seen.add(kind)
            if kind == 1:
                names = []
                while value.left:
                    names.append(value.sized())
                if not 1 <= len(names) <= 16 or not all(1 <= len(name) <= 64 for name in names):
                    raise Violation("the list of protocols is out of range")
                params.protocols = [text(name) for name in names]
            elif kind == 2:
                params.max_message = value.varint()
                if value.left or not 1 <= params.max_message <= 2**62:
                    raise Violation("max_message is out of range")
            elif kind == 3:
                params.idle_ms = value.varint()
                if value.left or params.idle_ms and not 1000 <= params.idle_ms <= 2**32:
                    raise Violation("idle_timeout is out of range")
        return params
