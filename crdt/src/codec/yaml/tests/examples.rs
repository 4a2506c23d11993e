//! Texts and trees, one by one.
