//! The same policy in each system's own language, and the same request as each would be asked.

pub(crate) mod cedar;
pub(crate) mod cel;
pub(crate) mod ordain;
pub(crate) mod rego;

/// `items` as a list in double quotes, which all the languages read alike: no name holds anything to escape.
fn quoted_list(items: &[String]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| format!("\"{item}\"")).collect();
    quoted.join(", ")
}
