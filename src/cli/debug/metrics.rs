use clap::Args;

use crate::cli::context::Context;
use crate::cli::failure::Stop;

#[derive(Debug, Args)]
pub(in crate::cli) struct Metrics {
    /// Only metrics whose names begin so
    #[arg(default_value = "")]
    prefix: String,
}

impl Metrics {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let text = context.mesh().await?.metrics().await?;
        context.print(beginning_with(&text, &self.prefix))
    }
}

/// The lines about metrics whose names begin so.
fn beginning_with(text: &str, prefix: &str) -> String {
    let is_meant = |line: &&str| {
        let name = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE ")).unwrap_or(line);
        name.starts_with(prefix)
    };
    text.lines().filter(is_meant).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_chosen_by_the_beginning_of_their_names() {
        let text = "# HELP a_b One.\n# TYPE a_b gauge\na_b{c=\"d\"} 1\n# HELP e Two.\n# TYPE e gauge\ne 2\n";
        assert_eq!(beginning_with(text, ""), text);
        assert_eq!(beginning_with(text, "a_"), "# HELP a_b One.\n# TYPE a_b gauge\na_b{c=\"d\"} 1\n");
        assert_eq!(beginning_with(text, "x"), "");
    }
}
