//! The program `simloss`, from its command line: one program of tests, a module a subject.
#![allow(clippy::disallowed_methods)] // tests compare with the platform's functions

#[expect(dead_code, reason = "the tests of the libraries use the rest")]
mod documents;
mod place;

mod cli;
mod cli_data;
mod cli_images;
mod cli_train;
mod errors;
mod faults;
mod head;
mod losses;
mod real;
mod same_bits;
mod sweep;
