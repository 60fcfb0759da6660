//! Every byte and limit of the protocol; writing stands beside reading (spec: sections 2 to 5).

mod code;
mod frame;
#[cfg(all(fuzzing, debug_assertions))]
pub(crate) mod fuzzing;
mod hello;
mod limits;
mod params;
mod record;
#[cfg(test)]
mod tests;
mod varint;
mod violation;

pub use code::Code;
pub(crate) use frame::{Frame, message_head, next_message};
pub use hello::Offer;
pub(crate) use hello::{HELLO, Hello, HelloFault, Refusal, STATUS_ACCEPT};
pub(crate) use limits::*;
pub(crate) use params::Params;
pub(crate) use record::{HEADER, Kind, OVERHEAD, record_length, split_kind};
#[cfg(test)]
pub(crate) use varint::{put as put_varint, take as take_varint};
pub use violation::Violation;
