//! Programs that start others in ways of their own: containers, clusters, loaders, namespaces.

use super::programs::Flags;
use super::runs::{Language, Runs, from};
use super::wrapped::candidates;

/// Flags of `bwrap` by how many words follow them; all others have none.
const BWRAP_TWO: &[&str] = &[
    "--bind",
    "--bind-try",
    "--dev-bind",
    "--dev-bind-try",
    "--ro-bind",
    "--ro-bind-try",
    "--symlink",
    "--setenv",
    "--file",
    "--bind-data",
    "--ro-bind-data",
    "--chmod",
    "--bind-fd",
    "--ro-bind-fd",
];
const BWRAP_ONE: &[&str] = &[
    "--dev",
    "--proc",
    "--tmpfs",
    "--mqueue",
    "--dir",
    "--chdir",
    "--unsetenv",
    "--uid",
    "--gid",
    "--hostname",
    "--lock-file",
    "--exec-label",
    "--file-label",
    "--remount-ro",
    "--cap-add",
    "--cap-drop",
    "--perms",
    "--size",
    "--seccomp",
    "--sync-fd",
    "--add-seccomp-fd",
    "--block-fd",
    "--userns-block-fd",
    "--info-fd",
    "--json-status-fd",
    "--args",
    "--argv0",
    "--userns",
    "--userns2",
    "--pidns",
    "--overlay-src",
    "--tmp-overlay",
    "--ro-overlay",
];

/// What such a program runs; none where the program is none of them.
pub(super) fn launched(name: &str, arguments: &[String]) -> Option<Vec<Runs>> {
    Some(match name {
        "lxc" | "incus" => behind(
            arguments,
            &["exec"],
            "",
            &["env", "user", "group", "cwd", "mode", "project"],
            1,
        )?,
        "ctr" => {
            let mut all = behind(
                arguments,
                &["exec"],
                "",
                &["exec-id", "cwd", "user", "fifo-dir", "log-uri"],
                1,
            )?;
            all.extend(behind(
                arguments,
                &["run"],
                "",
                &["env", "mount", "label", "runtime", "snapshotter"],
                2,
            )?);
            all
        }
        "direnv" => behind(arguments, &["exec"], "", &[], 1)?,
        "npm" | "pnpm" => npm(arguments),
        "pdsh" | "clush" => {
            let flags = Flags {
                valued: "wxlfugtRMFO",
                valued_long: &["user", "fanout", "group"],
                plain: "aABbLNqSvdG",
            };
            texts(&flags, arguments, 0)
        }
        "plink" => {
            let flags = Flags {
                valued: "PliDLRm",
                valued_long: &[],
                plain: "vqCAaTtNnXx1246sg",
            };
            texts(&flags, arguments, 1)
        }
        "capsh" => {
            let at = arguments
                .iter()
                .position(|word| word == "--" || word == "==")?;
            vec![shell_with(from(arguments, at + 1))]
        }
        "start-stop-daemon" => {
            let at = arguments.iter().position(|word| word == "--");
            let own = arguments.get(..at.unwrap_or(arguments.len()))?;
            let given = own
                .iter()
                .enumerate()
                .find_map(|(index, word)| match word.as_str() {
                    "--exec" | "-x" | "--startas" | "-a" => arguments.get(index + 1).cloned(),
                    word => word
                        .strip_prefix("--exec=")
                        .or_else(|| word.strip_prefix("--startas="))
                        .map(str::to_owned),
                });
            let rest = at.map(|at| from(arguments, at + 1)).unwrap_or_default();
            vec![Runs::Words([vec![given?], rest].concat())]
        }
        // Its time looks like a flag.
        "faketime" if arguments.first().is_some_and(|flag| flag == "-f") => {
            words(from(arguments, 2))
        }
        "bwrap" => {
            let mut at = 0;
            while let Some(word) = arguments.get(at).filter(|word| word.starts_with("--")) {
                at += 1;
                match word.as_str() {
                    "--" => break,
                    flag if BWRAP_TWO.contains(&flag) => at += 2,
                    "--overlay" => at += 3,
                    flag if BWRAP_ONE.contains(&flag) => at += 1,
                    _ => {}
                }
            }
            words(from(arguments, at))
        }
        "hyperfine" => {
            let operands = arguments.iter().filter(|word| !word.starts_with('-'));
            let mut all: Vec<Runs> = vec![Runs::Perhaps(operands.take(64).cloned().collect())];
            all.extend(arguments.iter().filter_map(|word| {
                let (flag, text) = word.split_once('=')?;
                flag.starts_with("--")
                    .then(|| Runs::Perhaps(vec![text.to_owned()]))
            }));
            all
        }
        loader
            if loader.starts_with("ld-linux")
                || loader.starts_with("ld-musl")
                || loader == "ld.so" =>
        {
            let flags = Flags {
                valued: "",
                valued_long: &[
                    "library-path",
                    "preload",
                    "audit",
                    "argv0",
                    "inhibit-rpath",
                    "glibc-hwcaps-prepend",
                ],
                plain: "",
            };
            let starts = candidates(&flags, arguments, 0).into_iter();
            starts
                .map(|start| Runs::Words(from(arguments, start)))
                .collect()
        }
        _ => return None,
    })
}

