use super::*;
use std::fs;

/// `rows` under `header`, repeated until there are enough.
fn table(header: &str, rows: &[&str]) -> String {
    let rows: Vec<&str> = rows.iter().copied().cycle().take(24.max(rows.len())).collect();
    format!("{header}\n{}\n", rows.join("\n"))
}

fn read_as(text: impl AsRef<[u8]>, columns: &Columns) -> Result<Table, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    fs::write(&path, text).unwrap();
    super::read(&path, columns)
}

fn label(name: &str) -> Columns {
    Columns { label: name.into(), ..Columns::default() }
}

fn order(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|&n| n.to_owned()).collect())
}

fn refusal(text: impl AsRef<[u8]>, columns: &Columns) -> String {
    let text = read_as(text, columns).err().map(|e| e.to_string()).unwrap_or_default();
    text.rsplit_once("/t.csv").map_or(text.clone(), |(_, rest)| format!("t.csv{rest}"))
}

fn indices(table: &Table, n: usize) -> Vec<usize> {
    table.data.labels().iter().take(n).map(|y| y.index()).collect()
}

#[test]
fn numbers_are_classes_in_their_order() -> Result<(), Error> {
    let found = read_as(table("grade,x", &["10,1", "9.0,2", "-0,3", "9,4", "0,5"]), &label("grade"))?;
    assert_eq!(found.data.class_names(), ["0", "9", "10"]);
    assert_eq!(found.data.class_values(), [0.0, 9.0, 10.0]);
    assert!(found.data.is_ordered());
    assert_eq!(indices(&found, 5), [2, 1, 0, 1, 0]);
    assert_eq!(
        (found.data.feature_names(), &found.data.features()[..3]),
        (&["x".to_owned()][..], &[1.0, 2.0, 3.0][..])
    );
    assert!(found.notes[0].contains("nothing is between 0 and 9"), "{:?}", found.notes);
    Ok(())
}

#[test]
fn names_have_the_order_given_or_none() -> Result<(), Error> {
    let text = table("x,size,id", &["1,small,a", "2,large,b", "3,medium,c"]);
    let ignore = vec!["id".to_owned()];
    let found = read_as(&text, &Columns { ignore: ignore.clone(), ..label("size") })?;
    assert_eq!(found.data.class_names(), ["large", "medium", "small"]);
    assert!(!found.data.is_ordered());
    let order = order(&["small", "medium", "large"]);
    let found = read_as(&text, &Columns { ignore, order, ..label("size") })?;
    assert!(found.data.is_ordered());
    assert_eq!(found.data.class_values(), [0.0, 1.0, 2.0]);
    assert_eq!(indices(&found, 3), [0, 2, 1]);
    Ok(())
}

