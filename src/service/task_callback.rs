//! `callbackUrl` of a call that is not waited for: its caller is told of the run's end there.

use serde_json::Value;

use super::call::Order;
use super::request::{Body, Call};
use super::{Result, Service, reply};
use crate::model::{
    Contract, Invalid, Mode, RunId, Subscription, SubscriptionId, SubscriptionKind, SubscriptionMode,
    SubscriptionStatus, Trigger, event, is_json,
};

const NAME: &str = "callbackUrl";

impl Service {
    /// What tells a run's caller of its end, if they wish for it. The notebook gets the wish only if it declares a parameter
    /// of that name.
    pub(super) async fn task_callback(&self, order: &mut Order) -> Result<Option<Subscription>> {
        let (Mode::Async, Trigger::Http, Some(call)) = (order.mode, order.trigger, &mut order.call) else {
            return Ok(None);
        };
        let is_declared = order.version.contract.as_ref().is_some_and(declares);
        let Some(url) = wished(call, is_declared)? else { return Ok(None) };
        Ok(Some(Subscription {
            id: SubscriptionId::new(),
            owner: order.hook.owner,
            kind: SubscriptionKind::Task,
            mode: SubscriptionMode::Once,
            status: SubscriptionStatus::Active,
            target: self.receiver(url).await?,
            run: Some(order.id),
            tags: Vec::new(),
            filters: Vec::new(),
            matched: 0,
            expires_at: None,
            created_at: self.clock.now(),
            ended_at: None,
        }))
    }

    /// What a run answered, for those who are told of its end: JSON that is not large, as its caller may fetch it.
    pub(super) async fn told_result(&self, run: RunId) -> Option<Value> {
        match self.result_of(run).await {
            Ok(result) => result,
            Err(error) => {
                tracing::error!(%error, "cannot send along what a run answered");
                None
            }
        }
    }

    async fn result_of(&self, run: RunId) -> Result<Option<Value>> {
        if self.db.task_subscription(run).await?.is_none() {
            return Ok(None);
        }
        let reply = self.kept_reply(run).await?;
        Ok(reply.and_then(|reply| match reply.body {
            reply::ReplyBody::Answer { media_type, content: reply::Content::Bytes(bytes), .. }
                if is_json(&media_type) && bytes.len() <= event::LARGEST_RESULT =>
            {
                serde_json::from_slice(&bytes).ok()
            }
            _ => None,
        }))
    }
}

fn declares(contract: &Contract) -> bool {
    contract.parameters().any(|parameter| parameter.name == NAME)
}

/// The URL that a call has in its JSON object, or in its query. It is taken out unless the notebook is to have it too.
fn wished(call: &mut Call, is_declared: bool) -> Result<Option<String>, Invalid> {
    let in_query: Vec<String> =
        call.query.iter().filter(|(name, _)| name == NAME).map(|(_, url)| url.clone()).collect();
    let in_body = match &call.body {
        Body::Json(Value::Object(fields)) => fields.get(NAME).cloned(),
        _ => None,
    };
    if !is_declared {
        call.query.retain(|(name, _)| name != NAME);
        if let Body::Json(Value::Object(fields)) = &mut call.body {
            fields.remove(NAME);
        }
    }
    match (in_body, in_query.as_slice()) {
        (Some(Value::String(url)), _) => Ok(Some(url)),
        (None | Some(Value::Null), []) => Ok(None),
        (None | Some(Value::Null), [url]) => Ok(Some(url.clone())),
        (Some(_), _) => Err(Invalid::new(NAME, "must be a URL")),
        (_, [..]) => Err(Invalid::new(NAME, "must be there once")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(query: &[&str], body: Body) -> Call {
        let query = query.iter().map(|url| (NAME.to_owned(), (*url).to_owned()));
        let query = query.chain([("n".to_owned(), "1".to_owned())]).collect();
        Call { method: "POST".to_owned(), query, headers: Vec::new(), body, raw_body: None, room: None }
    }

    #[test]
    fn the_url_is_taken_out_of_query_and_body() {
        let mut both = call(&["https://a.example"], Body::Json(json!({NAME: "https://b.example", "x": 1})));
        assert_eq!(wished(&mut both, false).unwrap().as_deref(), Some("https://b.example"), "JSON goes over the query");
        assert_eq!(both.query, [("n".to_owned(), "1".to_owned())]);
        assert!(matches!(&both.body, Body::Json(value) if *value == json!({"x": 1})));
        let mut declared = call(&["https://a.example"], Body::Json(json!({NAME: null})));
        assert_eq!(wished(&mut declared, true).unwrap().as_deref(), Some("https://a.example"));
        assert_eq!(declared.query.len(), 2);
        assert_eq!(wished(&mut call(&[], Body::Json(json!([NAME]))), false).unwrap(), None);
        let form = Body::Form(vec![(NAME.to_owned(), "https://a.example".to_owned())]);
        assert_eq!(wished(&mut call(&[], form), false).unwrap(), None);
    }

    #[test]
    fn what_is_no_single_text_is_refused() {
        for mut bad in [
            call(&["https://a.example", "https://b.example"], Body::Empty),
            call(&[], Body::Json(json!({NAME: 1}))),
            call(&["https://a.example"], Body::Json(json!({NAME: ["https://b.example"]}))),
        ] {
            assert_eq!(wished(&mut bad, false).unwrap_err().field, NAME);
        }
    }
}
