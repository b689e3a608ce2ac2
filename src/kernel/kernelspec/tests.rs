use std::os::unix::fs::{OpenOptionsExt, symlink};

use serde_json::{Value, json};

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn dirs(pairs: &[(&str, &str)], prefix: &str, virtualenv: bool) -> Vec<String> {
    let dirs = path::kernel_dirs(&variables(pairs), Path::new(prefix), virtualenv);
    dirs.iter().map(|dir| dir.to_str().unwrap().strip_suffix("/kernels").unwrap().to_owned()).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn search_path_is_jupyters() {
    const USER: &str = "/home/me/.local/share/jupyter";
    const SYSTEM: [&str; 3] = ["/usr/local/share/jupyter", "/usr/share/jupyter", "/home/me/.ipython"];
    let with = |first: &[&str]| -> Vec<String> { first.iter().chain(&SYSTEM).map(|dir| (*dir).to_owned()).collect() };
    let home = ("HOME", "/home/me");
    assert_eq!(dirs(&[home], "/env", false), with(&[USER, "/env/share/jupyter"]));
    assert_eq!(dirs(&[home], "/env", true), with(&["/env/share/jupyter", USER]));
    assert_eq!(dirs(&[home], "/usr", false), with(&[USER]));
    let preferring = |value| dirs(&[home, ("JUPYTER_PREFER_ENV_PATH", value)], "/env", value == "0");
    assert_eq!(
        (preferring("1"), preferring("0")),
        (with(&["/env/share/jupyter", USER]), with(&[USER, "/env/share/jupyter"]))
    );
    let conda = [home, ("CONDA_PREFIX", "/env"), ("CONDA_DEFAULT_ENV", "work")];
    assert_eq!(dirs(&conda, "/env", false), with(&["/env/share/jupyter", USER]));
    let set = [home, ("JUPYTER_PATH", "/a:/b"), ("JUPYTER_DATA_DIR", "/data")];
    assert_eq!(dirs(&set, "/env", false), with(&["/a", "/b", "/data", USER, "/env/share/jupyter"]));
    assert_eq!(dirs(&[home, ("XDG_DATA_HOME", "/xdg")], "/usr", false), with(&["/xdg/jupyter", USER]));
}

/// A world with an interpreter, a program on `PATH` and a place for kernelspecs.
struct World {
    dir: tempfile::TempDir,
    specs: Kernelspecs,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for file in ["env/bin/python", "bin/ark"] {
            executable(&root.join(file));
        }
        let text = |path: &str| root.join(path).to_str().unwrap().to_owned();
        let variables =
            variables(&[("HOME", "/nonexistent"), ("PATH", &text("bin")), ("JUPYTER_PATH", &text("jupyter"))]);
        let specs = Kernelspecs::with_variables(&root.join("env/bin/python"), Path::new("/client"), variables, false);
        Self { dir, specs }
    }

    fn add(&self, name: &str, spec: &Value) -> PathBuf {
        let dir = self.dir.path().join("jupyter/kernels").join(name);
        std::fs::create_dir_all(&dir).unwrap();
        put(&dir.join("kernel.json"), 0o644, &spec.to_string());
        dir
    }

    fn path(&self, path: &str) -> String {
        self.dir.path().join(path).to_str().unwrap().to_owned()
    }
}

fn executable(file: &Path) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    put(file, 0o755, "");
}

fn put(file: &Path, mode: u32, content: &str) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(file).unwrap();
    file.write_all(content.as_bytes()).unwrap();
}

