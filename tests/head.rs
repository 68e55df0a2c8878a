//! Heads for firmware: what `simloss export --head` writes, and what `simloss import --base` takes back.

use crate::place::{Outcome, Place};
use simloss_core::{
    Error, Label,
    device::checkpoint::{HEADER, Header, decode, encode},
    layers::{Dense, Layer},
    loss::Loss,
};
use simloss_train::{
    compute::network::{Kind, Layers, Visitor},
    data::Standardiser,
    model::{
        Model, checkpoint,
        firmware::{Head, features},
    },
};
use std::fs;

/// A network for tables with parameters that are all different.
fn bare(place: &Place, hidden: &[usize]) -> Result<(Kind, Vec<f32>), Box<dyn std::error::Error>> {
    let network = Kind::Table { inputs: 4, hidden: hidden.to_vec(), classes: 3 };
    let n: usize = network.tensors().iter().map(|t| t.shape.iter().product::<usize>()).sum();
    let parameters: Vec<f32> = (0..n).map(|i| (i as f32 - 20.5) / 7.0).collect();
    checkpoint::write(&place.path("m.safetensors"), &network, &parameters)?;
    Ok((network, parameters))
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// A slot of a head of `layers` of a network, after training with Adam.
fn slot(head: &[f32], shape: &simloss_core::layers::Shape, fingerprint: u64) -> Result<Vec<u8>, Error> {
    let header = Header { sequence: 9, steps: 1234, fingerprint, ..Header::new(shape, 2)? };
    let mut bytes = vec![0; header.bytes() + 100];
    encode(&header, head, &vec![0.25; 2 * head.len()], &mut bytes)?;
    Ok(bytes)
}

#[test]
fn a_head_goes_out_and_comes_back_bit_for_bit() -> Outcome {
    for (hidden, layers, tail) in [
        (vec![5], 1, 5 * 3 + 3),
        (vec![5], 2, 4 * 5 + 5 + 5 * 3 + 3),
        (vec![6, 5], 1, 5 * 3 + 3),
        (vec![6, 5], 2, 6 * 5 + 5 + 5 * 3 + 3),
    ] {
        let place = Place::new()?;
        let (network, parameters) = bare(&place, &hidden)?;
        place.simloss(&format!("export --checkpoint m.safetensors --head {layers} --out head")).success();
        let blob = fs::read(place.path("head/head.bin"))?;
        let before = parameters.len() - tail;
        let inputs = if layers == 1 {
            5
        } else if hidden.len() == 1 {
            4
        } else {
            6
        };
        let shape = if layers == 1 {
            Dense::new(5, 3).dense_shape()
        } else {
            let two = Layer::<f32>::then(Layer::<f32>::relu(Dense::new(inputs, 5)), Dense::new(5, 3));
            Layer::<f32>::shape(&two)
        };
        let mut head = vec![0.0; tail];
        let fingerprint = Head::of(&network, layers)?.of_base(&network, &parameters, None).fingerprint;
        decode(&blob, &Header { fingerprint, ..Header::new(&shape, 0)? }, &mut head, &mut [])?;
        assert_eq!(bits(&head), bits(&parameters[before..]));
        assert_eq!(blob.len(), HEADER + 4 * tail);

        // The device moves every parameter, and keeps moments.
        head.iter_mut().for_each(|w| *w = -*w * 3.0);
        place.file("slot.bin", slot(&head, &shape, fingerprint)?)?;
        place
            .simloss("import --checkpoint slot.bin --base m.safetensors --out back.safetensors")
            .success()
            .stdout(predicates::str::contains("after 1234 steps, save 9"));
        let back = checkpoint::read(&place.path("back.safetensors"))?;
        assert_eq!(back.network, network);
        assert_eq!(
            bits(&back.parameters[..before]),
            bits(&parameters[..before]),
            "the layers before it are the base's"
        );
        assert_eq!(bits(&back.parameters[before..]), bits(&head));
    }
    Ok(())
}

#[test]
fn a_model_keeps_what_a_slot_does_not_hold() -> Outcome {
    let place = Place::new()?;
    bare(&place, &[5])?;
    place.simloss("import --checkpoint m.safetensors --names low,middle,high --out model.safetensors").success();
    place.simloss("export --checkpoint model.safetensors --head 2 --similarity order -r 0.5 --out head").success();
    let arguments = "import --checkpoint head/head.bin --base model.safetensors --out back.safetensors";
    place.simloss(arguments).success();
    let [a, b] = ["model.safetensors", "back.safetensors"].map(|file| Model::load(&place.path(file)));
    assert_eq!(a?, b?);
    Ok(())
}

#[test]
fn what_is_no_slot_of_this_head_is_refused_by_name() -> Outcome {
    let place = Place::new()?;
    let (network, parameters) = bare(&place, &[5])?;
    let shape = Dense::new(5, 3).dense_shape();
    let base = Head::of(&network, 1)?.of_base(&network, &parameters, None).fingerprint;
    let good = slot(&parameters[parameters.len() - 18..], &shape, base)?;
    let arguments = "import --checkpoint slot.bin --base m.safetensors --out back.safetensors";
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] ^= byte;
        bytes
    };
    for (bytes, message) in [
        (vec![], "it is shorter than a header"),
        (good[..100].to_vec(), "it is 100 bytes long and should be 280"),
        (changed(0, 1), "it does not begin with SIML"),
        (changed(4, 3), "it has another version"),
        (
            changed(12, 1),
            "another shape: 5 features, 2 classes, 18 parameters, not 5 features, 3 classes, 18 parameters",
        ),
        (changed(HEADER + 3, 0x40), "its checksum does not match its bytes"),
        (changed(60, 1), "its checksum does not match its bytes"),
        (slot(&[f32::NAN; 18], &shape, base)?, "parameter 0 is NaN"),
        (slot(&[1.0; 4], &Dense::new(1, 2).dense_shape(), base)?, "it has another shape"),
    ] {
        place.file("slot.bin", bytes)?.refuses(arguments, message)?;
    }
    // A head of another base of the same shapes: other frozen weights, another scale, or none said.
    let mut other = parameters.clone();
    other[0] += 1.0;
    let scale = Standardiser::fit(&[0.0, 1.0, 2.0, 3.0, 4.0, 4.0, 4.0, 4.0], 4, &[0, 1]);
    let of = |parameters: &[f32], scale| Head::of(&network, 1).map(|head| head.of_base(&network, parameters, scale));
    for fingerprint in [of(&other, None)?.fingerprint, of(&parameters, Some(&scale))?.fingerprint, 0] {
        assert_ne!(fingerprint, base);
        let foreign = slot(&parameters[parameters.len() - 18..], &shape, fingerprint)?;
        place
            .file("slot.bin", foreign)?
            .refuses(arguments, "it belongs to other frozen layers or another scale of features")?;
    }
    // The head's own weights do not matter: they are what a device changes.
    let mut tuned = parameters.clone();
    tuned[parameters.len() - 1] += 1.0;
    assert_eq!(of(&tuned, None)?.fingerprint, base);
    // Moments that a header invents are not believed, nor is memory taken for them.
    let mut huge = good.clone();
    huge[6..8].copy_from_slice(&u16::MAX.to_le_bytes());
    place.file("slot.bin", huge)?.refuses(arguments, "bytes long and should be")?;
    place.file("slot.bin", &good)?.simloss(arguments).success();
    Ok(())
}

