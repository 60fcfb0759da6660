"""Replays the vectors of spec/vectors/README.md."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from acceptance import judge_answer, judge_hello, prologue
from config import Params
from noise import PATTERNS, SUITES, Cipher, Noise, public_of, sizes
from wire import BATCH, MESSAGE, PIECE, REKEY, Fields, HandshakeEnd, Violation, frames


class Encapsulated:
    """Stands in for the initiator's encapsulation key, since `cryptography` takes no message to encapsulate."""

    def __init__(self, result: tuple[bytes, bytes]) -> None:
        self.result = result

    def encapsulate(self) -> tuple[bytes, bytes]:
        return self.result


class Fixed(Noise):
    """A handshake with fixed ephemeral keys."""

    def fix(self, ephemeral: bytes, kem_seed: bytes | None) -> None:
        self.e = X25519PrivateKey.from_private_bytes(ephemeral)
        self.seen = (b"", b"")
        self.new_kem = lambda: MLKEM768PrivateKey.from_seed_bytes(kem_seed or b"")

    def decapsulate(self, sealed: bytes) -> bytes:
        self.seen = (super().decapsulate(sealed), sealed)
        return self.seen[0]


def same(what: str, left: Any, right: Any) -> None:
    if left != right:
        raise AssertionError(f"{what} differs")


def kinds(plain: bytes) -> list[int]:
    """The kinds of the frames of a plaintext, which is judged by itself [T-6]."""
    if plain[-1] == BATCH:
        return [kind for kind, _ in frames(plain[:-1])]
    if plain[-1] not in (MESSAGE, PIECE) or plain == bytes([PIECE]):
        raise Violation("not a record")
    return []


def session(v: dict[str, Any]) -> None:
    raw = {name: bytes.fromhex(v.get(name) or "") for name in ("context", "prologue", "psk")}
    bodies = [bytes.fromhex(body) for body in v["bodies"]]
    fails_at = v.get("fails_at")
    same("prologue", raw["prologue"], prologue(bodies[0][:8], raw["context"]))
    sides = []
    for name in ("initiator", "responder"):
        keys = {key: bytes.fromhex(value) for key, value in v[name].items()}
        pinned = public_of(bytes.fromhex(v["responder"]["static"])) if PATTERNS[v["pattern"]] == "XK" else None
        side = Fixed(v["suite"], v["pattern"], name == "initiator", raw["prologue"], keys["static"], pinned, raw["psk"])
        side.fix(keys["ephemeral"], keys.get("kem_seed"))
        sides.append(side)
    same("protocol_name", sides[0].name, v["protocol_name"])
    initiator, responder = sides
    heads = [bodies[0][:8], b"\0", b""]
    for i, body in enumerate(bodies):
        writer, reader = (initiator, responder) if i != 1 else (responder, initiator)
        try:
            reader.read(body[len(heads[i]):])
        except HandshakeEnd:
            same("where it fails", i, fails_at)
            return
        if i == 1:
            responder.kem_remote = Encapsulated(initiator.seen)
        if fails_at != i:
            same(f"body {i}", heads[i] + writer.write(), body)
    same("where it fails", None, fails_at)
    for side in sides:
        same("hash", side.h.hex(), v["hash"])
    opening = {"initiator": initiator.split()[0], "responder": initiator.split()[1]}
    sealing = {name: Cipher(v["suite"], bytes.fromhex(key)) for name, key in zip(("initiator", "responder"), v["keys"])}
    for record in v["records"]:
        sealed, source = bytes.fromhex(record["record"]), record["from"]
        same("length", int.from_bytes(sealed[:2], "big"), len(sealed) - 2)
        try:
            plain = opening[source].open(sealed[2:])
        except InvalidTag:
            same("plaintext", record.get("plaintext"), None)
            return
        same("plaintext", plain.hex(), record.get("plaintext"))
        same("record", sealing[source].seal(plain), sealed[2:])
        if REKEY in kinds(plain):
            opening[source].rekey()
            sealing[source].rekey()


def one(v: dict[str, Any]) -> None:
    kind, data = v["kind"], bytes.fromhex(v.get("bytes", ""))
    if kind == "session":
        session(v)
    elif kind == "hello":
        same("answer", judge_hello(data, list(SUITES), list(PATTERNS)), v["answer"])
    elif kind == "answer":
        length = int.from_bytes(data[:2], "big")
        same("length", length, len(data) - 2)
        same("answer", judge_answer(data[:3], sizes(v["suite"], v["pattern"])[1]), v["answer"])
    elif kind in ("plaintext", "params", "varint"):
        value, error = None, None
        try:
            if kind == "varint":
                value = Fields(data).varint()
            elif kind == "params":
                Params.parse(data)
            else:
                kinds(data)
        except Violation:
            error = "violation"
        same("value", value, v.get("value"))
        if kind != "varint":
            same("error", error, v.get("error"))
    else:
        raise AssertionError(f"an unknown kind {kind}")


def replay(path: str) -> int:
    passed = failed = 0
    files = sorted(Path(path).glob("*.json")) if Path(path).is_dir() else [Path(path)]
    for file in files:
        content = json.loads(file.read_text(encoding="utf-8"))
        same("format", content["format"], "duologue-vectors-1")
        for v in content["vectors"]:
            try:
                one(v)
                passed += 1
            except (AssertionError, Violation, HandshakeEnd, ValueError, InvalidTag) as error:
                failed += 1
                print(f"{file.name}: {v['name']}: {error!r}")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1
