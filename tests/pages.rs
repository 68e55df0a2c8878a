//! What people read: documents, their figures, links, words and programs, and what the compiler says to mistakes. A program
//! of its own, because it compiles in seconds.
#![allow(clippy::disallowed_methods)] // tests compare with the platform's functions

mod compiler;
mod docs;
mod mistakes;
mod snippets;
mod words;
