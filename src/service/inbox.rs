//! Inboxes: making, reading and removing them, and what is sent to them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep_until};

use super::{Error, Result, Service};
use crate::model::{Caller, Capture, Inbox, InboxId, InboxSetup, Invalid, Owner, Page, Role, UserId, hops};
use crate::response::HeaderRule;
use crate::store::{InboxReply, NewCapture};

/// Most headers that an inbox answers with.
const MOST_HEADERS: usize = 50;
/// Longest value of one, in bytes.
const LONGEST_HEADER: usize = 4_096;
/// Inboxes that go in one transaction.
const MANY: u32 = 500;

/// An inbox that is wished for.
#[derive(Debug)]
pub struct NewInbox {
    pub setup: InboxSetup,
    /// Whose it is to be; only admins may name another user.
    pub user: Option<Owner>,
    /// Its id; only admins may choose one.
    pub id: Option<InboxId>,
}

/// Which inboxes are meant.
#[derive(Debug, Clone, Copy)]
struct Which<'a> {
    caller: &'a Caller,
    id: &'a InboxId,
    user: Option<UserId>,
}

impl Service {
    pub async fn create_inbox(&self, caller: &Caller, new: NewInbox) -> Result<Inbox> {
        let (owner, owner_name) = self.owner(caller, "user", new.user.as_ref()).await?;
        if new.id.is_some() && caller.role != Role::Admin {
            return Err(Error::Forbidden("only an admin may choose the uuid of an inbox".to_owned()));
        }
        let mut setup = new.setup;
        setup.response_headers = setup.response_headers.map(checked).transpose()?;
        let id = match new.id {
            Some(id) => id,
            None => InboxId::from_random(self.random.bits160()?),
        };
        let now = self.clock.now();
        let (received, capture, received_at) = (0, None, None);
        let inbox =
            Inbox { id, owner, owner_name, setup, received, capture, received_at, created_at: now, used_at: now };
        let most = self.settings.inbox.limit;
        if self.db.create_inbox(&inbox, most).await? {
            Ok(inbox)
        } else {
            Err(Error::Forbidden(format!("a user may have {most} inboxes at most: delete some of them")))
        }
    }

    /// The caller's inboxes, the named user's, or everyone's for an admin who names nobody; without what they keep.
    pub async fn inboxes(&self, caller: &Caller, user: Option<&Owner>, page: Page) -> Result<Vec<Inbox>> {
        Ok(self.db.inboxes(self.scope(caller, "user", user).await?, page).await?)
    }

    /// Reads an inbox; for so long waits until something is sent to it. Of several readers of one that is to go once it was
    /// read, one has it.
    pub async fn read_inbox(
        &self,
        caller: &Caller,
        id: &InboxId,
        user: Option<&Owner>,
        wait: Duration,
    ) -> Result<Inbox> {
        let which = self.which(caller, id, user).await?;
        let until = Instant::now() + wait;
        let mut watch = self.captures.watch(id); // before the first look
        loop {
            let inbox = self.named_inbox(which).await?;
            if inbox.received > 0 {
                return self.read(inbox).await;
            }
            tokio::select! {
                () = watch.news() => {}
                () = sleep_until(until) => return self.read(self.named_inbox(which).await?).await,
                () = self.parking.cancelled() => return self.read(inbox).await,
            }
        }
    }

    /// An inbox with what it keeps, which stays there.
    pub async fn look_into_inbox(&self, caller: &Caller, id: &InboxId) -> Result<Inbox> {
        let inbox = self.named_inbox(Which { caller, id, user: None }).await?;
        let found = self.db.received(id).await?.ok_or_else(not_found)?;
        Ok(Inbox { received: found.received, capture: found.capture, received_at: found.received_at, ..inbox })
    }

    pub async fn delete_inbox(&self, caller: &Caller, id: &InboxId, user: Option<&Owner>) -> Result<()> {
        self.named_inbox(self.which(caller, id, user).await?).await?;
        if !self.with_reserve(|| self.db.delete_inbox(id)).await? {
            return Err(not_found());
        }
        self.captures.tell(id);
        Ok(())
    }

    /// Whether anything may be sent there.
    pub async fn has_inbox(&self, id: &InboxId) -> Result<bool> {
        Ok(self.db.has_inbox(id).await?)
    }

    /// Keeps what was sent to an inbox; it is on disk when this has ended. Gives what to answer.
    pub async fn capture(&self, id: InboxId, capture: &Capture) -> Result<InboxReply> {
        let headers = capture.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
        let hops = hops(headers).ok_or(Error::Loop)?;
        let new = NewCapture::new(id, capture, hops, self.clock.now())?;
        let mut reply = self.captures.store(new).await?.ok_or_else(not_found)?;
        reply.headers.retain(|(name, value)| HeaderRule::allows(name, value)); // inboxes of older servers have others
        Ok(reply)
    }

