//! Beside PyTorch: parameters in its layout, which it computes with and writes, and the losses of `docs/pytorch.md`.

use serde::Deserialize;
use simloss_core::{Label, loss::SimLoss, similarity::Identity};
use simloss_tests::Outcome;
use simloss_train::{
    compute::{
        network::Kind,
        samples::{Samples, Scaled},
    },
    data::{
        Dataset,
        images::{Contents, ImageSet, Part},
    },
    eval::infer::evaluate,
    model::checkpoint,
    similarity::AnySimilarity,
};
use std::{error::Error, path::Path, process::Command};

/// Probabilities of one sample by each network, from `golden/exported.py`.
#[derive(Deserialize)]
struct Golden {
    lenet: Vec<f64>,
    ages: Vec<f64>,
    table: Vec<f64>,
}

/// A network, its parameters, and its probabilities.
type Case = (Kind, Vec<f32>, Vec<f64>);

/// The networks of the script, with the parameters of its formula.
fn networks() -> Result<[Case; 3], serde_json::Error> {
    let Golden { lenet, ages, table } = serde_json::from_str(include_str!("golden/exported.json"))?;
    let with = |kind: Kind, expected| {
        let count = kind.tensors().iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum::<usize>();
        let parameter = |i: usize| (i * 7919 % 2003) as f32 - 1001.0;
        (kind, (0..count).map(|i| parameter(i) / 8192.0).collect(), expected)
    };
    Ok([
        with(Kind::LeNet { classes: 10 }, lenet),
        with(Kind::Ages { classes: 6 }, ages),
        with(Kind::Table { inputs: 5, hidden: vec![4], classes: 3 }, table),
    ])
}

/// The probabilities of the network on the script's sample.
fn probabilities(kind: &Kind, parameters: &[f32]) -> Result<Vec<f32>, Box<dyn Error>> {
    let classes = kind.classes();
    let names: Vec<String> = (0..classes).map(|i| i.to_string()).collect();
    let values = (0..classes).map(|i| i as f64).collect();
    let set: ImageSet;
    let data: Dataset;
    let scaled: Scaled<'_>;
    let samples: &dyn Samples = match kind.image_size() {
        Some([height, width]) => {
            set = ImageSet::new(Contents {
                name: "pattern".to_owned(),
                height,
                width,
                pixels: (0..3 * height * width).map(|i| (i * 31 % 256) as u8).collect(),
                labels: vec![Label::new(0, classes)?],
                class_names: names,
                class_values: values,
                paths: vec!["pattern".to_owned()],
                parts: vec![Part::Any],
                tree: None,
            })?;
            &set
        }
        None => {
            // The same sample twice: a table has at least two classes in use.
            let row = (0..kind.inputs()).map(|i| (i % 7) as f32 / 4.0);
            let labels = vec![Label::new(0, classes)?, Label::new(1, classes)?];
            data = Dataset::new("pattern", row.clone().chain(row).collect(), kind.inputs(), labels, names, values)?;
            scaled = Scaled::new(&data, None);
            &scaled
        }
    };
    let loss = SimLoss::new(AnySimilarity::None(Identity::new(classes)?));
    let mut found = vec![];
    evaluate(kind, parameters, loss, samples, &[0], 1, &mut |prediction| {
        found = prediction.probabilities.to_vec();
        Ok(())
    })?;
    Ok(found)
}

#[track_caller]
fn equal(kind: &Kind, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{kind:?}");
    for (a, b) in found.iter().zip(expected) {
        // Single precision through all layers; a transposed kernel is wrong by 1e-3 and more.
        assert!((a - b).abs() < 2e-6, "{kind:?}: {a} is not {b}");
    }
}

#[test]
fn what_is_exported_is_what_pytorch_computes_with() -> Outcome {
    let folder = tempfile::tempdir()?;
    for (kind, parameters, expected) in networks()? {
        let path = folder.path().join("exported.safetensors");
        checkpoint::write(&path, &kind, &parameters)?;
        let back = checkpoint::read(&path)?;
        assert_eq!((&back.network, &back.parameters), (&kind, &parameters));
        let found: Vec<f64> = probabilities(&kind, &back.parameters)?.into_iter().map(f64::from).collect();
        equal(&kind, &found, &expected);
    }
    Ok(())
}

/// Python with torch and safetensors, run on a script of the golden values.
fn python(script: &str, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let python = std::env::var("SIMLOSS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(script);
    let output = Command::new(python).arg(script).args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
#[ignore = "needs PyTorch: ./tests/run.sh pytorch"]
fn pytorch_reads_what_is_exported_and_its_files_are_read() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("exported.safetensors");
    let name = path.to_str().ok_or("no name")?;
    for (kind, parameters, expected) in networks()? {
        checkpoint::write(&path, &kind, &parameters)?;
        let found: Vec<f64> = serde_json::from_str(&python("exported.py", &["check", name])?)?;
        equal(&kind, &found, &expected);
    }
    let [_, _, (kind, parameters, _)] = networks()?;
    python("exported.py", &["write", name])?;
    let back = checkpoint::read(&path)?;
    assert_eq!((back.network, back.parameters), (kind, parameters));
    Ok(())
}

#[test]
#[ignore = "needs PyTorch: ./tests/run.sh pytorch"]
fn losses_written_for_pytorch_have_the_golden_values() -> Outcome {
    let errors = python("pytorch_losses.py", &[])?;
    assert!(errors.contains("torch.float32"), "{errors}");
    println!("{errors}");
    Ok(())
}
