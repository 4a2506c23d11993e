use clap::Args;
use murmurate_client::types;

use super::context::Context;
use super::failure::Stop;
use super::folder::{file_table, folder_table, outputs};
use super::members::short;
use super::table::{Cell, Table, printable};
use super::time::span;
use super::view::{Style, View, paint};

#[derive(Debug, Args)]
pub(super) struct Status {}

impl Status {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let status = context.mesh().await?.status().await?;
        context.print(render(&status, &context.view()))
    }
}

fn render(status: &types::Status, view: &View) -> String {
    view.one(status, || {
        let mut parts = vec![overview(status).text(view.colored)];
        if !status.folders.is_empty() {
            parts.push(folder_table(&status.folders).text(view.colored));
        }
        if !status.held.is_empty() {
            parts.push(file_table(&status.held, view).text(view.colored) + &outputs(&status.held));
        }
        parts.extend(status.problems.iter().map(|problem| problem_lines(problem, view)));
        parts.join("\n")
    })
}

fn overview(status: &types::Status) -> Table {
    let mut table = Table::headless(2);
    let members = status.members;
    let away = members.suspect + members.dead;
    let in_step = format!("{} of {} alive, {} in step", members.alive, members.total, members.in_step);
    let store = &status.store;
    table.row(["name".into(), format!("{} ({})", status.node, short(&status.id)).into()]);
    if !status.roles.is_empty() {
        table.row(["roles".into(), status.roles.join(", ").into()]);
    }
    table.row(["mesh".into(), short(&status.mesh).into()]);
    table.row(["daemon".into(), format!("{}, up {}", status.version, span(status.uptime_ms)).into()]);
    table.row(["address".into(), status.address.as_str().into()]);
    table.row(["members".into(), Cell::new(in_step, good(away == 0 && status.in_step))]);
    table.row(["conflicts".into(), Cell::new(status.conflicts.to_string(), good(status.conflicts == 0))]);
    let contents = format!("{} documents, {} changes", store.documents, store.changes);
    let health = match &store.problem {
        Some(problem) => format!("{contents}: {problem}"),
        None => contents,
    };
    table.row(["store".into(), Cell::new(health, if store.healthy { Style::Good } else { Style::Bad })]);
    table
}

fn good(is_good: bool) -> Style {
    if is_good { Style::Good } else { Style::Warn }
}

fn problem_lines(problem: &types::Problem, view: &View) -> String {
    let types::Problem { code, what, why, try_ } = problem;
    let [what, why, try_] = [what, why, try_].map(|text| printable(text));
    let head = paint("problem", Style::Bad, view.colored);
    format!("{head}: {what} [{code}]\n  why: {why}\n  try: {try_}\n")
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::{ErrorCode, MemberCounts, Problem, StoreHealth, V1};

    use super::*;
    use crate::cli::testing::{ago, folder, held_file, kept_back_file, sheet};

    #[test]
    fn status() {
        let status = types::Status {
            v: V1,
            node: "web-1".into(),
            roles: vec!["db".into(), "eu".into()],
            id: "ab".repeat(32),
            mesh: "cd".repeat(16),
            version: "0.1.0".into(),
            address: "[::]:7117".into(),
            started: ago(7_200),
            uptime_ms: 7_200_000,
            members: MemberCounts { alive: 2, suspect: 0, dead: 1, in_step: 2, total: 3 },
            in_step: true,
            folders: vec![folder()],
            held: vec![held_file(), kept_back_file()],
            conflicts: 2,
            store: StoreHealth { healthy: true, problem: None, documents: 4, changes: 120, bytes: Some(65_536) },
            problems: vec![Problem {
                code: ErrorCode::BadFolder,
                what: "watch the folder web".into(),
                why: "the marker is gone".into(),
                try_: "mount the disk again".into(),
            }],
        };
        insta::assert_snapshot!(sheet(|view| render(&status, view)));
    }
}
