//! Black-box tests: the real server, real kernels, real HTTP. One binary, one file per area.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod app;
mod binary;
mod cli;
mod concurrency;
mod crash;
mod demo;
mod deploying;
mod failures;
mod files;
mod hello;
mod hostile;
mod house;
mod leaks;
mod mail;
mod openapi;
mod operations;
mod owners;
mod parameters;
mod passing;
mod python_client;
mod refusals;
mod responses;
mod secrets;
mod soak;
mod versions;
mod warming;
