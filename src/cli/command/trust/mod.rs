//! `ordain trust`: say who may sign what.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Subcommand};

use super::Context;
use crate::atomic::{self, Access};
use crate::cli::exit::Exit;
use crate::cli::keyfile::{KEY_HELP, KeyArg};
use crate::cli::report::Failure;
use crate::cli::ui::Output;
use crate::cli::{keyfile, ui};
use crate::diag::Code;
use crate::name::{Namespace, PrincipalName, RoleName};
use crate::trust::{
    GitRequirement, KeyHolder, KeyId, Principal, PublicKey, RootDocument, RootDraft, RootStanding,
};

mod allowed_signers;
mod confirm;
mod init;
mod place;
mod revoke;
mod rotate;
mod show;
mod sign;
mod verify;

use place::{Place, RootsFlags, Scope};

/// `ordain trust …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write and sign the first trust root, `1.root.json`.
    Init(init::Init),
    /// Print the last trust root of a directory and its fingerprint, or what differs between two of its roots.
    Show(show::Show),
    /// Write and sign the next trust root: other people, keys, roles, thresholds, namespaces, epochs, or a later expiry.
    Rotate(Box<rotate::Rotate>),
    /// Write and sign the next trust root, which revokes a key, a statement or revisions, and changes nothing else.
    Revoke(revoke::Revoke),
    /// Add signatures to a trust root: by keys, and from copies that others signed.
    Sign(sign::Sign),
    /// Walk the trust roots from the pinned one to the last, and say what each step needs and has.
    Verify(verify::Verify),
    /// Hold the trust root that this machine uses against a fingerprint from a second channel.
    Confirm(confirm::Confirm),
    /// OpenSSH's allowed_signers files: for `ssh-keygen -Y verify` and Git, and from them.
    #[command(subcommand)]
    AllowedSigners(allowed_signers::Command),
}

/// Runs `ordain trust …`.
pub(crate) fn run(context: &Context, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(context, args),
        Command::Show(args) => show::run(context, args),
        Command::Rotate(args) => rotate::run(context, args),
        Command::Revoke(args) => revoke::run(context, args),
        Command::Sign(args) => sign::run(context, args),
        Command::Verify(args) => verify::run(context, args),
        Command::Confirm(args) => confirm::run(context, args),
        Command::AllowedSigners(command) => allowed_signers::run(context, command),
    }
}

/// Whose keys sign.
#[derive(Debug, Clone, Args)]
struct SigningKeys {
    /// A key to sign with. Repeat for each.
    #[arg(long = "key", value_name = "KEY", long_help = format!("A key to sign with. Repeat for each. {KEY_HELP}"))]
    keys: Vec<KeyArg>,
}

impl SigningKeys {
    fn load(&self, context: &Context) -> Result<Holders, Failure> {
        keyfile::signers(&context.env, &self.keys)
    }
}

/// Those who sign.
type Holders = Vec<Box<dyn KeyHolder>>;

/// The people of a root.
#[derive(Debug, Clone, Args)]
struct People {
    /// Someone who signs, and their key: NAME=KEY, or NAME=FILE with a public key. A key that can sign also signs the root.
    /// Repeat for each.
    #[arg(long = "principal", value_name = "NAME=KEY")]
    principals: Vec<NamedKey>,
    /// Take principals and their keys from an OpenSSH allowed_signers file.
    #[arg(long, value_name = "FILE")]
    allowed_signers: Option<PathBuf>,
}

impl People {
    /// Every name with a key, and those of them that can sign here.
    fn load(
        &self,
        context: &Context,
    ) -> Result<(Vec<(PrincipalName, PublicKey)>, Holders), Failure> {
        let mut people = Vec::new();
        let mut keys = Vec::new();
        for NamedKey { name, key } in &self.principals {
            let (public, holder) = keyfile::public(&context.env, key)?;
            people.push((name.clone(), public));
            keys.extend(holder);
        }
        if let Some(file) = &self.allowed_signers {
            let signers = allowed_signers::read(context, file)?.taken;
            people.extend(signers.into_iter().map(|s| (s.principal, s.key)));
        }
        Ok((people, keys))
    }
}

