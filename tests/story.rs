//! The desktop's part of the story that `tests/firmware/story.sh` plays: samples of sensors before and after they drift,
//! those that a device gets, and what came of it. `draws` repeats the story on the host for other draws of the samples.

mod draws;
// Not a dependency: the firmware is a workspace of its own, and this file needs nothing but the core.
#[path = "firmware/story/src/tuning.rs"]
mod tuning;

use serde::{Deserialize, Serialize};
use simloss_core::{Label, Random};
use simloss_train::{
    VERSION,
    compute::network::{Kind, Layers, Visitor},
    data::{
        Split, Standardiser,
        images::ImageSet,
        read::{
            images::folder::{self, Loading},
            wine,
        },
        table::Table,
    },
    model::{
        checkpoint::{self, Checkpoint},
        firmware::{Frozen, Head, features},
    },
};
use std::{collections::BTreeMap, env, error::Error, fs, io::BufWriter, path::Path};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Of the order of samples, and of the first weights that are not trained.
const SEED: u64 = 1;
/// Samples that a device sees, at most. Every [`HELD_OUT`]th judges its rounds.
const SAMPLES: usize = 320;
const HELD_OUT: usize = 5;
/// Passes over the samples.
const ROUNDS: usize = 20;
/// Of SGD, in the first round; each that is taken back halves it.
const RATE: f32 = 0.02;
/// The norm that a gradient is shortened to.
const LONGEST: f32 = 1.0;

/// What became of four sensors: the feature, and how far its measurements moved, in deviations of the training part.
const MOVED: [(&str, f64); 4] =
    [("volatile acidity", 1.5), ("total sulfur dioxide", 1.0), ("sulphates", -1.0), ("alcohol", -2.0)];
/// How much steeper these sensors are than they were.
const GAIN: f64 = 1.3;
/// The percentage of light that still gets to the camera.
const LIGHT: u16 = 40;

/// What happens to a network on a device.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Drift {
    version: String,
    seed: u64,
    drift: String,
    samples: usize,
    held_out: usize,
    judged: usize,
    rounds: usize,
    rate: f32,
    clip: f32,
}

/// And what came of it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Story {
    #[serde(flatten)]
    drift: Drift,
    plays: Vec<Told>,
}

/// Of a network that one loss trained and one tuned.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Told {
    trained: String,
    tuned: String,
    before: Figures,
    drifted: Figures,
    adapted: Figures,
    rounds_kept: usize,
    instructions: u64,
}

/// Of the most probable class, as `simloss eval --json` prints them.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Figures {
    accuracy: f64,
    mae: f64,
}

impl Drift {
    fn new(drift: String, samples: usize, judged: usize) -> Self {
        let (version, held_out) = (VERSION.to_owned(), samples.div_ceil(HELD_OUT));
        Drift { version, seed: SEED, drift, samples, held_out, judged, rounds: ROUNDS, rate: RATE, clip: LONGEST }
    }

    fn save(&self, folder: &Path) -> Outcome {
        Ok(fs::write(folder.join("drift.json"), serde_json::to_string(self)?)?)
    }
}

/// In an order of their own, no more than a device gets; the others are returned.
fn choose(seen: &mut Vec<u32>, seed: u64) -> Vec<u32> {
    Random::new(seed).shuffle(seen);
    seen.split_off(SAMPLES.min(seen.len()))
}

/// Wines, as sensors measure them before and after they age.
struct Wines {
    table: Table,
    split: Split,
    scale: Standardiser,
}

impl Wines {
    /// As the network `cce.safetensors` was trained with them.
    fn new(folder: &Path) -> Outcome<Self> {
        let table = wine::table()?;
        let split = Split::stratified(&table.data, SEED)?;
        let scale = checkpoint::read(&folder.join("cce.safetensors"))?.model.and_then(|model| model.standardiser);
        Ok(Wines { table, split, scale: scale.ok_or("the model has no scale")? })
    }

