"""What forked kernels are forked from, as Python sees it. Loaded by ``_forkserver.py``, which describes the whole.

The work of starting a kernel is in three parts. What depends on the Python environment only is done once, in the template: imports,
ipykernel's configuration. What makes a kernel is done in each child: sockets, threads, IPython's shell. What depends on the run
(directory, environment, limits, startup files, which are users' code) is done when the job arrives.
"""

import atexit
import ctypes
import fcntl
import gc
import importlib
import json
import os
import resource
import shutil
import socket
import sys
import tempfile
import time
import traceback

#: The mark of a run in the environment; the template carries one without meaning, in whose place the run's is written.
MARK = "NBHOOK_RUN"


class Template:
    """A kernel as far as it can be made without threads, sockets and an event loop."""

    def __init__(self, launcher, ending, preload, directories, modules):
        self._launcher = launcher
        self._ending = ending
        self._preload = preload
        self._directories = directories
        self._modules = modules
        self._environ = {name: value for name, value in os.environ.items() if name != MARK}
        self._app = None
        self._stamps = []
        self._left_out = []

    def prepare(self):
        gc.disable()
        self._launcher.leave_no_trace_of_this_script()
        self._stamps = [[path, os.stat(path).st_mtime_ns] for path in (sys.executable, *sys.path) if os.path.exists(path)]
        self._launcher.switch_the_debugger_off()
        if not all(map(os.path.isabs, self._environ.get("PYTHONPATH", "/").split(os.pathsep))):
            raise Unsuitable("PYTHONPATH depends on the working directory")
        self._app = _app_class(self._launcher.kernel_app_class()).instance(parent_handle=1)
        self._app.config.HistoryManager.enabled = False
        self._app.configure()
        sys.path.extend(directory for directory in self._directories if directory not in sys.path)
        for name in _rehearse(self._app):
            try:
                importlib.import_module(name)
            except Exception:  # noqa: BLE001 - the kernel will import it, or not, when it needs it
                continue
        self._app.make_shell()
        self._import_in_advance()
        reason = self.reason_not_to_fork()
        if reason:
            raise Unsuitable(reason)
        gc.collect()
        gc.freeze()

    def _import_in_advance(self):
        before = dict(os.environ)
        # As ipykernel sets it in a kernel: matplotlib reads it at its import. Each kernel's own environment is set later.
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        self._left_out = self._preload.preload(self._modules, self._directories)
        changed = {name: value for name, value in os.environ.items() if before.get(name) != value and name != "MPLBACKEND"}
        self._environ.update(changed)

    def report(self):
        """What the server is told of the template."""
        return {"stamps": self._stamps, "left_out": self._left_out, "memory": _private_memory()}

    def reason_not_to_fork(self):
        """Why a child of this process might not be sound, or nothing."""
        if len(os.listdir("/proc/self/task")) != 1:
            return "the template has threads"
        if sys.modules["zmq"].Context._instance is not None:
            return "the template has a ZeroMQ context"
        if sys.modules["asyncio"]._get_running_loop() is not None:
            return "the template has an event loop"
        return None

    def become_kernel(self, control):
        """Makes this process a kernel and runs it to its end."""
        gc.enable()
        _forget_shared_randomness()
        app = self._app
        control = socket.socket(fileno=control)
        lines = control.makefile("rb")
        app.connection_file = _line(lines)
        if hasattr(sys, "orig_argv"):  # Python 3.10
            sys.orig_argv = _as_if_started(app.connection_file, self._directories)
        app.initialize([])
        self._ending.terminate_children_briefly(app.kernel)
        control.sendall(b"S\n")
        app.run_until_readable(control)
        self._take_job(json.loads(_line(lines)))
        lines.close()
        ending = self._ending.Ending()
        control.sendall(b"J\n")
        control.close()
        app.go_on()
        self._launcher.leave_the_end_to_python(app)
        ending.hurry_if_nothing_is_lost(app)

    def _take_job(self, job):
        """Makes everything that depends on the run as it is in a kernel that was started for it."""
        _limit(job["limits"])
        os.chdir(job["cwd"])
        environ = {**self._environ, **job["env"]}
        for name in set(os.environ).difference(environ):
            del os.environ[name]
        os.environ.update(environ)
        _mark_process(environ[MARK])
        self._launcher.put_the_interpreter_on_the_path()
        time.tzset()
        tempfile.tempdir = None
        self._app.finish_initialization()


