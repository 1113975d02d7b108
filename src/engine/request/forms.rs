//! The three forms of a request, and how the short ones become the canonical one.
//!
//! | canonical | from a configuration operation | from a tool call |
//! | --- | --- | --- |
//! | `subject.type` | `client` | `user` |
//! | `subject.id` | `client` | `caller.id` |
//! | `subject.properties.capabilities`, `.groups` | | `caller.capabilities`, `caller.groups` |
//! | `action.name` | `operation` | `tool` |
//! | `action.properties.operation` | | `operation` |
//! | `action.properties.args` | `args` | `args` |
//! | `resource.type` | `mcp_server`; `mcp_configuration` without a server | `target`; `tool` without a target |
//! | `resource.id` | the server's identity; else `client` | `target`, else `tool` |
//! | `resource.properties.name`, `.package`, `.command`, `.url` | the server's members, as written | |
//! | `resource.properties.version` | the version in `server.package` | |
//! | `context.scope` | `scope`: the client's configuration scope (`user`, `project`, …), not one of ordain's | |
//! | `context.project` | the fingerprint of `project` | |
//!
//! A server's identity is, of what is given, the first of `package:<name without version>`, `url:<endpoint>`,
//! `command:<command line>`, `name:<name>`: what runs before what the client calls it, since anyone may call anything `github`. A
//! `target` may also be an object, `{type, id, properties}`, which then is the resource. What a short form cannot say, such as
//! the environment, the AuthZEN form can.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::digest::Sha256Digest;

use super::members::{self, Filled, Members, wrong};
use super::{Form, Mapped, ProjectIdentity, RequestError, identity};

