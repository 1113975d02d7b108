//! One file that carries trust roots and bundles to a machine without a network.
//!
//! ```text
//! ordain-export/v1 LF  <length of the header> LF  <header: canonical JSON> LF  <root 1> <root 2> …  <bundle> <bundle> …
//! ```
//!
//! The header gives the length of everything that follows; a bundle stands as the [store](super::store) keeps it. The same
//! roots and bundles make the same bytes: no times, no owners, no compression. The file proves nothing: whoever reads it
//! verifies every root and bundle as if it came from Git. What is checked here is that it is whole, in its one form, and
//! within the limits.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::durable;
use super::store::{MAX_HEADER, ReadError, damaged, read_entry, read_header, write_entry};
use crate::bundle::{FetchedBundle, Limits};
use crate::diag::{Code, plain_words};
use crate::digest::CommitId;
use crate::json;
use crate::name::BundleName;

const MAGIC: &str = "ordain-export/v1";
/// The most bundles of a file.
const MAX_BUNDLES: usize = 4096;
/// The longest URL, ref or path.
const MAX_TEXT: usize = 4096;

/// Why a file is not written or read.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The system refused.
    #[error("cannot {action} the export `{}`: {source}", path.display().to_string().escape_debug())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not what [`Transfer::store`] writes.
    #[error("the export `{}` is damaged: {reason}", path.display().to_string().escape_debug())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// More than is read.
    #[error("the export `{}` has {what}", path.display().to_string().escape_debug())]
    Limit {
        /// The file.
        path: PathBuf,
        /// What there is too much of.
        what: String,
    },
}

impl TransferError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Io { .. } => Code::TRANSFER_FILE,
            Self::Damaged { .. } => Code::TRANSFER_DAMAGED,
            Self::Limit { .. } => Code::TRANSFER_LIMIT,
        }
    }
}

/// Where a bundle came from, as whoever exported it says. It explains; nothing rests on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The URL or path.
    pub git: String,
    /// The ref.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The directory within the repository.
    pub path: String,
    /// The commit.
    pub commit: Option<CommitId>,
}

/// One bundle of a file.
#[derive(Debug, Clone)]
pub struct Carried {
    /// The name that the exporter's configuration gives it.
    pub name: BundleName,
    /// Where it came from.
    pub provenance: Provenance,
    /// Its bytes; nothing of them is verified.
    pub bundle: FetchedBundle,
}

/// What a file carries.
#[derive(Debug, Clone, Default)]
pub struct Transfer {
    /// The bytes of the trust roots, from the first on.
    pub roots: Vec<Vec<u8>>,
    /// The bundles, sorted by name.
    pub bundles: Vec<Carried>,
    /// Bundles that nobody asked for: they were passed over unread.
    pub skipped: Vec<BundleName>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderV1 {
    /// Bytes of each root.
    roots: Vec<u64>,
    bundles: Vec<EntryV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryV1 {
    name: BundleName,
    source: Provenance,
    bytes: u64,
}

impl Transfer {
    /// Writes the file, in place of the one that is there.
    ///
    /// # Errors
    /// [`TransferError::Io`]; the old file stands.
    pub fn store(&self, path: &Path) -> Result<u64, TransferError> {
        let failed = |source| TransferError::Io {
            action: "write",
            path: path.to_owned(),
            source,
        };
        let entries: Vec<Vec<u8>> = self
            .bundles
            .iter()
            .map(|carried| {
                let mut entry = Vec::new();
                write_entry(&mut entry, &carried.bundle).map(|()| entry)
            })
            .collect::<io::Result<_>>()
            .map_err(failed)?;
        let header = self.header(&entries).map_err(failed)?;
        // A relative name without a directory is one of this directory.
        let target = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new(".").join(path),
            _ => path.to_owned(),
        };
        durable::replace(&target, |out| {
            out.write_all(format!("{MAGIC}\n{}\n", header.len()).as_bytes())?;
            out.write_all(&header)?;
            out.write_all(b"\n")?;
            for bytes in self.roots.iter().chain(&entries) {
                out.write_all(bytes)?;
            }
            Ok(())
        })
        .map_err(failed)?;
        // It is carried around by other people than its owner, and holds nothing secret.
        fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).map_err(failed)?;
        Ok(fs::metadata(&target).map_err(failed)?.len())
    }

    fn header(&self, entries: &[Vec<u8>]) -> io::Result<Vec<u8>> {
        let length = |bytes: &Vec<u8>| bytes.len() as u64;
        let bundles = self.bundles.iter().zip(entries);
        let header = HeaderV1 {
            roots: self.roots.iter().map(length).collect(),
            bundles: bundles
                .map(|(carried, entry)| EntryV1 {
                    name: carried.name.clone(),
                    source: carried.provenance.clone(),
                    bytes: length(entry),
                })
                .collect(),
        };
        let value = serde_json::to_value(&header)?;
        json::canonical(&value).map_err(io::Error::other)
    }

