//! What must not happen, whoever tries.

mod api_tokens;
mod at_once;
mod costs;
mod crossing;
mod enumeration;
mod guessing;
mod ids;
mod job_board;
mod leaks;
mod limits;
mod mass_assignment;
mod names;
mod passwords;
mod races;
mod refresh;
mod second_factors;
mod secrets;
mod stale;
mod timing;
mod tokens;
mod visibility;
mod waiting;
mod wire;