fn words(words: Vec<String>) -> Vec<Runs> {
    let program = Some(words).filter(|words| !words.is_empty());
    program.map(Runs::Words).into_iter().collect()
}

/// A shell with these arguments.
fn shell_with(arguments: Vec<String>) -> Runs {
    Runs::Words([vec!["bash".to_owned()], arguments].concat())
}

/// The command behind a subcommand and `skip` operands; a shell where there is none. Empty where the subcommand is missing.
fn behind(
    arguments: &[String],
    verbs: &[&str],
    valued: &'static str,
    valued_long: &'static [&'static str],
    skip: usize,
) -> Option<Vec<Runs>> {
    let Some(at) = arguments
        .iter()
        .position(|word| verbs.contains(&word.as_str()))
    else {
        return Some(Vec::new());
    };
    let rest = arguments.get(at + 1..)?;
    let flags = Flags {
        valued,
        valued_long,
        plain: "tTnid",
    };
    let starts = candidates(&flags, rest, skip);
    let mut all: Vec<Runs> = starts
        .into_iter()
        .map(|start| Runs::Words(from(rest, start)))
        .collect();
    if let Some(at) = rest.iter().position(|word| word == "--") {
        all.push(Runs::Words(from(rest, at + 1)));
    }
    if all.is_empty() {
        all.push(Runs::Program {
            path: None,
            language: Language::Shell,
        });
    }
    Some(all)
}

/// Words that are joined and read by shells elsewhere.
fn texts(flags: &Flags, arguments: &[String], skip: usize) -> Vec<Runs> {
    let starts = candidates(flags, arguments, skip);
    if starts.is_empty() {
        return vec![Runs::Program {
            path: None,
            language: Language::Shell,
        }];
    }
    let texts = starts
        .into_iter()
        .map(|start| from(arguments, start).join(" "));
    texts.map(|text| Runs::Text(text, None)).collect()
}

/// `npm exec -c TEXT`, `npm exec -- COMMAND`.
fn npm(arguments: &[String]) -> Vec<Runs> {
    let Some(at) = arguments
        .iter()
        .position(|word| word == "exec" || word == "x")
    else {
        return Vec::new();
    };
    let rest = from(arguments, at + 1);
    for (index, word) in rest.iter().enumerate() {
        let text = match word.as_str() {
            "-c" | "--call" => rest.get(index + 1).cloned(),
            "--" => break,
            word => word.strip_prefix("--call=").map(str::to_owned),
        };
        if let Some(text) = text {
            return vec![Runs::Text(text, None)];
        }
    }
    let flags = Flags {
        valued: "pw",
        valued_long: &["package", "workspace"],
        plain: "y",
    };
    let starts = candidates(&flags, &rest, 0);
    starts
        .into_iter()
        .map(|start| Runs::Words(from(&rest, start)))
        .collect()
}