#[test]
fn a_kernelspec_becomes_a_command() {
    let world = World::new();
    let dir = world.add(
        "Ark.R",
        &json!({
            "argv": ["ark", "{connection_file}", "--dir={resource_dir}", "--prefix={prefix}", "{other}"],
            "language": "R", "interrupt_mode": "message", "env": {"HERE": "${HOME}/$HOME/$$/${NONE}/$1", "N": 7}, "x": [],
        }),
    );
    let command = world.specs.find("ark.r").unwrap();
    let resource = format!("--dir={}", dir.display());
    let prefix = format!("--prefix={}", world.path("env"));
    assert_eq!(command.argv, [&world.path("bin/ark"), "{connection_file}", &resource, &prefix, "{other}"]);
    let env = [("HERE", "/nonexistent//nonexistent/$/${NONE}/$1"), ("N", "7")];
    assert_eq!(command.env, env.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!((command.name.as_str(), command.language.as_str()), ("ark.r", "r"));
    assert_eq!(command.interrupt, InterruptMode::Message);
    assert_eq!(world.specs.names(), ["ark.r", "python3"]);
}

#[test]
fn python_kernels_get_our_launcher() {
    let world = World::new();
    let native = python_kernel(&world.dir.path().join("env/bin/python"), Path::new("/client"));
    assert_eq!(
        native.argv,
        [&world.path("env/bin/python"), "/client/nbhook/_kernel.py", "{connection_file}", "/client"]
    );
    assert_eq!(world.specs.find("python3").unwrap(), native);

    let argv = json!(["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"]);
    world.add("python3", &json!({"argv": argv, "language": "python", "env": {"A": "b"}}));
    let installed = world.specs.find("python3").unwrap();
    assert_eq!((installed.argv, installed.env), (native.argv, vec![("A".to_owned(), "b".to_owned())]));

    let argv = json!(["/bin/sh", "-Xdev", "-m", "ipykernel", "-f", "{connection_file}", "--pylab"]);
    world.add("other", &json!({"argv": argv, "language": "Python"}));
    let other = world.specs.find("other").unwrap();
    let expected = ["/bin/sh", "-Xdev", "/client/nbhook/_kernel.py", "{connection_file}", "/client", "--", "--pylab"];
    assert_eq!((other.argv, other.name), (expected.map(str::to_owned).to_vec(), "other".to_owned()));

    let argv = json!(["python", "-m", "bash_kernel", "-f", "{connection_file}"]);
    world.add("bash", &json!({"argv": argv, "language": "bash"}));
    assert_eq!(world.specs.find("bash").unwrap().argv[1..], ["-m", "bash_kernel", "-f", "{connection_file}"]);
}

#[test]
fn what_cannot_be_started_is_named() {
    let world = World::new();
    for name in ["", "..", "a/b", "../ark", "a b", "ä"] {
        assert_eq!(world.specs.find(name), Err(KernelspecError::Name(name.to_owned())));
    }
    let says = |name: &str| world.specs.find(name).unwrap_err().to_string();
    assert_eq!(says("nope"), "no kernelspec `nope` on this server; it has python3");
    for (argv, expected) in [
        (json!(["gone"]), "the kernelspec `x` starts `gone`, which is not on PATH"),
        (json!(["/no/such"]), "the kernelspec `x` starts `/no/such`, which is not there or not executable"),
        (
            json!(["./run"]),
            "the kernelspec `x` starts `./run`, which is neither an absolute path nor a program on PATH",
        ),
    ] {
        world.add("x", &json!({"argv": argv}));
        assert_eq!(says("x"), expected);
    }
    for spec in [json!({}), json!({"argv": []}), json!({"argv": "ark"}), json!({"argv": ["ark", 1]})] {
        world.add("x", &spec);
        assert!(says("x").ends_with("`argv` is no list of words with a program"), "{}", says("x"));
    }
    let remote = json!({"kernel_provisioner": {"provisioner_name": "remote"}});
    world.add("x", &json!({"argv": ["ark"], "metadata": remote}));
    assert!(says("x").contains("provisioner \"remote\""));
}

#[test]
fn links_and_earlier_directories_count() {
    let world = World::new();
    let real = world.add("real", &json!({"argv": ["ark"], "language": "r"}));
    symlink(&real, real.with_file_name("linked")).unwrap();
    assert_eq!(world.specs.find("linked").unwrap().language, "r");
    let mut specs = world.specs.clone();
    specs.search_first(&world.dir.path().join("first"));
    let dir = world.dir.path().join("first/real");
    std::fs::create_dir_all(&dir).unwrap();
    put(&dir.join("kernel.json"), 0o644, r#"{"argv": ["ark"], "language": "s"}"#);
    assert_eq!(specs.find("real").unwrap().language, "s");
}
