#![no_main]
//! Word vectors: word2vec text and binary, GloVe text.
use libfuzzer_sys::fuzz_target;
use simloss_fuzz::{file, is_clear};
use simloss_train::similarity::vectors;

fuzz_target!(|data: &[u8]| {
    let path = file("vectors", data);
    match vectors::read_all(&path) {
        Ok(all) => {
            let vectors: Vec<Vec<f32>> = all.into_iter().map(|(_, vector)| vector).collect();
            assert!(vectors.windows(2).all(|pair| pair[0].len() == pair[1].len()));
            match vectors::cosines(&vectors) {
                Ok(cosines) => assert!(cosines.iter().all(|s| (-1.0..=1.0).contains(s))),
                Err(error) => is_clear(&error.to_string()),
            }
        }
        Err(error) => is_clear(&error.to_string()),
    }
    let words = ["cat", "dog", "a b"].map(str::to_owned);
    match vectors::read(&path, &words) {
        Ok(found) => assert!(found.iter().flatten().all(|vector| vector.iter().all(|x| x.is_finite()))),
        Err(error) => is_clear(&error.to_string()),
    }
});
