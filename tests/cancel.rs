//! Every public future dropped at every `Pending`, over transports that move a few bytes a poll: the call
//! has then happened whole or not at all, and the session goes on as if nothing had been.
//!
//! Invariant I7, and I1, I2 and I5 behind it. `DUOLOGUE_LONG=1` leaves fewer polls out and walks longer;
//! `DUOLOGUE_SEED=n` repeats one walk. Under `--cfg duologue_ledger` no nonce may seal twice meanwhile.
#![expect(clippy::print_stdout, reason = "a walk that fails names its seed")]

mod support;

#[path = "cancel/bytes.rs"]
mod bytes;
#[path = "cancel/halves.rs"]
mod halves;
#[path = "cancel/handshake.rs"]
mod handshake;
#[path = "cancel/harness.rs"]
mod harness;
#[path = "cancel/pumped.rs"]
mod pumped;
#[path = "cancel/session.rs"]
mod session;
#[path = "cancel/slow.rs"]
mod slow;
#[cfg(feature = "serde")]
#[path = "cancel/typed.rs"]
mod typed;
#[path = "cancel/walk.rs"]
mod walk;
