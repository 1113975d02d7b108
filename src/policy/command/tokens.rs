//! From text to the parser's tree, with caps in front: the parser recurses, backtracks, and panics on large descriptors.

use brush_parser::ast::Program;
use brush_parser::{ParserOptions, Token, parse_tokens, uncached_tokenize_str};

/// The longest script, in bytes.
pub(in crate::policy) const MAX_SCRIPT_BYTES: usize = 32 * 1024;
/// The most opening brackets and backquotes in a script, wherever they stand: cutting into tokens recurses into them.
const MAX_OPENINGS: usize = 200;
/// The deepest nesting of compound commands: the parser takes up to twice the time for each.
const MAX_NESTING: usize = 10;

/// How many brackets and backquotes a text opens, wherever they stand.
pub(super) fn openings(text: &str) -> usize {
    text.matches(['(', '{', '`', '[']).count()
}

/// The script's tree, or why it cannot be read.
pub(super) fn parse(text: &str) -> Result<Program, String> {
    if text.len() > MAX_SCRIPT_BYTES {
        return Err(format!("the script has more than {MAX_SCRIPT_BYTES} bytes"));
    }
    if openings(text) > MAX_OPENINGS {
        return Err("the script holds too many brackets".to_owned());
    }
    let options = ParserOptions::default();
    let tokens = uncached_tokenize_str(text, &options.tokenizer_options())
        .map_err(|_| "the script has a quote or bracket that does not end".to_owned())?;
    check(&tokens)?;
    let tokens = apart(tokens);
    parse_tokens(&tokens, &options)
        .map_err(|_| "the script is not what a shell can read".to_owned())
}

/// The parser takes `( (a) )` for arithmetic, as if it were `((a))`: a command is put between brackets that stand apart.
fn apart(tokens: Vec<Token>) -> Vec<Token> {
    let mut parted: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut in_test = false;
    for token in tokens {
        in_test = match token.to_str() {
            "[[" => true,
            "]]" => false,
            _ => in_test,
        };
        if let (Some(Token::Operator(before, place)), Token::Operator(here, start)) =
            (parted.last(), &token)
            && !in_test
            && before == here
            && place.end.index != start.start.index
        {
            let place = place.clone();
            let end = Token::Operator(";".to_owned(), place.clone());
            match here.as_str() {
                "(" => parted.extend([Token::Word(":".to_owned(), place), end]),
                ")" => parted.push(end),
                _ => {}
            }
        }
        parted.push(token);
    }
    parted
}

fn check(tokens: &[Token]) -> Result<(), String> {
    // What closes each open one. A closer elsewhere, as in `echo fi`, closes nothing: the depth is never taken for too small.
    let mut open: Vec<&str> = Vec::new();
    let (mut negations, mut coprocesses) = (0, 0);
    let mut before: Option<&Token> = None;
    for (index, token) in tokens.iter().enumerate() {
        let word = token.to_str();
        negations = if word == "!" { negations + 1 } else { 0 };
        let begins = !matches!(before, Some(Token::Word(..))) || is_keyword(before);
        match word {
            "(" => open.push(")"),
            "{" => open.push("}"),
            "if" => open.push("fi"),
            "case" => open.push("esac"),
            "while" | "until" | "for" | "select" => open.push("done"),
            "coproc" => coprocesses += 1,
            ")" if open.last() == Some(&")") => {
                open.pop();
            }
            word if begins && open.last() == Some(&word) => {
                open.pop();
            }
            word => {
                let redirects = matches!(tokens.get(index + 1), Some(Token::Operator(next, _)) if next.starts_with(['<', '>']));
                let is_number = word.chars().all(|c| c.is_ascii_digit());
                if redirects && is_number && word.len() > 9 {
                    return Err("a redirection of a file descriptor that cannot be".to_owned());
                }
            }
        }
        if open.len() > MAX_NESTING || negations > MAX_NESTING || coprocesses > 2 {
            return Err("commands nest too deep".to_owned());
        }
        before = Some(token);
    }
    Ok(())
}

fn is_keyword(token: Option<&Token>) -> bool {
    let word = token.map_or("", Token::to_str);
    ["then", "do", "else", "{", "!", "}", "fi", "done", "esac"].contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_overwhelm_the_parser_is_refused() {
        for (text, refused) in [
            ("(".repeat(9) + "x" + &")".repeat(9), false),
            ("(".repeat(11), true),
            ("if echo fi; then ".repeat(11), true),
            ("case x in a) ".repeat(11), true),
            ("if x; then y; fi; ".repeat(40), false),
            ("for i in a; do x; done\n".repeat(40), false),
            ("coproc ".repeat(9), true),
            (format!("[[ {} a ]]", "! ".repeat(40)), true),
            ("99999999999>x".to_owned(), true),
            ("`".repeat(201), true),
            ("x".repeat(MAX_SCRIPT_BYTES + 1), true),
            ("'".to_owned(), true),
            ("echo $(".to_owned(), true),
            ("a | | b".to_owned(), true),
        ] {
            let reason = parse(&text).err();
            assert_eq!(reason.is_some(), refused, "{text:.40} {reason:?}");
        }
    }
}
