//! What is measured, area by area.

pub mod end;
pub mod handshake;
pub mod heap;
pub mod record;
pub mod streams;
