"""The kernel's application without ZeroMQ: it talks with the server over one socket. Loaded by ``_template.py``.

All of a kernel that needs neither socket nor thread is made in the template, before the fork. A notebook sees what it sees in a kernel
with ZeroMQ, but fewer threads, and no connection file: nobody else can connect.

This looks into ipykernel 7. Where that does not work, which the template tries out, kernels are forked with ZeroMQ (``_template.py``).
"""

import asyncio
import atexit
import inspect
import io
import logging
import os
import sys
import threading
import uuid

import zmq
from ipykernel import iostream
from IPython.core.application import ENV_CONFIG_DIRS, SYSTEM_CONFIG_DIRS
from jupyter_client.session import new_id
from tornado.ioloop import IOLoop
from zmq.eventloop.zmqstream import ZMQStream


class ShellStream(ZMQStream):
    """Requests from the server and replies to them."""

    def __init__(self, wire, end):
        self.io_loop = None
        self._wire = wire
        self._end = end
        self._callback = None

    def on_recv(self, callback, copy=True):
        self._callback = callback
        self.io_loop = IOLoop.current()
        self.io_loop.add_handler(self._wire.socket, self._on_readable, IOLoop.READ)

    def _on_readable(self, *_):
        self.flush(zmq.POLLIN)

    def flush(self, flag=zmq.POLLIN | zmq.POLLOUT, limit=None):
        """Takes in the requests that are there. Replies are sent at once."""
        taken = 0
        while flag & zmq.POLLIN and (limit is None or taken < limit):
            received = self._wire.receive()
            if received is None:
                break
            channel, frames = received
            if channel is None:
                self.io_loop.remove_handler(self._wire.socket)
                break
            done = self._end() if channel == b"e" else self.take([zmq.Frame(frame) for frame in frames])
            if inspect.isawaitable(done):
                asyncio.ensure_future(done)
            taken += 1
        return taken

    def take(self, frames):
        return self._callback(frames)

    def send_multipart(self, msg, *_, **__):
        self._wire.send(b"s", msg)

    def closed(self):
        return False

    def getsockopt(self, option):
        return self._wire.socket.fileno() if option == zmq.FD else 0


class NoThread:
    """In place of the thread that serves subshells: there is none, but some ask for its parent."""

    parent_thread = threading.main_thread()

    def __bool__(self):
        return False


def _has_programs(folder):
    try:
        return any(name.endswith((".py", ".ipy")) for name in os.listdir(folder))
    except OSError:
        return False


#: The threads that ipykernel has for what is written to file descriptors: the notebook's own are numbered after them.
THREADS_WITHOUT_NAMES = ("stdout", "stderr")


def app_class(base, output, packer, terminate):
    """The kernel's application. ``terminate`` is how a kernel ends its children."""

    class DirectApp(base):
        def make_kernel(self):
            """All that needs no socket, thread or event loop."""
            for _ in THREADS_WITHOUT_NAMES:
                threading.Thread()  # takes a number
            self.initialize([])
            self.kernel.shell.run_cell("pass", store_history=False, silent=True)
            super(base, self).init_extensions()
            self.shell._sys_modules_keys = set(sys.modules)
            self._startup_folders = [self.profile_dir.startup_dir]
            self._startup_folders += [os.path.join(folder, "startup") for folder in ENV_CONFIG_DIRS + SYSTEM_CONFIG_DIRS]
            self._streams = sys.stdout, sys.stderr
            self.reset_io()

        def run_startup_code(self):
            """As ``init_code`` does it where there is no configuration, but without touching all there is."""
            if os.environ.get("PYTHONSTARTUP") or any(map(_has_programs, self._startup_folders)):
                self._run_startup_files()
            self.shell.user_ns_hidden.update(self.shell.user_ns)
            if next(reversed(sys.modules)) != self._last_module:
                self.shell._sys_modules_keys = set(sys.modules)

        def init_connection_file(self):
            """Nobody is to connect."""

        write_connection_file = log_connection_info = init_signal = init_path = init_connection_file

        def init_sockets(self):
            self.session.key = b""  # nobody else has the socket
            self.session.pack = packer(self.session.pack)
            atexit.register(self.close)
            self.configure_tornado_logger()
            self.wire = output.Wire()
            self.shell_stream = ShellStream(self.wire, self._end)
            self.iopub_thread = output.OutputThread(self.wire)
            self.iopub_socket = self.iopub_thread.background_socket

        def init_io(self):
            theirs, iostream.OutStream = iostream.OutStream, output.OutStream
            try:
                super().init_io()
            finally:
                iostream.OutStream = theirs

        def init_kernel(self):
            self.kernel_class._supports_kernel_subshells = False
            self.kernel = kernel = self.kernel_class.instance(
                parent=self,
                session=self.session,
                shell_stream=self.shell_stream,
                shell_channel_thread=NoThread(),
                iopub_thread=self.iopub_thread,
                iopub_socket=self.iopub_socket,
                log=self.log,
                profile_dir=self.profile_dir,
                user_ns=self.user_ns,
            )
            kernel._execute_sleep = 0
            self.displayhook.get_execution_count = lambda: kernel.execution_count

        def awaken(self, sock):
            """The rest, in the child."""
            kernel, session = self.kernel, self.session
            self._last_module = next(reversed(sys.modules))
            session.pid, session.session = os.getpid(), new_id()
            kernel.ident = str(uuid.uuid4())
            kernel.shell.displayhook.topic = kernel._topic("execute_result")
            super().init_signal()
            super().init_path()
            sys.stdout, sys.stderr = self._streams
            sys.displayhook = self.displayhook
            self.iopub_thread.start(sock, self._streams)
            self._let_the_log_pass_by()
            kernel.shell.save_sys_module_state()
            kernel.shell.exit_now = False
            super(type(kernel), kernel).start()
            self.io_loop = IOLoop.current()
            self._warm_up()

        def _warm_up(self):
            """What a kernel's first cell costs is paid while the kernel waits. Nobody hears of this one."""
            request = self.session.msg("execute_request", {"code": "print()", "silent": False, "store_history": False})
            frames = [zmq.Frame(frame) for frame in self.session.serialize(request)]
            with self.wire.muted():
                self.io_loop.run_sync(lambda: self.shell_stream.take(frames))

        def wait_for(self, file):
            """There is nothing to do until it is readable."""

        def _let_the_log_pass_by(self):
            """As ``init_io`` does it: what the kernel itself has to say is no output of the notebook."""
            for handler in self.log.handlers:
                if isinstance(handler, logging.StreamHandler) and handler.stream.buffer.fileno() == 2:
                    handler.stream = io.TextIOWrapper(io.FileIO(sys.stderr._original_stdstream_copy, "w"))

        async def _end(self):
            await terminate()
            self.io_loop.stop()

    return DirectApp
