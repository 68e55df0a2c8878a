//! `simloss predict`: what a network says of samples without labels, as they come.

use super::load::{note, threads};
use crate::{
    Error,
    cli::PredictCommand,
    compute::{engine, samples::AnyFeatures},
    data::{
        images::{Contents, ImageSet, Images, Part},
        read::{
            csv::{self, Columns, Encoder, Layout},
            images::{
                decode::{bad_images, decode_all},
                folder,
            },
        },
    },
    error::place::{InFile, list},
    eval::{
        infer::{BATCH, Step, logits},
        predictions::{Classes, Format, Source, Writer},
    },
    files,
    model::{Model, checkpoint},
};
use ::csv::StringRecord;
use simloss_core::Label;
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

/// Gets the logits of each sample, with where it comes from.
type Each<'e, S> = &'e mut dyn FnMut(S, &[f32]) -> Result<(), Error>;

/// Images that are decoded at a time.
const IMAGES: usize = 256;

pub(super) fn predict(command: PredictCommand, stop: &AtomicBool) -> Result<String, Error> {
    let PredictCommand { paths, checkpoint, out, json, ignore, form, skip_bad, threads: asked } = command;
    if let Some(out) = &out {
        files::keep(out, [&*checkpoint].into_iter().chain(paths.iter().map(PathBuf::as_path)))?;
    }
    let trained = checkpoint::read(&checkpoint)?;
    trained.notes.iter().for_each(|text| note(text));
    let model = trained.model.as_ref();
    let numbers: Vec<String> = (0..trained.network.classes()).map(|class| class.to_string()).collect();
    let indices: Vec<f64> = (0..trained.network.classes()).map(|class| class as f64).collect();
    let classes = match model {
        Some(model) => Classes { names: &model.class_names, values: &model.class_values, ordered: model.is_ordered() },
        None => Classes { names: &numbers, values: &indices, ordered: false },
    };
    let threads = threads(asked);
    let write = |to: &mut dyn Write, path: &Path| {
        let format = if json { Format::Json } else { Format::Csv };
        let mut writer = Writer::new(classes, format, to, path)?;
        let mut drive = |step: &mut Step<'_>| {
            let stopped = || match stop.load(Ordering::Relaxed) {
                true => Err(Error::Interrupted { folder: None }),
                false => Ok(()),
            };
            match trained.network.image_size() {
                Some(size) => images(&paths, size, threads, skip_bad, classes, step, &mut |source, logits| {
                    stopped()?;
                    writer.add(source, logits)
                }),
                None => {
                    let [file] = &paths[..] else {
                        let many = format!("the network takes tables: give one file, not {}", paths.len());
                        return Err(Error::Usage(many));
                    };
                    let ignore = ignore.iter().flat_map(|list| list.0.clone()).collect();
                    let (missing, form) = (form.missing.into(), form.form());
                    let columns = Columns { ignore, missing, form, ..Columns::default() };
                    rows(file, &columns, &trained, step, &mut |row, logits| {
                        stopped()?;
                        writer.add(Source::Row(row), logits)
                    })
                }
            }
        };
        logits(&trained.network, &trained.parameters, threads, &mut drive)?;
        writer.end()
    };
    match &out {
        Some(path) => {
            let mut written = 0;
            files::stream(path, |file: &mut File| {
                written = write(&mut BufWriter::new(file), path)?;
                Ok(())
            })?;
            Ok(format!("{written} predictions: {}\n", path.display()))
        }
        None => {
            write(&mut BufWriter::new(io::stdout().lock()), Path::new("the terminal"))?;
            Ok(String::new())
        }
    }
}