def _app_class(base):
    """The kernel's application, taken apart: what depends on the environment only, on a kernel, on a run."""

    from ipykernel.compiler import XCachingCompiler
    from ipykernel.zmqshell import ZMQInteractiveShell
    from IPython.core.application import BaseIPythonApplication
    from tornado.ioloop import IOLoop

    class Configured(BaseIPythonApplication):
        """Stands between the application and its configuration, which is read once, in the template."""

        configured = False

        def initialize(self, argv=None):
            if not self.configured:
                super().initialize(argv)
                self.configured = True

    class ForkedApp(base, Configured):
        def configure(self):
            Configured.initialize(self, [])
            if self.loaded_config_files:
                raise Unsuitable("IPython has configuration files, which are programs")

        def make_shell(self):
            """The half of a kernel's start that needs no kernel: ``IPythonKernel`` takes the shell that there is."""
            shell = ZMQInteractiveShell.instance(parent=self, profile_dir=self.profile_dir, compiler_class=XCachingCompiler)
            shell.run_cell("pass", store_history=False, silent=True)

        def init_kernel(self):
            super().init_kernel()
            shell = self.kernel.shell
            shell.parent = shell.kernel = self.kernel
            shell.save_sys_module_state()
            # Before the kernel's own, as where the shell was made after them.
            atexit.unregister(shell.atexit_operations)
            atexit.register(shell.atexit_operations)

        def init_gui_pylab(self):
            """Comes with the job."""

        init_extensions = init_code = init_gui_pylab

        def finish_initialization(self):
            shell = self.shell
            shell.init_environment()
            shell.starting_dir = os.getcwd()
            shell.user_ns["_dh"][:] = [type(directory)(shell.starting_dir) for directory in shell.user_ns["_dh"]]
            super().init_gui_pylab()
            super().init_extensions()
            super().init_code()
            sys.stdout.flush()
            sys.stderr.flush()

        def run_until_readable(self, file):
            """Answers requests until there is something to read. Startup files then run without a running event loop."""
            loop = IOLoop.current()

            def stop(*_):
                loop.remove_handler(file)
                loop.stop()

            loop.add_handler(file, stop, loop.READ)
            self.start()

        def go_on(self):
            try:
                self.io_loop.start()
            except KeyboardInterrupt:
                pass

    return ForkedApp


def _rehearse(app):
    """Lets a child be a kernel and run some cells, and gives the names of the modules that took."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(ours)
            _play_kernel(app)
            with open(theirs, "w") as pipe:
                pipe.write("\n".join(sys.modules))
            status = 0
        finally:
            if status:
                traceback.print_exc(file=sys.__stderr__)
                sys.__stderr__.flush()
            os._exit(status)
    os.close(theirs)
    with open(ours) as pipe:
        names = pipe.read().split("\n")
    if os.waitpid(pid, 0)[1] != 0:
        raise Unsuitable("a kernel that was forked to try it out failed")
    return [name for name in names if name not in sys.modules and not name.startswith("__")]


def _play_kernel(app):
    folder = tempfile.mkdtemp(prefix="nbhook-rehearsal-")
    try:
        # As long as this is locked, the folder is in use; if we are killed, the next server removes it (kernel/connection.rs).
        in_use = open(os.path.join(folder, "c.json"), "w")
        fcntl.flock(in_use, fcntl.LOCK_EX)
        app.connection_file = os.path.join(folder, "kernel.json")
        app.transport, app.ip = "ipc", os.path.join(folder, "k")
        app.initialize([])
        app.finish_initialization()
        app.kernel.start()
        for cell in REHEARSAL:
            app.kernel.io_loop.run_sync(lambda cell=cell: app.kernel.do_execute(cell, False))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


REHEARSAL = ["1 + 1", "print('hello')", "display({'text/plain': ''}, raw=True)", "1 / 0"]


def _limit(limits):
    """As kernel/process/sys.rs does it for kernels that are started."""
    for kind, soft, hard in (
        (resource.RLIMIT_AS, limits["memory"], limits["memory"]),
        (resource.RLIMIT_CPU, limits["cpu"], limits["cpu"] and limits["cpu"] + 1),
        (resource.RLIMIT_NOFILE, limits["files"], limits["files"]),
    ):
        if soft is not None:
            most = resource.getrlimit(kind)[1]
            most = float("inf") if most == resource.RLIM_INFINITY else most
            resource.setrlimit(kind, (min(soft, most), min(hard, most)))


def _forget_shared_randomness():
    """``random`` does so by itself, and ``uuid`` and ``secrets`` ask the system."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "multiprocessing.process" in sys.modules:
        process = sys.modules["multiprocessing.process"]
        process.current_process().authkey = os.urandom(32)


def _private_memory():
    """Bytes that this process shares with no other."""
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) << 10 for line in file if line.startswith("Private_"))


def _as_if_started(connection_file, directories):
    launcher = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_kernel.py")
    return [sys.orig_argv[0], launcher, connection_file, *directories]


def _line(lines):
    line = lines.readline()
    if not line:
        os._exit(0)  # nobody wants this kernel any more
    return line.decode().rstrip("\n")


def _mark_process(run):
    """Writes the run's id into the environment that the system shows of this process, in place of the template's."""
    with open("/proc/self/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    start, end = int(fields[47]), int(fields[48])  # env_start and env_end, see proc(5)
    name = b"\0" + MARK.encode() + b"="
    environment = b"\0" + ctypes.string_at(start, end - start)
    at = environment.index(name) + len(name)
    if environment.index(b"\0", at) - at != len(run):
        raise ValueError("the run's id does not fit")
    ctypes.memmove(start + at - 1, run.encode(), len(run))


class Unsuitable(Exception):
    """Kernels cannot be forked in this environment; they have to be started."""
