//! Many runs: what is planned, what is finished, and which differences are statistically significant.

pub mod analysis;
pub mod claims;
pub mod comparison;
pub mod decoder;
pub mod loss_result;
pub mod manifest;
pub mod metric;
pub mod metric_result;
mod pairs;
pub mod plan;
pub mod schedule;
pub mod selection;
pub mod statistics;
