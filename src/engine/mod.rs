//! From a request to a decision.

pub mod input;
pub mod request;
