//! What a run comes to, for people and for machines.

pub mod html;
pub mod human;
pub mod json;
pub mod junit;
