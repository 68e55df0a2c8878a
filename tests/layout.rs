//! Which module uses which: no circle in any crate, and in `simloss-train` data pass one way.

use simloss_tests::Outcome;
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs,
    path::Path,
};
use syn::{Item, UseTree, visit::Visit};

/// The modules of `simloss-train`, each of which uses only those before it.
const FLOORS: [&str; 12] =
    ["error", "files", "input", "data", "similarity", "compute", "model", "eval", "run", "compare", "report", "cli"];

/// The modules of the crate that a file names.
#[derive(Default)]
struct Named(BTreeSet<String>);

impl Named {
    fn first(&mut self, tree: &UseTree) {
        let name = match tree {
            UseTree::Path(path) => &path.ident,
            UseTree::Name(name) => &name.ident,
            UseTree::Rename(name) => &name.ident,
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.first(tree));
                return;
            }
            UseTree::Glob(_) => return,
        };
        self.0.insert(name.to_string());
    }
}

impl<'a> Visit<'a> for Named {
    fn visit_item(&mut self, item: &'a Item) {
        // What tests use is no part of the crate.
        let is_test = |attribute: &syn::Attribute| {
            attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|of| of == "test")
        };
        match item {
            Item::Mod(of) if of.attrs.iter().any(is_test) => {}
            Item::Use(of) if of.attrs.iter().any(is_test) => {}
            other => syn::visit::visit_item(self, other),
        }
    }

    fn visit_use_path(&mut self, path: &'a syn::UsePath) {
        if path.ident == "crate" {
            self.first(&path.tree);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let mut names = path.segments.iter().map(|segment| segment.ident.to_string());
        if names.next().is_some_and(|name| name == "crate") {
            self.0.extend(names.next());
        }
        syn::visit::visit_path(self, path);
    }
}

/// What each module at the top of a crate uses of the others.
fn graph(source: &Path) -> Result<BTreeMap<String, BTreeSet<String>>, Box<dyn Error>> {
    fn read(path: &Path, named: &mut Named) -> Outcome {
        if path.is_dir() {
            return fs::read_dir(path)?.try_for_each(|entry| read(&entry?.path(), named));
        }
        named.visit_file(&syn::parse_file(&fs::read_to_string(path)?)?);
        Ok(())
    }
    let mut graph: BTreeMap<String, Named> = BTreeMap::new();
    for entry in fs::read_dir(source)? {
        let path = entry?.path();
        let name = path.file_stem().ok_or("a name")?.to_string_lossy().into_owned();
        if !["lib", "main", "bin"].contains(&&*name) {
            read(&path, graph.entry(name).or_default())?;
        }
    }
    let names: BTreeSet<String> = graph.keys().cloned().collect();
    let others = |(name, Named(used)): (String, Named)| {
        let used = used.into_iter().filter(|other| names.contains(other) && *other != name).collect();
        (name, used)
    };
    Ok(graph.into_iter().map(others).collect())
}

/// The modules that lie in circles, or lead to one: what is left when all that use nothing else are taken away.
fn circles(mut graph: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let free: Vec<String> =
            graph.iter().filter(|(_, used)| used.is_empty()).map(|(name, _)| name.clone()).collect();
        if free.is_empty() {
            return graph;
        }
        for name in free {
            graph.remove(&name);
            graph.values_mut().for_each(|used| {
                used.remove(&name);
            });
        }
    }
}

fn sources(of: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(of).join("src")
}

#[test]
fn modules_have_no_import_circles() -> Outcome {
    for (of, most) in [("simloss-core", 10), ("simloss-train", 10), ("simloss-bench", 10)] {
        let graph = graph(&sources(of))?;
        assert!(graph.len() >= most && graph.values().any(|used| used.len() > 2), "{of}: {graph:?}");
        assert_eq!(circles(graph), BTreeMap::new(), "{of}");
    }
    // What it would say.
    let used = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let graph = [("a", used(&["b"])), ("b", used(&["c"])), ("c", used(&["b"])), ("d", used(&[]))];
    let found = circles(graph.into_iter().map(|(name, used)| (name.to_owned(), used)).collect());
    assert!(found.keys().eq(["a", "b", "c"]), "{found:?}");
    Ok(())
}

#[test]
fn simloss_train_imports_in_one_direction() -> Outcome {
    let graph = graph(&sources("simloss-train"))?;
    assert!(graph.keys().collect::<BTreeSet<_>>() == FLOORS.map(str::to_owned).iter().collect(), "{graph:?}");
    for (floor, name) in FLOORS.iter().enumerate() {
        let above: Vec<_> = graph[*name].iter().filter(|other| !FLOORS[..floor].contains(&&other[..])).collect();
        assert!(above.is_empty(), "{name} uses {above:?}, which stand behind it in {FLOORS:?}");
    }
    // The front page of the crate has the same order.
    let page = fs::read_to_string(sources("simloss-train").join("lib.rs"))?;
    let rows =
        page.lines().filter_map(|line| line.strip_prefix("//! | ")).skip_while(|row| !row.starts_with("`error`"));
    let named: Vec<&str> = rows.flat_map(|row| row.split(" | ").next().unwrap_or_default().split(", ")).collect();
    let plain: Vec<&str> = named.iter().map(|name| name.trim_matches(['[', ']', '`'])).collect();
    assert_eq!(plain, FLOORS);
    Ok(())
}
