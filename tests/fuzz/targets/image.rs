#![no_main]
//! PNG and JPEG, decoded and resized.
use libfuzzer_sys::fuzz_target;
use simloss_fuzz::is_clear;
use simloss_train::data::read::images::{decode, resize::Resize};

fuzz_target!(|data: &[u8]| {
    match decode::decode(data) {
        Ok(picture) => {
            let [height, width] = picture.size;
            assert_eq!(picture.pixels.len(), 3 * height * width);
            assert!(height * width <= decode::MOST_PIXELS);
            if height * width < 1 << 16 {
                let mut planes = [0; 3 * 8 * 8];
                Resize::default().planes(picture.pixels, picture.size, &mut planes, [8, 8]).expect("sizes that fit");
            }
        }
        Err(problem) => is_clear(&problem.to_string()),
    }
});
