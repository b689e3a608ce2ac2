//! The executor that starts a kernel process for every run, from any kernelspec.

use std::os::fd::OwnedFd;

use async_trait::async_trait;

use super::connection::Connection;
use super::live::Kernel;
use super::process::{Process, command};
use super::tail::Tail;
use super::{Execution, Executor, Job, KernelCommand, Leaving, StartError};
use crate::clock::SharedClock;

/// Runs every job in a kernel process of its own.
#[derive(Debug)]
pub struct SpawnExecutor {
    clock: SharedClock,
}

impl SpawnExecutor {
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self { clock }
    }
}

#[async_trait]
impl Executor for SpawnExecutor {
    async fn execute(&self, job: Job) -> Result<(Execution, Leaving), StartError> {
        let connection = Connection::create(self.clock.clone())?;
        let (process, tail) = spawn(&job, &connection).await?;
        let kernel = Kernel::meet(process, tail, connection, job.limits.output_bytes, job.limits.start).await?;
        Ok(kernel.run(&job, &self.clock).await)
    }
}

async fn spawn(job: &Job, connection: &Connection) -> Result<(Process, Tail), StartError> {
    let KernelCommand { argv, env, .. } = &job.kernel;
    let file = connection.file();
    let mut words = argv.iter().map(|word| word.replace("{connection_file}", &file.to_string_lossy()));
    let program = words.next().unwrap_or_default();
    let command = command(&program)
        .args(words)
        .current_dir(&job.workdir)
        .envs(env.iter().chain(&job.env).map(|(name, value)| (name, value)))
        .limited(job.limits.resources)
        .run(job.run);
    let mut process = Process::spawn(command).await.map_err(|source| StartError::Spawn { program, source })?;
    let pipes = [process.stdout.take().map(OwnedFd::from), process.stderr.take().map(OwnedFd::from)];
    let tail = Tail::of(pipes.into_iter().flatten())?;
    Ok((process, tail))
}
