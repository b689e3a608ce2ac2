//! A notebook cannot tell a forked kernel from a spawned one, nor one forked kernel from another's memory. What does differ: a forked
//! kernel has fewer threads and sockets for the protocol, and no connection file.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::super::ExecutedCell;
use super::*;

/// What a notebook can see of its kernel: name → value, as JSON.
const PROBE: &str = r#"
import asyncio, builtins, gc, io, json, multiprocessing, os, random, resource, signal, subprocess, sys, threading, traceback, uuid
seen = {}
kernels = ("IOPub", "Control", "Shell channel", "Thread-")  # those of its protocol, which differ
seen["threads"] = [t.name + str(t.daemon) for t in threading.enumerate() if not t.name.startswith(kernels)]
seen["next_thread"] = threading.Thread(target=print).name
protocols = ("socket:", "pipe:", "anon_inode:")
links = [f"/proc/self/fd/{f}" for f in os.listdir("/proc/self/fd")]
files = [os.readlink(link) for link in links if os.path.lexists(link)]
seen["files"] = sorted(f.replace(str(os.getpid()), "") for f in files if not f.startswith(protocols))
seen["standard_files"] = [os.readlink(f"/proc/self/fd/{f}").split(":")[0] for f in range(3)]
seen["inherited"] = subprocess.run(["ls", "-l", "/proc/self/fd"], capture_output=True, text=True).stdout.count("socket:")
seen["argv"] = sys.argv
seen["orig_argv"] = [a for a in sys.orig_argv if "c.json" not in a]
seen["path"] = sys.path
seen["flags"] = str(sys.flags)
seen["environ"] = {k: v for k, v in os.environ.items() if k != "NBHOOK_RUN"}
seen["system_environ_run"] = ("NBHOOK_RUN=" + os.environ["NBHOOK_RUN"]) in open("/proc/self/environ").read()
seen["cwd"] = os.getcwd() == os.environ["WORKDIR"] and str(_dh[0]) == os.getcwd() == get_ipython().starting_dir
seen["umask"] = os.umask(0); os.umask(seen["umask"])
seen["limits"] = {n: resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith("RLIMIT_")}
seen["signals"] = {s.name: str(signal.getsignal(s)).split(" at ")[0] for s in signal.Signals}
seen["masked"] = [l for l in open("/proc/self/status").read().splitlines() if l.startswith(("SigBlk", "SigIgn", "SigCgt"))]
seen["session"] = os.getsid(0) == os.getpid() == os.getpgid(0)
seen["stdio"] = [type(s).__name__ for s in (sys.stdin, sys.stdout, sys.stderr, sys.__stdin__, sys.__stdout__, sys.__stderr__)]
seen["stdio_files"] = [s.fileno() for s in (sys.__stdin__, sys.__stdout__, sys.__stderr__)]
seen["encoding"] = [sys.__stdout__.encoding, sys.__stdout__.errors, sys.__stdout__.line_buffering, sys.getfilesystemencoding()]
seen["stdin"] = os.readlink("/proc/self/fd/0")
seen["main"] = [__name__, str(type(sys.modules["__main__"])), sorted(vars(sys.modules["__main__"]))]
seen["gc"] = [gc.isenabled(), gc.get_threshold()]
seen["hooks"] = [sys.excepthook.__name__, type(sys.displayhook).__name__, sys.getrecursionlimit(), sys.getswitchinterval()]
seen["tmp"] = __import__("tempfile").gettempdir()
seen["backend"] = os.environ["MPLBACKEND"]
seen["builtins"] = sorted(vars(builtins))
seen["warnings"] = [str(f[:3]) for f in __import__("warnings").filters]
seen["loop"] = asyncio.get_running_loop().is_running()
await asyncio.sleep(0)
try:
    asyncio.run(asyncio.sleep(0))
except RuntimeError as error:
    seen["asyncio_run"] = str(error)
with multiprocessing.get_context("fork").Pool(2) as pool:
    seen["fork_pool"] = pool.map(abs, [-1, -2])
with multiprocessing.get_context("spawn").Pool(2) as pool:
    seen["spawn_pool"] = pool.map(abs, [-1, -2])
seen["subprocess"] = subprocess.run([sys.executable, "-c", "import sys; print(sys.path[1:])"], capture_output=True, text=True).stdout
shell = !echo from the shell
seen["shell"] = list(shell)
try:
    input("?")
