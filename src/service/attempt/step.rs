//! Answers that must not tell by their time whether there is somebody are given at
//! the next full step since they began: to read the rows of somebody, and to note
//! whose they are, takes a tenth of a millisecond more than reading nobody's, which
//! hundreds of answers tell. What lasts longer than a step, such as a wait for a
//! busy database, is blurred by this and not hidden: it moves an answer by a whole
//! step, or by none.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

const STEP: Duration = Duration::from_millis(50);

/// The answer, not before the first full step after it was ready.
pub(super) async fn at_full_step<T>(began: Instant, answer: T) -> T {
    let steps = began.elapsed().as_millis() / STEP.as_millis() + 1;
    let steps = u32::try_from(steps).unwrap_or(u32::MAX);
    sleep_until(began + STEP.saturating_mul(steps)).await;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_waits_for_the_next_full_step_and_no_longer() {
        for (ready_after, given_after) in [(0, 50), (1, 50), (49, 50), (50, 100), (99, 100)] {
            let began = Instant::now();
            tokio::time::sleep(Duration::from_millis(ready_after)).await;
            let answer = at_full_step(began, "the answer").await;
            let taken = began.elapsed().as_millis();
            assert_eq!(
                (answer, taken),
                ("the answer", given_after),
                "{ready_after}"
            );
        }
    }
}
