//! The conversation with a forked kernel over the one socket it was forked with, in place of `ZeroMQ`'s sockets. The other side is
//! `_output.py`, which also describes it.
//!
//! The socket keeps packets apart, each a part of a message. The notebook has the other end in its hands, so nothing that comes is
//! believed: what is malformed breaks the conversation, and what is kept of unfinished messages is bounded.

use std::collections::HashMap;
use std::io;

use bytes::{Buf, Bytes};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::session::{Event, Reader, SEND_TIMEOUT, SessionError};
use super::wire::WireError;

/// Bytes of a message in one packet.
const PART: usize = 64 << 10;
/// Bytes before them: channel, whether more parts follow, the message's number.
const HEAD: usize = 10;
/// Requests that may wait for a kernel that is busy.
const QUEUE: usize = 1024;
/// Messages that may be unfinished at once: each is of a thread or process of the notebook.
const MOST_UNFINISHED: usize = 1024;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    /// A request or the reply to it.
    Shell,
    Publication,
    /// The kernel may end.
    End,
}

impl Channel {
    fn byte(self) -> u8 {
        match self {
            Self::Shell => b's',
            Self::Publication => b'p',
            Self::End => b'e',
        }
    }
}

/// A message as packets.
fn split(channel: Channel, number: u64, frames: &[Bytes]) -> Vec<Vec<u8>> {
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let lengths = std::iter::once(frames.len()).chain(frames.iter().map(Bytes::len)).flat_map(length);
    let body: Vec<u8> = lengths.chain(frames.iter().flatten().copied()).collect();
    let parts = body.chunks(PART);
    let last = parts.len() - 1;
    let packet = |(index, part): (usize, &[u8])| {
        [&[channel.byte(), u8::from(index < last)], number.to_le_bytes().as_slice(), part].concat()
    };
    parts.enumerate().map(packet).collect()
}

/// Puts messages together.
#[derive(Debug, Default)]
struct Assembly {
    /// By their numbers; parts of several senders' messages may come in turns.
    unfinished: HashMap<u64, Vec<u8>>,
}

impl Assembly {
    /// Takes a packet, and gives the message that it ends, if it does.
    fn take(&mut self, mut packet: &[u8]) -> Result<Option<(Channel, Vec<Bytes>)>, WireError> {
        if packet.len() < HEAD {
            return Err(WireError::Truncated);
        }
        let channel = match packet.get_u8() {
            b's' => Channel::Shell,
            b'p' => Channel::Publication,
            _ => return Err(WireError::Truncated),
        };
        let more = packet.get_u8() != 0;
        let number = packet.get_u64_le();
        if more {
            self.unfinished.entry(number).or_default().extend_from_slice(packet);
            return Ok(None);
        }
        let body = match self.unfinished.remove(&number) {
            Some(mut body) => {
                body.extend_from_slice(packet);
                Bytes::from(body)
            }
            None => Bytes::copy_from_slice(packet),
        };
        Ok(Some((channel, frames(body)?)))
    }

    /// Whether there is more of unfinished messages than may be kept, in bytes or in number.
    fn is_over(&self, limit: usize) -> bool {
        self.unfinished.len() > MOST_UNFINISHED || self.unfinished.values().map(Vec::len).sum::<usize>() > limit
    }
}

fn frames(mut body: Bytes) -> Result<Vec<Bytes>, WireError> {
    let mut number = || body.try_get_u32_le().map(|number| number as usize).map_err(|_| WireError::Truncated);
    let count = number()?;
    // Not more than there is: the kernel is not believed.
    let lengths: Vec<usize> = (0..count).map_while(|_| number().ok()).collect();
    if lengths.len() != count {
        return Err(WireError::Truncated);
    }
    lengths
        .into_iter()
        .map(|length| if length > body.len() { Err(WireError::Truncated) } else { Ok(body.split_to(length)) })
        .collect()
}

/// Sends requests in order, without waiting for a kernel that is busy.
#[derive(Debug)]
pub(super) struct Requests {
    queue: mpsc::Sender<Vec<u8>>,
    number: u64,
}

impl Requests {
    /// With what sends them.
    pub(super) fn new() -> (Self, mpsc::Receiver<Vec<u8>>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        (Self { queue, number: 0 }, waiting)
    }

    /// Waits, but not for ever, if too many do.
    pub(super) async fn send(&mut self, channel: Channel, frames: &[Bytes]) -> Result<(), SessionError> {
        self.number += 1;
        for packet in split(channel, self.number, frames) {
            self.queue.send_timeout(packet, SEND_TIMEOUT).await.map_err(|_| SessionError::Send)?;
        }
        Ok(())
    }
}

