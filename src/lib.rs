//! nbhook turns a Jupyter notebook into a URL. This file is the map; `ARCHITECTURE.md` walks through it.
//!
//! A call flows one way: `http` parses it, `service` decides, `notebook` and `response` compute, `kernel` runs, `store`
//! keeps, `http` writes the answer. `app` puts the parts together; `worker` does what need not be waited for.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crontab;
pub mod expression;
pub mod http;
pub mod kernel;
pub mod mail;
pub mod model;
pub mod notebook;
pub mod openapi;
pub mod random;
pub mod response;
pub mod sealing;
pub mod service;
pub mod store;
pub mod templates;
#[cfg(test)]
mod testing;
pub mod webhook;
pub mod worker;
