"""The kernel's application, taken apart: what depends on the environment only, on a kernel, on a run. Loaded by ``_template.py``.

With ipykernel's own sockets and threads; ``_direct.py`` has a cheaper way for those versions where that works.
"""

import atexit
import os
import sys

from ipykernel.compiler import XCachingCompiler
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.application import BaseIPythonApplication
from tornado.ioloop import IOLoop


def app_class(base):
    """The application, on the launcher's."""

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
                raise SystemExit("kernels cannot be forked: IPython has configuration files, which are programs")

        def make_kernel(self):
            """As far as it can be made in the template: only the shell, which ``IPythonKernel`` takes if it is there."""
            shell = ZMQInteractiveShell.instance(parent=self, profile_dir=self.profile_dir, compiler_class=XCachingCompiler)
            shell.run_cell("pass", store_history=False, silent=True)

        def awaken(self, connection_file):
            """The rest, in the child."""
            self.connection_file = connection_file
            self.initialize([])

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
            self.run_startup_code()
            sys.stdout.flush()
            sys.stderr.flush()

        def run_startup_code(self):
            super().init_extensions()
            super().init_code()

        def wait_for(self, file):
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
