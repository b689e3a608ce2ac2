//! The declared callbacks of one run: those that its notebook sends, and those that go out with its end.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::of_call::Wanted;
use crate::expression::{Response, Unresolved};
use crate::model::{CallbackMethod, NextUrl, RunId, RunState, SigningSecret, Trigger, is_too_deep};
use crate::notebook::{Secrets, mask_value};
use crate::response::{Answer, Callback, Content};
use crate::service::attempt::Run;
use crate::service::ending::Ending;
use crate::service::prepare::Prepared;
use crate::service::{Result, Service};
use crate::store::NewDeclared;

/// How many callbacks a notebook may send in one attempt.
pub(in crate::service) const MOST: usize = 100;
/// Largest body, in bytes of JSON.
const LARGEST: usize = 256 << 10;

/// What was sent in a run, all its attempts together: what an attempt sends once more is not sent twice.
#[derive(Debug, Default)]
pub(in crate::service) struct Sent {
    /// How often, by name.
    times: HashMap<String, usize>,
    /// What its owner should know, a sentence each.
    warnings: Vec<String>,
}

/// What the notebook has sent in this attempt.
#[derive(Debug, Default)]
pub(in crate::service) struct Calls {
    count: usize,
    times: HashMap<String, usize>,
    /// What has to wait for the answer.
    waiting: Vec<Callback>,
}

impl Sent {
    /// What servers before this one sent.
    pub(in crate::service) fn before(times: HashMap<String, usize>) -> Self {
        Self { times, warnings: Vec::new() }
    }

    /// Says something once.
    fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) && self.warnings.len() < MOST {
            self.warnings.push(warning);
        }
    }
}

impl Service {
    /// Sends what the notebook sends, if it can be sent before the run's end.
    pub(in crate::service) async fn call_back(&self, run: &mut Run, prepared: &mut Prepared, mut callback: Callback) {
        let Some(nth) = note(run, prepared, &callback) else { return };
        mask_value(&mut callback.body, &run.live.masks.texts());
        let of_name = || prepared.callbacks.iter().filter(|one| one.declared.name == callback.name);
        let waits = of_name().any(|one| one.to.needs_response());
        let is_new = nth > run.sent.times.get(&callback.name).copied().unwrap_or_default();
        if is_new {
            let now = of_name().filter(|one| !one.to.needs_response());
            let ready: Vec<_> = now.filter_map(|one| Some((one, one.to.url_now().ok()?))).collect();
            match self.send_now(run.order.id, prepared, &ready, &callback.body).await {
                Ok(()) => drop(run.sent.times.insert(callback.name.clone(), nth)),
                Err(error) => {
                    tracing::error!(%error, "cannot queue a declared callback");
                    run.sent.warn(format!("the callback `{}` could not be sent", callback.name));
                }
            }
        }
        if waits {
            prepared.calls.waiting.push(callback);
        }
    }

    async fn send_now(&self, id: RunId, of: &Prepared, ready: &[(&Wanted, String)], body: &Value) -> Result<()> {
        if ready.is_empty() {
            return Ok(());
        }
        let secrets = self.secrets_of(of).await?;
        let new: Vec<_> = ready.iter().map(|(one, url)| declared(one, url.clone(), body.clone(), &secrets)).collect();
        Ok(self.db.call_back(id, &new, self.clock.now()).await?)
    }

    /// What goes out with the end of a run that succeeded: what waited for the answer, and the answer itself where the notebook has
    /// sent nothing. Warnings go to the ending.
    pub(in crate::service) async fn call_back_at_end(&self, run: &mut Run, prepared: &Prepared, ending: &mut Ending) {
        if let (RunState::Succeeded, Trigger::Schedule, Some(url)) =
            (ending.state(), run.order.trigger, &prepared.hook.params.next_url)
        {
            ending.declared.push(visit(run.order.id, url));
        }
        match ending.state() {
            RunState::Succeeded if prepared.callbacks.is_empty() => {}
            RunState::Succeeded => self.add_rest(run, prepared, ending).await,
            _ => {
                for Callback { name, .. } in &prepared.calls.waiting {
                    run.sent
                        .warn(format!("the callback `{name}` was not sent: it needs an answer, and the run failed"));
                }
            }
        }
        ending.warnings.append(&mut run.sent.warnings);
    }

    async fn add_rest(&self, run: &Run, prepared: &Prepared, ending: &mut Ending) {
        let answer = answer_of(run.order.id, ending, &run.live.masks.texts());
        let due = due(run, prepared, &answer);
        if due.is_empty() {
            return;
        }
        match self.secrets_of(prepared).await {
            Ok(secrets) => add_due(&due, &secrets, prepared, ending),
            Err(error) => {
                tracing::error!(%error, "cannot sign declared callbacks");
                ending.warnings.push("the callbacks could not be sent".to_owned());
            }
        }
    }

    async fn secrets_of(&self, of: &Prepared) -> Result<Vec<SigningSecret>> {
        let keys = self.db.callback_keys(of.hook.id).await?;
        Ok(keys.map(|keys| keys.at(self.clock.now()).into_iter().cloned().collect()).unwrap_or_default())
    }
}

