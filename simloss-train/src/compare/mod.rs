//! Many trainings: what is planned, what came of it, and what is more than chance.

pub mod analysis;
pub mod manifest;
pub mod metric;
pub mod plan;
pub mod statistics;
