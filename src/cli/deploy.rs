//! `nbhook deploy`: uploads notebooks with their dependencies.

use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::multipart::{Form, Part};
use serde_json::{Map, Value, json};

use super::context::Context;
use super::contract;
use super::error::CliError;
use super::hook_arg::hook_path;
use super::params::{self, Pair};
use super::table::Look;
use super::wire::{self, Hook};
use crate::model::{HookPath, RelativePath};

/// Deploy notebooks and print their URLs
///
/// A notebook that is deployed again under the same path keeps its URL and gets a new version.
#[derive(Debug, Args)]
pub(super) struct Deploy {
    /// Notebooks (.ipynb)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Path to deploy a single notebook under [default: its path from your home folder]
    #[arg(long)]
    path: Option<String>,
    /// Parameter of the hook, e.g. inline=true; VALUE is JSON where it parses as such, else text
    #[arg(short, long = "param", value_name = "KEY=VALUE", value_parser = params::parse_pair)]
    params: Vec<Pair>,
    /// All parameters of the hook as one JSON object
    #[arg(long = "params", value_name = "JSON", value_parser = params::parse_object, conflicts_with = "params")]
    object: Option<Map<String, Value>>,
    /// File that the notebook needs, in or below the notebook's folder; may be repeated
    #[arg(short, long = "dependency", value_name = "FILE")]
    dependencies: Vec<PathBuf>,
    /// JSON file with the callbacks that the hook sends, by name and by URL
    #[arg(long, value_name = "FILE")]
    callbacks: Option<PathBuf>,
    /// Whom to deploy for (admins only)
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// Python interpreter to run the notebook with, as a path on the server's machine, e.g. .venv/bin/python
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Print the hooks as JSON
    #[arg(long)]
    json: bool,
}

/// What is read before anything is sent, so that a missing file leaves everything as it was.
struct Upload {
    path: HookPath,
    notebook: Vec<u8>,
    /// Name relative to the notebook, content.
    dependencies: Vec<(String, Vec<u8>)>,
}

impl Deploy {
    pub(super) async fn run(self, ctx: &Context) -> Result<(), CliError> {
        if self.path.is_some() && self.files.len() > 1 {
            return Err(CliError::Usage("--path is for a single notebook".to_owned()));
        }
        let python = self.python.as_deref().map(interpreter).transpose()?;
        let callbacks = match &self.callbacks {
            Some(file) => Some(declared(file).await?),
            None => None,
        };
        let api = ctx.api().await?;
        let mut uploads = Vec::new();
        for file in &self.files {
            uploads.push(self.upload(file).await.map_err(|error| error.about(file.display().to_string()))?);
        }
        let params = self.object.clone().unwrap_or_else(|| params::object(self.params.clone()));
        let bar = ctx.progress(uploads.len(), "deploying");
        let mut hooks = Vec::new();
        for upload in uploads {
            let path = upload.path.clone();
            bar.set_message(path.to_string());
            let mut meta = self.meta(&path, &params, python.as_deref());
            if let Some(callbacks) = &callbacks {
                meta["callbacks"] = callbacks.clone();
            }
            let answer = match api.upload(&["hooks"], form(&meta, upload)?).await {
                Ok(answer) => answer,
                Err(error) => {
                    bar.finish_and_clear();
                    return Err(error.about(path.as_str()));
                }
            };
            bar.inc(1);
            bar.suspend(|| self.tell(ctx, &answer))?;
            hooks.push(answer);
        }
        bar.finish_and_clear();
        if self.json { ctx.json(&Value::Array(hooks)) } else { Ok(()) }
    }

    async fn upload(&self, file: &Path) -> Result<Upload, CliError> {
        let path = match &self.path {
            Some(path) => HookPath::parse(path).map_err(|error| CliError::Usage(error.to_string()))?,
            None => hook_path(file)?,
        };
        let notebook = read(file).await?;
        let mut dependencies = Vec::new();
        for dependency in &self.dependencies {
            dependencies.push((beside(dependency, file)?, read(dependency).await?));
        }
        Ok(Upload { path, notebook, dependencies })
    }

    fn meta(&self, path: &HookPath, params: &Map<String, Value>, python: Option<&str>) -> Value {
        let mut meta = json!({"path": path.as_str(), "params": params});
        if let Some(owner) = &self.owner {
            meta["owner"] = json!(owner);
        }
        if let Some(python) = python {
            meta["python"] = json!(python);
        }
        meta
    }

    /// Prints the URL, and on standard error what the user should know besides: its parameters, and what is odd about it.
    fn tell(&self, ctx: &Context, answer: &Value) -> Result<(), CliError> {
        let hook: Hook = wire::read(answer)?;
        ctx.note(&format!("deployed {} as version {}", hook.path, hook.histo));
        if let Some(table) = hook.contract.as_ref().and_then(contract::table) {
            ctx.note(table.render(Look { terminal: ctx.terminals.errors, ..Look::default() }).trim_end_matches('\n'));
        }
        for warning in &hook.warnings {
            ctx.note(&format!("warning: {warning}"));
        }
        if self.json { Ok(()) } else { ctx.line(hook.url.expose()) }
    }
}