    fn row(&self, i: u32) -> &[f32] {
        let width = self.table.data.width();
        &self.table.data.features()[i as usize * width..][..width]
    }

    fn drifted(&self, i: u32) -> Outcome<Vec<f32>> {
        let names = self.table.data.feature_names();
        let mut row = self.row(i).to_vec();
        for (name, offset) in MOVED {
            let k = names.iter().position(|feature| feature == name).ok_or(format!("no feature {name}"))?;
            let (mean, deviation) = (self.scale.mean()[k], self.scale.deviation()[k]);
            row[k] = (mean + GAIN * (f64::from(row[k]) - mean) + offset * deviation) as f32;
        }
        Ok(row)
    }

    fn labels(&self, of: &[u32]) -> Vec<Label> {
        of.iter().map(|&i| self.table.data.labels()[i as usize]).collect()
    }

    /// The device's wines and those that judge: draw 1 are the validation and the test part of the networks' split, the
    /// other draws deal the two anew.
    fn deal(&self, draw: u64) -> [Vec<u32>; 2] {
        let Split { validation, test, .. } = &self.split;
        let (mut seen, mut judged) = (validation.clone(), test.clone());
        if draw != SEED {
            seen.append(&mut judged);
            Random::new(draw).shuffle(&mut seen);
            judged = seen.split_off(validation.len());
        }
        // Some wines are in the table more than once: none may adapt and judge.
        seen.retain(|&i| judged.iter().all(|&j| self.row(i) != self.row(j)));
        choose(&mut seen, draw);
        [seen, judged]
    }

    fn drift() -> String {
        let moved: Vec<String> = MOVED.iter().map(|(name, offset)| format!("{name} {offset:+}")).collect();
        format!("{} deviations, each {GAIN} times as steep", moved.join(", "))
    }
}

/// Wines measured by sensors that age: the tables `before.csv` and `after.csv`.
fn wines(folder: &Path, plays: &[&str]) -> Outcome {
    let wines = Wines::new(folder)?;
    let data = &wines.table.data;
    let [seen, judged] = wines.deal(SEED);
    let [mut before, mut after] = [(); 2].map(|()| format!("{},quality\n", data.feature_names().join(",")));
    for &i in &judged {
        let grade = &data.class_names()[data.labels()[i as usize].index()];
        for (csv, row) in [(&mut before, wines.row(i).to_vec()), (&mut after, wines.drifted(i)?)] {
            row.iter().for_each(|x| *csv += &format!("{x},"));
            *csv += &format!("{grade}\n");
        }
    }
    fs::write(folder.join("before.csv"), before)?;
    fs::write(folder.join("after.csv"), after)?;

    // As they are measured: the device scales them.
    let rows = seen.iter().map(|&i| wines.drifted(i)).collect::<Outcome<Vec<_>>>()?.concat();
    let labels = wines.labels(&seen);
    for play in plays {
        samples(&folder.join(play), ROUNDS, &rows, &labels)?;
    }
    Drift::new(Wines::drift(), seen.len(), judged.len()).save(folder)
}

/// The images of a folder, by age.
fn images(folder: &Path) -> Outcome<ImageSet> {
    let loading = Loading { size: [60, 60], threads: 2, cache: None, skip_bad: false, progress: &|_, _| true };
    Ok(folder::ages(&folder.join("images"), 1..=90, None, loading)?.set)
}

/// An image with less light.
fn darker(set: &ImageSet, i: u32) -> Vec<u8> {
    set.pixels_of(i).iter().map(|&x| ((u16::from(x) * LIGHT + 50) / 100) as u8).collect()
}

