//! What is measured, area by area.

pub mod admission;
pub mod end;
pub mod growth;
pub mod handshake;
pub mod heap;
pub mod record;
pub mod sessions;
pub mod streams;
