//! Black-box tests: the real server, real kernels, real HTTP. One binary, one file per area.

mod app;
mod hello;
mod house;
