//! Executing the cells of a job in a kernel that answers, until one fails or something ends the run.

use std::pin::Pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::time::{Sleep, sleep, timeout};

use super::collect::Collector;
use super::limits::Exceeded;
use super::live::Kernel;
use super::process::Exit;
use super::session::{Event, Exchange};
use super::{CodeCell, ExecutedCell, Happening, Job, Observer, Outcome};
use crate::clock::SharedClock;

/// How long an interrupted kernel may take to say where it was. An idle Python kernel needs some 20 ms; the caller of a run
/// that took too long waits no longer than this.
const INTERRUPT_GRACE: Duration = Duration::from_millis(300);
/// How long the end of a kernel's process and the end of its publications may lie apart.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What ends a run in the middle of a cell.
enum Stop {
    Timeout,
    Died(Exit),
    OutputTooLarge,
    Exceeded(Exceeded),
    Broken(String),
}

/// What came of the cells, as in [`super::Execution`].
pub(super) struct Ran {
    pub(super) cells: Vec<ExecutedCell>,
    pub(super) outcome: Outcome,
    pub(super) widgets: Option<Value>,
}

/// A cell that was begun.
struct Timed {
    index: usize,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    failed: bool,
}

/// Runs the job's cells in order. Blank cells are passed over, as nbclient does.
pub(super) async fn run(kernel: &mut Kernel, job: &Job, clock: &SharedClock) -> Ran {
    let exceeded = Box::pin(job.limits.exceeded(kernel.process.id()));
    let wall = Box::pin(sleep(job.limits.wall));
    let observer = job.observer.as_deref();
    let mut run = Run { kernel, collector: Collector::default(), wall, exceeded, observer };
    let mut times: Vec<Timed> = Vec::new();
    let mut outcome = Outcome::Succeeded;
    for cell in job.cells.iter().filter(|cell| !cell.source.trim().is_empty()) {
        let started = clock.now();
        run.tell(Happening::CellBegan { cell: cell.index });
        let end = run.cell(cell).await;
        let failed = end.as_ref().map_or(true, |reply| error_in(reply, cell).is_some());
        times.push(Timed {
            index: cell.index,
            started_at: started,
            finished_at: end.is_ok().then(|| clock.now()),
            failed,
        });
        run.tell(Happening::CellEnded { cell: cell.index, failed });
        match end {
            Ok(reply) => {
                if let Some(error) = error_in(&reply, cell) {
                    outcome = error;
                    break;
                }
            }
            Err(stop) => {
                outcome = run.stopped(stop, cell.index, job).await;
                break;
            }
        }
    }
    let (outputs, widgets) = run.collector.finish();
    let cells =
        times.into_iter().zip(outputs).map(|(Timed { index, started_at, finished_at, failed }, cell)| ExecutedCell {
            index,
            execution_count: cell.execution_count,
            outputs: cell.outputs,
            started_at,
            finished_at,
            failed,
        });
    Ran { cells: cells.collect(), outcome, widgets }
}

struct Run<'a> {
    kernel: &'a mut Kernel,
    collector: Collector,
    /// Elapses when the run has had its time.
    wall: Pin<Box<Sleep>>,
    /// Ends when its processes use too much together.
    exceeded: Pin<Box<dyn Future<Output = Exceeded> + Send + Sync + 'a>>,
    observer: Option<&'a dyn Observer>,
}

