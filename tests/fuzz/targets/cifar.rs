#![no_main]
//! CIFAR-100 in a folder, one of its four files hostile, and as an archive.
use libfuzzer_sys::fuzz_target;
use simloss_fuzz::{Bytes, file, is_clear};
use simloss_train::data::read::images::cifar;
use std::fs;

const FILES: [&str; 4] = ["train.bin", "test.bin", "fine_label_names.txt", "coarse_label_names.txt"];

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let which = bytes.below(6);
    let data = bytes.rest();
    let names = |n: usize| (0..n).map(|i| format!("name{i}\n")).collect::<String>().into_bytes();
    let image = |fine: u8| [&[fine / 5, fine][..], &[fine; 3072]].concat();
    let path = if which < 4 {
        let all = [image(3), image(3), names(100), names(20)];
        let folder = simloss_fuzz::folder();
        for (i, (name, good)) in FILES.iter().zip(&all).enumerate() {
            // Few bytes say of which labels the images are; the pixels matter less.
            let hostile = match i {
                0 | 1 if data.len() < 1024 => data.chunks(2).take(16).flat_map(|b| [b, &[7; 3072]].concat()).collect(),
                _ => data.to_vec(),
            };
            fs::write(folder.join(name), if i == which { &hostile } else { good }).expect("room");
        }
        folder
    } else {
        file(["archive.tar", "archive.tar.gz"][which - 4], data)
    };
    let read = if data.first().is_some_and(|b| b & 1 == 1) { cifar::read } else { cifar::read_test };
    match read(&path) {
        Ok(set) => {
            assert!(set.classes() == 100 && set.labels().iter().all(|y| y.index() < 100));
            assert_eq!(set.pixels_of(0).len(), 3072);
            let _ = cifar::published(set).map_err(|error| is_clear(&error.to_string()));
        }
        Err(error) => is_clear(&error.to_string()),
    }
});
