//! Asks the core from time to time whether it works, and tells the service manager. A core that is stuck misses the
//! watchdog, and the service manager starts the daemon anew.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};

use super::request::{CoreHandle, Pulse, Request};
use super::service_manager::ServiceManager;

/// How often the status line is looked at where no watchdog waits.
const STATUS_PERIOD: Duration = Duration::from_secs(10);

/// Goes on until it is dropped. Says that the daemon is ready as soon as the core answers for the first time.
pub(super) async fn run(manager: Arc<ServiceManager>, core: CoreHandle) {
    if !manager.is_there() {
        return;
    }
    // Twice per interval, as sd_watchdog_enabled(3) advises: one that is late is no harm.
    let period = manager.watchdog().map_or(STATUS_PERIOD, |interval| interval / 2);
    let mut shown = String::new();
    let mut is_ready = false;
    beat(&core, period, |pulse| {
        let line = line(pulse);
        if line != shown {
            manager.status(&line);
            shown = line;
        }
        if !is_ready {
            manager.ready();
            is_ready = true;
        }
        manager.alive();
    })
    .await;
}

/// Hands over a pulse each period in which the core gives one in time.
async fn beat(core: &CoreHandle, period: Duration, mut take: impl FnMut(&Pulse)) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match timeout(period, core.ask(|reply| Request::Pulse { reply })).await {
            Ok(Ok(pulse)) => take(&pulse),
            // The core is gone, and with it the daemon.
            Ok(Err(_)) => return,
            Err(_) => tracing::warn!(?period, "the core doesn't answer"),
        }
    }
}

fn line(pulse: &Pulse) -> String {
    let Pulse { alive, hosts, conflicts, problem } = pulse;
    let hosts = format!("{alive} of {hosts} hosts alive");
    let conflicts = match conflicts {
        0 => "no conflicts".to_owned(),
        1 => "1 conflict".to_owned(),
        many => format!("{many} conflicts"),
    };
    match problem {
        Some(problem) => format!("nothing is written: {problem}; {hosts}, {conflicts}"),
        None => format!("{hosts}, {conflicts}"),
    }
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::Converged;
    use tokio::sync::mpsc;

    use super::*;
    use crate::daemon::request::{CoreEnd, Reply, door};

    const PERIOD: Duration = Duration::from_secs(5);

    async fn asked(end: &mut CoreEnd) -> Reply<Pulse> {
        match end.requests.recv().await {
            Some(Request::Pulse { reply }) => reply,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stuck_core_gives_no_beat_and_one_that_comes_back_does() {
        let (core, mut end) = door(Converged::of(Vec::new()));
        let (beats, mut heard) = mpsc::unbounded_channel();
        let beating = tokio::spawn(async move {
            beat(&core, PERIOD, |pulse| beats.send(pulse.alive).unwrap()).await;
        });
        for alive in [1, 2] {
            asked(&mut end).await.send(Ok(Pulse { alive, ..Pulse::default() })).unwrap();
            assert_eq!(heard.recv().await, Some(alive));
        }
        // Held, not refused: so a core looks that is stuck.
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(asked(&mut end).await);
        }
        let reply = asked(&mut end).await;
        assert!(heard.try_recv().is_err());
        reply.send(Ok(Pulse { alive: 3, ..Pulse::default() })).unwrap();
        assert_eq!(heard.recv().await, Some(3));
        drop(end);
        beating.await.unwrap();
    }

    #[test]
    fn the_status_line_says_how_it_goes() {
        let pulse = Pulse { alive: 2, hosts: 3, conflicts: 1, problem: None };
        assert_eq!(line(&pulse), "2 of 3 hosts alive, 1 conflict");
        let full = Pulse { problem: Some("the disk is full".into()), conflicts: 0, ..pulse };
        assert_eq!(line(&full), "nothing is written: the disk is full; 2 of 3 hosts alive, no conflicts");
    }
}
