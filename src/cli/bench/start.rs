//! All hosts are started: until each sees all others alive.

use murmurate_client::types::MemberState;

use super::super::failure::Stop;
use super::local::Started;
use super::report::{Aim, Row};
use super::{Bed, seen};

const NAME: &str = "start";
/// Up to how many hosts a second is the aim: more have to share the machine.
const AIMED_HOSTS: usize = 10;

pub(super) async fn measure(bed: &Bed, started: Started) -> Result<Row, Stop> {
    let mut last = started.begun_ms;
    for host in bed.hosts.all() {
        let noted = seen::noted(host, MemberState::Alive).await?;
        last = noted.into_iter().map(|(_, since)| since).fold(last, u64::max);
    }
    let seconds = |ms: u64| ms.saturating_sub(started.begun_ms) as f64 / 1e3;
    let what = format!("start of {} hosts -> all see all alive", bed.hosts.len());
    let aim = (bed.hosts.len() <= AIMED_HOSTS).then(|| Aim::at_most(seconds(last), 1.0, "s"));
    let bound =
        format!("processes begun within {:.2} s; {:.1} cores busy", seconds(started.spawned_ms), started.busy_cores);
    Ok(Row::value(NAME, what, seconds(last), "s").aim(aim).bound_by(bound))
}