#[test]
fn exports_say_what_they_cannot_do() -> Outcome {
    let place = Place::new()?;
    bare(&place, &[5])?;
    place.refuses("export --checkpoint m.safetensors --head 3 --out head", "3 is not in 1..=2")?;
    place
        .refuses("export --checkpoint m.safetensors --similarity order -r 0.5 --out x.safetensors", "without --head")?;
    place.refuses("export --checkpoint m.safetensors --head 1 --similarity order --out head", "needs -r")?;
    place.refuses(
        "export --checkpoint m.safetensors --head 1 --similarity order -r 0.1,0.2 --out head",
        "give one -r",
    )?;
    Ok(())
}

/// The module's similarity is the desktop's: its text names the constructor with the same number, and the table is as
/// large as it says.
#[test]
fn modules_build_the_similarity_that_was_asked_for() -> Outcome {
    let place = Place::new()?;
    bare(&place, &[5])?;
    place.file("s.csv", "1,0.5,0.25\n0.5,1,0.125\n0,0.75,1\n")?;
    for (options, expected, table) in [
        ("", "CrossEntropy::new(CLASSES)", 0),
        ("--similarity order -r 0.3", "OrderTable::in_memory(table, CLASSES, T::from_f32(0.3))", 5),
        ("--similarity circular -r 0.7", "CircularTable::in_memory(table, CLASSES, T::from_f32(0.7))", 5),
        ("--similarity s.csv", "static S: [f32; 9] = [1.0, 0.5, 0.25, 0.5, 1.0, 0.125, 0.0, 0.75, 1.0];", 9),
        ("--similarity s.csv -l 0.25", "DenseTable::lower_bounded_in_memory(table, CLASSES, |i, j|", 9),
    ] {
        place.simloss(&format!("export --checkpoint m.safetensors --head 1 {options} --out head")).success();
        let module = place.read("head/head.rs")?;
        assert!(module.contains(expected), "{options}: {module}");
        assert!(module.contains(&format!("pub const TABLE: usize = {table};")), "{options}: {module}");
        assert!(module.contains("pub const FEATURES: usize = 5;") && module.contains("pub static BLOB: [u8; 136]"));
        let sizes = place.read("head/sizes.txt")?;
        let row = |what: &str| sizes.lines().find(|line| line.starts_with(what)).map(str::to_owned).unwrap_or_default();
        let rows: Vec<&str> = sizes.lines().filter_map(|line| Some(line.rsplit_once("  ")?.0.trim_end())).collect();
        assert!(rows.iter().enumerate().all(|(i, row)| !rows[..i].contains(row)), "{sizes}");
        assert!(row("RAM: SGD, in place").ends_with(&format!(" {}", 4 * (18 + 6 + table + 5))), "{sizes}");
        assert!(row("RAM: Adam, accumulating").ends_with(&format!(" {}", 4 * (4 * 18 + 6 + table + 5))), "{sizes}");
    }
    Ok(())
}

