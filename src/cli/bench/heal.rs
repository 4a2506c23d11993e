//! A host is cut off, both sides are written to, the cut heals: until both have everything.

use std::time::{Duration, Instant};

use murmurate_client::Watch;
use murmurate_client::types::ApiError;
use tokio::time::timeout;

use super::super::failure::Stop;
use super::load::Load;
use super::local::{LocalMesh, missing};
use super::report::{Aim, Row};
use super::scratch::{key_of, toml_file, value};
use super::visible::put_value;
use super::{Bed, too_late};

const NAME: &str = "heal";
/// How long the host is cut off: as long as with the other systems, and long enough that it is taken to be away.
const CUT: Duration = Duration::from_secs(30);
/// Puts on each side of the cut.
const PUTS: u64 = 100;
const DEADLINE: Duration = Duration::from_secs(60);

pub(super) async fn measure(bed: &Bed, mesh: &LocalMesh) -> Result<Row, Stop> {
    let what = format!("cut of {} s heals -> both sides have everything", CUT.as_secs());
    let namespace = match &mesh.namespace {
        Ok(namespace) => namespace,
        Err(why) => return Ok(missing(NAME, &what, why)),
    };
    let (Some(lost), Some(cut_off)) = (bed.hosts.others.last(), mesh.hosts.last()) else {
        return Ok(missing(NAME, &what, "there is one host only"));
    };
    let own = &bed.hosts.own;
    let document = bed.scratch.document("heal.toml");
    let (here, there) = (key_of(&document, 0), key_of(&document, 1));
    own.mesh.write_file(&document, toml_file(20, bed.value_bytes)).await?;
    own.mesh.wait_converged(DEADLINE).await?;
    let mut watches = [(own.mesh.watch(&there).start().await?), lost.mesh.watch(&here).start().await?];
    if let Err(why) = namespace.cut(cut_off.address.port()) {
        return Ok(missing(NAME, &what, &why));
    }
    let last = value(PUTS, bed.value_bytes);
    let pause = CUT / u32::try_from(PUTS).unwrap_or(1);
    for number in 1..=PUTS {
        let put = put_value(&value(number, bed.value_bytes));
        own.mesh.put(&here, &put).await?;
        lost.mesh.put(&there, &put).await?;
        tokio::time::sleep(pause).await;
    }
    let load = Load::begin();
    let begin = Instant::now();
    if let Err(why) = namespace.heal() {
        return Ok(missing(NAME, &what, &why));
    }
    let [own_watch, lost_watch] = &mut watches;
    let both = async { tokio::try_join!(until_shown(own_watch, &last), until_shown(lost_watch, &last)) };
    let shown = timeout(DEADLINE, both).await.unwrap_or_else(|_| Err(too_late("heal a cut", DEADLINE)));
    shown?;
    let seconds = begin.elapsed().as_secs_f64();
    let bound = format!("timers: how soon it is dialled again; {:.1} cores busy", load.busy_cores());
    Ok(Row::value(NAME, what, seconds, "s").aim(Some(Aim::at_most(seconds, 1.0, "s"))).bound_by(bound))
}

async fn until_shown(watch: &mut Watch, text: &str) -> Result<(), ApiError> {
    while let Some(event) = watch.next().await {
        if event?.value.is_some_and(|value| value.value == text) {
            return Ok(());
        }
    }
    Err(too_late("see a put at a watcher", DEADLINE))
}
