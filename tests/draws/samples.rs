//! The samples of a story, before and after the drift, as the head of each network gets them.

use super::{Deal, Features, Samples, seeds};
use crate::{Outcome, Wines, choose, darker, images, less_light, scaled};
use simloss_core::standardise_into;
use simloss_train::model::{
    checkpoint::{self, Checkpoint},
    firmware::{Head, features},
};
use std::{path::Path, thread};

pub fn wines(folder: &Path) -> Outcome<Samples> {
    let wines = Wines::new(folder)?;
    let data = &wines.table.data;
    let all: Vec<u32> = (0..data.samples() as u32).collect();
    let mut starts = vec![];
    for trained in ["cce", "order"] {
        let read = checkpoint::read(&folder.join(format!("{trained}.safetensors")))?;
        let Checkpoint { network, parameters, standardiser, .. } = read;
        let scale = standardiser.ok_or("the model has no scale")?;
        let scaled = |row: &[f32]| -> Outcome<Vec<f32>> {
            let mut features = vec![0.0; row.len()];
            standardise_into(row, scale.mean(), scale.deviation(), &mut features)?;
            Ok(features)
        };
        let before = all.iter().map(|&i| scaled(wines.row(i))).collect::<Outcome<Vec<_>>>()?.concat();
        let after = all.iter().map(|&i| scaled(&wines.drifted(i)?)).collect::<Outcome<Vec<_>>>()?.concat();
        let head = Head::of(&network, 2)?;
        let parameters = parameters[head.before..].to_vec();
        starts.push(Features { trained, parameters, widths: head.widths, before, after });
    }
    let deals = seeds().into_iter().map(|draw| {
        let [seen, judged] = wines.deal(draw);
        Deal { seen, judged }
    });
    Ok(Samples {
        labels: wines.labels(&all),
        values: data.class_values().iter().map(|&value| value as f32).collect(),
        deals: deals.collect(),
        starts,
        drift: Wines::drift(),
    })
}

pub fn faces(folder: &Path) -> Outcome<Samples> {
    let set = images(folder)?;
    let Checkpoint { network, parameters, .. } = checkpoint::read(&folder.join("order.safetensors"))?;
    let head = Head::of(&network, 1)?;
    // Of one image at a time: all of them are a gigabyte.
    let of = |pixels: &(dyn Fn(u32) -> Vec<u8> + Sync)| {
        let image = |i| features(&network, &head, &parameters, &pixels(i).into_iter().map(scaled).collect::<Vec<_>>());
        set.all().into_iter().map(image).collect::<Result<Vec<_>, _>>().map(|rows| rows.concat())
    };
    let (before, after) = thread::scope(|scope| {
        let before = scope.spawn(|| of(&|i| set.pixels_of(i).to_vec()));
        let after = of(&|i| darker(&set, i));
        (before.join(), after)
    });
    let before = before.map_err(|_| "the features before the drift were not computed")??;
    let deals = seeds().into_iter().map(|draw| {
        let mut seen = set.all();
        let judged = choose(&mut seen, draw);
        Deal { seen, judged }
    });
    Ok(Samples {
        labels: set.labels().to_vec(),
        values: set.class_values().iter().map(|&value| value as f32).collect(),
        deals: deals.collect(),
        starts: vec![Features {
            trained: "order",
            parameters: parameters[head.before..].to_vec(),
            widths: head.widths,
            before,
            after: after?,
        }],
        drift: less_light(),
    })
}
