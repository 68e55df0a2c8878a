#![no_main]
//! Tables in CSV.
use libfuzzer_sys::fuzz_target;
use simloss_fuzz::{Bytes, file, is_clear};
use simloss_train::data::{
    Split,
    read::csv::{self, Columns, Form, Header, Missing},
};

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let [how] = bytes.take();
    let data = bytes.rest();
    // Rows again and again: a table needs some samples.
    let text = match how & 4 {
        0 => data.to_vec(),
        _ => {
            let at = data.iter().position(|&b| b == b'\n').map_or(data.len(), |at| at + 1);
            [&data[..at], &data[at..].repeat(12)].concat()
        }
    };
    let path = file("table.csv", &text);
    let columns = Columns {
        label: "y".to_owned(),
        order: (how & 1 == 1).then(|| ["low", "high"].map(str::to_owned).to_vec()),
        ignore: if how & 2 == 2 { vec!["id".to_owned()] } else { vec![] },
        missing: [Missing::Error, Missing::Drop, Missing::Median, Missing::Error][usize::from(how >> 3 & 3)],
        form: Form { header: if how & 32 == 32 { Header::Yes } else { Header::Expected }, ..Form::default() },
        ..Columns::default()
    };
    // All that is wrong at once, where the table cannot be read.
    let checked = csv::check(&path, &columns);
    match csv::read(&path, &columns) {
        Ok(table) => {
            let data = &table.data;
            let fills = columns.missing == Missing::Median;
            assert!(data.features().iter().all(|x| x.is_finite() || (fills && x.is_nan())));
            assert!(checked.is_ok_and(|(problems, _)| problems.is_empty()));
            assert!(data.classes() >= 2 && data.samples() >= csv::FEWEST_SAMPLES);
            assert_eq!(data.features().len(), data.samples() * data.feature_names().len());
            match Split::stratified(data, 1) {
                Ok(split) => {
                    let all = [&split.train, &split.validation, &split.test].map(|part| part.len());
                    assert_eq!(all.iter().sum::<usize>(), data.samples());
                }
                Err(error) => is_clear(&error.to_string()),
            }
        }
        Err(error) => is_clear(&error.to_string()),
    }
});