#[test]
fn refused() {
    let y = label("y");
    let many: String = (0..1001).map(|i| format!("1,{i}\n")).collect();
    let many = format!("x,y\n{many}");
    for (text, message) in [
        ("", "t.csv: the file is empty"),
        ("\n\n", "t.csv: the file is empty"),
        ("x,y\n", "t.csv: there are no samples"),
        ("y\n1\n", "t.csv: there is a single column"),
        ("x,y,x\n1,2,3\n", "t.csv, line 1: two columns have the name \"x\""),
        ("x,,y\n1,7,3\n1,9,3\n", "t.csv, line 1: column 2 has no name, is not empty, and does not number the rows"),
        ("x,z\n1,2\n", "t.csv: there is no column \"y\"; the columns are \"x\", \"z\""),
        ("1,2\n3,4\n", "t.csv: there is no column \"y\"; the columns are \"1\", \"2\""),
        ("5,2\n3,4\n", "is the row with the names missing? Then add --no-header"),
        ("x,y\n1,2\n1\n", "t.csv, line 3: the row has 1 fields, but the first row names 2 columns"),
        ("x,y\n1,2\n1,2,3\n", "t.csv, line 3: the row has 3 fields, but the first row names 2 columns; fill in or"),
        ("x,y\n1,2\n\"1,2\n3,4\n", "t.csv, line 3: \"1,2\" goes over several lines; a quote (\")"),
        ("x,y\n1,2\n\"1,2\n", "t.csv, line 3: the row has 1 fields, but the first row names 2 columns; a quote (\")"),
        ("x,y\n1,a\n1,\"b\n3,a\n", "t.csv, line 3, column \"y\": \"b\" goes over several lines; a quote (\") opens"),
        ("\"x,y\n1,2\n3,4\n", "t.csv, line 1: \"x,y\" goes over several lines; a quote"),
        (
            "x,y\n1,2\n,3\n",
            "t.csv, line 3, column \"x\": the field is empty; fill it in, or remove the row or the column",
        ),
        ("x,y\n1,2\n3,\n", "t.csv, line 3, column \"y\": the field is empty"),
        ("x,y\n1,2\n\nred,3\n", "t.csv, line 4, column \"x\": \"red\" is not a number; leave columns of text out"),
        ("x,y\nNaN,2\n", "t.csv, line 2, column \"x\": \"NaN\" stands for a missing value; fill it in"),
        ("x,y\n1,2\n1e50,2\n", "\"1e50\" is not a finite number that fits 32 bits"),
        ("x,y\n1,2\n1,inf\n", "t.csv, line 3, column \"y\": \"inf\" is not a finite number"),
        ("x,y\n1,a\n1,nan\n", "t.csv, line 3, column \"y\": the label \"nan\" stands for a missing one"),
        ("x,y\n1,2\n1,two\n", "t.csv, line 3, column \"y\": the label \"two\" is not a number, but others are"),
        ("x,y\n1,2\n3,2.0\n", "t.csv, column \"y\": every sample has the class \"2\""),
        ("x,y\n1,2\n3,4\n", "t.csv: there are only 2 samples; at least 20"),
        (&many, "1001 different values, and at most 1000"),
        ("x y\n1 2\n", "there is a single column; the label and at least one column of numbers are needed"),
    ] {
        let found = refusal(text, &y);
        assert!(found.contains(message), "{text:?}: {found}");
    }
    let text = table("x,y,z", &["1,a,0", "2,b,0"]);
    let with = |names: &[&str]| Columns { order: order(names), ..label("y") };
    assert!(refusal(&text, &with(&["a"])).contains("line 3, column \"y\": the class \"b\" is not among"));
    assert!(refusal(&text, &with(&["a", "b", "a"])).contains("\"a\" stands twice"));
    let ignore = |names: &[&str]| Columns { ignore: names.iter().map(|&n| n.into()).collect(), ..label("y") };
    assert!(refusal(&text, &ignore(&["y"])).contains("cannot be ignored"));
    assert!(refusal(&text, &ignore(&["x", "z"])).contains("no column of numbers is left"));
    assert!(refusal(&text, &ignore(&["w"])).contains("no column \"w\""));
    assert!(refusal(b"x,y\n1,a\n2,\xff\n", &y).contains("line 3: the file is not UTF-8"));
}

/// The classes, features and first numbers of a table whose first three samples are the same in every form.
fn same(text: &str, columns: &Columns) -> Vec<String> {
    let found = read_as(text, columns).unwrap_or_else(|e| panic!("{text:?}: {e}"));
    assert_eq!(found.data.class_names(), ["1", "2", "3"], "{text:?}");
    assert_eq!(found.data.width(), 2, "{text:?}");
    assert_eq!(found.data.features()[..6], [0.5, -1.25, 1.5, 0.0, 2.0, 1000.0], "{text:?}");
    found.notes
}