except Exception as error:
    seen["input"] = type(error).__name__
seen["exit"] = type(exit).__name__
seen["pip"] = get_ipython().run_line_magic("pip", "--version")
%matplotlib inline
import matplotlib.pyplot as plt
seen["matplotlib"] = plt.get_backend()
plt.plot([1]); plt.show()
print(json.dumps(seen, default=str))
"#;

#[tokio::test]
async fn a_notebook_sees_no_difference() {
    let look = async |executor: &dyn Executor| -> BTreeMap<String, Value> {
        let mut notebook = Notebook::new(&["1", PROBE]);
        notebook.job.limits.resources.memory_bytes = Some(8 << 30);
        notebook.job.env = ["EXTRA", "PATH_EXTRA", "TERM"].map(|name| (name.to_owned(), "given".to_owned())).to_vec();
        notebook.job.env.push(("WORKDIR".to_owned(), notebook.dir.path().to_str().unwrap().to_owned()));
        notebook.job.env.push(("TMPDIR".to_owned(), "/var/tmp".to_owned()));
        let execution = executor.complete(notebook.job).await.unwrap();
        assert_eq!(execution.outcome, Outcome::Succeeded, "{:?}", execution.cells);
        assert!(execution.cells[1].outputs.iter().any(|output| output["data"]["image/png"].is_string()), "no plot");
        let printed = stream(&execution.cells[1], "stdout");
        let mut seen: BTreeMap<String, Value> = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
        assert!(printed.contains("pip "), "{printed}");
        seen.get_mut("environ").unwrap().as_object_mut().unwrap().remove("WORKDIR");
        assert_eq!(seen["inherited"], 0, "a program that the notebook starts has the kernel's sockets");
        seen
    };
    let spawned = look(&SpawnExecutor::new(Arc::new(SystemClock))).await;
    for pool in [0, 1] {
        let forked = look(&ready(pool).await).await;
        let differ = |(name, value): &(&String, &Value)| forked[*name] != **value;
        let different: Vec<_> =
            spawned.iter().filter(differ).map(|(name, value)| (name, value, &forked[name])).collect();
        assert!(different.is_empty(), "with {pool} waiting: {different:#?}");
    }
}

/// Cells whose output takes all the ways that there are. What comes late is waited for by the cells themselves.
const OUTPUT: &[&str] = &[
    "import asyncio, logging, multiprocessing, os, subprocess, sys, threading, time, warnings\n\
     print('one', end=' '); print('two', flush=True); print('three', file=sys.stderr); 'result'",
    "def work(): print('from', threading.current_thread().name); display('shown', raw=False)\n\
     t = threading.Thread(target=work); t.start(); t.join()",
    "def fail(): 1 / 0\nt = threading.Thread(target=fail, name='failing'); t.start(); t.join()",
    "subprocess.run(['echo', 'from a program']); time.sleep(0.6)\nos.write(2, b'raw'); os.system('echo again >&2'); time.sleep(0.6)",
    "if os.fork() == 0:\n    print('from a child'); print('x' * 300_000); sys.stdout.flush(); os._exit(0)\nos.wait(); time.sleep(0.6)",
    "def child(): print('from a process')\n\
     p = multiprocessing.get_context('fork').Process(target=child); p.start(); p.join(); time.sleep(0.6); p.exitcode",
    "async def later(n): await asyncio.sleep(n / 100); print('slept', n)\nawait asyncio.gather(later(2), later(1))",
    "task = asyncio.create_task(later(1)); await task; asyncio.get_running_loop().is_running()",
    "logging.basicConfig(); logging.warning('logged'); warnings.warn('warned')",
    "try:\n    input('?')\nexcept Exception as error:\n    print(type(error), error)",
    "from IPython.display import HTML, clear_output\n\
     h = display(HTML('<b>'), display_id='one'); h.update(HTML('<i>')); print('gone'); clear_output(wait=True); print('left')",
    "print('x' * 1_000_000); print('\\ud800 half'); display({'text/plain': 'y' * 200_000}, raw=True)",
    "!echo by the shell\n%pip --version\nget_ipython().system('exit 3'); _exit_code",
    "from ipykernel.comm import Comm\nc = Comm(target_name='t', data={'a': 1}, buffers=[b'\\0' * 70_000]); c.send({'b': 2}); c.close()",
    "print(type(sys.stdout).__name__, sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.fileno() > 2, sys.stdout.writable())",
    "exit",
    "def broken(): raise KeyboardInterrupt\nbroken()",
];

