//! What judges SimLoss: exact results, distances from them, tolerances, and hard cases.
//!
//! ```text
//! cases -> (implementation under test) -> ulp <- oracle <- row, matrix
//!                                          |
//!                                        bounds
//! ```
//!
//! [`oracle`] computes the loss, its gradient and the elementary functions straight from their
//! definitions, in hundreds of bits; [`ulp`] says how far a float is from that; [`bounds`] is the
//! one table of how far it may be, with the reasons; [`cases`] makes inputs at which floats fail.
//!
//! # In continuous integration
//! What `./tests/run.sh bench` does:
//!
//! ```sh
//! cargo run --release -p simloss-bench --bin stability                                    # exact?
//! cargo bench -p simloss-bench --bench loss -- --quick --noplot                           # right answers, times to read
//! cargo run --release -p simloss-bench --bin throughput -- --only loss --at-most 1.4      # as fast?
//! ```
//!
//! `stability` exits with 1 where an error of ours leaves its bound, or where one that is listed as failing does not. The
//! criterion benches hold every answer against the oracle before they time it; their times are judged by nobody, because
//! those of two machines do not compare (`--save-baseline` and `--baseline` compare two commits on one). `throughput
//! --at-most RATIO` exits with 1 where SimLoss takes more than RATIO of cross entropy's time, both on the same machine in
//! turn: batches of 1,024 at 90, 96 and 1,000 classes, in lanes, of which `docs/performance.md` has the ratios. Leave room
//! for a machine that is shared. One row at a time, as on a microcontroller, it takes 1.2 to 1.8 times as long
//! (`docs/records/benches.json`), and no ratio is promised.
#![cfg_attr(test, allow(clippy::disallowed_methods))] // tests judge by the platform's functions

pub mod bounds;
pub mod cases;
pub mod curve;
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
pub mod tally;
pub mod ulp;
pub mod workload;
