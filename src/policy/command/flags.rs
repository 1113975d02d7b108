//! Flags by their meaning, as data, and whether a command carries one.

use super::reader::Call;
use super::value::{ONE, RUN, base, has_hole, is_hole};

/// The programs that send signals: `sigkill` is theirs.
const SIGNALLING: &[&str] = &[
    "kill",
    "pkill",
    "killall",
    "killall5",
    "skill",
    "systemctl",
    "docker",
    "podman",
    "xkill",
    "fuser",
];

/// Programs, the flag's logical name, its short spellings, its long ones.
type Row = (
    &'static [&'static str],
    &'static str,
    &'static str,
    &'static [&'static str],
);

/// What well-known programs call their flags. A program that is not listed here has the flags of [`COMMON`].
#[rustfmt::skip]
const KNOWN: &[Row] = &[
    (&["rm"], "recursive", "rR", &["recursive"]),
    (&["rm"], "force", "f", &["force"]),
    (&["rm"], "no-preserve-root", "", &["no-preserve-root"]),
    (&["chmod", "chown", "chgrp", "chcon", "setfacl"], "recursive", "R", &["recursive"]),
    (&["cp"], "recursive", "rRa", &["recursive", "archive"]),
    (&["cp", "mv", "ln"], "force", "f", &["force"]),
    (&["scp", "rsync", "grep"], "recursive", "r", &["recursive"]),
    (&["rsync"], "delete", "", &["delete", "delete-before", "delete-during", "delete-after", "delete-excluded"]),
    (&["git"], "force", "f", &["force"]),
    (&["git"], "hard", "", &["hard"]),
    (&["git"], "delete", "dD", &["delete"]),
    (&["git"], "no-verify", "n", &["no-verify"]),
    (&["docker", "podman", "nerdctl"], "force", "f", &["force"]),
    (&["docker", "podman", "nerdctl"], "all", "a", &["all"]),
    (&["docker", "podman", "nerdctl"], "volumes", "v", &["volumes"]),
    (&["docker", "podman", "nerdctl"], "privileged", "", &["privileged"]),
    (&["iptables", "ip6tables", "iptables-nft", "iptables-legacy", "ebtables", "arptables"], "flush", "F", &["flush"]),
    (&["iptables", "ip6tables", "iptables-nft", "iptables-legacy", "ebtables", "arptables"], "delete-chain", "X", &["delete-chain"]),
    (&["kubectl", "oc"], "force", "", &["force"]),
    (&["kubectl", "oc"], "all", "", &["all"]),
    (&["apt", "apt-get", "aptitude", "dnf", "yum", "zypper"], "yes", "y", &["yes", "assume-yes", "assumeyes"]),
    (&["pacman", "yay"], "no-confirm", "", &["noconfirm"]),
    (&["pacman", "yay"], "recursive", "s", &["recursive"]),
    (&["wipefs"], "all", "a", &["all"]),
    (&["shred"], "remove", "u", &["remove"]),
    (&["userdel"], "remove", "r", &["remove"]),
    (&["crontab"], "remove", "r", &[]),
    (&["sed"], "in-place", "i", &["in-place"]),
    (&["find"], "delete", "", &[]),
];

/// What flags are mostly called.
const COMMON: &[(&str, &str, &[&str])] = &[
    ("recursive", "rR", &["recursive"]),
    ("force", "f", &["force"]),
    ("yes", "y", &["yes"]),
    ("no-confirm", "", &["no-confirm", "noconfirm"]),
    ("all", "a", &["all"]),
];

/// Short flags that take a value: what follows them in a cluster, or the next word, is no flag.
const VALUED: &[(&[&str], &str)] = &[
    (&["git"], "mCcbFtu"),
    (&["docker", "podman", "nerdctl"], "eHcpulwhm"),
    (&["iptables", "ip6tables"], "tsdpijmAIDPN"),
    (&["grep"], "efmABCdD"),
    (&["cp", "mv", "ln"], "tS"),
    (&["kill", "pkill", "killall"], "snugptUGPo"),
    (&["tar"], "fCTXbI"),
    (&["sed"], "e"),
    (&["kubectl", "oc"], "ncflo"),
    (&["ssh"], "BbcDEeFIiJLlmOoPpQRSWw"),
];