#[test]
fn the_same_table_in_many_forms() {
    let rows = ["1,0.5,-1.25", "2,1.5,0", "3,2.0,1000"];
    let plain = table("y,a,b", &rows);
    let y = label("y");
    assert_eq!(same(&plain, &y), [] as [String; 0]);
    for (from, to) in [(",", ";"), (",", "\t"), (",", "|"), ("\n", "\r\n"), ("y,", "\u{feff}y,"), (",", " , ")] {
        same(&plain.replace(from, to), &y);
    }
    let form = |delimiter| Columns { form: Form { delimiter: Some(delimiter), ..Form::default() }, ..label("y") };
    same(&plain.replace(',', " "), &form(Delimiter::Space));
    same(&plain.replace(',', "  \t "), &form(Delimiter::Space));
    same(&plain.replace(',', ":"), &form(Delimiter::Byte(b':')));
    // Decimal commas, and what Excel says of its separator.
    let german = plain.replace(',', ";").replace('.', ",");
    assert!(same(&german, &y)[0].contains("numbers with a decimal comma"));
    assert!(same(&format!("sep=;\n{german}"), &y)[0].contains("the first line says that fields are separated by ';'"));
    same(&format!("\u{feff}\"sep=;\"\r\n{german}"), &y);
    // An index, trailing separators, empty rows.
    let indexed: String = plain
        .lines()
        .enumerate()
        .map(|(i, line)| if i == 0 { format!(",{line}\n") } else { format!("{},{line}\n", i - 1) })
        .collect();
    assert!(same(&indexed, &y)[0].contains("left out column 1 without a name: it numbers the rows"));
    assert!(same(&indexed.replacen(",y", "Unnamed: 0,y", 1), &y)[0].contains("\"Unnamed: 0\": it numbers the rows"));
    assert!(same(&plain.replace('\n', ",\n"), &y)[0].contains("left out column 4 without a name: it is empty"));
    let rows_alone = plain.replace('\n', ",\n").replacen(",\n", "\n", 1);
    assert!(same(&rows_alone, &y)[0].contains("24 rows end with one more separator"));
    assert!(same(&plain.replacen("b\n", "b,\n", 1), &y).iter().any(|note| note.contains("column 4")));
    assert!(same(&format!("{plain},,\n\n , ,\n"), &y)[0].contains("left out 2 rows without a single value"));
    // Line breaks in quotes, in names and in what is left out.
    same(&plain.replacen("a,b", "\"a\n(cm)\",b", 1), &y);
    let notes = plain.lines().map(|line| format!("{line},\"so\nand \"\"so\"\"\"\n")).collect::<String>();
    same(&notes.replacen("\"so\nand \"\"so\"\"\"", "note", 1), &Columns { ignore: vec!["note".into()], ..label("y") });
    // Without names.
    let no = Columns { form: Form { header: Header::No, ..Form::default() }, ..label("1") };
    same(plain.split_once('\n').unwrap().1, &no);
}

#[test]
fn a_missing_row_of_names_is_asked_about() {
    let ask = "is the row with the names missing? Then add --no-header";
    for (text, column) in [
        (table("1,0.5,-1.25", &["1,0.5,-1.25", "2,1.5,0"]), "1"),
        (table("0.5,2,red", &["1.5,2,blue", "2.5,3,red"]), "red"),
        (table("5,2,red", &["1,2,blue", "2,3,red"]), "red"),
        (table("7,9,4", &["1,2,4", "2,3,5"]), "4"),
        (table("5,5,4", &["1,2,4", "2,3,5"]), "4"),
    ] {
        let found = refusal(&text, &label(column));
        assert!(found.contains(ask), "{text}: {found}");
        let no = Columns { form: Form { header: Header::No, ..Form::default() }, ..label("3") };
        assert_eq!(read_as(&text, &no).map(|table| table.data.samples()).ok(), Some(25), "{text}");
    }
    // Names that are numbers, counted, or said to be names.
    let counted = table("0,1,2", &["1,2,4", "2,3,5"]);
    assert_eq!(refusal(&counted, &label("2")), "");
    let yes = Columns { form: Form { header: Header::Yes, ..Form::default() }, ..label("y") };
    assert_eq!(refusal(table("0.5,1.5,y", &["1,2,4", "2,3,5"]), &yes), "");
}

