//! What the program says when something is wrong: one catalogue of stable codes, and places in files.
//!
//! A module's error enum names its [`Code`] in a `code()` method; the command line renders it. The catalogue generates
//! `docs/diagnostics.md` and answers `ordain explain CODE`. A code, once released, never changes its meaning.

mod catalogue;
mod location;
mod text;

pub use catalogue::{Code, Kind, all, find};
pub use location::{Diagnostic, Location, Severity};
pub use text::{is_hidden, plain_words, printable};
