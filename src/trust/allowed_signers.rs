//! OpenSSH's `allowed_signers` files (ssh-keygen(1), ALLOWED SIGNERS): whose keys `ssh-keygen -Y verify` and Git believe.
//!
//! ```text
//! principals [options] keytype base64 [comment]
//! ```
//!
//! Reading is stricter than OpenSSH's: a line that it cannot read stops it, and what a trust root cannot express is left out
//! and reported, never bent into something that counts for more. Patterns are no names, a certificate authority is no
//! person, and a key that its file limits to other namespaces or times is not trusted beyond them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use super::keys::{KeyError, PublicKey};
use super::root_document::RootDocument;
use crate::diag::Code;
use crate::name::PrincipalName;

/// Bytes of the largest file read.
pub const MAX_ALLOWED_SIGNERS_BYTES: usize = 1 << 20;
/// Bytes of the longest line read.
const MAX_LINE: usize = 8 << 10;
/// How far local time may be from UTC: a time without `Z` is one or the other, and counts as the less favourable.
const ZONES: SignedDuration = SignedDuration::from_hours(14);

/// The SSHSIG namespace of bundles: a key that its file limits to others is not taken.
pub const BUNDLE_SIGNATURE_NAMESPACE: &str = "bundle@ordain.dev";

/// One key that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedSigner {
    /// Its line, from 1.
    pub line: usize,
    /// Whose it is.
    pub principal: PrincipalName,
    /// The key.
    pub key: PublicKey,
}

/// One line that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedSigner {
    /// The line, from 1.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedSigners {
    /// The keys, in order of lines.
    pub taken: Vec<AllowedSigner>,
    /// What was left out, and why.
    pub skipped: Vec<SkippedSigner>,
}

/// Why a file is not read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowedSignersError {
    /// Larger than the cap.
    #[error("more than {MAX_ALLOWED_SIGNERS_BYTES} bytes")]
    TooLarge,
    /// Bytes that are not text.
    #[error("not UTF-8 text")]
    NotText,
    /// A line that does not follow the grammar.
    #[error("line {line}: {reason}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A key that nobody may use.
    #[error("line {line}: {error}")]
    Key {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        error: KeyError,
    },
}

impl AllowedSignersError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Key { error, .. } => error.code(),
            _ => Code::ALLOWED_SIGNERS,
        }
    }
}

/// The namespaces of signatures, as the option `namespaces="…"` of a line lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureNamespaces(String);

impl FromStr for SignatureNamespaces {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"@._-/+".contains(&b);
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(plain);
        if text.len() <= 1024 && text.split(',').all(is_name) {
            Ok(Self(text.to_owned()))
        } else {
            Err("write names separated by commas, such as git,bundle@ordain.dev".to_owned())
        }
    }
}

impl fmt::Display for SignatureNamespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The file for the principals of a trust root, revoked keys left out: one line for each key, sorted by name.
#[must_use]
pub fn write_allowed_signers(
    document: &RootDocument,
    namespaces: Option<&SignatureNamespaces>,
) -> String {
    let option = namespaces.map_or(String::new(), |names| format!("namespaces=\"{names}\" "));
    let mut text = String::new();
    for (name, principal) in &document.principals {
        for key in &principal.keys {
            if !document.revoked.keys.contains(&key.id()) {
                text.push_str(&format!("{name} {option}{}\n", key.to_openssh()));
            }
        }
    }
    text
}