/// What a network says of rows of samples.
struct Logits<'a>(&'a [f32], &'a [f32]);

impl Visitor for Logits<'_> {
    type Output = Vec<f32>;
    fn visit<N: Layers>(self, layers: N) -> Vec<f32> {
        let shape = layers.shape();
        let (mut tape, mut logits) = (vec![0.0; shape.tape], vec![0.0; shape.outputs]);
        let rows = self.1.chunks(shape.inputs).map(|x| {
            layers.forward((), self.0, x, &mut tape, &mut logits);
            logits.clone()
        });
        rows.collect::<Vec<_>>().concat()
    }
}

/// What is frozen, and then the head, are the network: of every kind, bit for bit.
#[test]
fn frozen_layers_and_the_head_are_the_network() -> Outcome {
    let mut random = simloss_core::Random::new(70);
    let kinds = [
        Kind::LeNet { classes: 7 },
        Kind::Ages { classes: 5 },
        Kind::Small { size: 14, classes: 4 },
        Kind::Table { inputs: 6, hidden: vec![9], classes: 3 },
        Kind::Table { inputs: 6, hidden: vec![9, 8], classes: 3 },
    ];
    for network in kinds {
        let shape: usize = network.list()?.iter().map(|layer| layer.shape.parameters).sum();
        let mut draw = |n: usize| (0..n).map(|_| random.unit::<f32>() / 8.0 - 0.0625).collect::<Vec<_>>();
        let (parameters, samples) = (draw(shape), draw(2 * network.inputs()));
        let expected = network.visit(Logits(&parameters, &samples))?;
        for layers in [1, 2] {
            let head = Head::of(&network, layers)?;
            let found = features(&network, &head, &parameters, &samples)?;
            assert_eq!(found.len(), 2 * head.widths[0]);
            let (rest, classes) = (&parameters[head.before..], network.classes());
            let logits = match head.widths[..] {
                [inputs, _] => found.chunks(inputs).map(|x| forward(Dense::new(inputs, classes), rest, x)).collect(),
                [inputs, hidden, _] => {
                    let first = Layer::<f32>::relu(Dense::new(inputs, hidden));
                    let two = Layer::<f32>::then(first, Dense::new(hidden, classes));
                    found.chunks(inputs).map(|x| forward(two, rest, x)).collect::<Vec<_>>()
                }
                _ => vec![],
            };
            assert_eq!(bits(&logits.concat()), bits(&expected), "{network:?}, {layers}");
            assert!(expected.iter().any(|x| *x != 0.0));
        }
        assert!(features(&network, &Head::of(&network, 1)?, &parameters[1..], &samples).is_err());
        assert!(features(&network, &Head::of(&network, 1)?, &parameters, &samples[1..]).is_err());
    }
    Ok(())
}

fn forward(layer: impl Layer<f32>, parameters: &[f32], x: &[f32]) -> Vec<f32> {
    let shape = layer.shape();
    let (mut tape, mut y) = (vec![0.0; shape.tape], vec![0.0; shape.outputs]);
    layer.forward((), parameters, x, &mut tape, &mut y);
    y
}

/// The module of frozen layers behind a scale, compiled here as a firmware compiles it.
mod frozen {
    include!("golden/frozen.rs");
}