/// What is to be sent with the end, and with which body.
fn due<'a>(run: &Run, prepared: &'a Prepared, answer: &'a Value) -> Vec<(&'a Wanted, &'a Value)> {
    let mut due = Vec::new();
    for callback in &prepared.calls.waiting {
        let of_name = prepared.callbacks.iter().filter(|one| one.declared.name == callback.name);
        due.extend(of_name.filter(|one| one.to.needs_response()).map(|one| (one, &callback.body)));
    }
    let done = |name: &String| run.sent.times.contains_key(name) || prepared.calls.times.contains_key(name);
    due.extend(prepared.callbacks.iter().filter(|one| !done(&one.declared.name)).map(|one| (one, answer)));
    due
}

fn add_due(due: &[(&Wanted, &Value)], secrets: &[SigningSecret], of: &Prepared, ending: &mut Ending) {
    let response = Answered::of(ending, of.hook.params.next_url.as_ref().map(NextUrl::as_str));
    for (one, body) in due {
        match response.url(one) {
            Ok(Some(url)) => ending.declared.push(declared(one, url, (*body).clone(), secrets)),
            Ok(None) => {}
            Err(error) => {
                ending.warnings.push(format!("the callback `{}` was not sent: {error}", one.declared.name));
            }
        }
    }
}

/// Counts a call of the notebook's: the how manieth of its name it is. None: it is not to be sent.
fn note(run: &mut Run, prepared: &mut Prepared, callback: &Callback) -> Option<usize> {
    let Callback { name, body } = callback;
    let declared = run.order.version.callbacks.as_ref();
    if declared.is_none_or(|declared| declared.named(name).next().is_none()) {
        let shown: String = name.chars().take(100).collect();
        run.sent.warn(format!("the notebook sent the callback `{}`, which is not declared", shown.escape_debug()));
        return None;
    }
    let calls = &mut prepared.calls;
    calls.count += 1;
    if calls.count > MOST {
        run.sent.warn(format!("the notebook sent more than {MOST} callbacks; the others were not sent"));
        return None;
    }
    let nth = calls.times.entry(name.clone()).or_default();
    *nth += 1;
    if body.to_string().len() > LARGEST {
        let kib = LARGEST >> 10;
        run.sent.warn(format!("the callback `{name}` was not sent: its body is larger than {kib} KiB"));
        return None;
    }
    if is_too_deep(body) {
        run.sent.warn(format!("the callback `{name}` was not sent: its body is nested too deep"));
        return None;
    }
    Some(*nth)
}

/// A run that no caller can be sent on from `next_url` goes there itself.
fn visit(run: RunId, url: &NextUrl) -> NewDeclared {
    NewDeclared {
        name: "next_url".to_owned(),
        url: url.as_str().to_owned(),
        method: CallbackMethod::Get,
        body: json!({"run": run, "state": RunState::Succeeded}),
        expects: None,
        secrets: Vec::new(),
    }
}

fn declared(one: &Wanted, url: String, body: Value, secrets: &[SigningSecret]) -> NewDeclared {
    NewDeclared {
        name: one.declared.name.clone(),
        url,
        method: one.declared.method,
        body,
        expects: one.declared.response.clone(),
        secrets: secrets.to_vec(),
    }
}

/// What is sent if the notebook sends nothing: its answer, or that there is another one.
fn answer_of(run: RunId, ending: &Ending, secrets: &Secrets) -> Value {
    let told = json!({"run": run, "state": RunState::Succeeded});
    let is_fit = |answer: &Value| !is_too_deep(answer) && answer.to_string().len() <= LARGEST;
    let mut answer = ending.answer.as_ref().and_then(json_of).filter(is_fit);
    if let Some(answer) = &mut answer {
        mask_value(answer, secrets);
    }
    answer.unwrap_or(told)
}

fn json_of(answer: &Answer) -> Option<Value> {
    match &answer.content {
        Content::Bytes { media_type, body } if media_type == "application/json" => serde_json::from_slice(body).ok(),
        _ => None,
    }
}

/// What the caller of the run was answered.
struct Answered {
    status: u16,
    headers: Vec<(String, String)>,
    body: Option<Value>,
}

impl Answered {
    fn of(ending: &Ending, next_url: Option<&str>) -> Self {
        let answer = ending.answer.as_ref();
        let (status, media_type) = ending.answered.clone().unwrap_or((200, None));
        let own = answer.iter().flat_map(|answer| &answer.headers);
        let mut headers: Vec<_> = own.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        headers.extend(media_type.map(|media_type| ("content-type".to_owned(), media_type)));
        headers.extend(next_url.map(|url| ("location".to_owned(), url.to_owned())));
        Self { status, headers, body: answer.and_then(json_of) }
    }

    fn url(&self, of: &Wanted) -> Result<Option<String>, Unresolved> {
        of.to.url(&Response { status: self.status, headers: &self.headers, body: self.body.as_ref() })
    }
}