/// A cell's outputs without the process's number, and with the pieces of a stream put together: where it is cut is a matter of time.
fn essence(cell: &ExecutedCell) -> String {
    let mut outputs: Vec<Value> = Vec::new();
    for output in &cell.outputs {
        match outputs.last_mut() {
            Some(last) if last["name"].is_string() && last["name"] == output["name"] => {
                last["text"] =
                    Value::String([&last["text"], &output["text"]].map(|text| text.as_str().unwrap()).concat());
            }
            _ => outputs.push(output.clone()),
        }
    }
    anonymous(&format!("{:?} {outputs:#?}", cell.execution_count))
}

fn anonymous(text: &str) -> String {
    text.split("/ipykernel_").map(|part| part.trim_start_matches(char::is_numeric)).collect()
}

#[tokio::test]
async fn a_notebook_prints_the_same() {
    let look = async |executor: &dyn Executor| {
        let execution = executor.complete(Notebook::new(OUTPUT).job).await.unwrap();
        let outputs: Vec<_> = execution.cells.iter().map(essence).collect();
        (outputs, anonymous(&format!("{:?}", execution.outcome)))
    };
    let spawned = look(&SpawnExecutor::new(Arc::new(SystemClock))).await;
    assert_eq!(spawned.0.len(), OUTPUT.len(), "{}", spawned.1);
    let forked = look(&ready(1).await).await;
    for (index, (spawned, forked)) in spawned.0.iter().zip(&forked.0).enumerate() {
        assert_eq!(spawned, forked, "{}", OUTPUT[index]);
    }
    assert_eq!(spawned, forked);
}

#[tokio::test]
async fn what_a_program_wrote_before_its_end_is_in_the_cell() {
    let sources: Vec<String> =
        (0..20).map(|number| format!("import os; print('>', end=''); os.system('echo {number}');")).collect();
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    let execution = ready(1).await.complete(Notebook::new(&sources).job).await.unwrap();
    for (number, cell) in execution.cells.iter().enumerate() {
        assert_eq!(stream(cell, "stdout"), format!(">{number}\n"));
    }
}

#[tokio::test]
async fn an_interrupt_in_the_middle_of_output_breaks_nothing() {
    let executor = ready(1).await;
    for source in
        ["while True: print('x' * 70_000, flush=True)", "while True: display('x')", "while True: print('x' * 100)"]
    {
        let mut notebook = Notebook::new(&[source]);
        notebook.job.limits.wall = Duration::from_millis(700);
        notebook.job.limits.output_bytes = 4 << 30;
        let wall = notebook.job.limits.wall;
        let outcome = executor.complete(notebook.job).await.unwrap().outcome;
        assert_eq!(outcome, Outcome::Timeout { cell: Some(0), after: wall }, "{source}");
    }
}

#[tokio::test]
async fn tracebacks_look_the_same() {
    let source = "def broken():\n    return 1 / 0\nbroken()";
    let traceback =
        async |executor: &dyn Executor| match executor.complete(Notebook::new(&[source]).job).await.unwrap().outcome {
            Outcome::CellError { traceback, .. } => traceback,
            other => panic!("{other:?}"),
        };
    let spawned = traceback(&SpawnExecutor::new(Arc::new(SystemClock))).await;
    assert_eq!(traceback(&ready(0).await).await, spawned);
}

#[tokio::test]
async fn nothing_is_shared_between_two_runs() {
    let source = "import os, random, uuid, secrets, tempfile, numpy, multiprocessing\n\
                  print(os.getpid(), random.random(), uuid.uuid4(), secrets.token_hex(), numpy.random.rand(), \
                  next(tempfile._get_candidate_names()), multiprocessing.current_process().authkey.hex(), get_ipython().kernel.ident, \
                  get_ipython().kernel.session.session)";
    let executor = ready(2).await;
    let mut lines = Vec::new();
    for _ in 0..3 {
        let execution = executor.complete(Notebook::new(&[source]).job).await.unwrap();
        lines.push(stream(&execution.cells[0], "stdout"));
    }
    let words: Vec<Vec<&str>> = lines.iter().map(|line| line.split_whitespace().collect()).collect();
    for i in 0..words[0].len() {
        assert!(words[0][i] != words[1][i] && words[1][i] != words[2][i] && words[0][i] != words[2][i], "{words:?}");
    }
}
