//! What a server needs on this machine.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use super::{Finding, State, bad, good, note};
use crate::app::check_mail;
use crate::config::Settings;
use crate::kernel::Kernelspecs;
use crate::kernel::environment::{Code, Inspector};
use crate::store::{Files, StoreError};

pub(super) async fn findings(settings: &Settings) -> Vec<Finding> {
    let folder = data_folder(&settings.data);
    let is_running = folder.state == State::Note;
    let python = kernel_python(settings);
    let mut findings = vec![folder, port(settings, is_running)];
    findings.extend(environment(&python).await);
    findings.push(kernelspecs(python).await);
    findings.push(mail(settings));
    findings.push(public_url(settings));
    findings
}

fn data_folder(data: &Path) -> Finding {
    const SUBJECT: &str = "data folder";
    if !data.exists() {
        return new_data_folder(data);
    }
    match Files::open(data) {
        Ok((files, _lock)) => good(SUBJECT, files.data().display().to_string()),
        Err(StoreError::InUse(folder)) => {
            let fix =
                "one server at a time uses a data folder: stop it before you start another, or choose another --data";
            note(SUBJECT, format!("{} is in use by a running server", folder.display()), fix)
        }
        Err(error) => bad(SUBJECT, error.to_string(), "make it writable for this user, or choose another --data"),
    }
}

/// Whether a data folder that is not there yet could be made; looking makes nothing.
fn new_data_folder(data: &Path) -> Finding {
    const SUBJECT: &str = "data folder";
    let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let parent = data.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    match tempfile::tempfile_in(parent) {
        Ok(_) => good(SUBJECT, format!("{} (made at the first start)", data.display())),
        Err(error) => {
            let fix = format!("make {} writable for this user ({error}), or choose another --data", parent.display());
            bad(SUBJECT, format!("{} cannot be made", data.display()), fix)
        }
    }
}

fn port(settings: &Settings, is_running: bool) -> Finding {
    const SUBJECT: &str = "port";
    let address = settings.listen;
    match TcpListener::bind(address) {
        Ok(_) if settings.is_exposed() => {
            let fix = "put a proxy with TLS in front and set behind_proxy, or listen on 127.0.0.1";
            note(SUBJECT, format!("{address} is free; others can reach it without TLS"), fix)
        }
        Ok(_) => good(SUBJECT, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_running => {
            good(SUBJECT, format!("{address} is in use, as by the running server"))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bad(SUBJECT, format!("{address} is used by another program"), "choose one with --listen (port 0: any)")
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let fix = "ports below 1024 need a privilege: choose a higher one with --listen, or put a proxy in front";
            bad(SUBJECT, format!("{address} may not be used by this user"), fix)
        }
        Err(error) => bad(SUBJECT, format!("{address}: {error}"), "set `listen` to an address that this machine has"),
    }
}

/// The interpreter that the server would run kernels in: the one it made for itself, if it has.
fn kernel_python(settings: &Settings) -> PathBuf {
    let made = settings.data.join(".nbhook/venv/bin/python");
    if made.is_file() { std::path::absolute(&made).unwrap_or(made) } else { settings.kernel.python.clone() }
}

async fn environment(python: &Path) -> Vec<Finding> {
    let code = Code { cells: &["import nbconvert"], ..Code::default() };
    let inspection = match Inspector::default().inspect(python, code).await {
        Ok(inspection) => inspection,
        Err(error) => {
            let fix = "install Python 3.9 or newer (on Debian and Ubuntu: apt install python3 python3-venv), or name one with --python";
            return vec![bad("python", error.to_string(), fix)];
        }
    };
    let interpreter = inspection.interpreter;
    let fix = format!(
        "`nbhook serve` makes an environment at its first start; or: {} -m pip install ipykernel nbconvert",
        interpreter.executable.display()
    );
    let mut findings = vec![good("python", format!("{} ({})", interpreter.version, interpreter.executable.display()))];
    findings.push(match interpreter.ipykernel {
        Some(version) => good("ipykernel", version),
        None => bad("ipykernel", "6 or newer is not there", fix.clone()),
    });
    findings.push(if inspection.missing_imports.is_empty() {
        good("nbconvert", "there")
    } else {
        bad("nbconvert", "not there, so notebooks cannot be answered as HTML", fix)
    });
    findings
}

async fn kernelspecs(python: PathBuf) -> Finding {
    let names =
        tokio::task::spawn_blocking(move || Kernelspecs::new(&python, Path::new("")).names()).await.unwrap_or_default();
    good("kernelspecs", names.join(", "))
}

fn mail(settings: &Settings) -> Finding {
    if let Err(error) = check_mail(settings) {
        bad("mail", error.to_string(), "correct the settings under [smtp]")
    } else if settings.smtp.url.is_some() {
        good("mail", "an SMTP server is set")
    } else {
        let fix = "set smtp.url (NBHOOK_SMTP__URL), e.g. smtps://user:password@mail.example.org";
        note("mail", "no SMTP server is set: mails are written to files", fix)
    }
}

fn public_url(settings: &Settings) -> Finding {
    const SUBJECT: &str = "public URL";
    match &settings.public_url {
        Some(url) => good(SUBJECT, url.clone()),
        None if settings.listen.ip().is_unspecified() => {
            let found = format!("hooks' URLs begin with http://{}, which no other machine can reach", settings.listen);
            note(SUBJECT, found, "set public_url (NBHOOK_PUBLIC_URL), e.g. https://hooks.example.org")
        }
        None => good(SUBJECT, format!("hooks' URLs begin with http://{}", settings.listen)),
    }
}
