//~ docs/microcontroller.md: use simloss_core::{Error, Label, Random, device::{self, Keep, Replay}, loss::CrossEntropy, nalgebra::SVector};
// SNIPPET
