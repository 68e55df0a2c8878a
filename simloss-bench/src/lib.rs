//! What judges SimLoss: exact results, distances from them, tolerances, and hard cases.
//!
//! ```text
//! cases -> (implementation under test) -> ulp <- oracle <- row
//!                                          |
//!                                        bounds
//! ```
//!
//! [`oracle`] computes the loss, its gradient and the elementary functions straight from their
//! definitions, in hundreds of bits; [`ulp`] says how far a float is from that; [`bounds`] is the
//! one table of how far it may be, with the reasons; [`cases`] makes inputs at which floats fail.
#![cfg_attr(test, allow(clippy::disallowed_methods))] // tests judge by the platform's functions

pub mod bounds;
pub mod cases;
pub mod curve;
pub mod exact;
pub mod instructions;
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
