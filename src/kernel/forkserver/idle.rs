//! A forked kernel that is ready but for its job.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::super::connection::Connection;
use super::super::live::Kernel;
use super::super::process::{RUN_MARK, Resources};
use super::super::session::Session;
use super::super::wire::Codec;
use super::super::{Job, StartError};
use super::template::{Forked, Template, TemplateError};
use crate::clock::SharedClock;

/// How long a forked kernel may take to answer. It needs some 60 ms; after this a new one is spawned, which takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a forked kernel is not there. A lowercase fragment.
#[derive(Debug, thiserror::Error)]
pub(super) enum ForkError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot tell the kernel its job: {0}")]
    Io(#[from] std::io::Error),
    #[error("the kernel said `{0}` instead of `{1}`")]
    Unexpected(String, &'static str),
    #[error("the kernel did not answer within {0:?}")]
    Timeout(Duration),
}

/// A kernel that waits for its job. Dropping it kills it.
pub(super) struct Idle {
    kernel: Kernel,
    control: BufReader<UnixStream>,
    output_limit: usize,
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Idle").field(&self.kernel.process.id()).finish()
    }
}

impl Idle {
    /// Forks a kernel and connects to it.
    pub(super) async fn start(template: &Template, output_limit: usize, clock: SharedClock) -> Result<Self, ForkError> {
        let Forked { process, control, tail, direct } = template.fork().await?;
        let mut control = BufReader::new(control);
        if let Some((socket, language_info)) = direct {
            expect(&mut control, "S").await?;
            let codec = Codec::unsigned(uuid::Uuid::new_v4().to_string(), clock);
            let session = Session::over(socket, codec, output_limit);
            let kernel = Kernel::new(process, tail, session, Some(language_info), None);
            return Ok(Self { kernel, control, output_limit });
        }
        let connection = Connection::create(clock)?;
        control.write_all(format!("{}\n", connection.file().display()).as_bytes()).await?;
        expect(&mut control, "S").await?;
        let mut kernel = Kernel::meet(process, tail, connection, output_limit, PATIENCE).await?;
        let warm = timeout(PATIENCE, kernel.session.warm_up()).await.map_err(|_| ForkError::Timeout(PATIENCE))?;
        warm.map_err(|error| StartError::Protocol(error.to_string()))?;
        Ok(Self { kernel, control, output_limit })
    }

    /// Whether it still waits, and may be used for a job with this output limit.
    pub(super) fn serves(&self, output_limit: usize) -> bool {
        self.kernel.process.ended().is_none() && self.output_limit == output_limit
    }

    /// Gives it its job.
    pub(super) async fn take(mut self, job: &Job) -> Result<Kernel, ForkError> {
        let run = job.run.to_string();
        let env = job.kernel.env.iter().chain(&job.env).map(|(name, value)| (name.as_str(), value.as_str()));
        let env: BTreeMap<&str, &str> = env.chain([(RUN_MARK, run.as_str())]).collect();
        let Resources { memory_bytes, cpu_seconds, open_files } = job.limits.resources;
        let limits = json!({ "memory": memory_bytes, "cpu": cpu_seconds, "files": open_files });
        let message = json!({ "cwd": job.workdir, "env": env, "limits": limits });
        // From now on there may be processes with the mark of the run.
        self.kernel.process.belongs_to(job.run);
        self.control.write_all(format!("{message}\n").as_bytes()).await?;
        expect(&mut self.control, "J").await?;
        Ok(self.kernel)
    }
}

/// Reads the kernel's next line.
async fn expect(control: &mut BufReader<UnixStream>, expected: &'static str) -> Result<(), ForkError> {
    let mut line = String::new();
    timeout(PATIENCE, control.read_line(&mut line)).await.map_err(|_| ForkError::Timeout(PATIENCE))??;
    let line = line.trim_end();
    if line == expected { Ok(()) } else { Err(ForkError::Unexpected(line.to_owned(), expected)) }
}
