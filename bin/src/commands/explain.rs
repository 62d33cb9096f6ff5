//! `meshsim explain`: what a key of a scenario is.

use super::common::print;
use crate::exit_code::Code;
use crate::failure::Outcome;
use crate::table;
use meshsim_scenarios::keys::{self, Key};

#[derive(clap::Args)]
#[command(after_help = "Example: meshsim explain links.edge1-cloud.rtt")]
pub(crate) struct Args {
    /// The path of a key, as in links.edge1-cloud.rtt or links.NAME.rtt (default: all at the top)
    key: Option<String>,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let Some(path) = &args.key else {
        let top = keys::all().into_iter().filter(|it| !it.path.contains('.'));
        let rows: Vec<Vec<String>> = top.map(|it| vec![it.path, it.sentence]).collect();
        print(&(table::text(&rows) + "\nmeshsim explain KEY tells more of one\n"))?;
        return Ok(Code::Ok);
    };
    print(&explained(&keys::explain(path)?))?;
    Ok(Code::Ok)
}

fn explained(key: &Key) -> String {
    let needed = if key.is_needed { " (needed)" } else { "" };
    let mut facts = vec![("written as", format!("{}{needed}", key.unit))];
    let optional = [("range", &key.range), ("default", &key.default), ("source", &key.source)];
    facts.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    let rows: Vec<Vec<String>> =
        facts.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    let mut text = format!("{}: {}\n\n{}", key.path, key.sentence, table::text(&rows));
    let pairs = |all: &[(String, String)]| -> Vec<Vec<String>> {
        all.iter().map(|(name, sentence)| vec![name.clone(), sentence.clone()]).collect()
    };
    for (title, all) in [("one of", &key.words), ("keys below it", &key.below)] {
        if !all.is_empty() {
            text += &format!("\n{title}\n{}", table::text(&pairs(all)));
        }
    }
    text
}