    /// Reads a file, and of its bundles those that are wanted.
    ///
    /// # Errors
    /// [`TransferError`].
    pub fn load(
        path: &Path,
        limits: &Limits,
        wanted: impl Fn(&BundleName) -> bool,
    ) -> Result<Self, TransferError> {
        let failed = |source| TransferError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::Error::other("it is not a plain file")));
        }
        let mut reader = BufReader::with_capacity(256 << 10, file);
        Self::read(&mut reader, metadata.len(), path, limits, wanted)
    }

    /// Reads exactly `length` bytes; `path` is for messages.
    ///
    /// # Errors
    /// [`TransferError`].
    pub fn read(
        reader: &mut impl BufRead,
        length: u64,
        path: &Path,
        limits: &Limits,
        wanted: impl Fn(&BundleName) -> bool,
    ) -> Result<Self, TransferError> {
        let limit = |what: String| TransferError::Limit {
            path: path.to_owned(),
            what,
        };
        if length > limits.fetch_bytes {
            let most = limits.fetch_bytes;
            return Err(limit(format!(
                "{length} bytes, more than the limit of {most}"
            )));
        }
        let broken = |error: ReadError| match error {
            ReadError::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
                TransferError::Io {
                    action: "read",
                    path: path.to_owned(),
                    source,
                }
            }
            ReadError::Io(_) => TransferError::Damaged {
                path: path.to_owned(),
                reason: "it is cut short".to_owned(),
            },
            ReadError::Damaged(reason) => TransferError::Damaged {
                path: path.to_owned(),
                reason,
            },
        };
        let (header, before) = header(reader).map_err(broken)?;
        if header.roots.len() > limits.roots || header.bundles.len() > MAX_BUNDLES {
            let (roots, bundles) = (header.roots.len(), header.bundles.len());
            return Err(limit(format!("{roots} roots and {bundles} bundles")));
        }
        if header
            .roots
            .iter()
            .any(|bytes| *bytes > limits.envelope_bytes as u64)
        {
            return Err(limit("a trust root that is too large".to_owned()));
        }
        // Sizes are checked as a whole before anything is allocated for them.
        let sizes = header.bundles.iter().map(|entry| entry.bytes);
        let end = header
            .roots
            .iter()
            .copied()
            .chain(sizes)
            .try_fold(before, u64::checked_add);
        match end {
            Some(end) if end == length => {}
            Some(end) if end < length => {
                return Err(broken(damaged(
                    "bytes follow that its header does not list",
                )));
            }
            _ => return Err(broken(damaged("it is cut short"))),
        }
        let mut transfer = Self::default();
        for bytes in header.roots {
            let mut root = Vec::new();
            reader
                .take(bytes)
                .read_to_end(&mut root)
                .map_err(|error| broken(error.into()))?;
            transfer.roots.push(root);
        }
        for entry in header.bundles {
            let mut part = reader.take(entry.bytes);
            if !wanted(&entry.name) {
                let passed = io::copy(&mut part, &mut io::sink());
                if passed.map_err(|error| broken(error.into()))? != entry.bytes {
                    return Err(broken(damaged("it is cut short")));
                }
                transfer.skipped.push(entry.name);
                continue;
            }
            let about = |error| match error {
                ReadError::Damaged(reason) => damaged(format!("bundle `{}`: {reason}", entry.name)),
                error => error,
            };
            let bundle =
                read_entry(&mut part, entry.bytes, limits).map_err(|error| broken(about(error)))?;
            transfer.bundles.push(Carried {
                name: entry.name,
                provenance: entry.source,
                bundle,
            });
        }
        Ok(transfer)
    }
}

/// The header in its one form, and its bytes with what stands before it.
fn header(reader: &mut impl BufRead) -> Result<(HeaderV1, u64), ReadError> {
    let (bytes, before) = read_header(reader, MAGIC)?;
    let value = json::parse(&bytes, MAX_HEADER).map_err(damaged)?;
    let canonical = json::canonical(&value).map_err(damaged)?;
    let expected = format!("{MAGIC}\n{}\n", bytes.len()).len() + bytes.len() + 1;
    if canonical != bytes || expected as u64 != before {
        return Err(damaged("its header is not in canonical form"));
    }
    let header: HeaderV1 =
        json::from_value(value).map_err(|error| damaged(plain_words(&error.to_string())))?;
    let mut names = header.bundles.iter().map(|entry| &entry.name);
    if !names.by_ref().is_sorted_by(|a, b| a < b) {
        return Err(damaged("its bundles are not sorted, or one stands twice"));
    }
    for EntryV1 { source, .. } in &header.bundles {
        let texts = [&source.git, &source.reference, &source.path];
        if texts.iter().any(|text| text.len() > MAX_TEXT) {
            return Err(damaged("a URL, ref or path is too long"));
        }
    }
    Ok((header, before))
}

#[cfg(test)]
mod tests;
