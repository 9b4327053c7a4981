//! The program under test as processes: started with limits, disturbed at chosen moments, watched to its end.
//!
//! An `Order` enters; `Ended` leaves, with the exit code, the JSON lines and what was done to the run.

pub(crate) mod deeds;
pub(crate) mod limits;
pub(crate) mod processes;
pub(crate) mod run;
