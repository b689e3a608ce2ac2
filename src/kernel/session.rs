//! A conversation with one kernel: requests out, messages in.
//!
//! One task per channel reads all the time and never waits for whoever uses the messages, because a kernel whose output is
//! not read stops. What they read is bounded in bytes by the run's output limit; one message too many is an event of its
//! own, never silence.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeromq::ZmqError;

use super::connection::Connection;
use super::packets::{self, Requests};
use super::sockets::Sockets;
use super::wire::{Codec, Message, WireError};

/// How long a publication may lag behind the reply before the question is put again.
const SUBSCRIPTION_GRACE: Duration = Duration::from_millis(50);
/// How long a request may take to leave; a kernel takes requests in even while it is busy, or else they are kept for it.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a kernel may take to reply before the question is put again, the first time.
const REPLY_GRACE: Duration = Duration::from_millis(500);
/// A message from this size on is parsed where it holds nobody up.
const LARGE: usize = 1 << 20;

/// What happens in a conversation.
#[derive(Debug)]
pub(super) enum Event {
    Reply(Message),
    Published(Message),
    /// The kernel published more than it may.
    OutputTooLarge,
    /// The kernel closed its end; nothing more will be published. Its process tells why.
    Closed,
    /// The conversation cannot go on.
    Broken(String),
}

/// Why a conversation does not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error("{0}")]
    Socket(#[from] ZmqError),
    #[error("the kernel takes no request")]
    Send,
    #[error("{0}")]
    Broken(String),
}

/// A request on its way: it is over when both its reply and the `idle` that follows its last publication are there. They
/// come on different sockets, in any order.
#[derive(Debug)]
pub(super) struct Exchange {
    id: String,
    pub(super) reply: Option<Value>,
    idle: bool,
}

impl Exchange {
    pub(super) fn is_over(&self) -> bool {
        self.idle && self.reply.is_some()
    }

    pub(super) fn replied(&mut self, reply: Message) {
        if reply.parent.as_ref() == Some(&self.id) {
            self.reply = Some(reply.content);
        }
    }

    /// Whether a publication belongs to this request; if it is its end, that is noted.
    pub(super) fn owns(&mut self, message: &Message) -> bool {
        let owned = message.parent.as_ref() == Some(&self.id) && !self.idle;
        if owned && message.kind == "status" && message.content["execution_state"] == "idle" {
            self.idle = true;
        }
        owned
    }
}

/// Where requests go.
enum Channels {
    Zmq(Sockets),
    Socket(Requests),
}

/// The channels to one kernel. Dropping it closes them.
pub(super) struct Session {
    codec: Codec,
    channels: Channels,
    events: mpsc::UnboundedReceiver<Event>,
    _readers: JoinSet<()>,
}

impl Session {
    /// Connects as soon as the kernel has made its sockets, makes sure that its publications arrive, and gives the kernel's
    /// `language_info`. Never ends when the kernel does not answer.
    ///
    /// # Errors
    /// When the sockets or the messages are not as they should be.
    pub(super) async fn connect(
        connection: &Connection,
        output_limit: usize,
    ) -> Result<(Self, Option<Map<String, Value>>), SessionError> {
        let (sender, events) = mpsc::unbounded_channel();
        let reader = Reader { codec: connection.codec.clone(), events: sender };
        let mut readers = JoinSet::new();

        let sockets = Sockets::connect(connection, output_limit, reader, &mut readers).await?;
        let codec = connection.codec.clone();
        let mut session = Self { codec, channels: Channels::Zmq(sockets), events, _readers: readers };
        let info = session.prove_subscription().await?;
        Ok((session, info.get("language_info").and_then(Value::as_object).cloned()))
    }

