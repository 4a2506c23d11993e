//! What the store promises, on the real disk and on a simulated one that loses and tears what wasn't synced.

mod crashes;
mod damage;
mod errors;
mod fixtures;
mod golden;
mod model;
mod promises;
