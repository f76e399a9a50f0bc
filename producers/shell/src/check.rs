//! Collects what is wrong with a request, so that a caller hears of everything at once.

use crate::problem::Problem;

/// The faults found so far.
#[derive(Debug, Default)]
pub struct Checks {
    problem: Option<Problem>,
}

impl Checks {
    /// Nothing found yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a fault at `pointer` unless `holds`.
    pub fn that(
        &mut self,
        holds: bool,
        pointer: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) -> &mut Self {
        if !holds {
            self.wrong(pointer, code, message);
        }
        self
    }

    /// Notes a fault.
    pub fn wrong(&mut self, pointer: impl Into<String>, code: &'static str, message: impl Into<String>) {
        let start = || Problem::unprocessable("INVALID", "the request has fields that are not acceptable");
        self.problem = Some(self.problem.take().unwrap_or_else(start).field(pointer, code, message));
    }

    /// Notes a text whose length in characters is not from `least` to `most`.
    pub fn length(&mut self, text: &str, least: usize, most: usize, pointer: impl Into<String>) -> &mut Self {
        let holds = (least..=most).contains(&text.chars().count());
        self.that(holds, pointer, "LENGTH", format!("must be {least} to {most} characters long"))
    }

    /// # Errors
    /// One 422 with every fault that was noted.
    pub fn finish(&mut self) -> Result<(), Problem> {
        self.problem.take().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_at_once() {
        let mut checks = Checks::new();
        let problem =
            checks.length("", 1, 200, "/name").that(false, "/price", "NEGATIVE", "must not be below 0").finish();
        let pointers: Vec<_> = problem.unwrap_err().errors.into_iter().map(|error| error.pointer).collect();
        assert_eq!(pointers, ["/name", "/price"]);
        assert!(Checks::new().length("Bún bò Huế", 1, 10, "/name").finish().is_ok());
    }
}
