//! Where bundles come from and where they are kept: Git repositories, plain directories, the content-addressed store, and
//! what this machine remembers.
//!
//! Everything that touches the network or the file system before verification is here, and nothing here trusts what it
//! reads: the product is a [`FetchedBundle`](crate::bundle::FetchedBundle), linted and within its limits, no more.

pub mod compiled;
pub mod directory;
pub mod git;
pub mod project;
pub mod roots;
pub mod state;
pub mod store;
pub mod transfer;

mod content;
mod durable;
mod plain;
mod reference;
mod url;

pub use content::ContentError;
pub use plain::open_through_links;
pub use reference::{GitRef, RefError};
pub use url::{GitUrl, InsecureHttp, Need, UrlError};
