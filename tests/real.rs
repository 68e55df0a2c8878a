//! Real data, which may not be in the repository: `./tests/run.sh data` runs these where they are.
//!
//! `SIMLOSS_DATA` names their folder.

use crate::documents::{self, Section, Table};
use assert_cmd::Command;
use simloss_core::similarity::{DenseTable, Verified, verification_scratch};
use simloss_train::{
    cli::commands::classes,
    compute::network::Kind,
    data::read::images::cifar,
    model::checkpoint,
    similarity::{
        Candidate, Kind as SimilarityKind, Request, Source,
        describe::Description,
        matrix,
        names::{Aliases, Unnamed, Wanted},
        vectors,
    },
};
use std::{
    error::Error,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

type Outcome = Result<(), Box<dyn Error>>;

fn data(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let folder = std::env::var("SIMLOSS_DATA").map_err(|_| "set SIMLOSS_DATA, or use ./tests/run.sh data")?;
    Ok(Path::new(&folder).join(name))
}

/// What `simloss eval ... --json` prints.
fn eval(arguments: &[&str], checkpoint: &Path) -> Result<serde_json::Value, Box<dyn Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simloss"));
    let command = command.args(arguments).arg("--checkpoint").arg(checkpoint).args(["--json", "--cache", "none"]);
    let output = command.timeout(Duration::from_secs(600)).assert().success().get_output().stdout.clone();
    Ok(serde_json::from_slice(&output)?)
}

#[track_caller]
fn near(value: &serde_json::Value, expected: f64, tolerance: f64) {
    let found = value.as_f64().unwrap_or(f64::NAN);
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected} within {tolerance}");
}

/// The network that the authors of SimLoss published, with the figures that PyTorch and Pillow give.
#[test]
#[ignore = "needs data: ./tests/run.sh data"]
fn the_published_network_has_pytorchs_figures() -> Outcome {
    let folder = tempfile::tempdir()?;
    tar::Archive::new(BufReader::new(File::open(data("UTKFace-4k.tar")?)?)).unpack(folder.path())?;
    let root = folder.path().to_str().ok_or("no name")?;
    let arguments = ["eval", "age", root, "--reduction-factor", "0.8"];
    let found = eval(&arguments, &data("checkpoints/utkface_r0.8.safetensors")?)?;
    println!("{} {} {} {}", found["accuracy"], found["mae"], found["mae_expectation"], found["loss"]);
    assert_eq!(found["images"], 4027);
    near(&found["accuracy"], 0.167_122, 3.0 / 4027.0);
    near(&found["mae"], 6.635_71, 0.01);
    near(&found["mse"], 106.354_6, 0.5);
    near(&found["mae_expectation"], 6.123_81, 0.01);
    near(&found["loss"], 1.166_967, 0.003);
    Ok(())
}

#[test]
#[ignore = "needs data: ./tests/run.sh data"]
fn ten_thousand_images_are_evaluated_in_two_seconds() -> Outcome {
    let folder = tempfile::tempdir()?;
    let archive = data("cifar-100-binary.tar.xz")?;
    let unpacked = lzma_rust2::XzReader::new(BufReader::new(File::open(&archive)?), false);
    tar::Archive::new(unpacked).unpack(folder.path())?;
    let network = folder.path().join("lenet.safetensors");
    let kind = Kind::LeNet { classes: 100 };
    let count = kind.tensors().iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum::<usize>();
    let parameters: Vec<f32> = (0..count).map(|i| ((i * 7919 % 2003) as f32 - 1001.0) / 8192.0).collect();
    checkpoint::write(&network, &kind, &parameters)?;

    let root = folder.path().to_str().ok_or("no name")?;
    let unpacked = eval(&["eval", "cifar100", root], &network)?;
    assert_eq!(unpacked["images"], 10_000);
    // The best of three, and a bound far above it: others may use the machine too, and what this is to notice, a slow path
    // taken by mistake, costs more than they do.
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        eval(&["eval", "cifar100", root], &network)?;
        best = best.min(start.elapsed());
    }
    println!("{best:?} for 10,000 images, from the start of the program to its end");
    assert!(best < Duration::from_secs(10), "{best:?}");
    let archived = eval(&["eval", "cifar100", archive.to_str().ok_or("no name")?], &network)?;
    assert_eq!(archived["fingerprint"], unpacked["fingerprint"]);
    assert_eq!(archived["scores"], unpacked["scores"]);
    Ok(())
}

