"""The handshake and the keys of records (sections 2.1, 3 and 4 of spec/protocol.md)."""
from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from wire import Fields, HandshakeEnd, Violation

SUITES = {1: "25519_ChaChaPoly_SHA256", 2: "25519_AESGCM_SHA256",
          3: "25519+MLKEM768_ChaChaPoly_SHA256", 4: "25519+MLKEM768_AESGCM_SHA256"}
HYBRID, CHACHA = (3, 4), (1, 3)
PATTERNS = {0: "XX", 1: "XK", 16: "XX", 17: "XK"}  # 16 and up: with psk0
TOKENS = {("XX", False): ("e", "e ee s es", "s se"), ("XX", True): ("e e1", "e ee ekem1 s es", "s se"),
          ("XK", False): ("e es", "e ee", "s se"), ("XK", True): ("e es e1", "e ee ekem1", "s se")}
now = time.monotonic  # [L-13]


class Cipher:
    """A key, its counter, and how much it has sealed or opened since it was new."""

    def __init__(self, suite: int, key: bytes) -> None:
        self.suite, self.n = suite, 0
        self.set(key)

    def set(self, key: bytes) -> None:
        self.aead = (ChaCha20Poly1305 if self.suite in CHACHA else AESGCM)(key)
        self.records, self.octets, self.since = 0, 0, now()

    def nonce(self, n: int) -> bytes:  # [T-3]
        return bytes(4) + n.to_bytes(8, "little" if self.suite in CHACHA else "big")

    def seal(self, plain: bytes, ad: bytes = b"") -> bytes:
        self.n, self.records, self.octets = self.n + 1, self.records + 1, self.octets + len(plain)
        return self.aead.encrypt(self.nonce(self.n - 1), plain, ad)

    def open(self, sealed: bytes, ad: bytes = b"") -> bytes:
        plain = self.aead.decrypt(self.nonce(self.n), sealed, ad)  # raises before the counter moves [T-4]
        self.n, self.records = self.n + 1, self.records + 1
        return plain

    def rekey(self) -> None:  # [T-10]
        self.set(self.aead.encrypt(self.nonce(2**64 - 1), bytes(32), b"")[:32])


def hkdf(chain: bytes, data: bytes, count: int) -> list[bytes]:
    key, out, last = hmac.digest(chain, data, "sha256"), [], b""
    for i in range(count):
        last = hmac.digest(key, last + bytes([i + 1]), "sha256")
        out.append(last)
    return out


def public(secret: X25519PrivateKey) -> bytes:
    return secret.public_key().public_bytes_raw()


def public_of(secret: bytes) -> bytes:
    return public(X25519PrivateKey.from_private_bytes(secret))


def tokens(suite: int, pattern: int) -> list[list[str]]:
    messages = [m.split() for m in TOKENS[PATTERNS[pattern], suite in HYBRID]]
    if pattern >= 16:
        messages[0].insert(0, "psk")
    return messages


def sizes(suite: int, pattern: int) -> list[int]:
    """The table of [H-3]."""
    tag, out = 0, []
    for message in tokens(suite, pattern):
        size = 0
        for token in message:
            size += {"e": 32, "s": 32 + tag, "e1": 1184 + tag, "ekem1": 1088 + tag}.get(token, 0)
            tag = 16 if token in ("psk", "ee", "es", "se", "ekem1") else tag
        out.append(size + tag)
    return out


