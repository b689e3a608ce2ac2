//! The conversation with a kernel over `ZeroMQ`'s sockets, as every kernel speaks.

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeromq::{DealerRecvHalf, DealerSendHalf, DealerSocket, Socket, SocketEvent, SocketRecv, SocketSend, SubSocket};
use zeromq::{ZmqError, ZmqMessage};

use super::connection::{Channel, Connection};
use super::session::{Event, Reader, SEND_TIMEOUT, SessionError};

/// Where requests go.
pub(super) struct Sockets {
    shell: DealerSendHalf,
    control: DealerSendHalf,
}

impl Sockets {
    /// Connects as soon as the kernel has made its sockets, and lets `readers` read them. Never ends when the kernel makes none.
    pub(super) async fn connect(
        connection: &Connection,
        output_limit: usize,
        reader: Reader,
        readers: &mut JoinSet<()>,
    ) -> Result<Self, ZmqError> {
        let mut iopub = SubSocket::new();
        iopub.subscribe("").await?;
        iopub.connect(&connection.address(Channel::IoPub).await).await?;
        readers.spawn(read_publications(reader.clone(), iopub, output_limit));

        let (shell, replies) = dealer(connection, Channel::Shell).await?;
        readers.spawn(read_replies(reader.clone(), replies));
        let (control, replies) = dealer(connection, Channel::Control).await?;
        readers.spawn(read_replies(reader, replies));
        Ok(Self { shell, control })
    }

    pub(super) async fn request(&mut self, frames: Vec<Bytes>) -> Result<(), SessionError> {
        send(&mut self.shell, frames).await
    }

    /// Sends what is read even while a cell runs.
    pub(super) async fn control(&mut self, frames: Vec<Bytes>) -> Result<(), SessionError> {
        send(&mut self.control, frames).await
    }
}

async fn dealer(connection: &Connection, channel: Channel) -> Result<(DealerSendHalf, DealerRecvHalf), ZmqError> {
    let mut socket = DealerSocket::new();
    socket.connect(&connection.address(channel).await).await?;
    Ok(socket.split())
}

async fn send(socket: &mut DealerSendHalf, frames: Vec<Bytes>) -> Result<(), SessionError> {
    let request = ZmqMessage::try_from(frames).map_err(|_| SessionError::Send)?;
    Ok(timeout(SEND_TIMEOUT, socket.send(request)).await.map_err(|_| SessionError::Send)??)
}

async fn read_publications(reader: Reader, mut socket: SubSocket, limit: usize) {
    let mut monitor = socket.monitor();
    let mut left = limit;
    loop {
        let received = tokio::select! {
            received = socket.recv() => received,
            // The socket itself would wait for the kernel to come back.
            event = monitor.next() => match event {
                Some(SocketEvent::Disconnected(_)) | None => Err(ZmqError::NoMessage),
                Some(_) => continue,
            },
        };
        let event = match received {
            Ok(message) => match left.checked_sub(message.iter().map(Bytes::len).sum()) {
                Some(rest) => {
                    left = rest;
                    reader.decode(message.into_vec()).await.map_or_else(Event::from, Event::Published)
                }
                None => Event::OutputTooLarge,
            },
            Err(_) => Event::Closed,
        };
        if !reader.tell(event) {
            return;
        }
    }
}

/// Ends in silence when the kernel closes the channel: then it closes its publications too.
async fn read_replies(reader: Reader, mut socket: DealerRecvHalf) {
    while let Ok(message) = socket.recv().await {
        let event = reader.decode(message.into_vec()).await.map_or_else(Event::from, Event::Reply);
        if !reader.tell(event) {
            return;
        }
    }
}