fn all() -> Wanted<'static> {
    static NONE: std::sync::LazyLock<Aliases> = std::sync::LazyLock::new(Aliases::default);
    Wanted { classes: None, aliases: &NONE, unnamed: Unnamed::Error }
}

#[test]
#[ignore = "needs data: ./tests/run.sh data"]
fn word_vector_cosines_match_the_stored_matrices() -> Outcome {
    for (words, table, classes) in [
        ("embeddings/glove6b100_96.txt", "embeddings/sim_glove6b100_96x96.csv", 96),
        ("embeddings/googlenews300_83.txt", "embeddings/sim_googlenews300_83x83.csv", 83),
    ] {
        let cosines = vectors::matrix(&data(words)?, &all())?;
        let names = cosines.names.ok_or("no names")?;
        let wanted = Wanted { classes: Some(&names), ..all() };
        let (stored, _) = matrix::read(&data(table)?, &wanted, true)?;
        assert_eq!((names.len(), stored.entries.len()), (classes, cosines.entries.len()));
        let worst = cosines.entries.iter().zip(&stored.entries).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{words}: at most {worst:e} from {table}");
        assert!(worst <= 1e-5, "{worst}");
    }
    Ok(())
}

/// `max(0, (cos - l) / (1 - l))` is proper only where few pairs are left; `exp(cos - 1)` is.
#[test]
#[ignore = "needs data: ./tests/run.sh data"]
fn cosines_with_a_lower_bound_are_rarely_proper() -> Outcome {
    for (table, proper_from) in
        [("embeddings/sim_glove6b100_96x96.csv", 0.9f32), ("embeddings/sim_googlenews300_83x83.csv", 0.8)]
    {
        let (cosines, _) = matrix::read(&data(table)?, &all(), true)?;
        let classes = cosines.classes();
        let cos = |i: usize, j: usize| cosines.entries[classes * i.min(j) + i.max(j)];
        let mut scratch = vec![0.0; verification_scratch(classes)];
        for tenths in 0..10u8 {
            let l = f32::from(tenths) / 10.0;
            let s = DenseTable::lower_bounded_in_memory(vec![0.0f32; classes * classes], classes, cos, l)?;
            let verdict = Verified::new(s, &mut scratch).map(|_| ());
            println!("{table}, l = {l}: {verdict:?}");
            if l < proper_from {
                assert!(matches!(verdict, Err(simloss_core::Error::NotProper { .. })), "l = {l}: {verdict:?}");
            } else {
                assert_eq!(verdict, Ok(()), "l = {l}");
            }
        }
        for b in [0.25f32, 1.0, 4.0] {
            let s = |i: usize, j: usize| if i == j { 1.0 } else { (b * (cos(i, j) - 1.0)).exp() };
            let s = DenseTable::in_memory(vec![0.0f32; classes * classes], classes, s)?;
            let start = Instant::now();
            Verified::new(s, &mut scratch)?;
            println!("{table}, exp({b} (cos - 1)): {:?}", start.elapsed());
        }
    }
    Ok(())
}

fn request(kind: SimilarityKind, vectors: Option<PathBuf>, r: &[f32], l: &[f32]) -> Request {
    Request {
        reduction_factors: r.to_vec(),
        lower_bounds: l.to_vec(),
        vectors,
        unnamed: Unnamed::Drop,
        ..Request::new(kind)
    }
}