/// Reads a file. `now` decides about `valid-after` and `valid-before`.
///
/// # Errors
/// [`AllowedSignersError`] for the first line that does not follow the grammar.
pub fn read_allowed_signers(
    bytes: &[u8],
    now: Timestamp,
) -> Result<AllowedSigners, AllowedSignersError> {
    if bytes.len() > MAX_ALLOWED_SIGNERS_BYTES {
        return Err(AllowedSignersError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| AllowedSignersError::NotText)?;
    let mut found = AllowedSigners::default();
    let mut spellings: BTreeMap<PrincipalName, BTreeSet<&str>> = BTreeMap::new();
    for (line, text) in (1..).zip(text.lines()) {
        let at = |reason: String| AllowedSignersError::Line { line, reason };
        let text = text.trim_matches([' ', '\t', '\r']);
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if text.len() > MAX_LINE {
            return Err(at(format!("longer than {MAX_LINE} bytes")));
        }
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err(at("a control character".to_owned()));
        }
        let entry = Entry::parse(text).map_err(|reason| at(reason.to_owned()))?;
        match entry.person(now) {
            Ok((principal, names, key_text)) => {
                let key: PublicKey = match key_text.parse() {
                    Ok(key) => key,
                    Err(KeyError::Algorithm { algorithm }) => {
                        let reason = format!(
                            "a key of type `{}`: only ed25519 keys are taken",
                            algorithm.escape_debug()
                        );
                        found.skipped.push(SkippedSigner { line, reason });
                        continue;
                    }
                    Err(error) => return Err(AllowedSignersError::Key { line, error }),
                };
                // SECURITY: `alice`, `alice@a.example` and `alice@b.example` may be three people: only a line that names
                // two of them makes them one.
                let known = spellings.entry(principal.clone()).or_default();
                if let (Some(first), Some(name)) = (known.first(), names.first())
                    && known.is_disjoint(&names)
                {
                    return Err(at(format!(
                        "`{}` and `{}` would both be the principal `{principal}`",
                        first.escape_debug(),
                        name.escape_debug()
                    )));
                }
                known.extend(names);
                found.taken.push(AllowedSigner {
                    line,
                    principal,
                    key,
                });
            }
            Err(reason) => found.skipped.push(SkippedSigner { line, reason }),
        }
    }
    Ok(found)
}

/// A time as `ssh-keygen` writes it, read as UTC.
#[derive(Debug, Clone, Copy)]
struct Bound {
    time: Timestamp,
    /// How far off it may be.
    slack: SignedDuration,
}

/// One line, by its grammar.
#[derive(Debug, Default)]
struct Entry<'a> {
    principals: &'a str,
    is_authority: bool,
    namespaces: Option<String>,
    after: Option<Bound>,
    before: Option<Bound>,
    key: &'a str,
}

impl<'a> Entry<'a> {
    fn parse(text: &'a str) -> Result<Self, &'static str> {
        let (principals, rest) = match text.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or("a quote without its end")?,
            None => {
                let end = text.find([' ', '\t']).ok_or("a name without a key")?;
                text.split_at_checked(end).ok_or("a name without a key")?
            }
        };
        if principals.is_empty() || principals.contains('"') || !rest.starts_with([' ', '\t']) {
            return Err("names are separated by commas, and ended by a blank");
        }
        let rest = rest.trim_start_matches([' ', '\t']);
        let mut entry = Self {
            principals,
            ..Self::default()
        };
        if is_key_type(rest) {
            entry.key = rest;
            return Ok(entry);
        }
        let rest = entry.options(rest)?.trim_start_matches([' ', '\t']);
        if !is_key_type(rest) {
            return Err("there is no key where one should be");
        }
        entry.key = rest;
        Ok(entry)
    }