/// `NAME=KEY`.
#[derive(Debug, Clone)]
struct NamedKey {
    name: PrincipalName,
    key: KeyArg,
}

impl FromStr for NamedKey {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, key) = text
            .split_once('=')
            .ok_or("write it as NAME=KEY, such as alice=alice.pub")?;
        Ok(Self {
            name: name.parse().map_err(|error| format!("{error}"))?,
            key: key.parse().map_err(|error| format!("{error}"))?,
        })
    }
}

/// Who fills roles.
#[derive(Debug, Clone, Args)]
struct Members {
    /// A namespace with publishers of its own: NAMESPACE=NAME,NAME:THRESHOLD. Repeat for each; one within another's is theirs alone.
    #[arg(long = "publisher", value_name = "NAMESPACE=NAMES:N")]
    publishers: Vec<Filling<Namespace>>,
    /// Who fills a role: ROLE=NAME,NAME:THRESHOLD, of root, log, approver/GROUP and publisher/NAMESPACE. Repeat for each.
    #[arg(long = "role", value_name = "ROLE=NAMES:N")]
    roles: Vec<Filling<RoleName>>,
    /// Bundles of this publisher need a signature of Git's own as well, by one member: NAMESPACE=commit, tag, either or none.
    #[arg(long = "require-git", value_name = "NAMESPACE=WHICH")]
    require_git: Vec<GitRule>,
}

impl Members {
    /// Each role with its members.
    fn by_role(
        &self,
    ) -> Result<BTreeMap<RoleName, (BTreeSet<PrincipalName>, NonZeroU32)>, Failure> {
        let publishers = self.publishers.iter().map(|filling| {
            let role = RoleName::Publisher(filling.of.clone());
            (role, filling.principals.clone(), filling.threshold)
        });
        let roles = self.roles.iter().map(|filling| {
            let principals = filling.principals.clone();
            (filling.of.clone(), principals, filling.threshold)
        });
        let mut by_role = BTreeMap::new();
        for (role, principals, threshold) in publishers.chain(roles) {
            // SECURITY: the later of two would silently replace the earlier one's threshold.
            if by_role
                .insert(role.clone(), (principals, threshold))
                .is_some()
            {
                return Err(given_twice(&role));
            }
        }
        Ok(by_role)
    }

    /// What each publisher's bundles need of Git.
    fn git_rules(&self) -> Result<BTreeMap<Namespace, Option<GitRequirement>>, Failure> {
        let mut rules = BTreeMap::new();
        for GitRule {
            namespace,
            required,
        } in &self.require_git
        {
            // SECURITY: of two rules one would be silently without effect.
            if rules.insert(namespace.clone(), *required).is_some() {
                let message = format!("`--require-git` was given twice for `{namespace}`");
                return Err(Failure::new(Code::USAGE, message).hint("give it once"));
            }
        }
        Ok(rules)
    }
}

fn given_twice(role: &RoleName) -> Failure {
    let what = match role {
        RoleName::Publisher(namespace) => format!("the namespace `{namespace}`"),
        role => format!("the role `{role}`"),
    };
    Failure::new(Code::USAGE, format!("{what} was given twice"))
        .hint("give it once, with `--namespace`, `--publisher` or `--role`")
}

/// `NAMESPACE=commit|tag|either|none`.
#[derive(Debug, Clone)]
struct GitRule {
    namespace: Namespace,
    required: Option<GitRequirement>,
}

impl FromStr for GitRule {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let form =
            "write it as NAMESPACE=commit, NAMESPACE=tag, NAMESPACE=either or NAMESPACE=none";
        let (namespace, required) = text.split_once('=').ok_or(form)?;
        let required = match required {
            "none" => None,
            which => Some(which.parse().map_err(|_| form)?),
        };
        Ok(Self {
            namespace: namespace.parse().map_err(|error| format!("{error}"))?,
            required,
        })
    }
}

