//! What the manager shows of hooks beyond what the API gives: how their last runs went, how they are called, how two of their
//! versions differ.

use super::{Result, Service, on_disk};
use crate::model::{Caller, DeclaredCallbacks, Histo, Hook, HookId, Page};
use crate::notebook::Diff;
use crate::openapi::{self, FormField, Snippet};
use crate::store::RecentRun;

/// Runs of a hook that tell how it goes.
const RECENT: u32 = 20;

/// How a hook's live version is called.
#[derive(Debug)]
pub struct CallGuide {
    /// What its notebook says of itself.
    pub title: Option<String>,
    pub text: Option<String>,
    /// Fields for its parameters; none, if it is not known what it takes.
    pub form: Option<Vec<FormField>>,
    pub snippets: Vec<Snippet>,
    pub callbacks: Option<DeclaredCallbacks>,
}

impl Service {
    /// Hooks whose path or owner has `text` in it, newest first, each with its last runs, the oldest first.
    pub async fn hooks_with_runs(
        &self,
        caller: &Caller,
        text: &str,
        page: Page,
    ) -> Result<Vec<(Hook, Vec<RecentRun>)>> {
        let scope = self.scope(caller, "owner", None).await?;
        let hooks = self.db.hooks_named(scope, text, page).await?;
        self.unsaved.settled().await;
        let ids: Vec<HookId> = hooks.iter().map(|hook| hook.id).collect();
        let mut runs = self.db.recent_runs(&ids, RECENT).await?;
        let with_runs = |hook: Hook| {
            let runs = runs.remove(&hook.id).unwrap_or_default();
            (hook, runs)
        };
        Ok(hooks.into_iter().map(with_runs).collect())
    }

    /// How a hook that the caller was given is called.
    pub async fn call_guide(&self, hook: &Hook) -> Result<CallGuide> {
        let facts = self.facts(hook.clone()).await?;
        let contract = facts.contract.as_ref();
        Ok(CallGuide {
            form: contract.map(|contract| openapi::form(contract, &hook.params)),
            snippets: openapi::snippets(&self.url(hook), contract, &hook.params),
            title: facts.about.title,
            text: facts.about.text,
            callbacks: facts.callbacks,
        })
    }

    /// What is different between the notebooks of two versions.
    ///
    /// # Errors
    /// `NotFound`, if the hook is not the caller's or has no such version.
    pub async fn version_diff(&self, caller: &Caller, id: HookId, from: Histo, to: Histo) -> Result<Diff> {
        let hook = self.hook(caller, id).await?;
        for histo in [&from, &to] {
            self.version(caller, id, histo).await?;
        }
        let notebooks = self.notebooks.clone();
        on_disk(&self.files, move |files| {
            let (before, after) = (notebooks.get(files, &hook, &from)?, notebooks.get(files, &hook, &to)?);
            Ok::<_, super::Error>(Diff::of(&before, &after))
        })
        .await
    }
}
