//! P6: a render reads back as the document's keys and values. The second parsers are `toml` and `serde_json`.

use std::collections::BTreeMap;

use murmurate::daemon::request::Request;

use crate::machine::ROOT;
use crate::template::TEMPLATES;
use crate::world::World;

pub(crate) fn check(world: &mut World) {
    let ask = |reply| Request::Keys { prefix: String::new(), after: None, reply };
    let keys = world.ask(0, ask).unwrap().entries;
    for template in &TEMPLATES {
        let file = world.machines[0].files.content(&format!("{ROOT}/{}", template.path)).unwrap();
        let text = String::from_utf8(file).unwrap();
        let tree: serde_json::Value = if template.path.ends_with(".toml") {
            serde_json::to_value(toml::from_str::<toml::Table>(&text).unwrap()).unwrap()
        } else {
            serde_json::from_str(&text).unwrap()
        };
        let mut parsed = BTreeMap::new();
        flatten(&tree, String::new(), &mut parsed);
        let of_document = keys.iter().filter(|key| key.doc == template.document());
        let listed: BTreeMap<String, String> =
            of_document.map(|key| (key.key.clone(), key.value.text.clone())).collect();
        assert_eq!(parsed, listed, "P6: {}", template.path);
    }
}

fn flatten(tree: &serde_json::Value, path: String, parsed: &mut BTreeMap<String, String>) {
    let Some(table) = tree.as_object() else {
        parsed.insert(path, tree.to_string());
        return;
    };
    for (key, value) in table {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        flatten(value, path, parsed);
    }
}
