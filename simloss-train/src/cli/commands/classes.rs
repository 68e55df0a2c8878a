//! Which classes of some images a similarity names.

use crate::{
    Error,
    data::{images::ImageSet, read::images::cifar},
    similarity::{
        Loaded, Request,
        names::{Aliases, Unnamed},
    },
};

/// The images of those classes that the similarity of `request` names, and the similarity between these, its notes
/// saying what is left out.
///
/// Of CIFAR-100, known by its names, the four classes that the published experiment leaves out are left out too, with any
/// similarity: so cross entropy and SimLoss are compared on the same 96. With [`Unnamed::Error`] all classes stay, and
/// the similarity must name them.
///
/// # Errors
/// Those of [`Request::load`]; [`Error::Data`] if no image is left.
///
/// ```
/// # use simloss_core::Label;
/// # use simloss_train::{cli::commands::classes, data::images::{Contents, ImageSet, Part}};
/// use simloss_train::similarity::{Kind, Request, names::Unnamed};
/// # let names = ["ant", "bee", "cat"].map(str::to_owned).to_vec();
/// # let set = ImageSet::new(Contents {
/// #     name: String::new(), height: 1, width: 1, pixels: vec![0; 9],
/// #     labels: (0..3).map(|y| Label::new(y, 3)).collect::<Result<_, _>>()?, class_names: names,
/// #     class_values: vec![0.0, 1.0, 2.0], paths: vec![String::new(); 3], parts: vec![Part::Any; 3], tree: None,
/// # })?;
/// // Images of an ant, a bee and a cat, and vectors for two of the words.
/// let path = std::env::temp_dir().join("simloss-classes-example.txt");
/// std::fs::write(&path, "cat 1 0\nant 3 4\n")?;
/// let vectors = Request { vectors: Some(path.clone()), lower_bounds: vec![0.5], ..Request::new(Kind::Vectors) };
/// let request = Request { unnamed: Unnamed::Drop, ..vectors };
/// let (kept, loaded) = classes::named(set, &request)?;
/// assert_eq!((kept.images(), kept.class_names()), (2, &["ant".to_owned(), "cat".to_owned()][..]));
/// assert_eq!(loaded.unnamed, ["bee"]);
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn named(set: ImageSet, request: &Request) -> Result<(ImageSet, Loaded), Error> {
    let published = request.unnamed == Unnamed::Drop && Aliases::published_for(set.class_names()).is_some();
    let (set, mut notes) = if published { without_left_out(set)? } else { (set, vec![]) };
    let groups = set.tree().map(|tree| tree.superclasses(set.classes()));
    let mut loaded = request.load(Some(set.class_names()), groups.as_deref())?;
    notes.append(&mut loaded.notes);
    loaded.notes = notes;
    if loaded.unnamed.is_empty() {
        return Ok((set, loaded));
    }
    let names = set.class_names();
    let kept: Vec<usize> = (0..names.len()).filter(|&class| !loaded.unnamed.contains(&names[class])).collect();
    Ok((set.keep_classes(&kept)?, loaded))
}

fn without_left_out(set: ImageSet) -> Result<(ImageSet, Vec<String>), Error> {
    let all = set.class_names().to_vec();
    let set = cifar::published(set)?;
    let left_out: Vec<String> = all.into_iter().filter(|name| !set.class_names().contains(name)).collect();
    let said = format!(
        "left out the classes that the published experiment leaves out: {}",
        crate::error::place::list(&left_out)
    );
    Ok((set, if left_out.is_empty() { vec![] } else { vec![said] }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::images::pattern,
        similarity::{Kind, Source, names::PUBLISHED},
    };

    fn request(kind: Kind, unnamed: Unnamed) -> Request {
        Request { unnamed, ..Request::new(kind) }
    }

    /// Some classes of CIFAR-100: those with another word, those without one, and a bee.
    fn cifar() -> Result<ImageSet, Error> {
        let names = PUBLISHED.iter().map(|(class, _)| *class).chain(cifar::LEFT_OUT).chain(["bee"]);
        let mut contents = pattern(50, 25, [1, 1]);
        contents.class_names = names.map(str::to_owned).collect();
        ImageSet::new(contents)
    }

    #[test]
    fn the_four_are_left_out_with_any_similarity() -> Result<(), Error> {
        for kind in [Kind::None, Kind::Order] {
            let (set, loaded) = named(cifar()?, &request(kind.clone(), Unnamed::Drop))?;
            assert_eq!((set.classes(), set.images(), loaded.unnamed.len()), (21, 42, 0));
            assert!(loaded.notes[0].contains("published experiment leaves out: \"aquarium_fish\", \"keyboard\""));
            let (set, loaded) = named(cifar()?, &request(kind, Unnamed::Error))?;
            assert_eq!((set.classes(), loaded.notes.len()), (25, 0));
        }
        Ok(())
    }

    #[test]
    fn words_stand_for_classes() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("v.txt");
        let words = PUBLISHED.iter().map(|(_, word)| format!("{word} 1 2\n")).collect::<String>();
        std::fs::write(&path, words)?;
        let mut request = Request { vectors: Some(path), ..request(Kind::Vectors, Unnamed::Drop) };
        let (set, loaded) = named(cifar()?, &request)?;
        assert_eq!((set.classes(), loaded.unnamed), (20, vec!["bee".to_owned()]));
        assert!(loaded.notes[1].contains("left out 1 classes that the similarity does not name: \"bee\""));
        assert!(matches!(loaded.source, Source::Matrix(matrix) if matrix.classes() == 20));
        request.unnamed = Unnamed::Error;
        let message = named(cifar()?, &request).err().map(|e| e.to_string()).unwrap_or_default();
        let missing = "no vector for 5 of the classes: \"aquarium_fish\", \"keyboard\", \"pickup_truck\"";
        assert!(message.contains(missing), "{message}");
        Ok(())
    }

    #[test]
    fn groups_of_the_data_are_superclasses() -> Result<(), Error> {
        let mut contents = pattern(6, 3, [1, 1]);
        let names = ["c0", "c1", "c2", "a", "root"].map(str::to_owned).to_vec();
        contents.tree = Some(crate::data::images::Tree { parents: vec![3, 3, 4, 4, 4], names });
        let (_, loaded) = named(ImageSet::new(contents)?, &request(Kind::Superclass, Unnamed::Error))?;
        assert_eq!(loaded.source, Source::Superclass(vec![0, 0, 1]));
        let plain = ImageSet::new(pattern(6, 3, [1, 1]))?;
        assert!(named(plain, &request(Kind::Superclass, Unnamed::Error)).is_err());
        Ok(())
    }
}