#[test]
fn numbers_in_groups_are_named_not_guessed() {
    let grouped = table("y,income", &["1,\"1,376\"", "2,\"2,500\""]);
    let found = refusal(&grouped, &label("y"));
    let readings = "line 2, column \"income\": \"1,376\" may be one number or another (1376, if the comma groups digits, or \
                    1.376, if it stands before decimals)";
    assert!(found.contains(readings), "{found}");
    let german = table("y;x", &["1;1.037,50", "2;1.072,50"]);
    let found = refusal(&german, &label("y"));
    assert!(found.contains("(1037.50, if the comma stands before decimals, or 103750, if it groups"), "{found}");
    // A comma that may group digits, where nothing tells; 0,377 tells, of the whole file.
    for (rows, doubtful) in [
        (&["1;1,376;2", "2;2,593;3"][..], Some("1,376")),
        (&["1;1,376;0,5", "2;2,593;3"], None),
        (&["1;1.376;0,5", "2;2.593;3"], Some("1.376")),
        (&["1;1.376;0,5", "2;0.593;3"], None),
        (&["1;1.376;2", "2;2.593;3"], None),
        (&["1,376;1;2", "2,593;1;3"], Some("1,376")),
    ] {
        let found = refusal(table("y;a;b", rows), &label("y"));
        match doubtful {
            Some(text) => assert!(found.contains(&format!("\"{text}\" may be one number or another")), "{found}"),
            None => assert_eq!(found, "", "{rows:?}"),
        }
    }
    assert!(
        refusal(table("y,x", &["1,\"1,5\"", "2,2"]), &label("y"))
            .contains("\"1,5\" is not a number; write decimals with")
    );
    let mixed = table("y;x", &["1;1.037", "2;72,5"]);
    assert!(refusal(&mixed, &label("y")).contains("\"72,5\" has a decimal comma, but other numbers of this column"));
    // Labels too.
    let found = refusal(table("y,x", &["\"1,376\",1", "2,2"]), &label("y"));
    assert!(found.contains("may be one number or another"), "{found}");
    let found =
        read_as(table("y;x", &["1,0;1", "1,5;2", "10,0;3"]), &label("y")).map(|t| t.data.class_names().to_vec());
    assert_eq!(found.ok(), Some(["1", "1.5", "10"].map(str::to_owned).to_vec()));
}

#[test]
fn missing_values_are_refused_dropped_or_kept_for_the_median() -> Result<(), Error> {
    let text = table("y,a,color", &["1,0.5,red", "2,?,blue", "1,3,NA", "2,,red", "2,4,red"].repeat(12));
    let with = |missing| Columns { missing, ..label("y") };
    let found = refusal(&text, &with(Missing::Error));
    let first = "line 3, column \"a\": \"?\" stands for a missing value; fill it in, or remove the row or the column, or \
                 choose --missing drop or --missing median (24 of this column are missing). There are problems in other \
                 columns too: \"color\"";
    assert!(found.contains(first), "{found}");
    let dropped = read_as(&text, &with(Missing::Drop))?;
    assert_eq!((dropped.data.samples(), dropped.notes[0].as_str()), (24, "left out 36 rows with a missing value"));
    let kept = read_as(&text, &with(Missing::Median))?;
    assert_eq!(kept.data.feature_names(), ["a", "color=blue", "color=red"]);
    let first = &kept.data.features()[..12];
    assert_eq!((&first[..3], &first[4..6], first[6]), (&[0.5, 0.0, 1.0][..], &[1.0, 0.0][..], 3.0));
    assert!([3, 7, 8, 9].iter().all(|&i| first[i].is_nan()) && !first[10].is_nan());
    // Labels are never made up.
    let text = table("y,a", &["low,1", "NA,2", "high,3", "none,4"].repeat(10));
    let found = refusal(&text, &label("y"));
    assert!(found.contains("line 3, column \"y\": the label \"NA\" stands for a missing one; fill it in"), "{found}");
    for missing in [Missing::Drop, Missing::Median] {
        let found = read_as(&text, &with(missing))?;
        assert_eq!((found.data.class_names().join(","), found.data.samples()), ("high,low,none".to_owned(), 30));
        assert!(found.notes.iter().any(|note| note == "left out 10 rows without a label"), "{:?}", found.notes);
    }
    let named = Columns { order: order(&["NA", "low", "high", "none"]), ..label("y") };
    assert_eq!(read_as(&text, &named)?.data.classes(), 4);
    assert!(
        refusal(table("y,a", &["1,?", "2,?"]), &with(Missing::Median)).contains("no row has a value in this column")
    );
    Ok(())
}