#[test]
fn frozen_layers_compile_and_have_the_bits_of_the_desktop() -> Outcome {
    let place = Place::new()?;
    let (network, parameters) = bare(&place, &[6, 5])?;
    place.simloss("import --checkpoint m.safetensors --names low,middle,high --out model.safetensors").success();
    let path = place.path("model.safetensors");
    let measured = [0.1f32, 100.25, -3.0, 7.0, 0.3, 99.5, -2.0, 7.5, 0.7, 101.0, -9.0, 8.0];
    let scale = Standardiser::fit(&measured, 4, &[0, 1, 2]);
    Model { standardiser: Some(scale.clone()), ..Model::load(&path)? }.save(&path)?;
    place.simloss("export --checkpoint model.safetensors --head 1 --out device").success();
    assert_eq!(place.read("device/frozen.rs")?, include_str!("golden/frozen.rs"));
    assert_eq!(fs::read(place.path("device/frozen.bin"))?, include_bytes!("golden/frozen.bin"));
    // The head of this network names what it was trained behind.
    let named = format!("pub const FINGERPRINT: u64 = {:#018x};", frozen::FINGERPRINT);
    assert!(place.read("device/head.rs")?.contains(&named), "{named}");
    assert_eq!(bits(&frozen::PARAMETERS), bits(&parameters[..frozen::PARAMETERS.len()]));
    let sizes = place.read("device/sizes.txt")?;
    let row = |what: &str| sizes.lines().find(|line| line.starts_with(what)).map(str::to_owned).unwrap_or_default();
    assert!(row("flash: frozen").ends_with(&format!(" {}", 4 * frozen::PARAMETERS.len() + 20 * 4)), "{sizes}");
    assert!(row("RAM: what is frozen").ends_with(&format!(" {}", 4 * (4 + frozen::MEMORY))), "{sizes}");

    let expected = features(&network, &Head::of(&network, 1)?, &parameters, &scale.apply(&measured))?;
    let (mut memory, mut found) = ([f32::NAN; frozen::MEMORY], [f32::NAN; frozen::FEATURES]);
    for (x, expected) in measured.as_chunks().0.iter().zip(expected.chunks(frozen::FEATURES)) {
        frozen::features(x, &mut memory, &mut found)?;
        assert_eq!(bits(&found), bits(expected));
    }
    // What is no number reaches the head, which refuses it.
    frozen::features(&[0.1, f32::NAN, -3.0, 7.0], &mut memory, &mut found)?;
    assert!(found.iter().any(|x| x.is_nan()), "{found:?}");

    // Of a head of all layers only the scale is left, and without that, nothing; no old blob stays behind.
    for (checkpoint, layers, expected, blob) in [
        ("model.safetensors", 2, "let layers = Layer::<f32>::relu(::simloss_core::layers::Dense::new(4, 6));", true),
        ("m.safetensors", 1, "Layer::<f32>::forward(&layers, (), &PARAMETERS, &sample[..], &mut memory[..]", true),
        ("n.safetensors", 2, "features.copy_from_slice(sample);", false),
    ] {
        bare(&place, &[5])?;
        fs::rename(place.path("m.safetensors"), place.path("n.safetensors"))?;
        bare(&place, &[6, 5])?;
        place.simloss(&format!("export --checkpoint {checkpoint} --head {layers} --out device")).success();
        let module = place.read("device/frozen.rs")?;
        assert!(module.contains(expected), "{module}");
        assert_eq!(place.path("device/frozen.bin").exists(), blob);
        assert_eq!(module.contains("SCALE"), checkpoint == "model.safetensors");
    }
    Ok(())
}

/// The module of a class order, compiled here as a firmware compiles it.
#[allow(dead_code)] // of which a firmware takes what it needs
mod exported {
    include!("golden/head.rs");
}

