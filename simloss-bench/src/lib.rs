//! Checks and measures SimLoss: exact results, distances from them, bounds, and hard cases.
//!
//! ```text
//! cases -> (implementation under test) -> ulp <- oracle <- row, matrix
//!                                          |
//!                                        bounds
//! ```
//!
//! [`oracle`] computes the loss, its gradient, and the elementary functions directly from their definitions, in hundreds of
//! bits. [`ulp`] measures the distance of a float from the exact result. [`bounds`] is the one table of allowed distances,
//! with the reasons. [`cases`] makes inputs that are hard for floats.
//!
//! # In continuous integration
//! What `./tests/run.sh bench` does:
//!
//! ```sh
//! cargo run --release -p simloss-bench --bin stability                                    # accurate?
//! cargo bench -p simloss-bench --bench loss -- --quick --noplot                           # correct results; prints times
//! cargo run --release -p simloss-bench --bin throughput -- --only loss --at-most 1.4      # fast enough?
//! ```
//!
//! `stability` exits with 1 if one of our errors exceeds its bound, or if an implementation that is listed as failing passes.
//! The criterion benches check every result against the oracle before they time it. No check uses their times, because times
//! of two machines are not comparable (`--save-baseline` and `--baseline` compare two commits on one machine).
//!
//! `throughput --at-most RATIO` exits with 1 if SimLoss takes more than RATIO times as long as cross entropy. It runs both in
//! turn on the same machine, on batches of 1,024 with 90, 96, and 1,000 classes, in lanes; `docs/performance.md` has the
//! ratios. Choose a RATIO with a margin if other work shares the machine. One row at a time, as on a microcontroller, SimLoss
//! takes 1.2 to 1.8 times as long (`docs/records/benches.json`); no check covers this ratio.
#![cfg_attr(test, allow(clippy::disallowed_methods))] // tests compare with the platform's functions

pub mod bounds;
pub mod cases;
pub mod curve;
pub mod error_stats;
pub mod exact;
pub mod instructions;
pub mod matrix;
pub mod measure;
pub mod oracle;
pub mod peers;
pub mod profile;
pub mod real;
pub mod record;
pub mod row;
pub mod subject;
pub mod ulp;
pub mod workload;
