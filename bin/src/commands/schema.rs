//! `meshsim schema`: what a scenario may say, as editors take it.

use super::common::print;
use crate::exit_code::Code;
use crate::failure::Outcome;
use meshsim_scenarios::keys::json_schema;
use meshsim_scenarios::results::json::to_json;

pub(crate) fn exec() -> Outcome<Code> {
    print(&to_json(&json_schema())?)?;
    Ok(Code::Ok)
}