impl Run<'_> {
    fn tell(&self, happening: Happening<'_>) {
        if let Some(observer) = self.observer {
            observer.happened(happening);
        }
    }

    /// Executes a cell and gives the content of the kernel's reply.
    async fn cell(&mut self, cell: &CodeCell) -> Result<Value, Stop> {
        self.collector.begin_cell();
        let sent = self.kernel.session.execute(&cell.source, !cell.raises_exception).await;
        let mut exchange = match sent {
            Ok(exchange) => exchange,
            Err(error) => return Err(self.gone(&error.to_string()).await),
        };
        while !exchange.is_over() {
            let event = tokio::select! {
                biased;
                () = &mut self.wall => {
                    self.interrupt(&mut exchange, cell.index).await;
                    return Err(Stop::Timeout);
                }
                exceeded = &mut self.exceeded => return Err(Stop::Exceeded(exceeded)),
                event = self.kernel.session.event() => event,
                exit = self.kernel.process.wait() => {
                    self.listen_on(&mut exchange, cell.index, LAST_WORDS).await;
                    return Err(Stop::Died(exit));
                }
            };
            self.take(event, &mut exchange, cell.index).await?;
        }
        self.collector.end_cell();
        tracing::debug!(cell = cell.index, "the cell has run");
        Ok(exchange.reply.unwrap_or_default())
    }

    async fn take(&mut self, event: Event, exchange: &mut Exchange, cell: usize) -> Result<(), Stop> {
        match event {
            Event::Reply(reply) => exchange.replied(reply),
            Event::Published(message) if exchange.owns(&message) => {
                self.tell(Happening::Published { cell, kind: &message.kind, content: &message.content });
                if let Some(update) = self.collector.message(message) {
                    // A kernel that does not take it is dead or dying, which shows elsewhere.
                    let _ = self.kernel.session.tell_widget(&update.parent_header, &update.content).await;
                }
            }
            Event::OutputTooLarge => return Err(Stop::OutputTooLarge),
            Event::Broken(reason) => return Err(Stop::Broken(reason)),
            // Of an earlier cell, say from a thread it left: nbclient does not keep it either.
            Event::Published(_) => {}
            Event::Closed => return Err(self.gone("the kernel closed its channels").await),
        }
        Ok(())
    }

    /// Interrupts the cell and takes in what the kernel says to that.
    async fn interrupt(&mut self, exchange: &mut Exchange, cell: usize) {
        self.kernel.interrupt().await;
        self.listen_on(exchange, cell, INTERRUPT_GRACE).await;
    }

    /// Takes in what comes, until the exchange is over or nothing more comes.
    async fn listen_on(&mut self, exchange: &mut Exchange, cell: usize, patience: Duration) {
        let listen = async {
            while !exchange.is_over() {
                let event = self.kernel.session.event().await;
                if self.take(event, exchange, cell).await.is_err() {
                    return;
                }
            }
        };
        let _ = timeout(patience, listen).await;
    }

    /// What it means that the kernel is not there any more: most often that it has just died, which its process will tell.
    async fn gone(&self, symptom: &str) -> Stop {
        match timeout(LAST_WORDS, self.kernel.process.wait()).await {
            Ok(exit) => Stop::Died(exit),
            Err(_) => Stop::Broken(symptom.to_owned()),
        }
    }

    async fn stopped(&mut self, stop: Stop, cell: usize, job: &Job) -> Outcome {
        let cell = Some(cell);
        match stop {
            Stop::Timeout => Outcome::Timeout { cell, after: job.limits.wall },
            Stop::Died(exit) => self.kernel.death(&exit, cell).await,
            Stop::OutputTooLarge => Outcome::OutputTooLarge { cell, limit: job.limits.output_bytes },
            Stop::Exceeded(Exceeded::CpuTime(limit)) => Outcome::CpuTime { cell, limit: Some(limit) },
            Stop::Exceeded(Exceeded::Processes(limit)) => Outcome::TooManyProcesses { cell, limit },
            Stop::Broken(reason) => Outcome::KernelDied { cell, reason },
        }
    }
}

/// The error that a reply reports, unless the cell may raise.
fn error_in(reply: &Value, cell: &CodeCell) -> Option<Outcome> {
    let text = |field: &str| reply[field].as_str().unwrap_or_default().to_owned();
    match reply["status"].as_str() {
        Some("error") if cell.raises_exception => None,
        Some("error") => Some(Outcome::CellError {
            cell: cell.index,
            ename: text("ename"),
            evalue: text("evalue"),
            traceback: reply["traceback"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        }),
        // A kernel that did not run the cell must not pass for one that did.
        Some("aborted" | "abort") => Some(Outcome::CellError {
            cell: cell.index,
            ename: "Aborted".to_owned(),
            evalue: "the kernel did not run the cell".to_owned(),
            traceback: Vec::new(),
        }),
        _ => None,
    }
}
