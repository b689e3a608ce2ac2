"""A forked kernel's one socket to the server, and its output on it. Loaded by ``_template.py``.

In place of ZeroMQ's sockets and threads, which cost a kernel more than all the rest of its start. The socket is a pair's end of the
kind that keeps packets apart: one is sent whole or not at all, so neither an interrupt in the middle of a cell nor a child that the
notebook forked (it has the socket too) can break the conversation. A packet is a byte for the channel (``s`` shell, ``p`` publications,
``e`` from the server: it is time to end), a byte that says whether more parts of the message follow, the message's number (of several
senders' parts, which belong together), and its part of the message. A message is the number of its frames, their lengths, and the
frames as Jupyter has them.

What is published is sent by the thread that makes it, at once, if the server keeps up; else, and if it is large, by the output
thread, in order. Nothing is dropped, and no thread of the notebook waits for the server. The output thread also reads what is written
to the file descriptors of standard output and error, and flushes what was printed some time ago.
"""

import collections
import contextlib
import itertools
import os
import select
import socket
import struct
import sys
import threading
import time

from ipykernel import iostream

#: Bytes of a message in one packet.
PART = 64 << 10
HEAD = struct.Struct("<cBQ")
#: What a pipe holds at most.
PIPE = 64 << 10


class Wire:
    """The socket. Any thread may send; the main thread receives."""

    def __init__(self):
        self.socket = None
        self.hand_over = None
        #: What the output thread still has to send or do. An item leaves only when that is done.
        self.waiting = collections.deque()
        self._pid = None
        self._muted = False
        self._numbers = itertools.count()
        self._parts = []

    def open(self, sock, hand_over):
        """``hand_over`` wakes the output thread."""
        self.socket = sock
        self.hand_over = hand_over
        self._pid = os.getpid()

    @contextlib.contextmanager
    def muted(self):
        """What is sent meanwhile nobody hears."""
        self._muted = True
        try:
            yield
        finally:
            self._muted = False

    def send(self, channel, frames):
        if self._muted:
            return
        frames = [frame if isinstance(frame, bytes) else bytes(frame) for frame in frames]
        body = b"".join([struct.pack(f"<{len(frames) + 1}I", len(frames), *map(len, frames)), *frames])
        if len(body) <= PART:
            packets = [HEAD.pack(channel, 0, 0) + body]
        else:
            number = os.getpid() << 32 | next(self._numbers)
            ends = range(PART, len(body) + PART, PART)
            packets = [HEAD.pack(channel, end < len(body), number) + body[end - PART : end] for end in ends]
        if os.getpid() != self._pid:  # a child of the notebook's, which has no output thread
            for packet in packets:
                self.socket.send(packet)
            return
        if len(packets) == 1 and not self.waiting:
            try:
                self.socket.send(packets[0], socket.MSG_DONTWAIT)
                return
            except BlockingIOError:
                pass
            except OSError:
                return  # nobody listens; this process is about to be killed
        self.waiting.extend(packets)
        self.hand_over()

    def receive(self):
        """The next message, as its channel and frames; nothing if there is none yet. No channel means that the server has gone."""
        while True:
            try:
                packet = self.socket.recv(HEAD.size + PART, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            except OSError:
                return None, []
            if not packet:
                return None, []
            channel, more, _ = HEAD.unpack_from(packet)
            self._parts.append(packet[HEAD.size :])
            if not more:
                body = b"".join(self._parts)
                self._parts.clear()
                return channel, _frames(body)


def _frames(body):
    (count,) = struct.unpack_from("<I", body)
    at = 4 + 4 * count
    frames = []
    for length in struct.unpack_from(f"<{count}I", body, 4):
        frames.append(body[at : at + length])
        at += length
    return frames


class OutputThread(iostream.IOPubThread):
    """Sends what could not be sent at once, flushes in time, and captures what is written to file descriptors."""

    def __init__(self, wire):
        self.socket = wire
        self.io_loop = None
        self.background_socket = iostream.BackgroundSocket(self)
        self.thread = None  # made in the kernel: Python 3.13 starts none that was made before a fork
        self._wake = None
        self._due = collections.deque()
        self._captured = {}

    def start(self, sock, streams):
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.socket.open(sock, self.wake)
        self._captured = {stream.capture_descriptor(): stream for stream in streams}
        self.thread = threading.Thread(target=self._thread_main, name="IOPub", daemon=True)
        self.thread.start()

    def _is_elsewhere(self):
        """Whether there is the thread, and this is another one."""
        return self.thread is not None and self.thread.is_alive() and threading.get_ident() != self.thread.ident

    def wake(self):
        os.eventfd_write(self._wake, 1)

    def stop(self):
        """Nothing is left behind when a process ends."""

    def close(self):
        self.socket = None

    def schedule(self, f):
        if self.thread is not None and self.thread.is_alive():
            self.socket.waiting.append(f)
            self.wake()
        else:
            f()

    def send_multipart(self, msg, *_, **__):
        if not self.closed:
            self.socket.send(b"p", msg)

    def flush_later(self, stream):
        stream.due = time.monotonic() + stream.flush_interval
        self._due.append((stream.due, stream))
        if self._is_elsewhere():
            self.wake()

    def wait_until_sent(self, timeout):
        """Waits for what was published so far."""
        if self.closed or not self.socket.waiting or not self._is_elsewhere():
            return
        sent = threading.Event()
        self.schedule(sent.set)
        if not sent.wait(timeout):
            print("IOStream.flush timed out", file=sys.__stderr__)

    def _thread_main(self):
        poll = select.poll()
        for descriptor in (self._wake, *self._captured):
            poll.register(descriptor, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll(self._patience()):
                if descriptor == self._wake:
                    os.eventfd_read(descriptor)
                elif not self._captured[descriptor].capture():
                    poll.unregister(descriptor)
            self._flush_what_is_due()
            self._send_what_waits()

    def _patience(self):
        """How long nothing needs to be done, in milliseconds; for ever if nothing is known of."""
        return max(0.0, self._due[0][0] - time.monotonic()) * 1000 + 1 if self._due else None

    def _flush_what_is_due(self):
        while self._due and self._due[0][0] <= time.monotonic():
            due, stream = self._due.popleft()
            if stream.due != due:
                continue  # it was flushed meanwhile
            try:
                stream._flush()
            except Exception as error:  # noqa: BLE001 - the thread has to go on
                print(f"Flush failed: {error}", file=sys.__stderr__)

    def _send_what_waits(self):
        waiting = self.socket.waiting if self.socket else ()
        while waiting:
            item = waiting[0]
            try:
                if callable(item):
                    item()
                else:
                    self.socket.socket.send(item)
            except Exception as error:  # noqa: BLE001 - the thread has to go on
                if not isinstance(error, OSError):
                    print(f"Exception in the output thread: {error}", file=sys.__stderr__)
            finally:
                waiting.popleft()


class OutStream(iostream.OutStream):
    """Standard output or error of a kernel, with two differences: it is flushed by whoever asks for it, and it has no thread."""

    def __init__(self, session, pub_thread, name, **more):
        super().__init__(session, pub_thread, name, **{**more, "watchfd": False})
        self.due = None
        self._let_go_of_locks()
        os.register_at_fork(after_in_child=self._let_go_of_locks)

    def _let_go_of_locks(self):
        """Another thread of the parent may have held them; it is not in the child."""
        self._capture_lock = threading.RLock()
        self._flush_lock = threading.RLock()
        self._buffer_lock = threading.RLock()

    def capture_descriptor(self):
        """Puts a pipe in the place of the real stream, and gives its other end."""
        self._master_pid = os.getpid()
        self._fid, theirs = os.pipe()
        os.set_blocking(self._fid, False)
        self._original_stdstream_fd = getattr(sys, f"__{self.name}__").fileno()
        self._original_stdstream_copy = os.dup(self._original_stdstream_fd)
        os.dup2(theirs, self._original_stdstream_fd)
        os.close(theirs)
        return self._fid

    def capture(self):
        """Takes in what is in the pipe, and tells whether there may ever be more."""
        try:
            with self._capture_lock:
                written = os.read(self._fid, PIPE)
                if written:
                    self.write(written.decode(errors="replace"))
                    os.write(self._original_stdstream_copy, written)
            return bool(written)
        except BlockingIOError:
            return True
        except Exception:  # noqa: BLE001 - as ipykernel does it
            self._exc = sys.exc_info()
            return False

    def close(self):
        if self._fid is not None:
            os.dup2(self._original_stdstream_copy, self._original_stdstream_fd)
        super().close()

    def _schedule_flush(self):
        if not self._flush_pending:
            self._flush_pending = True
            self.pub_thread.flush_later(self)

    def flush(self):
        if self._fid is not None and self._is_master_process():
            self.capture()  # what a program wrote that has ended by now belongs to this cell
        self._flush()
        if self.pub_thread is not None:
            self.pub_thread.wait_until_sent(self.flush_timeout)

    def _flush(self):
        self.due = None
        with self._flush_lock:  # between taking the text and sending it nobody else may send
            super()._flush()