#[test]
fn the_module_compiles_and_is_what_is_written() -> Outcome {
    let place = Place::new()?;
    let (_, parameters) = bare(&place, &[5])?;
    place.simloss("export --checkpoint m.safetensors --head 2 --similarity order -r 0.5 --out head").success();
    assert_eq!(place.read("head/head.rs")?, include_str!("golden/head.rs"));
    assert_eq!(fs::read(place.path("head/head.bin"))?, exported::BLOB);
    let mut table = [0.0f32; exported::TABLE];
    let loss = exported::loss(&mut table)?;
    let shape = Layer::<f32>::shape(&exported::layers());
    assert_eq!(
        (shape.inputs, shape.outputs, shape.parameters),
        (exported::FEATURES, exported::CLASSES, exported::PARAMETERS)
    );
    assert_eq!(exported::VALUES, 2 * (shape.tape + shape.outputs));
    let mut found = [0.0; exported::PARAMETERS];
    let header = Header { fingerprint: exported::FINGERPRINT, ..Header::new(&shape, 0)? };
    decode(&exported::BLOB, &header, &mut found, &mut [])?;
    assert_eq!(bits(&found), bits(&parameters));
    let label = Label::new(0, 3)?;
    let desktop = simloss_core::loss::SimLoss::new(simloss_core::similarity::ClassOrder::<f32, 3>::new(0.5)?);
    let logits = [0.5f32, 0.25, -1.0];
    let [mut g, mut h] = [[0.0; 3]; 2];
    let a = loss.gradient_of_slice(&logits, label, &mut [], &mut g)?;
    let b = desktop.gradient_of_slice(&logits, label, &mut [], &mut h)?;
    assert_eq!((a, g), (b, h));

    // The head that firmware uses: its factory weights, its loss, its names.
    let mut memory = [0.0; exported::Head::NUMBERS];
    let mut head = exported::head(&mut memory, simloss_core::optimizer::Sgd::new(0.05)?)?;
    assert_eq!((bits(head.parameters()), head.header()?), (bits(&parameters), header));
    let x = simloss_core::nalgebra::SVector::from([0.5f32, -0.25, 1.0, 0.0]);
    let logits = head.logits(&x)?;
    assert_eq!(head.loss(&x, 0)?, desktop.value(&logits, label)?);
    assert_eq!(exported::predict(&mut head, &x)?, exported::CLASS_NAMES[logits.argmax().0]);
    assert!(head.learn(&x, 2)? > head.learn(&x, 2)?);
    Ok(())
}

/// Whatever loss a head has, its module is a `device::Head` with that loss. These files are the modules of `losses.rs`.
#[allow(dead_code)]
mod modules {
    pub mod emd {
        include!("golden/head-emd.rs");
    }
    pub mod proper {
        include!("golden/head-proper.rs");
    }
    pub mod soft {
        include!("golden/head-soft.rs");
    }
    pub mod superclass {
        include!("golden/head-superclass.rs");
    }
}

#[test]
fn every_exported_head_learns() -> Outcome {
    macro_rules! learns {
        ($($module:ident)*) => {$({
            let mut memory = [0.0; modules::$module::Head::NUMBERS];
            let mut head = modules::$module::head(&mut memory, simloss_core::optimizer::Sgd::new(0.01)?)?;
            let x = simloss_core::nalgebra::SVector::from_element(0.25);
            let first = head.learn(&x, 1)?;
            for _ in 0..20 {
                head.learn(&x, 1)?;
            }
            assert!(head.loss(&x, 1)? < first, stringify!($module));
        })*};
    }
    learns!(emd proper soft superclass);
    Ok(())
}

/// A dump of a device's flash: two slots with what lies between them.
#[test]
fn the_newest_valid_slot_of_a_dump_is_imported() -> Outcome {
    let place = Place::new()?;
    let (network, parameters) = bare(&place, &[5])?;
    let shape = Dense::new(5, 3).dense_shape();
    let fingerprint = Head::of(&network, 1)?.of_base(&network, &parameters, None).fingerprint;
    let page = |sequence: u32, w: f32| -> Result<Vec<u8>, Error> {
        let header = Header { sequence, steps: u64::from(sequence), fingerprint, ..Header::new(&shape, 0)? };
        let mut bytes = vec![0xff; 512];
        encode(&header, &[w; 18], &[], &mut bytes)?;
        Ok(bytes)
    };
    let (old, new) = (page(4, 0.5)?, page(5, 0.75)?);
    let mut broken = page(6, 0.25)?;
    broken[100] ^= 1;
    let (first, last) = (page(u32::MAX, 0.5)?, page(0, 0.75)?);
    let arguments = "import --checkpoint slot.bin --base m.safetensors --out back.safetensors";
    for dump in [
        [&old[..], &new].concat(),
        [&new[..], &old].concat(),
        [&broken[..], &new].concat(),
        [&last[..], &first].concat(),
    ] {
        place.file("slot.bin", dump)?.simloss(arguments).success();
        let back = checkpoint::read(&place.path("back.safetensors"))?;
        assert_eq!(back.parameters[parameters.len() - 18..], [0.75; 18]);
    }
    // What stands first is named where none is valid.
    place.file("slot.bin", [&broken[..], &broken].concat())?.refuses(arguments, "its checksum does not match its bytes")
}