#[test]
fn words_become_columns_of_0_and_1() -> Result<(), Error> {
    let text = table("y,flag,color,code", &["1,False,red,7", "2,TRUE,blue,8", "1,true,red,7"]);
    let found = read_as(&text, &label("y"))?;
    assert_eq!(found.data.feature_names(), ["flag", "color=blue", "color=red", "code"]);
    assert_eq!(found.data.features()[..8], [0.0, 0.0, 1.0, 7.0, 1.0, 1.0, 0.0, 8.0]);
    assert!(found.notes[0].contains("column \"flag\" is read as false = 0, true = 1"), "{:?}", found.notes);
    assert!(found.notes[1].contains("column \"color\" becomes 2 columns of 0 and 1: \"blue\", \"red\""));
    let coded = read_as(&text, &Columns { categories: vec!["code".into()], ..label("y") })?;
    assert_eq!(coded.data.feature_names()[3..], ["code=7", "code=8"]);
    // A network knows them by name, in any order of the columns.
    let known = Known {
        features: coded.data.feature_names(),
        columns: coded.data.columns(),
        fills: false,
        class_names: coded.data.class_names(),
        class_values: coded.data.class_values(),
        ordered: true,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j.csv");
    let judge = |text: &str| {
        fs::write(&path, text).unwrap();
        read_to_judge(&path, &label("y"), Some(known)).map(|table| table.data.features().to_vec())
    };
    assert_eq!(judge("code,color,y,flag\n8,red,1,True\n")?, [1.0, 0.0, 1.0, 0.0, 1.0]);
    let found = judge("code,color,y,flag\n8,green,1,True\n").err().map(|e| e.to_string()).unwrap_or_default();
    assert!(found.contains("does not know \"green\" in this column; it knows \"blue\", \"red\""), "{found}");
    assert!(judge("code,color,y,flag\n8,,1,True\n").is_err_and(|e| e.to_string().contains("the field is empty")));
    // Names of samples are no categories.
    let rows: Vec<String> = (0..120).map(|i| format!("{},s{i},1", i % 2)).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    assert!(refusal(table("y,id,x", &rows), &label("y")).contains("more than 100 different texts, such as \"s0\""));
    Ok(())
}

#[test]
fn levels_without_samples_can_be_declared() -> Result<(), Error> {
    let text = table("y,x", &["1,1", "2,2", "4,3", "5,4"]);
    let gap = read_as(&text, &label("y"))?;
    assert!(gap.notes[0].contains("nothing is between 2 and 4"), "{:?}", gap.notes);
    let declared = read_as(&text, &Columns { order: order(&["1", "2", "3", "4", "5"]), ..label("y") })?;
    assert_eq!((declared.data.classes(), declared.data.class_values()), (5, &[1.0, 2.0, 3.0, 4.0, 5.0][..]));
    assert_eq!(indices(&declared, 4), [0, 1, 3, 4]);
    assert_eq!(declared.notes, ["no sample has the class \"3\" of --order: it counts in distances all the same"]);
    let likert = table("y,x", &["1 - no,1", "2 - rather no,2", "4 - yes,3"]);
    let found = read_as(&likert, &label("y"))?;
    assert!(found.notes[0].contains("begin with numbers (1, 2, 4): if they are a scale"), "{:?}", found.notes);
    let found = read_as(&likert, &Columns { order: order(&["1 - no", "2 - rather no", "4 - yes"]), ..label("y") })?;
    assert!(found.notes[0].contains("nothing is between 2 and 4"), "{:?}", found.notes);
    Ok(())
}