type Object = Map<String, Value>;
type Canonical = (Object, Cow<'static, [Mapped]>);

const AUTHZEN: [&str; 4] = ["subject", "action", "resource", "context"];
const CONFIGURATION: [&str; 6] = ["operation", "client", "scope", "project", "server", "args"];
const TOOL_CALL: [&str; 5] = ["tool", "operation", "args", "caller", "target"];
const OPERATIONS: [&str; 4] = [
    "configure_server",
    "remove_server",
    "restore",
    "apply_stack",
];

/// The members of the AuthZEN form's subject and resource, and of its action.
const ENTITY: &[&str] = &["type", "id", "properties"];
const ACTION: &[&str] = &["name", "properties"];

pub(super) static AUTHZEN_MAPPING: [Mapped; 4] = [
    mapped("subject", Some("subject"), VERBATIM),
    mapped("action", Some("action"), VERBATIM),
    mapped("resource", Some("resource"), VERBATIM),
    mapped("context", Some("context"), VERBATIM),
];
pub(super) static WITHOUT_CONTEXT_MAPPING: [Mapped; 4] = [
    mapped("subject", Some("subject"), VERBATIM),
    mapped("action", Some("action"), VERBATIM),
    mapped("resource", Some("resource"), VERBATIM),
    mapped("context", None, "empty where it is left out"),
];

const VERBATIM: &str = "as written";
const IMPLIED: &str = "implied by the form";
const NO_SHORT_FORM_HINT: &str =
    "correct its name, or use the AuthZEN form, whose `properties` and `context` hold anything";

/// Which form an object has, by the members that no other form has.
pub(super) fn detect(object: &Object) -> Result<Form, RequestError> {
    let of = |name: &str| {
        let short = (CONFIGURATION.contains(&name), TOOL_CALL.contains(&name));
        match (AUTHZEN.contains(&name), short) {
            (true, _) => Some(Form::Authzen),
            (_, (true, false)) => Some(Form::Configuration),
            (_, (false, true)) => Some(Form::ToolCall),
            _ => None,
        }
    };
    let mut found: Option<(Form, &str)> = None;
    for name in object.keys() {
        match (of(name), found) {
            (Some(form), None) => found = Some((form, name)),
            (Some(second), Some((first, first_member))) if first != second => {
                return Err(RequestError::Mixed {
                    first,
                    first_member: first_member.to_owned(),
                    second,
                    second_member: name.clone(),
                });
            }
            _ => {}
        }
    }
    // `operation` and `args` belong to both short forms, and to neither alone.
    found
        .map(|(form, _)| form)
        .ok_or_else(|| RequestError::Unrecognised {
            members: object.keys().cloned().collect(),
        })
}

/// The canonical form itself; only what it leaves out is added, and everything else stays where it is.
pub(super) fn authzen(mut object: Object) -> Result<Canonical, RequestError> {
    let form = Form::Authzen;
    members::only(&object, "", form, &AUTHZEN, "put it under `context`")?;
    for (path, known, hint) in [
        ("subject", ENTITY, "put it under `subject.properties`"),
        ("action", ACTION, "put it under `action.properties`"),
        ("resource", ENTITY, "put it under `resource.properties`"),
    ] {
        let entity = members::object_in(&mut object, "", form, path)?;
        members::only(entity, path, form, known, hint)?;
        for name in known.iter().filter(|name| **name != "properties") {
            members::text_in(entity, path, form, name)?;
        }
        members::fill(entity, path, "properties")?;
    }
    let mapping: &[Mapped] = match members::fill(&mut object, "", "context")? {
        Filled::WasThere => &AUTHZEN_MAPPING,
        Filled::Added => &WITHOUT_CONTEXT_MAPPING,
    };
    Ok((object, Cow::Borrowed(mapping)))
}

/// An MCP configuration operation.
pub(super) fn configuration(
    object: Object,
    project: &dyn Fn(&str) -> ProjectIdentity,
) -> Result<Canonical, RequestError> {
    let form = Form::Configuration;
    let mut top = Members::of(object, "", form, &CONFIGURATION, NO_SHORT_FORM_HINT)?;
    let mut made = Made::default();

    let operation = top.text("operation")?;
    if !OPERATIONS.contains(&operation.as_str()) {
        return Err(RequestError::UnknownOperation {
            operation: operation.chars().take(80).collect(),
        });
    }
    let client = top.text("client")?;
    put(&mut made.subject, "type", "client");
    made.mapping.push(mapped("subject.type", None, IMPLIED));
    put(&mut made.subject, "id", client.clone());
    made.mapping
        .push(mapped("subject.id", Some("client"), VERBATIM));

    let about_server = matches!(operation.as_str(), "configure_server" | "remove_server");
    put(&mut made.action, "name", operation);
    made.mapping
        .push(mapped("action.name", Some("operation"), VERBATIM));
    made.args(top.take("args"));

    match top.optional_object("server")? {
        Some(server) => server_resource(server, &mut made)?,
        None if about_server => return Err(top.missing("server")),
        None => {
            put(&mut made.resource, "type", "mcp_configuration");
            made.mapping.push(mapped("resource.type", None, IMPLIED));
            put(&mut made.resource, "id", client);
            made.mapping
                .push(mapped("resource.id", Some("client"), VERBATIM));
        }
    }

    if let Some(scope) = top.optional_text("scope")? {
        put(&mut made.context, "scope", scope);
        made.mapping
            .push(mapped("context.scope", Some("scope"), VERBATIM));
    }
    if let Some(path) = top.optional_text("project")? {
        let (digest, how) = match path.parse::<Sha256Digest>() {
            Ok(digest) => (digest, "as written, since it is a fingerprint"),
            Err(_) => (
                ProjectIdentity::from_url(&path)
                    .unwrap_or_else(|| project(&path))
                    .fingerprint(),
                "SHA-256 of its remote without credentials, else of its real path",
            ),
        };
        put(&mut made.context, "project", digest.to_string());
        made.mapping
            .push(mapped("context.project", Some("project"), how));
    }
    Ok(made.finish())
}

fn server_resource(server: Object, made: &mut Made) -> Result<(), RequestError> {
    let known = ["name", "package", "command", "url"];
    let mut server = Members::of(
        server,
        "server",
        Form::Configuration,
        &known,
        NO_SHORT_FORM_HINT,
    )?;
    let name = server.optional_text("name")?;
    let package = server.optional_text("package")?;
    let command = server.optional_text("command")?;
    let url = server.optional_text("url")?;

    let (id, from, how) = if let Some(package) = &package {
        let (name, version) = identity::split_version(package);
        if let Some(version) = version {
            put(&mut made.resource_properties, "version", version);
        }
        let how = "`package:` and the package without its version";
        (format!("package:{name}"), "server.package", how)
    } else if let Some(url) = &url {
        let endpoint = identity::endpoint(url).ok_or_else(|| RequestError::WrongType {
            path: "server.url".to_owned(),
            expected: "an absolute URL",
            found: "another text",
        })?;
        let how = "`url:` and the endpoint without credentials and query";
        (format!("url:{endpoint}"), "server.url", how)
    } else if let Some(command) = &command {
        let how = "`command:` and the command line with single blanks";
        let line = identity::command_line(command);
        (format!("command:{line}"), "server.command", how)
    } else if let Some(name) = &name {
        (
            format!("name:{name}"),
            "server.name",
            "`name:` and the name",
        )
    } else {
        return Err(server.missing("package"));
    };
    put(&mut made.resource, "type", "mcp_server");
    made.mapping.push(mapped("resource.type", None, IMPLIED));
    put(&mut made.resource, "id", id);
    made.mapping.push(mapped("resource.id", Some(from), how));
    for (member, to, from, value) in [
        ("name", "resource.properties.name", "server.name", name),
        (
            "package",
            "resource.properties.package",
            "server.package",
            package,
        ),
        (
            "command",
            "resource.properties.command",
            "server.command",
            command,
        ),
        ("url", "resource.properties.url", "server.url", url),
    ] {
        if let Some(value) = value {
            put(&mut made.resource_properties, member, value);
            made.mapping.push(mapped(to, Some(from), VERBATIM));
        }
    }
    if made.resource_properties.contains_key("version") {
        made.mapping.push(mapped(
            "resource.properties.version",
            Some("server.package"),
            "the part after `@` or `==`",
        ));
    }
    Ok(())
}

/// An administrative tool call.
pub(super) fn tool_call(object: Object) -> Result<Canonical, RequestError> {
    let form = Form::ToolCall;
    let mut top = Members::of(object, "", form, &TOOL_CALL, NO_SHORT_FORM_HINT)?;
    let mut made = Made::default();

    let tool = top.text("tool")?;
    let caller = top.object("caller")?;
    let known = ["id", "capabilities", "groups"];
    let mut caller = Members::of(caller, "caller", form, &known, NO_SHORT_FORM_HINT)?;
    put(&mut made.subject, "type", "user");
    made.mapping.push(mapped("subject.type", None, IMPLIED));
    put(&mut made.subject, "id", caller.text("id")?);
    made.mapping
        .push(mapped("subject.id", Some("caller.id"), VERBATIM));
    for (member, to, from) in [
        (
            "capabilities",
            "subject.properties.capabilities",
            "caller.capabilities",
        ),
        ("groups", "subject.properties.groups", "caller.groups"),
    ] {
        if let Some(texts) = caller.optional_texts(member)? {
            put(&mut made.subject_properties, member, texts);
            made.mapping.push(mapped(to, Some(from), VERBATIM));
        }
    }

    put(&mut made.action, "name", tool.clone());
    made.mapping
        .push(mapped("action.name", Some("tool"), VERBATIM));
    if let Some(operation) = top.optional_text("operation")? {
        put(&mut made.action_properties, "operation", operation);
        made.mapping.push(mapped(
            "action.properties.operation",
            Some("operation"),
            VERBATIM,
        ));
    }
    made.args(top.take("args"));

    match top.take("target") {
        None => {
            put(&mut made.resource, "type", "tool");
            made.mapping.push(mapped("resource.type", None, IMPLIED));
            put(&mut made.resource, "id", tool);
            made.mapping
                .push(mapped("resource.id", Some("tool"), VERBATIM));
        }
        Some(Value::String(target)) if target.trim().is_empty() => {
            let path = "target".to_owned();
            return Err(RequestError::Empty { path });
        }
        Some(Value::String(target)) => {
            put(&mut made.resource, "type", "target");
            made.mapping.push(mapped("resource.type", None, IMPLIED));
            put(&mut made.resource, "id", target);
            made.mapping
                .push(mapped("resource.id", Some("target"), VERBATIM));
        }
        Some(Value::Object(target)) => {
            let known = ["type", "id", "properties"];
            let hint = "put it under `target.properties`";
            let mut target = Members::of(target, "target", form, &known, hint)?;
            put(&mut made.resource, "type", target.text("type")?);
            put(&mut made.resource, "id", target.text("id")?);
            made.resource_properties = target.optional_object("properties")?.unwrap_or_default();
            made.mapping
                .push(mapped("resource", Some("target"), VERBATIM));
        }
        Some(other) => return Err(wrong("target".to_owned(), "a text or an object", &other)),
    }
    Ok(made.finish())
}

/// A canonical form in the making.
#[derive(Default)]
struct Made {
    subject: Object,
    subject_properties: Object,
    action: Object,
    action_properties: Object,
    resource: Object,
    resource_properties: Object,
    context: Object,
    mapping: Vec<Mapped>,
}

impl Made {
    /// Arguments may be of any type: a rule that looks into them says which it expects.
    fn args(&mut self, args: Option<Value>) {
        if let Some(args) = args {
            put(&mut self.action_properties, "args", args);
            self.mapping
                .push(mapped("action.properties.args", Some("args"), VERBATIM));
        }
    }

    fn finish(mut self) -> Canonical {
        put(&mut self.subject, "properties", self.subject_properties);
        put(&mut self.action, "properties", self.action_properties);
        put(&mut self.resource, "properties", self.resource_properties);
        let mut canonical = Object::new();
        put(&mut canonical, "subject", self.subject);
        put(&mut canonical, "action", self.action);
        put(&mut canonical, "resource", self.resource);
        put(&mut canonical, "context", self.context);
        (canonical, Cow::Owned(self.mapping))
    }
}

/// `insert` without the ceremony.
fn put(object: &mut Object, name: &str, value: impl Into<Value>) {
    object.insert(name.to_owned(), value.into());
}

const fn mapped(to: &'static str, from: Option<&'static str>, how: &'static str) -> Mapped {
    Mapped { to, from, how }
}