/// `ROLE=NAME,NAME:THRESHOLD`.
#[derive(Debug, Clone)]
struct Filling<T> {
    of: T,
    principals: BTreeSet<PrincipalName>,
    threshold: NonZeroU32,
}

impl<T: FromStr<Err: std::fmt::Display>> FromStr for Filling<T> {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write it as in acme/payments=carol,dan:1, the number being how many must sign";
        let (of, rest) = text.split_once('=').ok_or(form)?;
        let (names, threshold) = rest.rsplit_once(':').ok_or(form)?;
        Ok(Self {
            of: of.parse().map_err(|error| format!("{error}"))?,
            principals: names
                .split(',')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .map_err(|error| format!("{error}"))?,
            threshold: threshold.parse().map_err(|_| form)?,
        })
    }
}

/// Writes a root that must not be there yet; its file.
fn create(dir: &Path, draft: &RootDraft) -> Result<PathBuf, Failure> {
    let file = dir.join(format!("{}.root.json", draft.document().version));
    let unwritable = |error: std::io::Error| {
        let name = ui::escape(&file.display().to_string());
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::new(
                Code::FILE_EXISTS,
                format!("`{name}` is there already: a trust root is never replaced"),
            ),
            _ => Failure::new(
                Code::FILE_UNWRITABLE,
                format!("cannot write `{name}`: {error}"),
            ),
        }
    };
    std::fs::create_dir_all(dir).map_err(unwritable)?;
    let text = draft.envelope().to_json();
    atomic::create(&file, text.as_bytes(), Access::Shared).map_err(unwritable)?;
    Ok(file)
}

/// One line for each role that asks: `by root 1: counts 1 of 2: alice; missing 1 of: bob, carol`.
fn print_standings(out: &mut Output, standings: &[RootStanding]) -> Result<(), Failure> {
    for standing in standings {
        out.line(&standing_line(standing))?;
    }
    Ok(())
}

fn standing_line(standing: &RootStanding) -> String {
    let RootStanding {
        by,
        threshold,
        signed,
        missing,
        met,
    } = standing;
    let names: Vec<&str> = signed.iter().map(|s| s.principal.as_str()).collect();
    let mut line = format!("by root {by}: counts {} of {threshold}", names.len());
    if !names.is_empty() {
        line.push_str(&format!(": {}", names.join(", ")));
    }
    if !met {
        let lacking = (*threshold as usize).saturating_sub(names.len());
        let missing: Vec<&str> = missing.iter().map(PrincipalName::as_str).collect();
        line.push_str(&format!("; missing {lacking} of: {}", missing.join(", ")));
    }
    line
}

/// Says what is to be done before consumers follow.
fn note_incomplete(file: &Path, standings: &[RootStanding]) {
    if !standings.iter().all(|standing| standing.met) {
        ui::note(&format!(
            "hint: it does not count until the others have run `ordain trust sign {}`; keep it from consumers until then",
            ui::escape(&file.display().to_string())
        ));
    }
}

/// Says whose signatures are no use: those of principals who are in neither `root` role. `named` are the keys that signed.
fn note_uncounted(
    named: impl IntoIterator<Item = KeyId>,
    document: &RootDocument,
    previous: Option<&RootDocument>,
) {
    let asked: Vec<&RootDocument> = previous.into_iter().chain([document]).collect();
    let versions: Vec<String> = asked.iter().map(|root| root.version.to_string()).collect();
    let versions = versions.join(" or ");
    for keyid in named {
        let is_of = |principal: &Principal| principal.keys.iter().any(|key| key.id() == keyid);
        let mut owners = asked.iter().flat_map(|root| &root.principals);
        let Some((name, _)) = owners.find(|(_, principal)| is_of(principal)) else {
            continue;
        };
        let is_member = |root: &&RootDocument| {
            let role = root.roles.get(&RoleName::Root);
            role.is_some_and(|role| role.principals.contains(name))
        };
        if !asked.iter().any(is_member) {
            ui::note(&format!(
                "warning: the signature of {name} does not count by trust root {versions}: {name} is not in the role `root` there"
            ));
        }
    }
}