#[test]
#[ignore = "needs data: ./tests/run.sh data"]
fn cifar_100_has_the_published_classes() -> Outcome {
    let set = cifar::read_test(&data("cifar-100-binary.tar.xz")?)?;
    let request = |kind, vectors| request(kind, vectors, &[], &[0.5]);
    let glove = request(SimilarityKind::Vectors, Some(data("embeddings/glove6b100_96.txt")?));
    let (kept, loaded) = classes::named(set.clone(), &glove)?;
    assert_eq!((kept.classes(), kept.images(), loaded.unnamed.len()), (96, 9600, 0));
    // The rows of the file are in the order of CIFAR's labels, and so is the stored matrix.
    let rows = vectors::read_all(&data("embeddings/glove6b100_96.txt")?)?;
    let aliases = Aliases::published();
    let words: Vec<&str> = kept.class_names().iter().map(|class| aliases.word(class)).collect();
    assert_eq!(words, rows.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>());
    let table = request(SimilarityKind::File(data("embeddings/sim_glove6b100_96x96.csv")?), None);
    let (same, stored) = classes::named(set.clone(), &table)?;
    assert_eq!(same.class_names(), kept.class_names());
    let (Source::Matrix(a), Source::Matrix(b)) = (loaded.source, stored.source) else { return Err("no matrix".into()) };
    assert!(a.entries.iter().zip(&b.entries).all(|(a, b)| (a - b).abs() <= 1e-5));

    let news = request(SimilarityKind::Vectors, Some(data("embeddings/googlenews300_83.txt")?));
    let (kept, loaded) = classes::named(set.clone(), &news)?;
    assert_eq!((kept.classes(), loaded.unnamed.len()), (83, 13));
    assert!(loaded.unnamed.contains(&"poppy".to_owned()) && loaded.unnamed.contains(&"willow_tree".to_owned()));
    let strict = Request { unnamed: Unnamed::Error, ..news };
    let message = classes::named(set.clone(), &strict).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message.contains("no vector for 17 of the classes: \"aquarium_fish\", \"beaver\""), "{message}");
    // A matrix of all 100 names serves the 96.
    let tree = request(SimilarityKind::File(data("embeddings/sim_cvjena_unitsphere_taxonomy_100x100.csv")?), None);
    assert_eq!(classes::named(set, &tree)?.0.classes(), 96);
    Ok(())
}

/// What `docs/reproduction.md` says of the similarities that its grids on CIFAR-100 are trained with.
#[test]
#[ignore = "needs data: ./tests/run.sh data"]
fn the_table_of_similarities_has_its_figures() -> Outcome {
    let set = cifar::read_test(&data("cifar-100-binary.tar.xz")?)?;
    let of = |name: &str| Ok::<_, Box<dyn Error>>(Some(data(&format!("embeddings/{name}"))?));
    let (glove, news) = (of("glove6b100_96.txt")?, of("googlenews300_83.txt")?);
    let tree = SimilarityKind::File(data("embeddings/sim_cvjena_unitsphere_taxonomy_100x100.csv")?);
    let mut table = Table::new(&["similarity", "classes", "similar pairs", "correct classes", "most similar"]);
    for (name, request) in [
        ("glove", request(SimilarityKind::Vectors, glove, &[], &[0.0, 0.3, 0.5, 0.7, 0.9])),
        ("googlenews", request(SimilarityKind::Vectors, news, &[], &[0.0, 0.3, 0.5, 0.7])),
        ("superclass", request(SimilarityKind::Superclass, None, &[0.2, 0.5], &[])),
        ("wordnet", request(tree, None, &[], &[0.5, 0.8])),
    ] {
        let (kept, loaded) = classes::named(set.clone(), &request)?;
        for Candidate { description, similarity } in request.candidates(&loaded.source, kept.classes())? {
            let parameter = match (description.reduction_factor, description.lower_bound) {
                (Some(r), _) => format!("r = {r}"),
                (_, Some(l)) => format!("l = {l}"),
                _ => return Err("no parameter".into()),
            };
            let Description { classes, row_sums: [_, correct, _], zeros, nearest, .. } = Description::of(&similarity)?;
            let pairs = classes * (classes - 1);
            let (y, c, s) = *nearest.first().ok_or("no pair")?;
            let most = match nearest.iter().filter(|pair| pair.2 == s).count() {
                1 => format!("{} and {}, {s:.2}", kept.class_names()[y], kept.class_names()[c]),
                _ => format!("several, {s:.2}"),
            };
            table.row([
                format!("{name}, {parameter}"),
                classes.to_string(),
                format!("{} of {pairs}", pairs - zeros),
                format!("{correct:.2}"),
                most,
            ]);
        }
    }
    documents::hold(&[Section::new("docs/reproduction.md", "similarities", table)])
}
