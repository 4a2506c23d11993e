//! Folders on a real directory: most tests step one folder in virtual time, a few run the service with kernel hints.

mod bench;
mod crashes;
mod deletes;
mod ignoring;
mod links;
mod many;
mod power_cuts;
mod races;
mod reading;
mod renames;
mod service;
mod spelling;
mod writing;
