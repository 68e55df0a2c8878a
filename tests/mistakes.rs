//! What the compiler says to the likeliest mistakes: `mistakes/*.rs`, each a program that must not compile, whose lines `//~`
//! must be in what the compiler says.
//!
//! Only these lines: the rest of a message is another with each version of the compiler.

use crate::compiler::{compile, library};
use simloss_tests::Outcome;
use std::fs;

#[test]
fn likely_mistakes_do_not_compile_and_say_why() -> Outcome {
    let (library, folder) = (library()?, tempfile::tempdir()?);
    let mut mistakes = 0;
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/mistakes"))? {
        let program = entry?.path();
        let source = fs::read_to_string(&program)?;
        let expected: Vec<&str> = source.lines().filter_map(|line| line.strip_prefix("//~ ")).collect();
        let (compiles, said) = compile(&program, &library, folder.path())?;
        assert_eq!(compiles, expected.is_empty(), "{}: {said}", program.display());
        for line in &expected {
            assert!(said.contains(line), "{} should say: {line}\nand says: {said}", program.display());
        }
        mistakes += usize::from(!compiles);
    }
    assert_eq!(mistakes, 9);
    Ok(())
}