    /// Reads `name="value",name` up to the first blank that is not quoted; what follows.
    fn options(&mut self, text: &'a str) -> Result<&'a str, &'static str> {
        let mut rest = text;
        loop {
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
                .ok_or("options without a key")?;
            let (name, after) = rest.split_at_checked(end).ok_or("options without a key")?;
            let mut value = None;
            rest = after;
            if let Some(quoted) = after.strip_prefix("=\"") {
                let (text, after) = unquote(quoted)?;
                value = Some(text);
                rest = after;
            }
            self.option(&name.to_ascii_lowercase(), value)?;
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None if rest.starts_with([' ', '\t']) => return Ok(rest),
                None => return Err("options are written `name=\"value\"`, separated by commas"),
            }
        }
    }

    fn option(&mut self, name: &str, value: Option<String>) -> Result<(), &'static str> {
        let twice = Err("an option is given twice");
        match (name, value) {
            ("cert-authority", None) if self.is_authority => twice,
            ("cert-authority", None) => {
                self.is_authority = true;
                Ok(())
            }
            ("namespaces", Some(_)) if self.namespaces.is_some() => twice,
            ("namespaces", Some(value)) if value.is_empty() => Err("`namespaces` is empty"),
            ("namespaces", Some(value)) => {
                self.namespaces = Some(value);
                Ok(())
            }
            ("valid-after", Some(_)) if self.after.is_some() => twice,
            ("valid-before", Some(_)) if self.before.is_some() => twice,
            ("valid-after", Some(value)) => {
                self.after = Some(bound(&value)?);
                Ok(())
            }
            ("valid-before", Some(value)) => {
                self.before = Some(bound(&value)?);
                Ok(())
            }
            _ => Err("an option that is not known"),
        }
    }

    /// Who it is, by which names, and the key's text; or why a trust root cannot say the same.
    fn person(
        &self,
        now: Timestamp,
    ) -> Result<(PrincipalName, BTreeSet<&'a str>, &'a str), String> {
        if self.is_authority {
            return Err("a certificate authority: only people's own keys are taken".to_owned());
        }
        if let Some(namespaces) = &self.namespaces
            && !namespaces
                .split(',')
                .any(|name| name == BUNDLE_SIGNATURE_NAMESPACE || name == "*")
        {
            return Err(format!(
                "limited to the namespaces `{}`, without `{BUNDLE_SIGNATURE_NAMESPACE}`",
                namespaces.escape_debug()
            ));
        }
        if let Some(after) = self.after
            && now.duration_since(after.time) < after.slack
        {
            return Err(format!("valid only after {}", after.time));
        }
        if let Some(before) = self.before {
            // A trust root has no expiry for a key, so one that is to end is not taken for good.
            let is_past = before.time.duration_since(now) <= before.slack;
            let word = if is_past { "was" } else { "is" };
            return Err(format!(
                "{word} valid before {} only, and a trust root cannot end a key by itself",
                before.time
            ));
        }
        let principal = person(self.principals)?;
        Ok((principal, self.principals.split(',').collect(), self.key))
    }
}

/// The one person whom a list of names means: a name that the trust root can hold, or an address that begins with it.
fn person(list: &str) -> Result<PrincipalName, String> {
    let mut found: Option<PrincipalName> = None;
    for name in list.split(',') {
        if name.contains(['*', '?', '!']) {
            return Err(format!(
                "`{}` is a pattern, not a name",
                name.escape_debug()
            ));
        }
        let local = name.split_once('@').map_or(name, |(local, _)| local);
        let principal: PrincipalName = local.parse().map_err(|error| format!("{error}"))?;
        if found.as_ref().is_some_and(|found| *found != principal) {
            return Err(format!(
                "`{}` names several people, and a key belongs to one",
                list.escape_debug()
            ));
        }
        found = Some(principal);
    }
    found.ok_or_else(|| "no name".to_owned())
}

fn is_key_type(text: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"]
        .iter()
        .any(|prefix| text.starts_with(prefix))
}

/// The text up to the closing quote, `\"` being a quote in it; and what follows.
fn unquote(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '"' => return Ok((value, rest.as_str())),
            '\\' if rest.as_str().starts_with('"') => {
                rest.next();
                value.push('"');
            }
            other => value.push(other),
        }
    }
    Err("a quote without its end")
}

/// `YYYYMMDD[HHMM[SS]][Z]`.
fn bound(text: &str) -> Result<Bound, &'static str> {
    let form = "a time is written YYYYMMDD[HHMM[SS]][Z]";
    let (digits, slack) = match text.strip_suffix('Z') {
        Some(digits) => (digits, SignedDuration::ZERO),
        None => (text, ZONES),
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) || ![8, 12, 14].contains(&digits.len()) {
        return Err(form);
    }
    let part = |from: usize, to: usize| digits.get(from..to).filter(|part| !part.is_empty());
    let [year, month, day] = [part(0, 4), part(4, 6), part(6, 8)].map(Option::unwrap_or_default);
    let [hour, minute, second] =
        [part(8, 10), part(10, 12), part(12, 14)].map(|part| part.unwrap_or("00"));
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")
        .parse()
        .map(|time| Bound { time, slack })
        .map_err(|_| form)
}

#[cfg(test)]
mod tests;
