//! What is written of a comparison, a file for each form.

pub mod html;
pub mod picture;
mod plot;
pub mod records;
pub mod text;
