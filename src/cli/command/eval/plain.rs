//! A plain `ordain eval`, read without clap, which takes longer to say what it knows than one request to be decided.
//!
//! INVARIANT: what is read here, clap reads the same; whatever else there is, clap is asked.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum as _;

use super::Arguments;
use crate::cli::output::Format;
use crate::cli::session::FetchFlags;

impl Arguments {
    /// The arguments behind `eval`, where they are files, `--exit-zero` and `--format FORMAT`, each flag once; none where there is
    /// anything else.
    pub(crate) fn plain(mut words: impl Iterator<Item = OsString>) -> Option<Self> {
        let (mut files, mut format, mut exit_zero) = (Vec::new(), None, false);
        while let Some(word) = words.next() {
            match word.as_encoded_bytes() {
                b"--exit-zero" if !exit_zero => exit_zero = true,
                b"--format" if format.is_none() => format = Some(named(&words.next()?)?),
                b"-" => files.push(PathBuf::from("-")),
                // What begins with a dash is clap's to tell, and so is that nothing stands there.
                [b'-', ..] | [] => return None,
                _ => files.push(PathBuf::from(word)),
            }
        }
        if files.is_empty() {
            files.push(PathBuf::from("-"));
        }
        Some(Self {
            files,
            scope: None,
            format: format.unwrap_or(Format::Text),
            jobs: None,
            exit_zero,
            unsigned_dir: None,
            fetch: FetchFlags::default(),
        })
    }
}

fn named(word: &OsString) -> Option<Format> {
    Format::from_str(word.to_str()?, false).ok()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Asked {
        #[command(flatten)]
        arguments: Arguments,
    }

    const WORDS: &[&str] = &[
        "--exit-zero",
        "--format",
        "--format=json",
        "json",
        "jsonl",
        "text",
        "JSON",
        "-",
        "--",
        "",
        "a file",
        "--offline",
        "--jobs",
        "2",
        "--scope",
        "acme",
        "--help",
        "--no",
        "-x",
    ];

    /// Every sequence of so many words.
    fn sequences(length: usize) -> Vec<Vec<&'static str>> {
        let mut all = vec![vec![]];
        for _ in 0..length {
            let longer = |words: &Vec<&'static str>| {
                let words = words.clone();
                WORDS
                    .iter()
                    .map(move |word| [&*words, &[*word]].concat())
                    .collect::<Vec<_>>()
            };
            all = all.iter().flat_map(longer).collect();
        }
        all
    }

    #[test]
    fn what_is_read_is_what_clap_reads() {
        let mut plain = 0;
        for words in (0..=3).flat_map(sequences) {
            let Some(read) = Arguments::plain(words.iter().map(OsString::from)) else {
                continue;
            };
            let asked = Asked::try_parse_from([&["eval"], &*words].concat())
                .unwrap_or_else(|error| panic!("{words:?}: {error}"));
            assert_eq!(
                format!("{read:?}"),
                format!("{:?}", asked.arguments),
                "{words:?}"
            );
            plain += 1;
        }
        assert!(plain > 500, "{plain}");
    }

    #[test]
    fn what_most_write_is_read_without_clap() {
        for words in [
            &[][..],
            &["-"],
            &["a", "b"],
            &["--exit-zero", "-", "--format", "jsonl", "a"],
        ] {
            let read = Arguments::plain(words.iter().map(OsString::from));
            assert!(read.is_some(), "{words:?}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_clap() {
        for words in [
            &["--offline"][..],
            &["--format", "xml"],
            &["--format"],
            &["--format=json"],
            &["--exit-zero", "--exit-zero"],
            &["--format", "json", "--format", "json"],
            &["--", "-x"],
            &["--help"],
            &["a", "-b"],
            &[""],
        ] {
            let read = Arguments::plain(words.iter().map(OsString::from));
            assert!(read.is_none(), "{words:?}");
        }
    }
}
