//! The limits that the protocol names (spec: section 7). What a user may change starts from these.

use core::time::Duration;

/// Plaintext of a record that we send: 32 KiB and the kind (spec: T-9).
pub(crate) const RECORD_SENT: usize = 32_769;
/// Plaintext of a record that we accept: what `u16` leaves beside the tag (spec: T-1).
pub(crate) const RECORD_ACCEPTED: usize = 65_519;
/// Plaintext of a record until we are established (spec: H-18).
pub(crate) const RECORD_EARLY: usize = 4_096;
/// The largest message that we receive unless told otherwise (spec: L-12).
pub(crate) const MAX_MESSAGE: u64 = 16 * 1024 * 1024;
/// The largest `max_message` that can be announced (spec: 5.1).
pub(crate) const MAX_MAX_MESSAGE: u64 = 1 << 62;
/// Bytes of a reason (spec: T-21).
pub(crate) const REASON: usize = 256;
/// Application protocols in one list, and bytes of a name (spec: 5.1).
pub(crate) const PROTOCOLS: usize = 16;
pub(crate) const PROTOCOL_NAME: usize = 64;
/// Idle timeouts that can be announced, in milliseconds (spec: 5.1).
pub(crate) const IDLE_MIN_MS: u64 = 1_000;
pub(crate) const IDLE_MAX_MS: u64 = 1 << 32;
/// Entries of a refusal list (spec: W-9).
pub(crate) const REFUSAL_ENTRIES: usize = 32;

/// Whole handshake (spec: H-19).
pub(crate) const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Idle timeout (spec: L-3); a third of it to a PING (spec: L-4).
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// A write without progress (spec: L-5).
pub(crate) const WRITE_STALL: Duration = Duration::from_secs(30);
/// The close handshake, from the call (spec: E-14).
pub(crate) const END_DEADLINE: Duration = Duration::from_secs(10);
/// Reading off after the last word (spec: L-14).
pub(crate) const READ_OFF_BYTES: usize = 64 * 1024;
pub(crate) const READ_OFF_TIME: Duration = Duration::from_secs(2);
/// DRAIN goes out this long before the age limit (spec: L-11).
pub(crate) const DRAIN_BEFORE: Duration = Duration::from_secs(30);

/// Records, plaintext and age of a sending key (spec: T-11).
pub(crate) const REKEY_RECORDS: u64 = 1 << 20;
pub(crate) const REKEY_BYTES: u64 = 64 << 30;
pub(crate) const REKEY_AGE: Duration = Duration::from_secs(3_600);
/// Records of a receiving key (spec: T-11).
pub(crate) const OPENED_RECORDS: u64 = 1 << 24;

/// Progress budget (spec: L-1).
pub(crate) const CREDIT: u32 = 32;
pub(crate) const CREDIT_PIECE: usize = 1_024;
pub(crate) const CREDIT_PERIOD: Duration = Duration::from_secs(1);

/// Bytes gathered for one write; beyond it `feed` waits.
pub(crate) const GATHERED: usize = 256 * 1024;
/// Input held untaken before we stop reading (spec: L-6).
pub(crate) const UNTAKEN: usize = 256 * 1024;