/// What a network gets of an image.
fn scaled(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

fn less_light() -> String {
    format!("{LIGHT} % of the light")
}

/// Faces that a camera sees with less light. Some are the device's, the others judge: the folders `before` and `after`.
fn faces(folder: &Path, plays: &[&str]) -> Outcome {
    let set = images(folder)?;
    let mut seen = set.all();
    let judged = choose(&mut seen, SEED);
    for (name, is_after) in [("before", false), ("after", true)] {
        fs::create_dir_all(folder.join(name))?;
        for &i in &judged {
            let planes: Vec<u8> = if is_after { darker(&set, i) } else { set.pixels_of(i).to_vec() };
            let age = &set.class_names()[set.labels()[i as usize].index()];
            let file = BufWriter::new(fs::File::create(folder.join(name).join(format!("{age}_0_0_{i}.png")))?);
            let mut encoder = png::Encoder::new(file, 60, 60);
            encoder.set_color(png::ColorType::Rgb);
            let pixels: Vec<u8> = (0..3600).flat_map(|at| [planes[at], planes[3600 + at], planes[7200 + at]]).collect();
            encoder.write_header()?.write_image_data(&pixels)?;
        }
    }

    // Too large a network for the device: the desktop computes what its head gets, and nothing lies before that.
    let Checkpoint { network, parameters, .. } = checkpoint::read(&folder.join("order.safetensors"))?;
    let head = Head::of(&network, 1)?;
    let pixels: Vec<f32> = seen.iter().flat_map(|&i| darker(&set, i)).map(scaled).collect();
    let rows = features(&network, &head, &parameters, &pixels)?;
    let labels: Vec<Label> = seen.iter().map(|&i| set.labels()[i as usize]).collect();
    let alone = Kind::Table { inputs: head.widths[0], hidden: vec![1], classes: network.classes() };
    let frozen = Frozen::of(&alone, &Head::of(&alone, 2)?, None)?;
    for play in plays {
        samples(&folder.join(play), ROUNDS, &rows, &labels)?;
        fs::write(folder.join(play).join("frozen.rs"), frozen.module())?;
    }
    Drift::new(less_light(), seen.len(), judged.len()).save(folder)
}

/// What the device reads: settings, then samples with their classes.
fn samples(folder: &Path, rounds: usize, rows: &[f32], labels: &[Label]) -> Outcome {
    let settings = [rounds as u32, RATE.to_bits(), LONGEST.to_bits(), HELD_OUT as u32];
    let mut words = settings.to_vec();
    for (row, label) in rows.chunks(rows.len() / labels.len().max(1)).zip(labels) {
        words.extend(row.iter().map(|x| x.to_bits()));
        words.push(label.index() as u32);
    }
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Ok(fs::write(folder.join("samples.bin"), bytes)?)
}

/// LeNet before it is trained, and a few images of noise: what the device is to compute with weights in flash.
fn lenet(folder: &Path) -> Outcome {
    struct First;
    impl Visitor for First {
        type Output = Vec<f32>;
        fn visit<N: Layers>(self, layers: N) -> Vec<f32> {
            let mut parameters = vec![0.0; layers.shape().parameters];
            layers.initialise(&mut parameters, &mut Random::new(SEED));
            parameters
        }
    }
    let network = Kind::LeNet { classes: 10 };
    checkpoint::write(&folder.join("cce.safetensors"), &network, &network.visit(First)?)?;
    let mut random = Random::new(SEED).key(2);
    let (mut rows, mut labels) = (vec![], vec![]);
    for class in 0..10 {
        rows.extend((0..network.inputs()).map(|_| random.unit::<f32>()));
        labels.push(Label::new(class, 10)?);
    }
    fs::create_dir_all(folder.join("cce"))?;
    samples(&folder.join("cce"), 1, &rows, &labels)
}

/// The words that a device printed after `name`, line by line.
fn lines(output: &Path, name: &str) -> Outcome<Vec<Vec<u32>>> {
    let text = fs::read_to_string(output)?;
    let found = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(found
        .map(|words| words.split(' ').map(|word| u32::from_str_radix(word, 16)).collect())
        .collect::<Result<_, _>>()?)
}

/// The slot that a device printed.
fn slot(output: &Path, to: &Path) -> Outcome {
    let bytes: Vec<u8> = lines(output, "slot")?.concat().iter().flat_map(|word| word.to_be_bytes()).collect();
    Ok(fs::write(to, bytes)?)
}

/// Tells what came of all, and writes it to `story.json`.
fn tell(name: &str, folder: &Path, all: &[&str]) -> Outcome {
    let drift: Drift = serde_json::from_slice(&fs::read(folder.join("drift.json"))?)?;
    let mut plays = vec![];
    println!("{:<40}{:>22}{:>22}{:>22}", name, "before drift", "after drift", "after adaptation");
    for play in all {
        let (from, (trained, tuned)) = (folder.join(play), play.split_once(',').ok_or("not two losses")?);
        let figures = |name: &str| -> Outcome<Figures> {
            Ok(serde_json::from_slice(&fs::read(from.join(format!("{name}.json")))?)?)
        };
        let rounds = lines(&from.join("output"), "round")?;
        let &[high, low] = &lines(&from.join("output"), "# instructions")?.concat()[..] else {
            return Err("no instructions".into());
        };
        let told = Told {
            trained: trained.to_owned(),
            tuned: tuned.to_owned(),
            before: figures("before")?,
            drifted: figures("drifted")?,
            adapted: figures("adapted")?,
            rounds_kept: rounds.iter().filter(|round| round[0] == 1).count(),
            instructions: u64::from(high) << 32 | u64::from(low),
        };
        let columns = [&told.before, &told.drifted, &told.adapted]
            .map(|f| format!("{:>13}{:>9}", format!("{:.1} %", 100.0 * f.accuracy), format!("{:.3}", f.mae)));
        println!("{:<40}{}", format!("trained by {trained}, tuned by {tuned}"), columns.concat());
        println!("  {} of {} rounds kept, {} instructions", told.rounds_kept, rounds.len(), told.instructions);
        plays.push(told);
    }
    Ok(fs::write(folder.join("story.json"), serde_json::to_string_pretty(&Story { drift, plays })?)?)
}

/// The record of stories has this one, or gets it.
fn record(name: &str, folder: &Path, path: &Path, overwrite: bool) -> Outcome {
    let story: Story = serde_json::from_slice(&fs::read(folder.join("story.json"))?)?;
    let mut stories: BTreeMap<String, Story> = match path.exists() {
        true => serde_json::from_slice(&fs::read(path)?)?,
        false => BTreeMap::new(),
    };
    if overwrite {
        stories.insert(name.to_owned(), story);
        fs::write(path, serde_json::to_string_pretty(&stories)? + "\n")?;
    } else if stories.get(name) != Some(&story) {
        let recorded = stories.get(name);
        return Err(format!("the record has {recorded:#?}\nand this is {story:#?}\n--overwrite accepts it").into());
    }
    Ok(())
}

fn main() -> Outcome {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["wine", folder, plays @ ..] => wines(Path::new(folder), plays),
        ["faces", folder, plays @ ..] => faces(Path::new(folder), plays),
        ["lenet", folder] => lenet(Path::new(folder)),
        ["slot", output, to] => slot(Path::new(output), Path::new(to)),
        ["tell", name, folder, plays @ ..] => tell(name, Path::new(folder), plays),
        ["record", name, folder, path] => record(name, Path::new(folder), Path::new(path), false),
        ["record", name, folder, path, "--overwrite"] => record(name, Path::new(folder), Path::new(path), true),
        ["draws", name, folder] => draws::draws(name, Path::new(folder), None, false),
        ["draws", name, folder, "--record", path] => {
            draws::draws(name, Path::new(folder), Some(Path::new(path)), false)
        }
        ["draws", name, folder, "--record", path, "--overwrite"] => {
            draws::draws(name, Path::new(folder), Some(Path::new(path)), true)
        }
        _ => {
            Err("usage: story wine|faces FOLDER PLAYS.. | lenet FOLDER | slot OUTPUT FILE | tell NAME FOLDER PLAYS.. \
                  | record NAME FOLDER FILE [--overwrite] | draws wine|faces FOLDER [--record FILE [--overwrite]]"
                .into())
        }
    }
}