    /// Removes inboxes that nobody has read for long; gives their number.
    pub(super) async fn remove_unread_inboxes(
        &self,
        owner: Option<UserId>,
        dry_run: bool,
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let days = self.settings.inbox.days;
        if days == 0 {
            return Ok(0);
        }
        let then = now - chrono::Duration::days(days.into());
        if dry_run {
            return Ok(self.db.unread_inboxes(owner, then).await?);
        }
        let mut removed = 0;
        loop {
            let gone = self.with_reserve(|| self.db.remove_unread_inboxes(owner, then, MANY)).await?;
            if gone.is_empty() {
                return Ok(removed);
            }
            removed += gone.len() as u64;
            for id in &gone {
                self.captures.tell(id);
            }
        }
    }

    async fn which<'a>(&self, caller: &'a Caller, id: &'a InboxId, user: Option<&Owner>) -> Result<Which<'a>> {
        let user = match user {
            Some(_) => Some(self.owner(caller, "user", user).await?.0),
            None => None,
        };
        Ok(Which { caller, id, user })
    }

    async fn named_inbox(&self, which: Which<'_>) -> Result<Inbox> {
        let found = self.db.inbox(which.id).await?.filter(|inbox| which.caller.may_touch(inbox.owner));
        found.filter(|inbox| which.user.is_none_or(|user| user == inbox.owner)).ok_or_else(not_found)
    }

    async fn read(&self, inbox: Inbox) -> Result<Inbox> {
        let now = self.clock.now();
        if now - inbox.used_at >= chrono::Duration::hours(1) {
            self.with_reserve(|| self.db.use_inbox(&inbox.id, now)).await?;
        }
        if inbox.received == 0 {
            return Ok(inbox); // whatever came meanwhile: it has to go with the read that gives it
        }
        let found = if inbox.setup.auto_delete {
            let taken = self.with_reserve(|| self.db.take_inbox(&inbox.id)).await?;
            self.captures.tell(&inbox.id);
            taken
        } else {
            self.db.received(&inbox.id).await?
        };
        let found = found.ok_or_else(not_found)?;
        Ok(Inbox { received: found.received, capture: found.capture, received_at: found.received_at, ..inbox })
    }
}

fn not_found() -> Error {
    Error::NotFound("inbox")
}

/// Headers that an inbox may answer with, their values as text.
fn checked(headers: Map<String, Value>) -> Result<Map<String, Value>, Invalid> {
    if headers.len() > MOST_HEADERS {
        return Err(Invalid::new("response_headers", format!("has more than {MOST_HEADERS} headers")));
    }
    headers.into_iter().map(|(name, value)| checked_header(name, &value)).collect()
}

fn checked_header(name: String, value: &Value) -> Result<(String, Value), Invalid> {
    let refuse = |message: &str| Err(Invalid::new(format!("response_headers.{}", name.escape_debug()), message));
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => return refuse("must be text"),
    };
    match HeaderRule::of(&name, &text) {
        _ if text.len() > LONGEST_HEADER => refuse("is too long"),
        HeaderRule::Illegal => refuse("has a name or a value that is not legal in HTTP"),
        HeaderRule::Reserved => refuse("is the server's own to set: leave it out"),
        HeaderRule::Allowed => Ok((name, text.into())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn headers(value: Value) -> Result<Value, Invalid> {
        let Value::Object(map) = value else { panic!("no object") };
        checked(map).map(Value::Object)
    }

    #[test]
    fn headers_that_would_break_an_answer_are_refused_by_name() {
        let good = headers(json!({"toto": "tata", "X-Number": 3, "x-yes": true, "content-type": "text/html"})).unwrap();
        assert_eq!(good, json!({"toto": "tata", "X-Number": "3", "x-yes": "true", "content-type": "text/html"}));
        for (name, value) in [
            ("a", json!("b\r\nset-cookie: c=d")),
            ("a", json!("b\nc")),
            ("a\r\nb", json!("c")),
            ("a b", json!("c")),
            ("", json!("c")),
            ("a", json!("é")),
            ("a", json!(null)),
            ("a", json!(["b"])),
            ("a", json!("x".repeat(5_000))),
            ("Set-Cookie", json!("a=b")),
            ("Content-Length", json!(0)),
            ("content-security-policy", json!("none")),
            ("X-Nbhook-Run", json!("1")),
        ] {
            let refused = headers(json!({ name: value })).unwrap_err();
            assert!(refused.field.starts_with("response_headers."), "{refused}");
        }
        let many: Map<String, Value> = (0..51).map(|number| (format!("a{number}"), json!("b"))).collect();
        assert_eq!(headers(many.into()).unwrap_err().field, "response_headers");
    }
}
