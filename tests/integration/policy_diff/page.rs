//! The commands of `docs/reviewing.md`, on its files, print what stands there.

use crate::generated::hold;
use crate::support::organisation::request;
use crate::support::{TestEnv, checkout};

#[test]
fn the_page_shows_what_the_commands_print() {
    let page = std::fs::read_to_string(checkout().join("docs/reviewing.md")).unwrap();
    let env = TestEnv::new();
    for dir in ["a", "b"] {
        env.write(format!("{dir}/bundle.yaml"), super::MANIFEST);
    }
    let production =
        request("apply_stack").replacen('{', r#"{"context":{"environment":"production"},"#, 1);
    env.write(
        "requests.jsonl",
        [request("restore"), production].join("\n"),
    );
    let mut wanted = String::new();
    let mut commands = 0;
    let mut rest = page.as_str();
    while let Some((before, block)) = rest.split_once("\n```") {
        let (block, after) = block.split_once("\n```").unwrap();
        wanted.push_str(before);
        let (kind, text) = block.split_once('\n').unwrap();
        let first = text.lines().next().unwrap();
        let file = first
            .strip_prefix("# ")
            .filter(|name| name.starts_with(['a', 'b']));
        let mut shown = text.to_owned();
        if let Some(name) = file.filter(|_| kind == "yaml") {
            env.write(name, format!("{text}\n"));
        }
        if let Some(command) = first
            .strip_prefix("$ ordain ")
            .filter(|_| kind == "console")
        {
            let output = env.ordain(command.split(' '));
            shown = format!("{first}\n{}", output.success().trim_end());
            commands += 1;
        }
        wanted.push_str(&format!("\n```{kind}\n{shown}\n```"));
        rest = after;
    }
    wanted.push_str(rest);
    assert_eq!(commands, 2);
    hold("docs/reviewing.md", &wanted);
}
