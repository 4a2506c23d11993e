//! Progress: once all is healed and the folders were looked through, all machines are in step within a bound.

use std::time::Duration;

use crate::world::World;

/// DESIGN wants 1 s after a cut heals; here machines have also just started, and files come in their turn.
const BOUND: Duration = Duration::from_secs(5);

/// Waits for it. Gives how long it took.
pub(crate) fn check(world: &mut World) -> Duration {
    let took = world.run_until(BOUND, |world| {
        for machine in &world.machines {
            let core = machine.core().ok_or_else(|| format!("{} is down", machine.name))?;
            let converged = core.converged().borrow().clone();
            if !converged.converged {
                return Err(format!("{}: {converged:?}", machine.name));
            }
            let (first, other) = (world.machines[0].shown_files(), machine.shown_files());
            if first != other {
                return Err(format!("{} has {other:#?}, the first machine {first:#?}", machine.name));
            }
        }
        Ok(())
    });
    took.unwrap_or_else(|wrong| panic!("progress: not within {BOUND:?}: {wrong}"))
}
