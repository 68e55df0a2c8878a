#![no_main]
//! Safetensors files: models of this program, and bare parameters.
use libfuzzer_sys::fuzz_target;
use simloss_fuzz::{file, is_clear};
use simloss_train::model::{Model, checkpoint};

fuzz_target!(|data: &[u8]| {
    // The length of the header is put right, or almost no input gets beyond it.
    let mut bytes = data.to_vec();
    if let Some(end) = data.windows(2).rposition(|pair| pair == b"}}").filter(|&end| end >= 8)
        && data[0] & 1 == 0
    {
        bytes[..8].copy_from_slice(&(end as u64 + 2 - 8).to_le_bytes());
    }
    let path = file("model.safetensors", &bytes);
    match checkpoint::read(&path) {
        Ok(found) => {
            assert!(found.parameters.iter().all(|x| x.is_finite()));
            checkpoint::write(&path, &found.network, &found.parameters).expect("what was read can be written");
            assert_eq!(checkpoint::read(&path).expect("and read").parameters, found.parameters);
        }
        Err(error) => is_clear(&error.to_string()),
    }
    let path = file("model.safetensors", &bytes);
    match Model::load(&path) {
        Ok(model) => {
            model.save(&path).expect("what was read can be written");
            assert_eq!(Model::load(&path).expect("and read"), model);
        }
        Err(error) => is_clear(&error.to_string()),
    }
});
