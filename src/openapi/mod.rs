//! OpenAPI 3.1 documents: of the API, and of the hooks that callers call; and an `AsyncAPI` document of the events.
//!
//! The API's own part is written down in `api/*.json`; a hook's is made of what is known of it. Pure: it knows the model and JSON.

mod answers;
mod call;
mod callbacks;
mod events;
mod example;
mod inputs;
mod name;
mod security;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use callbacks::Callbacks;
pub use events::of_events;

use crate::model::{Answered, Contract, DeclaredCallbacks, Hook};

/// What a document tells of a hook.
#[derive(Debug, Clone, Copy)]
pub struct Described<'a> {
    pub hook: &'a Hook,
    /// What the live version takes, if that is known.
    pub contract: Option<&'a Contract>,
    /// What the live version sends to URLs that its callers name.
    pub callbacks: Option<&'a DeclaredCallbacks>,
    /// What its notebook is called.
    pub title: Option<&'a str>,
    /// What its notebook says of itself, as Markdown.
    pub text: Option<&'a str>,
    /// What it has answered so far.
    pub answered: &'a [Answered],
}

/// An OpenAPI document in the making.
#[derive(Debug)]
pub struct Document {
    info: Value,
    /// What operations need that do not say otherwise.
    security: Value,
    tags: Value,
    paths: Map<String, Value>,
    components: Map<String, Value>,
    schemas: Map<String, Value>,
    /// Names of hooks in this document: operations and schemas are called after them.
    names: HashSet<String>,
}

impl Document {
    /// The API, with the calls of a hook that nothing is known of.
    #[must_use]
    pub fn of_api() -> Self {
        let mut info = embedded(include_str!("api/info.json"));
        info.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
        let mut paths = call::any_hook();
        for part in [
            include_str!("api/hooks.json"),
            include_str!("api/runs.json"),
            include_str!("api/inboxes.json"),
            include_str!("api/callbacks.json"),
            include_str!("api/subscriptions.json"),
            include_str!("api/deliveries.json"),
            include_str!("api/schedules.json"),
            include_str!("api/secrets.json"),
            include_str!("api/notifications.json"),
            include_str!("api/files.json"),
            include_str!("api/users.json"),
            include_str!("api/public.json"),
        ] {
            paths.extend(embedded(part));
        }
        let (mut components, mut schemas) = shared();
        components.extend(embedded(include_str!("api/components.json")));
        schemas.extend(embedded(include_str!("api/schemas/hooks.json")));
        schemas.extend(embedded(include_str!("api/schemas/others.json")));
        schemas.extend(embedded(include_str!("api/schemas/files.json")));
        schemas.extend(embedded(include_str!("api/schemas/inboxes.json")));
        schemas.extend(embedded(include_str!("api/schemas/callbacks.json")));
        schemas.extend(embedded(include_str!("api/schemas/subscriptions.json")));
        schemas.extend(embedded(include_str!("api/schemas/deliveries.json")));
        schemas.extend(embedded(include_str!("api/schemas/schedules.json")));
        schemas.extend(embedded(include_str!("api/schemas/secrets.json")));
        schemas.extend(embedded(include_str!("api/schemas/notifications.json")));
        Self {
            info: info.into(),
            security: json!([{"bearer": []}]),
            tags: json!([
                {"name": "calls", "description": "Your notebooks: run one, and get what it answers."},
                {"name": "any hook", "description": "The same for any notebook, if you know its URL."},
                {"name": "hooks", "description": "Notebooks deployed as URLs, their versions and outputs."},
                {"name": "runs", "description": "Every execution on record, and control over those that go on."},
                {"name": "files", "description": "Files that runs find (dependencies), and files with a public URL (assets)."},
                {"name": "inboxes", "description": "Public URLs that keep what is sent to them."},
                {"name": "callbacks", "description": "URLs that are called when something happens, and who is told when one is in trouble."},
                {"name": "events", "description": "What happens, and who is told of it."},
                {"name": "deliveries", "description": "Events on their way to callbacks and URLs, attempt by attempt."},
                {"name": "schedules", "description": "When hooks run by themselves."},
                {"name": "secrets", "description": "What only you and your runs may read."},
                {"name": "notifications", "description": "Mails that you and your runs have the server send."},
                {"name": "users", "description": "Users and their API tokens."},
                {"name": "documents", "description": "What you are reading."},
                {"name": "operations", "description": "For whoever operates the server."},
            ]),
            paths,
            components,
            schemas,
            names: call::reserved().collect(),
        }
    }

    /// One hook by itself.
    #[must_use]
    pub fn of_hook(hook: &Described<'_>) -> Self {
        let (components, schemas) = shared();
        let mut document = Self {
            info: json!({
                "title": hook.title.unwrap_or(hook.hook.path.as_str()),
                "description": hook.text.unwrap_or("A notebook deployed as a URL."),
                "version": hook.hook.histo,
            }),
            security: json!([]),
            tags: json!([{"name": "calls"}]),
            paths: Map::new(),
            components,
            schemas,
            names: HashSet::new(),
        };
        document.add(hook);
        document
    }

    /// Adds a hook's calls.
    pub fn add(&mut self, hook: &Described<'_>) {
        let name = name::unique(hook.hook.path.as_str(), &mut self.names);
        if let Some((name, scheme)) = security::scheme(hook.hook) {
            self.components.entry("securitySchemes").or_insert_with(|| json!({}))[name] = scheme;
        }
        let Callbacks { objects, schemas } = Callbacks::of(hook, &name);
        let path = format!("/hooks/{}", hook.hook.token.expose());
        self.paths.insert(path, call::one_hook(hook, &name, &objects));
        self.schemas.extend(schemas);
        self.schemas.extend(inputs::schemas(hook, &name));
    }

    /// The document of a server that is reached at the URL `server`.
    #[must_use]
    pub fn into_json(mut self, server: &str) -> Value {
        self.components.insert("schemas".to_owned(), self.schemas.into());
        json!({
            "openapi": "3.1.0",
            "info": self.info,
            "servers": [{"url": server}],
            "security": self.security,
            "tags": self.tags,
            "paths": self.paths,
            "components": self.components,
        })
    }
}

/// The components that a hook's calls need: schemas, and the others.
fn shared() -> (Map<String, Value>, Map<String, Value>) {
    let mut components = embedded(include_str!("shared.json"));
    let schemas = match components.shift_remove("schemas") {
        Some(Value::Object(schemas)) => schemas,
        _ => Map::new(),
    };
    (components, schemas)
}

/// A file of this folder; a test reads them all.
fn embedded(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

/// A reference to a schema of the document.
fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}
