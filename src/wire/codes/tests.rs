//! The enum and `schemas/codes.toml` say the same.

use std::collections::BTreeSet;

use super::Code;

const CATALOGUE: &str = include_str!("../../../schemas/codes.toml");
const FAULTS: [&str; 4] = ["client", "server", "venue", "network"];
const RECONNECTS: [&str; 7] =
    ["stay", "yes", "elsewhere", "later", "with_new_credentials", "fix_first", "no"];

fn rows() -> Vec<toml::Table> {
    let catalogue: toml::Table = CATALOGUE.parse().unwrap();
    let rows = catalogue["code"].as_array().unwrap();
    rows.iter().map(|row| row.as_table().unwrap().clone()).collect()
}

fn number(row: &toml::Table, key: &str) -> Option<u16> {
    row.get(key).map(|value| u16::try_from(value.as_integer().unwrap()).unwrap())
}

#[test]
fn enum_and_catalogue_agree() {
    let rows = rows();
    assert_eq!(rows.len(), Code::ALL.len());
    for (code, row) in Code::ALL.into_iter().zip(&rows) {
        let name = row["name"].as_str().unwrap();
        assert_eq!(code.name(), name);
        assert_eq!(code.close_code(), number(row, "close"), "{name}");
        assert_eq!(code.http_status(), number(row, "http"), "{name}");
        assert_eq!(Code::from_name(name), Some(code));
    }
}

#[test]
fn every_row_is_complete_and_in_known_words() {
    let known = ["name", "http", "close", "meaning", "fault", "reconnect", "fix"];
    for row in rows() {
        let name = row["name"].as_str().unwrap();
        for key in ["meaning", "fix"] {
            assert!(row[key].as_str().is_some_and(|text| text.ends_with('.')), "{name} {key}");
        }
        assert!(FAULTS.contains(&row["fault"].as_str().unwrap()), "{name}");
        assert!(RECONNECTS.contains(&row["reconnect"].as_str().unwrap()), "{name}");
        assert!(row.keys().all(|key| known.contains(&key.as_str())), "{name}");
    }
}

#[test]
fn names_and_close_codes_are_unique() {
    let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names.len(), Code::ALL.len());
    let closes: Vec<_> = Code::ALL.iter().filter_map(|code| code.close_code()).collect();
    assert_eq!(closes.iter().collect::<BTreeSet<_>>().len(), closes.len());
    assert_eq!(Code::from_name("NOPE"), None);
}
