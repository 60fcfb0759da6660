#![doc = include_str!("manual/manual.md")]

#[doc = include_str!("manual/end.md")]
pub mod end {}

#[doc = include_str!("manual/cancel_safety.md")]
pub mod cancel_safety {}

#[doc = include_str!("manual/back_pressure.md")]
pub mod back_pressure {}