/// The meaning of a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flag {
    shorts: String,
    longs: Vec<String>,
    /// Flags of several letters behind one dash, such as `-delete`.
    words: Vec<String>,
    /// The signal that cannot be caught.
    kills: bool,
    /// Whether the long spellings may be shortened to a single letter: the program is known.
    is_known: bool,
}

impl Flag {
    /// The flag that an author means by `name` in a pattern for these programs; none where nothing is called so.
    pub(super) fn named(name: &str, programs: &[&str]) -> Option<Self> {
        let mut flag = Self {
            shorts: String::new(),
            longs: Vec::new(),
            words: Vec::new(),
            kills: false,
            is_known: !programs.is_empty(),
        };
        if let Some(long) = name.strip_prefix("--") {
            flag.longs.push(long.to_owned());
        } else if let Some(short) = name.strip_prefix('-') {
            if short.chars().count() == 1 {
                flag.shorts.push_str(short);
            } else {
                flag.words.push(name.to_owned());
            }
        } else if name == "sigkill" {
            flag.kills = true;
            let all_signal = programs.iter().all(|program| SIGNALLING.contains(program));
            return (all_signal && !programs.is_empty()).then_some(flag);
        } else {
            flag.add_meaning(name, programs);
            let found = !flag.shorts.is_empty() || !flag.longs.is_empty() || !flag.words.is_empty();
            return found.then_some(flag);
        }
        Some(flag)
    }

    fn add_meaning(&mut self, name: &str, programs: &[&str]) {
        let mut unlisted = programs.is_empty();
        for program in programs {
            if *program == "find" && name == "delete" {
                self.words.push("-delete".to_owned());
            }
            let is_listed = KNOWN.iter().any(|(names, ..)| names.contains(program));
            unlisted |= !is_listed;
            for (names, meaning, shorts, longs) in KNOWN {
                if names.contains(program) && *meaning == name {
                    self.shorts.push_str(shorts);
                    self.longs
                        .extend(longs.iter().map(|long| (*long).to_owned()));
                }
            }
        }
        for (meaning, shorts, longs) in COMMON.iter().filter(|_| unlisted) {
            if *meaning == name {
                self.shorts.push_str(shorts);
                self.longs
                    .extend(longs.iter().map(|long| (*long).to_owned()));
            }
        }
    }

    /// The names that `named` knows, for messages.
    pub(super) fn names() -> String {
        let known = KNOWN.iter().map(|(_, name, ..)| *name);
        let mut names: Vec<&str> = known.chain(COMMON.iter().map(|(name, ..)| *name)).collect();
        names.push("sigkill");
        names.sort_unstable();
        names.dedup();
        names.join("`, `")
    }

    /// Whether a command carries the flag.
    pub(super) fn is_in(&self, call: &Call) -> bool {
        if self.kills {
            return kills(&call.arguments);
        }
        let name = base(&call.program);
        let valued = VALUED
            .iter()
            .find(|(names, _)| names.contains(&name))
            .map_or("", |(_, valued)| *valued);
        let mut words = call.arguments.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                return false;
            }
            if self.words.contains(word) {
                return true;
            }
            if let Some(long) = word.strip_prefix("--") {
                if self.is_long(long) {
                    return true;
                }
            } else if let Some(cluster) = word.strip_prefix('-') {
                let mut letters = cluster.chars();
                for letter in letters.by_ref() {
                    let unknown = is_hole(letter) || letter == ONE || letter == RUN;
                    if self.shorts.contains(letter)
                        || (unknown && !self.shorts.is_empty() && self.is_known)
                    {
                        return true;
                    }
                    if valued.contains(letter) {
                        if letters.as_str().is_empty() {
                            words.next();
                        }
                        break;
                    }
                }
            }
        }
        false
    }

    /// Long flags may be shortened as long as they are unambiguous.
    fn is_long(&self, long: &str) -> bool {
        let name = long.split('=').next().unwrap_or(long);
        if has_hole(name) {
            return self.is_known && !self.longs.is_empty();
        }
        let least = if self.is_known { 1 } else { 3 };
        let fits = |full: &String| full == name || (name.len() >= least && full.starts_with(name));
        self.longs.iter().any(fits)
    }
}

