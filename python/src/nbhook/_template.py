"""What forked kernels are forked from, as Python sees it. Loaded by ``_forkserver.py``, which describes the whole.

The work of starting a kernel is in three parts. What depends on the Python environment only is done once, in the template: imports,
ipykernel's configuration, the kernel as far as it needs no socket. The rest of it is done in each child. What depends on the run
(directory, environment, limits, startup files, which are users' code) is done when the job arrives.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import resource
import socket
import sys
import tempfile
import time
import traceback

#: The mark of a run in the environment; the template carries one without meaning, in whose place the run's is written.
MARK = "NBHOOK_RUN"


class Template:
    """A kernel as far as it can be made without threads, sockets and an event loop."""

    def __init__(self, load, directories, modules):
        """``load`` gives the module in a file beside this one."""
        self._load = load
        self._launcher, self._ending, self._preload = load("_kernel"), load("_ending"), load("_preload")
        self._directories = directories
        self._modules = modules
        self._environ = {name: value for name, value in os.environ.items() if name != MARK}
        self._app = None
        self._stamps = []
        self._left_out = []
        #: Whether kernels talk over the one socket that they get, instead of ZeroMQ's.
        self.direct = False

    def prepare(self):
        gc.disable()
        self._launcher.leave_no_trace_of_this_script()
        self._stamps = [[path, os.stat(path).st_mtime_ns] for path in (sys.executable, *sys.path) if os.path.exists(path)]
        self._launcher.switch_the_debugger_off()
        if not all(map(os.path.isabs, self._environ.get("PYTHONPATH", "/").split(os.pathsep))):
            raise SystemExit("kernels cannot be forked: PYTHONPATH depends on the working directory")
        for name in self._try_out():
            try:
                importlib.import_module(name)
            except Exception:  # noqa: BLE001 - the kernel will import it, or not, when it needs it
                continue
        self._app.make_kernel()
        self._import_in_advance()
        reason = self.reason_not_to_fork()
        if reason:
            raise SystemExit(f"kernels cannot be forked: {reason}")
        gc.collect()
        gc.freeze()

    def _try_out(self):
        """Chooses the application, and gives the modules that it needs."""
        forked, rehearsal = self._load("_forked"), self._load("_rehearsal")
        plain = forked.app_class(self._launcher.kernel_app_class())
        for way, output in (*self._ways_without_zeromq(plain), (plain, None)):
            self._app = way.instance(parent_handle=1)
            self._app.config.HistoryManager.enabled = False
            self._app.configure()
            sys.path.extend(directory for directory in self._directories if directory not in sys.path)
            names = rehearsal.rehearse(self._app, output)
            if names is not None:
                self.direct = output is not None
                return [name for name in names if name not in sys.modules and not name.startswith("__")]
            way.clear_instance()
        raise SystemExit("kernels cannot be forked: a kernel that was forked to try it out failed")

    def _ways_without_zeromq(self, plain):
        if sys.modules["ipykernel"].version_info[0] == 7:
            try:
                output = self._load("_output")
                yield self._load("_direct").app_class(plain, output, self._launcher.packer, self._ending.terminate_children), output
            except Exception:  # noqa: BLE001 - it looks into ipykernel, which may have changed
                traceback.print_exc()

    def _import_in_advance(self):
        before = dict(os.environ)
        # As ipykernel sets it in a kernel: matplotlib reads it at its import. Each kernel's own environment is set later.
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        self._left_out = self._preload.preload(self._modules, self._directories)
        changed = {name: value for name, value in os.environ.items() if before.get(name) != value and name != "MPLBACKEND"}
        self._environ.update(changed)

    def report(self):
        """What the server is told of the template."""
        info = self._app.kernel.language_info if self.direct else None
        return {"stamps": self._stamps, "left_out": self._left_out, "memory": _private_memory(), "direct": info}

    def reason_not_to_fork(self):
        """Why a child of this process might not be sound, or nothing."""
        if len(os.listdir("/proc/self/task")) != 1:
            return "the template has threads"
        if sys.modules["zmq"].Context._instance is not None:
            return "the template has a ZeroMQ context"
        if sys.modules["asyncio"]._get_running_loop() is not None:
            return "the template has an event loop"
        return None

    def become_kernel(self, control, wire=None):
        """Makes this process a kernel and runs it to its end."""
        gc.enable()
        _forget_shared_randomness()
        app = self._app
        control = socket.socket(fileno=control)
        lines = control.makefile("rb")
        connection = _line(lines) if wire is None else socket.socket(fileno=wire)
        if hasattr(sys, "orig_argv"):  # Python 3.10
            sys.orig_argv = _as_if_started(connection, self._directories)
        app.awaken(connection)
        self._ending.terminate_children_briefly(app.kernel)
        control.sendall(b"S\n")
        app.wait_for(control)
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


def _as_if_started(connection, directories):
    launcher = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_kernel.py")
    return [sys.orig_argv[0], launcher, *([connection] if isinstance(connection, str) else []), *directories]


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