class Noise:
    """The handshake state of Noise revision 34, for the patterns and suites of section 2.1."""

    def __init__(self, suite: int, pattern: int, initiator: bool, prologue: bytes, secret: bytes,
                 remote: bytes | None, psk: bytes | None) -> None:
        hybrid, is_psk = suite in HYBRID, pattern >= 16
        modifiers = "+".join(["hfs"] * hybrid + ["psk0"] * is_psk)
        self.name = f"Noise_{PATTERNS[pattern]}{modifiers}_{SUITES[suite]}"  # [W-6]
        name = self.name.encode()
        self.h = self.ck = name.ljust(32, b"\0") if len(name) <= 32 else hashlib.sha256(name).digest()
        self.suite, self.initiator, self.is_psk, self.psk = suite, initiator, is_psk, psk
        self.cipher: Cipher | None = None
        self.new_kem = MLKEM768PrivateKey.generate
        self.kem_remote: Any = None
        self.messages = tokens(suite, pattern)
        self.s, self.e = X25519PrivateKey.from_private_bytes(secret), X25519PrivateKey.generate()
        self.rs, self.re = remote if PATTERNS[pattern] == "XK" and initiator else None, b""
        self.mix_hash(prologue)
        if PATTERNS[pattern] == "XK":
            self.mix_hash(self.rs if self.rs else public(self.s))

    def decapsulate(self, sealed: bytes) -> bytes:
        return self.kem.decapsulate(sealed)

    def mix_hash(self, data: bytes) -> None:
        self.h = hashlib.sha256(self.h + data).digest()

    def mix_key(self, data: bytes) -> None:
        self.ck, key = hkdf(self.ck, data, 2)
        self.cipher = Cipher(self.suite, key)

    def put(self, plain: bytes) -> bytes:
        sealed = self.cipher.seal(plain, self.h) if self.cipher else plain
        self.mix_hash(sealed)
        return sealed

    def get(self, source: Fields, size: int) -> bytes:
        sealed = source.take(size + (16 if self.cipher else 0))
        plain = self.cipher.open(sealed, self.h) if self.cipher else sealed
        self.mix_hash(sealed)
        return plain

    def mix(self, token: str) -> None:
        """The tokens that are the same for writer and reader."""
        if token == "psk":
            self.ck, temp, key = hkdf(self.ck, self.psk or b"", 3)
            self.mix_hash(temp)
            self.cipher = Cipher(self.suite, key)
        else:  # ee, es, se: the first letter is the initiator's key, the second the responder's
            ours, theirs = token[not self.initiator], token[self.initiator]
            remote = X25519PublicKey.from_public_bytes((self.re if theirs == "e" else self.rs) or b"")
            try:
                self.mix_key((self.e if ours == "e" else self.s).exchange(remote))
            except ValueError:  # zeros [H-4]
                raise HandshakeEnd("the peer's key is of low order") from None

    def mix_e(self, key: bytes) -> None:
        self.mix_hash(key)
        if self.is_psk:
            self.mix_key(key)

    def write(self) -> bytes:
        out = b""
        for token in self.messages.pop(0):
            if token == "e":
                out += public(self.e)
                self.mix_e(public(self.e))
            elif token == "s":
                out += self.put(public(self.s))
            elif token == "e1":  # [H-6]
                self.kem = self.new_kem()
                out += self.put(self.kem.public_key().public_bytes_raw())
            elif token == "ekem1":
                shared, sealed = self.kem_remote.encapsulate()
                out += self.put(sealed)
                self.mix_key(shared)
            else:
                self.mix(token)
        return out + self.put(b"")

    def read(self, message: bytes) -> None:
        source = Fields(message)
        try:
            for token in self.messages.pop(0):
                if token == "e":
                    self.re = source.take(32)
                    self.mix_e(self.re)
                elif token == "s":
                    self.rs = self.get(source, 32)
                elif token == "e1":  # makes the check of FIPS 203, section 7.2 [H-7]
                    self.kem_remote = MLKEM768PublicKey.from_public_bytes(self.get(source, 1184))
                elif token == "ekem1":
                    self.mix_key(self.decapsulate(self.get(source, 1088)))
                else:
                    self.mix(token)
            if self.get(source, 0) or source.left:
                raise HandshakeEnd("the payload is not empty")
        except (ValueError, InvalidTag, Violation) as error:
            raise HandshakeEnd(f"a handshake message is wrong: {error!r}") from None

    def split(self) -> tuple[Cipher, Cipher]:  # [H-11]
        k1, k2 = hkdf(self.ck, b"", 2)
        return Cipher(self.suite, k1), Cipher(self.suite, k2)