/// What a hook is to send; whether the server takes it, it says itself.
async fn declared(file: &Path) -> Result<Value, CliError> {
    let wrong = |error| CliError::Usage(format!("--callbacks {}: expected a JSON object: {error}", file.display()));
    let object: Map<String, Value> = serde_json::from_slice(&read(file).await?).map_err(wrong)?;
    Ok(object.into())
}

async fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    tokio::fs::read(file).await.map_err(|error| CliError::file(file, error))
}

/// The interpreter as an absolute path. Links are kept: a virtual environment's python is one.
fn interpreter(path: &Path) -> Result<String, CliError> {
    let wrong = |why: &str| CliError::Usage(format!("--python {}: {why}", path.display()));
    if path.components().count() < 2 {
        return Err(wrong("give a path, e.g. .venv/bin/python"));
    }
    let absolute = std::path::absolute(path).map_err(|error| CliError::file(path, error))?;
    absolute.to_str().map(str::to_owned).ok_or_else(|| wrong("is not UTF-8"))
}

/// The name of `dependency` relative to the folder of `notebook`.
fn beside(dependency: &Path, notebook: &Path) -> Result<String, CliError> {
    let outside = || {
        CliError::Usage(format!(
            "dependency {} is not in or below the notebook's folder: the notebook would not find it when it runs",
            dependency.display()
        ))
    };
    let absolute = |path: &Path| std::path::absolute(path).map_err(|error| CliError::file(path, error));
    let notebook = absolute(notebook)?;
    let relative = absolute(dependency)?;
    let relative = relative.strip_prefix(notebook.parent().unwrap_or(Path::new("/"))).map_err(|_| outside())?;
    let parsed = RelativePath::parse("dependency", relative.to_str().ok_or_else(outside)?).map_err(|_| outside())?;
    Ok(parsed.as_str().to_owned())
}

