#![no_main]
//! The core's checkpoints: refused without a change, or taken whole and given back as the same bytes.
use libfuzzer_sys::fuzz_target;
use simloss_core::device::checkpoint::{Header, constant, decode, encode};
use simloss_fuzz::{Bytes, sealed};

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let [seal, moments, parameters, far] = bytes.take();
    let (moments, parameters) = (usize::from(moments % 3), usize::from(parameters % 64));
    let from = bytes.rest();
    let length = 64 + 4 * parameters * (1 + moments);
    let from = if seal & 1 == 1 { sealed(from, length) } else { from.to_vec() };
    let found = Header::read(&from);
    // What is expected: what the bytes say, as far as that is small, or something else.
    let mut expected = match found {
        Ok(header) if far & 1 == 0 => Header { moments: moments as u16, parameters: parameters as u32, ..header },
        _ => Header { inputs: 1, outputs: 2, parameters: 4, moments: 1, sequence: 0, steps: 0, fingerprint: 0 },
    };
    if far & 2 == 2 {
        expected.inputs = expected.inputs.wrapping_add(1);
    }
    let (n, m) = (expected.parameters as usize, expected.parameters as usize * usize::from(expected.moments));
    let (mut parameters, mut moments) = (vec![0.5f32; n], vec![0.25f32; m]);
    match decode(&from, &expected, &mut parameters, &mut moments) {
        Ok(header) => {
            let mut again = vec![0; header.bytes()];
            assert_eq!(encode(&header, &parameters, &moments, &mut again), Ok(again.len()));
            // The checksum, the shape and the fingerprint.
            assert_eq!(again[..40], from[..40]);
            assert_eq!(again[64..], from[64..again.len()]);
        }
        Err(error) => {
            assert!(parameters.iter().all(|&x| x == 0.5) && moments.iter().all(|&x| x == 0.25), "{error}");
        }
    }
    // As constants, which are read when a program is compiled.
    if let Ok(numbers) = constant::<4>(&from) {
        assert!(numbers.iter().zip(from[64..].chunks(4)).all(|(x, bytes)| x.to_le_bytes() == bytes));
    }
});