/// The rows of a table, a batch at a time.
fn rows(
    path: &Path,
    columns: &Columns,
    trained: &checkpoint::Checkpoint,
    step: &mut Step<'_>,
    each: Each<'_, u64>,
) -> Result<(), Error> {
    let mut rows = csv::Rows::open(path, &columns.form)?;
    let layout = Layout::of(path, &rows, columns)?;
    let known = trained.model.as_ref().map(Model::known);
    let nameless = known.is_none_or(|known| known.features.is_empty());
    if let (true, Some(first)) = (nameless, layout.unnamed.first()) {
        return Err(InFile::file(path, csv::Problem::Unnamed(first + 1)).line(1).into());
    }
    let (encoder, others) = Encoder::new(path, &rows, columns, &layout.features, known, true)?;
    rows.notes.iter().for_each(|text| note(text));
    if nameless {
        let names = list(&encoder.features());
        note(&format!(
            "the network does not name its features: they are the columns in the order of the file, {names}"
        ));
    }
    if !others.is_empty() {
        note(&format!("left out columns that the network does not take: {}", list(&others)));
    }
    let (found, expected) = (encoder.width(), trained.network.inputs());
    if found != expected {
        let problem = format!("its rows are {found} numbers each, but the network takes {expected}");
        return Err(Error::Data { data: path.display().to_string(), problem });
    }
    let (mut row, mut number, mut dropped, mut more) = (StringRecord::new(), 0u64, 0usize, true);
    let (mut numbers, mut places) = (vec![], vec![]);
    while more {
        numbers.clear();
        places.clear();
        while places.len() < BATCH {
            more = rows.next(&mut row)?;
            if !more {
                break;
            }
            number += 1;
            match encoder.add(&rows, &row, &mut numbers)? {
                true => places.push(number),
                false => dropped += 1,
            }
        }
        if places.is_empty() {
            continue;
        }
        let scaled = trained.standardiser.as_ref().map(|scale| scale.apply(&numbers));
        let chosen: Vec<u32> = (0..places.len() as u32).collect();
        let features = engine::Rows::new(scaled.as_deref().unwrap_or(&numbers), encoder.width(), &chosen)?;
        let labels = vec![None; places.len()];
        step(&AnyFeatures::Rows(features), &labels, &mut |i, _, logits| each(places[i], logits))?;
    }
    if dropped > 0 {
        note(&format!("left out {dropped} rows with a missing value"));
    }
    Ok(())
}

/// Images in files and folders, some at a time.
fn images(
    paths: &[PathBuf],
    size: [usize; 2],
    threads: usize,
    skip_bad: bool,
    classes: Classes<'_>,
    step: &mut Step<'_>,
    each: Each<'_, Source>,
) -> Result<(), Error> {
    let mut files = vec![];
    for path in paths {
        if path.is_dir() {
            let (found, notes) = folder::below(path)?;
            notes.iter().for_each(|text| note(text));
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    let mut bad = vec![];
    for files in files.chunks(IMAGES) {
        let decoded = decode_all(Path::new(""), files, size, threads, skip_bad, &|_| true)?;
        let is_bad = |i: u32| decoded.bad.iter().any(|(place, _)| *place == i as usize);
        let chosen: Vec<u32> = (0..files.len() as u32).filter(|&i| !is_bad(i)).collect();
        bad.extend(decoded.bad.into_iter().map(|(i, problem)| [files[i].display().to_string(), problem.to_string()]));
        if chosen.is_empty() {
            continue;
        }
        let n = files.len();
        let set = ImageSet::new(Contents {
            name: String::new(),
            height: size[0],
            width: size[1],
            pixels: decoded.pixels,
            labels: vec![Label::new(0, classes.names.len())?; n],
            class_names: classes.names.to_vec(),
            class_values: classes.values.to_vec(),
            paths: vec![String::new(); n],
            parts: vec![Part::Any; n],
            tree: None,
        })?;
        let features = AnyFeatures::Images(Images::new(&set, &chosen, None)?);
        let labels = vec![None; chosen.len()];
        step(&features, &labels, &mut |i, _, logits| {
            each(Source::File(files[chosen[i] as usize].display().to_string()), logits)
        })?;
    }
    if !bad.is_empty() {
        note(&format!("left out {} images that cannot be read: {}", bad.len(), bad_images(&bad)));
    }
    Ok(())
}
