//! Against real SMTP servers: aiosmtpd from the test Python, and sockets that misbehave.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::*;

struct SmtpServer {
    child: Child,
    stdout: BufReader<ChildStdout>,
    port: u16,
}

impl SmtpServer {
    #[expect(clippy::disallowed_methods, reason = "a test's own server, killed when it is dropped")]
    fn start(utf8: bool) -> Self {
        let python = crate::testing::python();
        let mut child = Command::new(python)
            .args(["-c", include_str!("smtp_server.py"), if utf8 { "utf8" } else { "ascii" }])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        Self { child, stdout, port: line.trim().parse().unwrap() }
    }

    fn mailer(&self) -> Mailer {
        mailer(self.port, Duration::from_secs(20))
    }

    /// The next mail that the server took.
    fn taken(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn mailer(port: u16, timeout: Duration) -> Mailer {
    let settings = MailSettings {
        url: Some(format!("smtp://127.0.0.1:{port}")),
        from: "nbhook <nbhook@example.org>".to_owned(),
        dir: PathBuf::from("/nonexistent"),
    };
    Mailer::with_timeout(&settings, timeout).unwrap()
}

fn message(to: &[&str]) -> Message {
    Message {
        to: to.iter().map(|address| EmailAddress::try_from((*address).to_owned()).unwrap()).collect(),
        subject: "Übersicht – 3 Läufe 失敗 fehlgeschlagen, und noch etwas mehr Text für eine zweite Zeile".to_owned(),
        text: "Zürich\n.\nMAIL FROM:<evil@example.org>\n\nend\n".to_owned(),
        html: format!("<p>Zürich {}</p>\n", "x".repeat(2_000)),
        reply_to: None,
        files: Vec::new(),
    }
}

fn header<'a>(mail: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = mail["headers"].as_array().unwrap().iter();
    headers.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_mail_arrives_whole() {
    let mut server = SmtpServer::start(false);
    let mailer = server.mailer();
    assert_eq!(mailer.transport_name(), "smtp");
    let sent = message(&["bob@example.org", "ann@bücher.example"]);
    mailer.send(sent.clone()).await.unwrap();
    let mail = server.taken();
    assert_eq!(mail["envelope_from"], "nbhook@example.org");
    assert_eq!(mail["envelope_to"], json!(["bob@example.org", "ann@xn--bcher-kva.example"]));
    assert_eq!(header(&mail, "Subject"), [sent.subject]);
    assert_eq!(header(&mail, "To"), ["bob@example.org, ann@xn--bcher-kva.example"]);
    assert_eq!(header(&mail, "From"), ["nbhook <nbhook@example.org>"]);
    assert_eq!(header(&mail, "Auto-Submitted"), ["auto-generated"]);
    assert!(header(&mail, "Message-ID")[0].ends_with("@example.org>"));
    assert_eq!(header(&mail, "Date").len(), 1);
    assert_eq!(mail["type"], "multipart/alternative");
    let lines = |text: &str| text.replace('\n', "\r\n");
    assert_eq!(mail["parts"], json!([["text/plain", lines(&sent.text)], ["text/html", lines(&sent.html)]]));
}

#[tokio::test]
async fn an_international_local_part_needs_a_server_that_takes_it() {
    let mut server = SmtpServer::start(true);
    server.mailer().send(message(&["jürg@example.org"])).await.unwrap();
    let mail = server.taken();
    assert_eq!(mail["envelope_to"], json!(["jürg@example.org"]));
    let error = SmtpServer::start(false).mailer().send(message(&["jürg@example.org"])).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_line_break_in_a_subject_makes_no_header() {
    let mut server = SmtpServer::start(false);
    let subject = "a\r\nBcc: all@example.org\r\n\r\nbody".to_owned();
    server.mailer().send(Message { subject, ..message(&["bob@example.org"]) }).await.unwrap();
    let mail = server.taken();
    assert_eq!(mail["envelope_to"], json!(["bob@example.org"]));
    assert!(header(&mail, "Bcc").is_empty() && header(&mail, "Message-ID").len() == 1, "{mail}");
}

#[tokio::test]
async fn a_refused_recipient_is_permanent_and_the_others_get_their_mail() {
    let mut server = SmtpServer::start(false);
    let mailer = server.mailer();
    let error = mailer.send(message(&["gone@example.org"])).await.unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("no such user"), "{error}");
    let error = mailer.send(message(&["gone@example.org", "bob@example.org"])).await.unwrap_err();
    assert!(matches!(error, MailError::SomeRefused { refused: 1, total: 2, .. }), "{error}");
    assert!(!error.is_transient());
    assert_eq!(server.taken()["envelope_to"], json!(["bob@example.org"]));
    let error = mailer.send(message(&["gone@example.org", "later@example.org"])).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_server_that_is_busy_or_away_may_be_tried_again() {
    let server = SmtpServer::start(false);
    let busy = server.mailer().send(message(&["later@example.org"])).await.unwrap_err();
    assert!(busy.is_transient() && busy.to_string().contains("try again later"), "{busy}");

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let away = mailer(closed, Duration::from_secs(20)).send(message(&["bob@example.org"])).await.unwrap_err();
    assert!(away.is_transient(), "{away}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mailer = mailer(silent.local_addr().unwrap().port(), Duration::from_millis(200));
    let sending = mailer.send(message(&["bob@example.org"]));
    let error = tokio::time::timeout(Duration::from_secs(20), sending).await.unwrap().unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn files_hold_the_mail_when_there_is_no_server() {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path().join("mail");
    let settings = MailSettings { url: None, from: "nbhook@example.org".to_owned(), dir: dir.clone() };
    let mailer = Mailer::new(&settings).unwrap();
    assert_eq!(mailer.transport_name(), "file");
    mailer.send(Message { subject: "one".to_owned(), ..message(&["bob@example.org"]) }).await.unwrap();
    mailer.send(Message { subject: "two".to_owned(), ..message(&["bob@example.org"]) }).await.unwrap();
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mails: Vec<String> = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert_eq!(mails.len(), 2);
    assert!(files.iter().all(|path| path.extension().unwrap() == "eml"));
    assert!(mails[0].contains("Subject: one\r\n") && mails[1].contains("Subject: two\r\n"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_may_be_tried_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let settings = MailSettings { url: None, from: "nbhook@example.org".to_owned(), dir: file.path().join("mail") };
    let error = Mailer::new(&settings).unwrap().send(message(&["bob@example.org"])).await.unwrap_err();
    assert!(error.is_transient() && matches!(error, MailError::File { .. }), "{error}");
}

#[tokio::test]
async fn memory_remembers_what_was_sent() {
    let (mailer, outbox) = Mailer::in_memory("nbhook@example.org").unwrap();
    assert_eq!(mailer.transport_name(), "memory");
    mailer.send(message(&["bob@example.org"])).await.unwrap();
    assert_eq!(outbox.sent(), [message(&["bob@example.org"])]);
    assert!(mailer.send(message(&[])).await.is_err(), "a mail to nobody is refused by every transport");
}