    /// A conversation over a forked kernel's own socket (`_output.py`). Must be called in a tokio runtime.
    pub(super) fn over(socket: UnixStream, codec: Codec, output_limit: usize) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let (requests, waiting) = Requests::new();
        let mut readers = JoinSet::new();
        let reader = Reader { codec: codec.clone(), events: sender };
        readers.spawn(packets::converse(reader, socket, waiting, output_limit));
        Self { codec, channels: Channels::Socket(requests), events, _readers: readers }
    }

    /// Asks for the kernel's info until the publications about a question arrive, and gives the info. A subscription takes
    /// effect only some time after connecting, and what is published before that is lost without a trace; and a kernel may
    /// overlook a request that comes while it starts.
    async fn prove_subscription(&mut self) -> Result<Value, SessionError> {
        let mut reply_grace = REPLY_GRACE;
        loop {
            let mut question = self.ask("kernel_info_request", &json!({})).await?;
            loop {
                let patience = if question.reply.is_some() { SUBSCRIPTION_GRACE } else { reply_grace };
                match timeout(patience, self.event()).await {
                    Err(_) => break,
                    Ok(Event::Reply(reply)) => question.replied(reply),
                    Ok(Event::Published(message)) => _ = question.owns(&message),
                    Ok(Event::Broken(reason)) => return Err(SessionError::Broken(reason)),
                    Ok(Event::OutputTooLarge | Event::Closed) => {}
                }
                if question.is_over() {
                    return Ok(question.reply.unwrap_or_default());
                }
            }
            reply_grace = reply_grace.saturating_mul(2);
        }
    }

    /// Lets the kernel execute a cell of no consequence, once, so that what its first cell costs is paid.
    pub(super) async fn warm_up(&mut self) -> Result<(), SessionError> {
        let request = json!({
            "code": "pass",
            "silent": true,
            "store_history": false,
            "user_expressions": {},
            "allow_stdin": false,
            "stop_on_error": true,
        });
        let mut exchange = self.ask("execute_request", &request).await?;
        while !exchange.is_over() {
            match self.event().await {
                Event::Reply(reply) => exchange.replied(reply),
                Event::Published(message) => _ = exchange.owns(&message),
                Event::Broken(reason) => return Err(SessionError::Broken(reason)),
                Event::OutputTooLarge | Event::Closed => {
                    return Err(SessionError::Broken("the kernel closed its channels".to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Asks the kernel to execute a cell. `stop_on_error` as nbclient sets it.
    pub(super) async fn execute(&mut self, code: &str, stop_on_error: bool) -> Result<Exchange, SessionError> {
        let request = json!({
            "code": code,
            "silent": false,
            "store_history": true,
            "user_expressions": {},
            "allow_stdin": false,
            "stop_on_error": stop_on_error,
        });
        self.ask("execute_request", &request).await
    }

    /// Asks for an interrupt, of kernels that take it by message.
    pub(super) async fn interrupt(&mut self) -> Result<(), SessionError> {
        let (_, request) = self.codec.encode("interrupt_request", &json!({}), &json!({}));
        match &mut self.channels {
            Channels::Zmq(sockets) => sockets.control(request).await,
            Channels::Socket(_) => Err(SessionError::Send), // such a kernel takes a signal
        }
    }

    /// Asks the kernel to end.
    pub(super) async fn shutdown(&mut self) -> Result<(), SessionError> {
        match &mut self.channels {
            Channels::Zmq(sockets) => {
                let (_, request) = self.codec.encode("shutdown_request", &json!({}), &json!({"restart": false}));
                sockets.control(request).await
            }
            Channels::Socket(requests) => requests.send(packets::Channel::End, &[]).await,
        }
    }

    /// Tells the kernel what became of a widget; there is no reply.
    pub(super) async fn tell_widget(&mut self, parent_header: &Value, content: &Value) -> Result<(), SessionError> {
        let (_, message) = self.codec.encode("comm_msg", parent_header, content);
        self.request(message).await
    }

    async fn ask(&mut self, kind: &str, content: &Value) -> Result<Exchange, SessionError> {
        let (id, request) = self.codec.encode(kind, &json!({}), content);
        self.request(request).await?;
        Ok(Exchange { id, reply: None, idle: false })
    }

    async fn request(&mut self, request: Vec<Bytes>) -> Result<(), SessionError> {
        match &mut self.channels {
            Channels::Zmq(sockets) => sockets.request(request).await,
            Channels::Socket(requests) => requests.send(packets::Channel::Shell, &request).await,
        }
    }

    /// The next event. May be cancelled without losing any.
    pub(super) async fn event(&mut self) -> Event {
        // The readers hold the sending ends as long as the session lives, unless all of them ended.
        self.events.recv().await.unwrap_or_else(|| Event::Broken("the kernel closed all channels".to_owned()))
    }
}

/// Passes on what was read of a channel, for as long as anyone listens.
#[derive(Clone)]
pub(super) struct Reader {
    codec: Codec,
    events: mpsc::UnboundedSender<Event>,
}

impl Reader {
    /// Passes an event on, and tells whether to read further.
    pub(super) fn tell(&self, event: Event) -> bool {
        let last = matches!(event, Event::OutputTooLarge | Event::Closed | Event::Broken(_));
        self.events.send(event).is_ok() && !last
    }

    pub(super) async fn decode(&self, frames: Vec<Bytes>) -> Result<Message, WireError> {
        if frames.iter().all(|frame| frame.len() < LARGE) {
            return self.codec.decode(frames);
        }
        let codec = self.codec.clone();
        let decoded = tokio::task::spawn_blocking(move || codec.decode(frames)).await;
        decoded.unwrap_or_else(|_| Err(WireError::Json("its reader was stopped".to_owned())))
    }
}

impl From<WireError> for Event {
    fn from(error: WireError) -> Self {
        Self::Broken(format!("cannot understand the kernel: {error}"))
    }
}
