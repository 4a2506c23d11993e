//! Indentation, as the codecs of lines keep it.

use crate::tree::INDENT;

/// Replaces the indentation at the start of each line with [`INDENT`].
pub(super) fn mark_indent(lead: &str, indent: &str) -> String {
    if indent.is_empty() {
        return lead.into();
    }
    let mut marked = String::with_capacity(lead.len());
    for line in lead.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix(indent) {
            marked.push(INDENT);
            marked.push_str(rest);
        } else {
            marked.push_str(line);
        }
    }
    marked
}
