//! The server around the routes: listening, logging requests, stopping.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::{self, Next, NormalizePath, TrailingSlash};
use actix_web::{App, HttpServer, web};

use super::{compression, manager};
use crate::service::Service;

/// How long open connections may go on once no run is left, in seconds.
const SHUTDOWN_TIMEOUT: u64 = 2;
/// How long a client may take to send its request's head, or to end its connection.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take in nothing of its answer.
const READER_TIMEOUT: Duration = Duration::from_mins(1);

/// A server that was started.
#[derive(Debug)]
pub struct Server {
    handle: ServerHandle,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// Serves `service` on `listener`.
///
/// # Errors
/// When the operating system refuses to listen.
pub fn start(listener: TcpListener, service: Arc<Service>) -> std::io::Result<Server> {
    let _ = super::operations::recorder(); // counts from the first request on
    let data = web::Data::from(service);
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .wrap(middleware::from_fn(compression::spare))
            .wrap(middleware::Compress::default())
            .wrap(middleware::from_fn(compression::tidy))
            .wrap(middleware::from_fn(observe))
            .wrap(middleware::from_fn(guard))
            .wrap(middleware::from_fn(manager::to_api))
            .wrap(NormalizePath::new(TrailingSlash::Trim))
            .configure(super::routes)
    })
    .workers(workers)
    .max_connections(connections() / workers)
    .client_request_timeout(CLIENT_TIMEOUT)
    .client_disconnect_timeout(CLIENT_TIMEOUT)
    .shutdown_timeout(SHUTDOWN_TIMEOUT)
    .on_connect(|connection, _| give_up_on_silence(connection))
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    Ok(Server { handle, task: tokio::spawn(server) })
}

/// Lets the system end a connection whose other side takes in nothing of what is sent: actix itself would wait for ever, with
/// the answer in memory (RFC 5482).
fn give_up_on_silence(connection: &dyn std::any::Any) {
    if let Some(stream) = connection.downcast_ref::<tokio::net::TcpStream>()
        && let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(READER_TIMEOUT))
    {
        tracing::debug!(%error, "cannot bound how long a client may take nothing in");
    }
}

/// How many connections may be open: half the files that the process may open, so that there are always some for kernels
/// and the database. More wait until others end.
fn connections() -> usize {
    const USUAL: usize = 1024;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = files.and_then(|numbers| numbers.split_whitespace().next()?.parse().ok());
    soft.unwrap_or(USUAL).min(40_000) / 2
}

impl Server {
    /// Stops listening, lets open requests end, and ends.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        let _ = self.task.await; // it has said what it had to say
    }
}

/// No answer is to be taken for something else than what its media type says.
async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let mut response = next.call(request).await?;
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// Logs a request by its route, never by its path: a hook's token is a secret. While the server drains, connections end
/// with their answer, or keep-alive would hold up the stop (actix-web #3169).
async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let started = Instant::now();
    let method = request.method().clone();
    let service = request.app_data::<web::Data<Service>>().cloned();
    let mut response = next.call(request).await?;
    let route = response.request().match_pattern().unwrap_or_else(|| "(none)".to_owned());
    let status = response.status().as_u16();
    let run = response.headers().get("x-nbhook-run").and_then(|run| run.to_str().ok()).map(str::to_owned);
    let milliseconds = started.elapsed().as_millis();
    tracing::info!(%method, route, status, milliseconds, run, "request");
    metrics::counter!("nbhook_http_requests_total", "route" => route, "status" => status.to_string()).increment(1);
    if service.is_some_and(|service| service.is_draining()) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}