/// Sends what is put into a queue, and passes on what comes from the kernel, for as long as anyone listens and the kernel speaks.
pub(super) async fn converse(reader: Reader, socket: UnixStream, mut requests: mpsc::Receiver<Vec<u8>>, limit: usize) {
    let write = async {
        while let Some(packet) = requests.recv().await {
            if transmit(&socket, &packet).await.is_err() {
                break; // the kernel has gone, which reading tells
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = write => {}
        () = read(reader, &socket, limit) => {}
    }
}

async fn read(reader: Reader, socket: &UnixStream, limit: usize) {
    let mut assembly = Assembly::default();
    let mut buffer = vec![0; HEAD + PART];
    let mut left = limit;
    loop {
        let event = match receive(socket, &mut buffer).await {
            Ok(0) | Err(_) => Event::Closed,
            Ok(length) => match assembly.take(&buffer[..length]) {
                Ok(None) if assembly.is_over(left) => Event::OutputTooLarge,
                Ok(None) => continue,
                Ok(Some((Channel::Publication, frames))) => match left.checked_sub(frames.iter().map(Bytes::len).sum())
                {
                    Some(rest) => {
                        left = rest;
                        reader.decode(frames).await.map_or_else(Event::from, Event::Published)
                    }
                    None => Event::OutputTooLarge,
                },
                Ok(Some((_, frames))) => reader.decode(frames).await.map_or_else(Event::from, Event::Reply),
                Err(error) => Event::from(error),
            },
        };
        if !reader.tell(event) {
            return;
        }
    }
}

// Tokio's own `read` and `write` take a short read for the last one, which it is not where packets are kept apart.

async fn transmit(socket: &UnixStream, packet: &[u8]) -> io::Result<usize> {
    loop {
        socket.writable().await?;
        match socket.try_write(packet) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => return sent,
        }
    }
}

async fn receive(socket: &UnixStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        socket.readable().await?;
        match socket.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            received => return received,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(lengths: &[usize]) -> Vec<Bytes> {
        lengths
            .iter()
            .enumerate()
            .map(|(index, length)| Bytes::from(vec![u8::try_from(index).unwrap(); *length]))
            .collect()
    }

    #[test]
    fn what_was_split_is_put_together() {
        for lengths in [vec![], vec![0], vec![0, 7, 0], vec![PART - 8], vec![PART], vec![3 * PART, 0, 5 * PART + 1]] {
            let message = message(&lengths);
            let packets = split(Channel::Shell, 7, &message);
            assert!(packets.iter().all(|packet| packet.len() <= HEAD + PART));
            let mut assembly = Assembly::default();
            let (last, others) = packets.split_last().unwrap();
            for packet in others {
                assert_eq!(assembly.take(packet).unwrap(), None);
            }
            assert_eq!(assembly.take(last).unwrap(), Some((Channel::Shell, message)));
            assert!(!assembly.is_over(0));
        }
    }

    #[test]
    fn messages_of_two_senders_come_in_turns() {
        let (one, other) = (message(&[2 * PART]), message(&[PART, 3]));
        let (first, second) = (split(Channel::Publication, 1, &one), split(Channel::Publication, 2, &other));
        let mut assembly = Assembly::default();
        let turns = [&first[0], &second[0], &first[1], &second[1], &first[2]];
        let whole: Vec<_> = turns.into_iter().filter_map(|packet| assembly.take(packet).unwrap()).collect();
        assert_eq!(whole, [(Channel::Publication, other), (Channel::Publication, one)]);
    }

    #[test]
    fn what_is_kept_of_unfinished_messages_is_bounded() {
        let mut assembly = Assembly::default();
        let part = |number: u64, length| [b"p\x01", number.to_le_bytes().as_slice(), &vec![0; length]].concat();
        assert_eq!(assembly.take(&part(0, PART)).unwrap(), None);
        assert!(assembly.is_over(PART - 1) && !assembly.is_over(PART));
        for number in 0..=MOST_UNFINISHED as u64 {
            assert!(!assembly.is_over(PART), "{number}");
            assert_eq!(assembly.take(&part(number, 0)).unwrap(), None);
        }
        assert!(assembly.is_over(PART), "also without a byte of content");
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let whole = split(Channel::Shell, 1, &message(&[3, 4])).remove(0);
        for length in 0..whole.len() {
            assert_eq!(Assembly::default().take(&whole[..length]).unwrap_err(), WireError::Truncated, "{length}");
        }
        let mut huge = whole.clone();
        huge[HEAD..HEAD + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Assembly::default().take(&huge).unwrap_err(), WireError::Truncated);
        assert_eq!(Assembly::default().take(b"x000000000").unwrap_err(), WireError::Truncated);
    }
}
