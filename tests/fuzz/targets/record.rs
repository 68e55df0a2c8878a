#![no_main]
//! Records of runs, alone and in a folder that a run is resumed in, and what stands beside them.
use libfuzzer_sys::fuzz_target;
use simloss_core::{Label, loss::CrossEntropy};
use simloss_fuzz::{Bytes, file, folder, is_clear};
use simloss_train::{
    compare::{analysis::Analysis, comparison::Comparison, manifest::Manifest},
    data::{Dataset, Split},
    report::{json::Results, records::Line, terminal},
    run::{
        record::{Record, Selection, Settings},
        train::{Objective, OutDir, run},
    },
    similarity::spec::LossDescription,
};
use std::fs;

/// Resumes a run in the folder, of which one file is hostile.
fn resume(hostile: Option<(&str, &[u8])>) -> Result<Record, simloss_train::Error> {
    let dir = folder().join("run");
    let _ = fs::remove_dir_all(&dir);
    let labels = (0..20).map(|i| Label::new(i % 2, 2)).collect::<Result<Vec<_>, _>>()?;
    let features = (0..20).map(|i| i as f32).collect();
    let data = Dataset::new("steps", features, 1, labels, ["low", "high"].map(str::to_owned).to_vec(), vec![0.0, 1.0])?;
    let split = Split::stratified(&data, 7)?;
    let settings = Settings {
        epochs: 2,
        batch: 8,
        rate: 0.05,
        patience: None,
        seed: 7,
        hidden: vec![2],
        augmentation: None,
        selection: Selection::Accuracy,
        threads: 1,
    };
    let plain = LossDescription::cross_entropy();
    let train = |epochs| {
        let settings = Settings { epochs, ..settings.clone() };
        let out = OutDir { dir: dir.clone(), resume: true };
        run(&settings, Objective::new(CrossEntropy::new(2)?, &plain), &data, &split, Some(&out), &mut ())
    };
    if let Some((name, bytes)) = hostile {
        train(1)?;
        fs::write(dir.join(name), bytes).expect("room for a temporary file");
    }
    train(2)
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let [which] = bytes.take();
    let data = bytes.rest();
    match which % 4 {
        0 => {
            let path = file("record.json", data);
            match Record::load(&path) {
                Ok(record) => {
                    record.save(&path).expect("what was read can be written");
                    assert_eq!(Record::load(&path).expect("and read"), record);
                }
                Err(error) => is_clear(&error.to_string()),
            }
            if let Ok(lines) = serde_json::from_slice::<Vec<Line>>(data) {
                let text = serde_json::to_vec(&lines).expect("what was read can be written");
                assert_eq!(serde_json::from_slice::<Vec<Line>>(&text).expect("and read"), lines);
            }
            let _ = serde_json::from_slice::<Results>(data);
        }
        1 => {
            file("comparison.json", data);
            let _ = Manifest::read(&folder()).map_err(|error| is_clear(&error.to_string()));
            match Comparison::read(&folder()).and_then(|comparison| Analysis::of(&comparison)) {
                Ok(analysis) => assert!(!terminal::render(&analysis).is_empty()),
                Err(error) => is_clear(&error.to_string()),
            }
        }
        other => {
            let name = if other == 2 { "record.json" } else { "state.safetensors" };
            match resume(Some((name, data))) {
                Ok(record) => {
                    assert!(record.result.is_some() && record.epochs.len() == 2);
                    assert_eq!(Record::load(&folder().join("run/record.json")).expect("it was written"), record);
                }
                Err(error) => is_clear(&error.to_string()),
            }
        }
    }
});
