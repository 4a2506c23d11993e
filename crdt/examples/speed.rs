//! What the steps of one edit cost at several sizes of a file: `cargo run --release --example speed`.

use std::time::Instant;

use ed25519_dalek::SigningKey;
use murmurate_crdt::document::{Document, Written};
use murmurate_crdt::edit::{Editor, PutOutcome, PutType};
use murmurate_crdt::envelope::{Envelope, MESH_LEVEL, SignedEnvelope};
use murmurate_crdt::id::{ActorId, DocumentId, Generation, Lane, MeshId, NodeId};
use murmurate_crdt::key::parse_key;

/// Of each step, averaged.
const ROUNDS: u32 = 20;

fn sealed(document: &Document, written: Written) -> SignedEnvelope {
    let key = SigningKey::from_bytes(&[1; 32]);
    let author = NodeId::of_public_key(key.verifying_key().as_bytes());
    let Written { dot, dependencies, change, .. } = written;
    let (document, generation) = (document.id().clone(), Generation::default());
    let (user, message) = (String::new(), String::new());
    let level = MESH_LEVEL;
    Envelope { level, document, generation, set: None, author, dot, time_ms: 0, dependencies, user, message, change }
        .sign(MeshId([0; 16]), &key)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for keys in [10, 1_000, 9_000] {
        let lines = (0..keys).map(|key| {
            if key % 20 == 0 { format!("\n[t{key}]\nk{key} = {key}\n") } else { format!("k{key} = {key}\n") }
        });
        let text: String = lines.collect();
        let editor = Editor { actor: ActorId([1; 16]), time_ms: 0, user: String::new() };
        let mut ours = Document::new(DocumentId::new("f/app.toml")?);
        let mut theirs = ours.clone();
        let mut rendered = ours.render();
        let mut times = [0.0f64; 5];
        let mut timed = |index: usize, start: Instant| times[index] += start.elapsed().as_secs_f64() * 1e6;
        let first = ours.take_file(&rendered, text.as_bytes(), false, Lane::FILE, &editor)?.ok_or("no edit")?;
        theirs.apply(&sealed(&ours, first))?;
        for round in 0..ROUNDS {
            rendered = ours.render();
            let start = Instant::now();
            let put = ours.put(
                &rendered,
                &parse_key("t0.k3")?,
                &format!("{}", 100_000 + round),
                PutType::Automatic,
                &editor,
            )?;
            timed(0, start);
            let PutOutcome::Written(put) = put else { return Err("nothing was put".into()) };
            let envelope = sealed(&ours, put);
            let start = Instant::now();
            theirs.apply(&envelope)?;
            timed(2, start);
            let start = Instant::now();
            rendered = ours.render();
            timed(3, start);
            let edited = text
                .replace("k5 = 5\n", &format!("k5 = {}\n", 200_000 + round))
                .replace("k3 = 3\n", &format!("k3 = {}\n", 100_000 + round));
            let start = Instant::now();
            let saved = ours.take_file(&rendered, edited.as_bytes(), false, Lane::FILE, &editor)?.ok_or("no edit")?;
            timed(1, start);
            theirs.apply(&sealed(&ours, saved))?;
            rendered = ours.render();
            let start = Instant::now();
            drop(murmurate_crdt::conflict::conflicts(&ours, &rendered));
            timed(4, start);
        }
        let [put, save, apply, render, conflicts] = times.map(|time| time / f64::from(ROUNDS));
        println!(
            "{keys:>6} keys: put {put:.0} us, take_file {save:.0} us, apply {apply:.0} us, render {render:.0} us, conflicts {conflicts:.0} us"
        );
    }
    Ok(())
}
