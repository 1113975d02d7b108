//! The part of `docs/performance.md` that is written by the benchmark, between two marks.

use anyhow::{Context as _, Result};

const BEGIN: &str = "<!-- peers: written by the benchmark -->";
const END: &str = "<!-- peers: end -->";

/// `page` with other text between the marks.
pub(crate) fn replace(page: &str, text: &str) -> Result<String> {
    let (before, rest) = page
        .split_once(BEGIN)
        .with_context(|| format!("the page has no `{BEGIN}`"))?;
    let (_, after) = rest
        .split_once(END)
        .with_context(|| format!("the page has no `{END}`"))?;
    Ok(format!(
        "{before}{BEGIN}\n\n{}\n\n{END}{after}",
        text.trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let once = replace(&page, "new\n").unwrap();
        assert_eq!(once, format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n"));
        assert_eq!(replace(&once, "new").unwrap(), once);
        assert!(replace("no marks", "new").is_err());
    }

    #[test]
    fn the_page_has_the_marks() {
        let page = include_str!("../../../../docs/performance.md");
        assert!(replace(page, "").is_ok());
    }
}
