//! Answers that may be asked for again: those of asynchronous runs, and of calls with an `Idempotency-Key`.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::attempt::internal;
use super::reply::{Content, Reply, ReplyBody};
use super::{Error, OpenFile, Result, Service, on_disk};
use crate::model::RunId;
use crate::store::Files;

/// A reply as it is kept; a body of bytes or a file is beside it.
#[derive(Debug, Serialize, Deserialize)]
struct Kept<B> {
    body: B,
    beside: Option<Beside>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Beside {
    Bytes,
    File,
}

impl Service {
    /// Keeps a reply that is given now, and gives it back as whoever asks again will get it. One that cannot be kept is not lost.
    pub(super) async fn keep_reply(&self, run: RunId, mut body: ReplyBody, now: DateTime<Utc>) -> ReplyBody {
        let written = on_disk(&self.files, move |files| {
            let beside = put_beside(files, run, &mut body);
            Ok::<_, Error>((body, beside))
        });
        let (body, beside) = match written.await {
            Ok(written) => written,
            Err(error) => {
                tracing::error!(%error, "the answer is lost");
                return ReplyBody::Failed(internal("the answer could not be kept"));
            }
        };
        if let Err(error) = self.record_reply(run, &body, beside, now).await {
            tracing::error!(%error, "cannot keep the answer");
        }
        body
    }

    async fn record_reply(
        &self,
        run: RunId,
        body: &ReplyBody,
        beside: Result<Option<Beside>>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let kept = Kept { body, beside: beside? };
        let text = serde_json::to_string(&kept).map_err(|error| Error::Internal(error.to_string()))?;
        self.with_reserve(|| self.db.keep_answer(run, &text, now, now + self.answers_stay())).await
    }

    /// What a run answered, if that is still kept.
    pub(super) async fn kept_reply(&self, run: RunId) -> Result<Option<Reply>> {
        let Some((text, at)) = self.db.answer(run, self.clock.now()).await? else { return Ok(None) };
        let kept: Kept<ReplyBody> = serde_json::from_str(&text).map_err(|error| Error::Internal(error.to_string()))?;
        let Kept { mut body, beside } = kept;
        if let (Some(beside), ReplyBody::Answer { content, .. }) = (beside, &mut body) {
            let found = on_disk(&self.files, move |files| {
                Ok::<_, Error>(match beside {
                    Beside::Bytes => files.answer(run)?.map(Content::Bytes),
                    Beside::File => {
                        files.file_answer(run)?.map(|(file, _)| OpenFile::read(file)).transpose()?.map(Content::File)
                    }
                })
            });
            let Some(found) = found.await? else { return Ok(None) };
            *content = found;
        }
        Ok(Some(Reply::new(run, body, at)))
    }

    /// How long answers are kept.
    pub(super) fn answers_stay(&self) -> Duration {
        Duration::hours(i64::from(self.settings.idempotency_hours))
    }
}

fn put_beside(files: &Files, run: RunId, body: &mut ReplyBody) -> Result<Option<Beside>> {
    let ReplyBody::Answer { content, .. } = body else { return Ok(None) };
    Ok(Some(match content {
        Content::Bytes(bytes) => {
            files.keep_answer(run, bytes)?;
            Beside::Bytes
        }
        Content::File(open) => {
            open.file = files.keep_file_answer(run, &open.file)?.0; // the same bytes
            Beside::File
        }
    }))
}