/// Whether a signalling command sends the signal that cannot be caught.
fn kills(arguments: &[String]) -> bool {
    let is_kill = |signal: &str| {
        let signal = signal.to_ascii_uppercase();
        matches!(signal.as_str(), "9" | "09" | "KILL" | "SIGKILL") || has_hole(&signal)
    };
    let lists = |word: &String| word == "-l" || word == "-L" || word == "--list";
    if arguments.first().is_some_and(lists) {
        return false;
    }
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            return false;
        }
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            if name.len() >= 2 && "signal".starts_with(name) {
                let value = value.or_else(|| words.next().map(String::as_str));
                if value.is_some_and(is_kill) {
                    return true;
                }
            }
        } else if let Some(flag) = word.strip_prefix('-') {
            let attached = flag
                .strip_prefix(['s', 'n'])
                .or_else(|| flag.strip_prefix("SIG"));
            let value = match attached {
                Some("") => words.next().map(String::as_str),
                attached => attached,
            };
            if is_kill(flag) || value.is_some_and(is_kill) {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(name: &str, line: &str) -> bool {
        let mut words = line.split(' ').map(str::to_owned);
        let call = Call {
            program: words.next().unwrap(),
            arguments: words.collect(),
            ..Call::default()
        };
        let flag = Flag::named(name, &[&call.program]).unwrap();
        flag.is_in(&call)
    }

    #[test]
    fn a_flag_is_found_in_every_spelling() {
        for line in [
            "rm -r x",
            "rm -Rf x",
            "rm -fvr x",
            "rm x -r",
            "rm --recursive x",
            "rm --recurs x",
            "rm --r x",
            "rm -\0 x",
        ] {
            assert!(has("recursive", line), "{line:?}");
        }
        for line in [
            "rm x",
            "rm -f r",
            "rm -- -r",
            "rm --recursively x",
            "rm \0",
            "rm --no-preserve-root",
        ] {
            assert!(!has("recursive", line), "{line:?}");
        }
        assert!(!has("force", "git commit -m -f"));
        assert!(!has("force", "git commit -mf"));
        assert!(has("force", "git -C x clean -df"));
        assert!(has("-delete", "find . -delete"));
        assert!(!has("--force", "git push --force-with-lease"));
    }

    #[test]
    fn the_signal_that_cannot_be_caught_has_many_names() {
        for line in [
            "kill -9 1",
            "kill -KILL 1",
            "kill -SIGKILL 1",
            "kill -s KILL 1",
            "kill -sKILL 1",
            "kill -s 9 1",
            "kill -n 9 1",
            "pkill --signal 9 x",
            "pkill --sig=KILL x",
            "killall -kill x",
            "kill -\0 1",
        ] {
            assert!(has("sigkill", line), "{line:?}");
        }
        for line in [
            "kill 9",
            "kill -15 9",
            "kill -l 9",
            "kill -s TERM 9",
            "kill -- -9",
            "pkill -u 9x y",
        ] {
            assert!(!has("sigkill", line), "{line:?}");
        }
    }

    #[test]
    fn names_that_mean_nothing_are_no_flags() {
        assert_eq!(Flag::named("recurse", &["rm"]), None);
        assert_eq!(Flag::named("sigkill", &["rm"]), None);
        assert_eq!(Flag::named("sigkill", &[]), None);
        assert!(Flag::named("force", &[]).is_some());
    }
}
