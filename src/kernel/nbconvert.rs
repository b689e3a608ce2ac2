//! Notebooks as HTML pages, made by nbconvert in a process of the server's own environment.
//!
//! The page is what nbconvert's `lab` template makes, complete in itself: it asks another host only for what the notebook
//! uses (scripts that show formulas, widgets, diagrams or plots). HTML of the notebook stays as it is, scripts too: whoever
//! serves the page does so in a sandbox.
//!
//! One process per page, which costs most of a second; a warm one may take its place behind [`notebook_to_html`].

use std::path::Path;
use std::time::Duration;

use super::environment::{Environment, tail};
use super::process::{HelperError, command, run_to_end};

const SCRIPT: &str = include_str!("nbconvert.py");
/// The page's own styles and scripts are about 300 kB; the rest is the notebook, escaped.
const PAGE_BYTES: usize = 8 << 20;
const GROWTH: usize = 4;

/// Whether a page has scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    /// Those of the notebook, and what they need of other hosts.
    Kept,
    /// None: it is complete in itself.
    None,
}

/// Why there is no page. A lowercase fragment, for the log: it may quote the notebook.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    #[error("cannot run nbconvert: {0}")]
    Helper(#[from] HelperError),
    #[error("nbconvert cannot convert the notebook ({status}): {stderr}")]
    Failed { status: String, stderr: String },
}

/// Converts a notebook (`ipynb`, nbformat 3 or 4) to an HTML page in UTF-8.
///
/// `title` is the page's title unless the notebook's metadata has one. Images that its Markdown names by a relative path
/// are embedded from below `images`, if given.
///
/// # Errors
/// When nbconvert fails or takes longer than `timeout`.
pub async fn notebook_to_html(
    environment: &Environment,
    ipynb: &[u8],
    title: &str,
    images: Option<&Path>,
    scripts: Scripts,
    timeout: Duration,
) -> Result<Vec<u8>, ConvertError> {
    let process = command(environment.python())
        .args(["-c", SCRIPT, title])
        .args([images.unwrap_or(Path::new(""))])
        .args([if scripts == Scripts::None { "still" } else { "" }])
        .current_dir(Path::new("/"));
    let most = ipynb.len().saturating_mul(GROWTH).saturating_add(PAGE_BYTES);
    let output = run_to_end(process, ipynb, timeout, most).await?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(ConvertError::Failed { status: output.status.to_string(), stderr: tail(&output.stderr) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::environment::Requirements;
    use serde_json::{Value, json};

    const TIMEOUT: Duration = Duration::from_mins(2);

    struct Converter {
        environment: Environment,
        folder: tempfile::TempDir,
    }

    impl Converter {
        async fn new() -> Self {
            let python = crate::testing::python();
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("images")).unwrap();
            let prepared = Environment::prepare(&python, folder.path(), Requirements::Kernel, drop).await;
            Self { environment: prepared.unwrap(), folder }
        }

        fn images(&self) -> std::path::PathBuf {
            self.folder.path().join("images")
        }

        async fn page(&self, cells: Value) -> String {
            let notebook = json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}).to_string();
            let images = self.images();
            let page = notebook_to_html(
                &self.environment,
                notebook.as_bytes(),
                "Q1 <b>",
                Some(&images),
                Scripts::Kept,
                TIMEOUT,
            )
            .await;
            String::from_utf8(page.unwrap()).unwrap()
        }
    }

    fn markdown(source: &str) -> Value {
        json!({"cell_type": "markdown", "metadata": {}, "source": source})
    }

    fn code(source: &str, html: &str) -> Value {
        let output = json!({"output_type": "display_data", "metadata": {}, "data": {"text/html": html}});
        json!({"cell_type": "code", "metadata": {}, "source": source, "execution_count": 1, "outputs": [output]})
    }

    fn loads(page: &str, part: &str) -> bool {
        page.lines().any(|line| line.contains("<script src=") && line.contains(part))
    }

    #[tokio::test]
    async fn a_page_holds_the_notebook_and_asks_nobody() {
        let converter = Converter::new().await;
        let image = || tempfile::NamedTempFile::new_in(converter.folder.path()).unwrap();
        image().persist(converter.images().join("plot.png")).unwrap();
        image().persist(converter.images().join("../outside.png")).unwrap();
        let cells = json!([
            markdown("# Zürich 失敗\n\nfor $5\n\n![in](plot.png) ![out](../outside.png) ![out](/etc/hostname)"),
            code("print('<i>')", r#"<table id="t"></table><script>draw()</script>"#),
        ]);
        let page = converter.page(cells).await;
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<title>Q1 &lt;b&gt;</title>"));
        for part in
            ["Zürich 失敗", "&lt;i&gt;", r#"<table id="t"></table><script>draw()</script>"#, "src=\"data:image/png"]
        {
            assert!(page.contains(part), "{part} is missing");
        }
        assert!(page.contains("src=\"../outside.png\"") && page.contains("src=\"/etc/hostname\""));
        assert!(!page.contains("<script src="), "asks another host");
    }

    #[tokio::test]
    async fn other_hosts_are_asked_for_what_the_notebook_uses() {
        let converter = Converter::new().await;
        let formula = converter.page(json!([markdown("so $a^2 + b^2$ it is")])).await;
        assert!(loads(&formula, "mathjax") && !loads(&formula, "require"));
        let script = converter.page(json!([code("plot()", "<script>require(['plotly'], draw)</script>")])).await;
        assert!(loads(&script, "require") && !loads(&script, "mathjax"));
    }

    #[tokio::test]
    async fn a_page_that_cannot_be_made_is_an_error_and_ends_in_time() {
        let converter = Converter::new().await;
        let error = notebook_to_html(&converter.environment, b"{\"cells\": 1}", "x", None, Scripts::Kept, TIMEOUT)
            .await
            .unwrap_err();
        assert!(matches!(error, ConvertError::Failed { .. }), "{error}");
        let soon = Duration::from_millis(1);
        let error = notebook_to_html(&converter.environment, b"{}", "x", None, Scripts::None, soon).await.unwrap_err();
        assert!(matches!(error, ConvertError::Helper(HelperError::Timeout(_))), "{error}");
    }
}
