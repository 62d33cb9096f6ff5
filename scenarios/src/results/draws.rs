//! `calibration_draws.csv`: a comparison at each draw of a calibration.

use super::csv::Csv;
use crate::analysis::ranking::Ranking;
use crate::analysis::summary::Summary;

/// A row per draw and strategy; empty where too many requests failed.
pub(super) fn rows(csv: &mut Csv<'_>, summary: &Summary, ranking: &Ranking) -> csv::Result<()> {
    csv.write_record(["draw", "strategy", "mean_ms"])?;
    for (draw, means) in ranking.means_ms.iter().enumerate() {
        for (strategy, mean) in summary.strategies.iter().zip(means) {
            let mean = mean.map_or(String::new(), |mean| mean.to_string());
            csv.write_record([&(draw + 1).to_string(), &strategy.name, &mean])?;
        }
    }
    Ok(())
}
