//! The OpenAPI documents of the API and of hooks.

use serde_json::Value;

use super::{Error, Result, Service, on_disk};
use crate::model::{Answered, Caller, Contract, DeclaredCallbacks, Hook, HookToken, Page};
use crate::notebook::About;
use crate::openapi::{Described, Document};

/// Most hooks in the document of the API.
const MOST_HOOKS: u32 = 100;
/// How many are read at once.
const PAGE: u32 = 50;

/// What is told of a hook.
pub(super) struct Facts {
    hook: Hook,
    pub(super) contract: Option<Contract>,
    pub(super) callbacks: Option<DeclaredCallbacks>,
    pub(super) about: About,
    answered: Vec<Answered>,
}

impl Facts {
    fn described(&self) -> Described<'_> {
        Described {
            hook: &self.hook,
            contract: self.contract.as_ref(),
            callbacks: self.callbacks.as_ref(),
            title: self.about.title.as_deref(),
            text: self.about.text.as_deref(),
            answered: &self.answered,
        }
    }
}

impl Service {
    /// The document of the API; with the hooks of its caller, the newest if there are very many.
    pub async fn api_document(&self, caller: Option<&Caller>) -> Result<Value> {
        let mut document = Document::of_api();
        let Some(caller) = caller else { return Ok(document.into_json(&self.public_url)) };
        for offset in (0..MOST_HOOKS).step_by(PAGE as usize) {
            let page = Page { limit: PAGE, offset };
            let hooks = self.db.hooks(Some(caller.user), None, page).await?;
            let is_last = hooks.len() < PAGE as usize;
            for hook in hooks {
                document.add(&self.facts(hook).await?.described());
            }
            if is_last {
                break;
            }
        }
        Ok(document.into_json(&self.public_url))
    }

    /// The document of one hook, for whoever has its URL.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn hook_document(&self, token: &HookToken) -> Result<Value> {
        let facts = self.facts(self.called(token).await?).await?;
        Ok(Document::of_hook(&facts.described()).into_json(&self.public_url))
    }

    /// The hook that is called by a token.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn called(&self, token: &HookToken) -> Result<Hook> {
        self.db.hook_by_token(token).await?.ok_or(Error::NotFound("hook"))
    }

    /// What stands before every path of this server when it is reached at its public URL: nothing, unless a proxy adds it.
    pub fn public_path(&self) -> &str {
        let rest = self.public_url.split_once("://").map_or("", |(_, rest)| rest);
        rest.find('/').map_or("", |at| &rest[at..])
    }

    /// A hook whose notebook cannot be read now, as when it is being deleted, is told of without the notebook's words.
    pub(super) async fn facts(&self, hook: Hook) -> Result<Facts> {
        let version = self.db.version(hook.id, &hook.histo).await?;
        let (contract, callbacks) = version.map(|version| (version.contract, version.callbacks)).unwrap_or_default();
        let answered = self.db.answered(hook.id).await?;
        let (of, notebooks) = (hook.clone(), self.notebooks.clone());
        let notebook = on_disk(&self.files, move |files| notebooks.get(files, &of, &of.histo)).await;
        let about = notebook.map(|notebook| About::of(&notebook)).unwrap_or_default();
        Ok(Facts { hook, contract, callbacks, about, answered })
    }
}
