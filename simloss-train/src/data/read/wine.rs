//! The embedded default: the quality of red wines.
//!
//! 1,599 red wines of the Portuguese Vinho Verde, 11 physicochemical measurements each; the class is the median grade of
//! at least three blind tasters, 3 to 8. Source: P. Cortez, A. Cerdeira, F. Almeida, T. Matos and J. Reis, "Modeling wine
//! preferences by data mining from physicochemical properties", Decision Support Systems 47(4), 2009. The crate
//! `linfa-datasets` carries the table inside.
//!
//! Two things to know before reading results: grades 3 and 8 have 10 and 18 wines, so a test part of 20 % holds 2 and 4
//! of them; and 240 rows repeat an earlier one exactly, so some wines stand in the training and in the test part.

use crate::{
    Error,
    data::{
        Dataset,
        table::{Table, repeated},
    },
};
use simloss_core::Label;

/// The grades.
const GRADES: std::ops::RangeInclusive<usize> = 3..=8;

/// The table.
///
/// # Errors
/// None with the table that is embedded; what [`Dataset::new`] checks is checked.
///
/// ```
/// let wine = simloss_train::data::read::wine::table()?;
/// let mut counts = [0; 6];
/// wine.data.labels().iter().for_each(|y| counts[y.index()] += 1);
/// assert_eq!(counts, [10, 53, 681, 638, 199, 18]);
/// assert_eq!((wine.data.samples(), wine.data.width(), wine.repeated), (1599, 11, 240));
/// # Ok::<(), simloss_train::Error>(())
/// ```
pub fn table() -> Result<Table, Error> {
    let wine = linfa_datasets::winequality();
    let features: Vec<f32> = wine.records().iter().map(|&x| x as f32).collect();
    let classes = GRADES.count();
    let labels = wine
        .targets()
        .iter()
        .map(|&grade| Label::new(grade.wrapping_sub(*GRADES.start()), classes))
        .collect::<Result<Vec<_>, _>>()?;
    let width = wine.feature_names().len();
    let repeated = repeated(&features, width, &labels);
    let names = GRADES.map(|grade| grade.to_string()).collect();
    let values = GRADES.map(|grade| grade as f64).collect();
    Ok(Table {
        data: Dataset::new("red wine quality", features, width, labels, names, values)?
            .described(wine.feature_names().to_vec(), true)?,
        repeated,
        notes: vec![],
    })
}
