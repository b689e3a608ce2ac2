//! Black-box tests: the real server, real kernels, real HTTP. One binary, one file per area.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod app;
mod binary;
mod cli;
mod compression;
mod concurrency;
mod contract;
mod control;
mod cors;
mod crash;
mod declared;
mod deliveries;
mod demo;
mod deploying;
mod durable;
mod events;
mod failures;
mod files;
mod full_disk;
mod hello;
mod hostile;
mod house;
mod idempotency;
mod inbox;
mod leaks;
mod mail;
mod openapi;
mod operations;
mod outbound;
mod owners;
mod parameters;
mod passing;
mod python_client;
mod receiver;
mod refusals;
mod responses;
mod results;
mod retention;
mod secrets;
mod signatures;
mod soak;
mod tasks;
mod versions;
mod warming;
