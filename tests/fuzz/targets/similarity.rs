#![no_main]
//! Matrices in CSV and NPY, superclasses, and aliases.
use libfuzzer_sys::fuzz_target;
use simloss_fuzz::{Bytes, file, is_clear};
use simloss_train::similarity::{
    matrix,
    names::{Aliases, Unnamed, Wanted},
    superclasses,
};

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let [how] = bytes.take();
    let path = file("similarity", bytes.rest());
    let names = ["cat", "dog", "3"].map(str::to_owned);
    let aliases = match how & 8 {
        0 => Aliases::default(),
        _ => Aliases::published(),
    };
    let wanted = Wanted {
        classes: (how & 1 == 1).then_some(&names[..]),
        aliases: &aliases,
        unnamed: if how & 2 == 2 { Unnamed::Drop } else { Unnamed::Error },
    };
    let measure = how & 4 == 4;
    match matrix::read(&path, &wanted, measure) {
        Ok((matrix, _)) => {
            let least = if measure { -1.0 } else { 0.0 };
            assert!(matrix.entries.iter().all(|s| (least..=1.0).contains(s)));
            let classes = matrix.classes();
            assert!(classes >= 2 && matrix.entries.len() == classes * classes);
            assert!((0..classes).all(|y| matrix.entries[y * classes + y] == 1.0));
            assert!(matrix.names.is_none_or(|names| names.len() == classes));
        }
        Err(error) => is_clear(&error.to_string()),
    }
    match superclasses::read(&path, &wanted) {
        Ok((names, groups)) => assert!(names.len() == groups.len() && names.len() >= 2),
        Err(error) => is_clear(&error.to_string()),
    }
    let _ = Aliases::read(&path).map_err(|error| is_clear(&error.to_string()));
});