fn form(meta: &Value, upload: Upload) -> Result<Form, CliError> {
    let part = |content: Vec<u8>, media: &str, name: String| {
        let part = Part::bytes(content).mime_str(media).map_err(|error| CliError::Failed(error.to_string()))?;
        Ok::<_, CliError>(if name.is_empty() { part } else { part.file_name(name) })
    };
    let name = upload.path.as_path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut form = Form::new()
        .part("meta", part(meta.to_string().into_bytes(), "application/json", String::new())?)
        .part("notebook", part(upload.notebook, "application/x-ipynb+json", name)?);
    for (name, content) in upload.dependencies {
        form = form.part("dependency", part(content, "application/octet-stream", name)?);
    }
    Ok(form)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::ResponseTemplate;

    use super::*;
    use crate::cli::testing::{TestServer, hook};

    async fn accepting(server: &TestServer, expected: u64) {
        let mut made = hook("1", "sales.ipynb", "bob");
        made["warnings"] = json!(["pandas is missing there"]);
        made["contract"] =
            json!({"type": "object", "required": [], "properties": {"n": {"type": "integer", "default": 5}}});
        let answer = ResponseTemplate::new(201).set_body_json(made);
        server.mock("POST", "/v1/hooks").respond_with(answer).expect(expected).mount(&server.http).await;
    }

    async fn sent(server: &TestServer) -> Vec<String> {
        let requests = server.http.received_requests().await.unwrap();
        requests.iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect()
    }

    #[tokio::test]
    async fn a_notebook_goes_up_with_its_parameters_and_dependencies() {
        let server = TestServer::start().await;
        accepting(&server, 1).await;
        let notebook = server.write("reports/sales.ipynb", b"{\"cells\": []}");
        let data = server.write("reports/data/prices \u{fc}.csv", b"a,b\r\n1,2\r\n");
        let ran = server
            .run(&[
                "deploy",
                &notebook,
                "-p",
                "inline=true",
                "-p",
                "notif_down=a@b.c",
                "-p",
                "notif_down=d@e.f",
                "-d",
                &data,
            ])
            .await;
        assert_eq!((ran.code, ran.out.as_str()), (0, "http://hooks.test/hooks/t-bob\n"), "{}", ran.err);
        assert!(
            ran.err.contains("version 20260102030405678901\nPARAMETER\tTYPE\tDEFAULT\tDESCRIPTION\nn\tinteger\t5\t\n"),
            "{}",
            ran.err
        );
        assert!(ran.err.ends_with("\nwarning: pandas is missing there\n"), "{}", ran.err);
        let body = &sent(&server).await[0];
        let path = notebook.trim_start_matches('/');
        let meta = format!(r#"{{"path":"{path}","params":{{"inline":true,"notif_down":["a@b.c","d@e.f"]}}}}"#);
        assert!(body.contains(&meta), "{body}");
        assert!(body.contains("name=\"notebook\"; filename=\"sales.ipynb\""), "{body}");
        assert!(body.contains("{\"cells\": []}"), "{body}");
        assert!(body.contains("name=\"dependency\"; filename=\"data/prices ü.csv\""), "{body}");
        assert!(body.contains("\r\n\r\na,b\r\n1,2\r\n\r\n--"), "{body}");
    }

    #[tokio::test]
    async fn path_owner_python_and_an_object_of_parameters_are_sent() {
        let server = TestServer::start().await;
        accepting(&server, 1).await;
        let notebook = server.write("sales.ipynb", b"{}");
        let python = server.path("venv/bin/python");
        let options =
            ["--path", "x/y.ipynb", "--owner", "bob", "--python", &python, "--params", r#"{"timeout":5}"#, "--json"];
        let ran = server.run(&[&["deploy", &notebook], &options[..]].concat()).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        let body = &sent(&server).await[0];
        let meta = format!(r#"{{"path":"x/y.ipynb","params":{{"timeout":5}},"owner":"bob","python":"{python}"}}"#);
        assert!(body.contains(&meta), "{body}");
        let shown: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(shown[0]["histo"], "20260102030405678901");
    }

    #[tokio::test]
    async fn callbacks_are_read_from_a_file() {
        let server = TestServer::start().await;
        accepting(&server, 1).await;
        let notebook = server.write("a.ipynb", b"{}");
        let callbacks = server.write("callbacks.json", br#"{"paid": {"{$callback_url}/paid": {}}}"#);
        let ran = server.run(&["deploy", &notebook, "--path", "a.ipynb", "--callbacks", &callbacks]).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        let body = &sent(&server).await[0];
        assert!(body.contains(r#""callbacks":{"paid":{"{$callback_url}/paid":{}}}"#), "{body}");
        let list = server.write("list.json", b"[]");
        let ran = server.run(&["deploy", &notebook, "--callbacks", &list]).await;
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains("list.json: expected a JSON object"), "{}", ran.err);
    }

    #[tokio::test]
    async fn several_notebooks_give_several_urls() {
        let server = TestServer::start().await;
        accepting(&server, 2).await;
        let (a, b) = (server.write("a.ipynb", b"{}"), server.write("b.ipynb", b"{}"));
        let ran = server.run(&["deploy", &a, &b]).await;
        assert_eq!((ran.code, ran.out.lines().count()), (0, 2), "{}", ran.err);
        assert_eq!(server.run(&["deploy", &a, &b, "--path", "c.ipynb"]).await.code, 2);
    }

    #[tokio::test]
    async fn a_missing_file_stops_everything_before_it_starts() {
        let server = TestServer::start().await;
        accepting(&server, 0).await;
        let (a, gone) = (server.write("a.ipynb", b"{}"), server.path("gone.ipynb"));
        let ran = server.run(&["deploy", &a, &gone]).await;
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains("gone.ipynb: No such file"), "{}", ran.err);
        let outside = server.write("sub/b.ipynb", b"{}");
        let ran = server.run(&["deploy", &outside, "-d", &a]).await;
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains("is not in or below the notebook's folder"), "{}", ran.err);
    }

    #[tokio::test]
    async fn a_refusal_names_the_notebook_and_the_field() {
        let server = TestServer::start().await;
        let refusal = json!({"title": "Unprocessable", "status": 422, "detail": "is not a parameter of hooks", "field": "params.inlin"});
        server.json("POST", "/v1/hooks", 422, refusal).await;
        let a = server.write("a.ipynb", b"{}");
        let ran = server.run(&["deploy", &a, "-p", "inlin=true"]).await;
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
        let path = a.trim_start_matches('/');
        assert_eq!(ran.err, format!("failed to deploy: {path}: params.inlin: is not a parameter of hooks\n"));
    }

    #[test]
    fn an_interpreter_is_a_path_and_its_links_stay() {
        let here = std::env::current_dir().unwrap();
        let expected = here.join("venv/bin/python").to_str().unwrap().to_owned();
        assert_eq!(interpreter(Path::new("venv/bin/python")).unwrap(), expected);
        assert_eq!(interpreter(Path::new("/usr/bin/python3")).unwrap(), "/usr/bin/python3");
        assert_eq!(interpreter(Path::new("python3")).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn dependencies_lie_below_the_notebook() {
        let beside = |dependency| beside(Path::new(dependency), Path::new("reports/a.ipynb"));
        assert_eq!(beside("reports/data/x.csv").unwrap(), "data/x.csv");
        assert_eq!(beside("./reports/data/../x.csv").unwrap(), "x.csv");
        for outside in ["x.csv", "reports/../x.csv", "/etc/passwd", "reports"] {
            assert!(beside(outside).is_err(), "{outside}");
        }
    }
}
