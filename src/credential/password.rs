//! Passwords: Argon2id with the parameters of OWASP's cheat sheet, off the async
//! threads, as many at once as there are cores. Each run takes 19 MiB and some
//! 16 ms of a core, so those who wait are bounded, too.
//!
//! The runs have threads of their own, always the same: the allocator keeps the
//! memory of each thread that ever had a run, and those of tokio are many.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use rayon::{ThreadPool, ThreadPoolBuilder};
use subtle::ConstantTimeEq;
use tokio::sync::{Semaphore, oneshot};

use super::guessing::{advice, normal, words};
use crate::config::Settings;
use crate::entity::user::PasswordHash;
use crate::error::{Error, Problem, ProblemCode, Result};
use crate::generator::Generator;

/// In characters, after normalisation. More is refused, never cut.
const LENGTH_MAX: usize = 128;
/// Runs that may wait for a core. At 16 ms each on two cores, the last waits about half a second.
const WAITING_MAX: usize = 64;
/// In bytes, as RFC 9106 says (section 3.1).
const SALT: usize = 16;
/// What an unknown account is checked against: random bytes with today's parameters. No password
/// is known to match it, and a match would not be taken for one.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bXVzdGVyLW5vYm9keS0x$tJc5kRyUe2mQ1vXw7oZ0bN4hG8sLdA3fKp6iYxWnEqM";

#[derive(Clone)]
pub struct Passwords {
    length_min: usize,
    generator: Generator,
    cores: Arc<Semaphore>,
    threads: Arc<ThreadPool>,
    waiting_max: usize,
    waiting: Arc<AtomicUsize>,
    runs: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, but stored with weaker parameters than today's: hash it anew.
    RightButWeak,
}

impl Passwords {
    /// An error when the system has no threads to give.
    pub fn new(settings: &Settings, generator: Generator) -> Result<Self> {
        let cores = available_parallelism().map_or(1, usize::from);
        let threads = ThreadPoolBuilder::new()
            .num_threads(cores)
            .thread_name(|number| format!("passwords-{number}"))
            // It is in the log already, and fails the one request that it happened to.
            .panic_handler(|_| {})
            .build()
            .map_err(Error::internal)?;
        Ok(Self {
            length_min: settings.password_min_length,
            generator,
            cores: Arc::new(Semaphore::new(cores)),
            threads: Arc::new(threads),
            waiting_max: WAITING_MAX,
            waiting: Arc::default(),
            runs: Arc::default(),
        })
    }

    /// What speaks against this as a new password; `own_words` are the person's names and address.
    pub async fn problem(
        &self,
        field: &'static str,
        password: &str,
        own_words: &[&str],
    ) -> Result<Option<Problem>> {
        let password = normal(password);
        let length = password.chars().count();
        if password.is_empty() {
            let message = "This cannot be blank.";
            return Ok(Some(Problem::new(field, ProblemCode::Blank, message)));
        }
        if length < self.length_min {
            let message = format!("At least {} characters.", self.length_min);
            return Ok(Some(Problem::new(field, ProblemCode::TooShort, message)));
        }
        if length > LENGTH_MAX {
            let message = format!("At most {LENGTH_MAX} characters.");
            return Ok(Some(Problem::new(field, ProblemCode::TooLong, message)));
        }
        let own_words = words(own_words);
        let advice = self
            .off_thread(move || advice(&password, &own_words))
            .await?;
        Ok(advice.map(|advice| Problem::new(field, ProblemCode::WeakPassword, advice)))
    }

    /// Whatever the password, this takes one Argon2 run.
    pub async fn hash(&self, password: &str) -> Result<PasswordHash> {
        let password = normal(password);
        let salt = self.generator.bytes();
        let runs = Arc::clone(&self.runs);
        self.off_thread(move || {
            runs.fetch_add(1, Ordering::Relaxed);
            hash(password.as_bytes(), salt)
        })
        .await?
        .map_err(|error| Error::internal(error.to_string()))
    }

    /// With None, for an account that is not there, it takes the same one Argon2 run and is wrong.
    pub async fn verify(&self, password: &str, hash: Option<&PasswordHash>) -> Result<Verdict> {
        let mut password = normal(password);
        let fits = password.chars().count() <= LENGTH_MAX;
        if !fits {
            // It cannot be right, and must not take longer for being long.
            password.truncate(0);
        }
        let exists = hash.is_some();
        let hash = hash.map_or_else(|| NOBODY.to_owned(), |hash| hash.0.clone());
        let runs = Arc::clone(&self.runs);
        let verdict = self
            .off_thread(move || {
                runs.fetch_add(1, Ordering::Relaxed);
                verdict(password.as_bytes(), &hash)
            })
            .await??;
        Ok(if exists && fits {
            verdict
        } else {
            Verdict::Wrong
        })
    }

    /// Argon2 runs since the start. For tests, which count them instead of taking the time.
    pub fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let _waiting = Waiting::enter(&self.waiting, self.waiting_max)?;
        let permit = Arc::clone(&self.cores)
            .acquire_owned()
            .await
            .map_err(Error::internal)?;
        let (done, outcome) = oneshot::channel();
        self.threads.spawn(move || {
            // Held by the work itself: a request that is gone does not free its core early.
            let _permit = permit;
            // Nobody may be waiting for it any more.
            done.send(work()).unwrap_or_default();
        });
        outcome.await.map_err(Error::internal)
    }
}

/// A place among those who wait, given up when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(waiting: &'a AtomicUsize, max: usize) -> Result<Self> {
        let place = Self(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) >= max {
            return Err(Error::Unavailable(
                "too many passwords are being checked".into(),
            ));
        }
        Ok(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

thread_local! {
    /// What the last run on this thread worked in, for the next one: the allocator would keep more.
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// One run, in memory that is there already.
fn run(
    argon2: &Argon2,
    password: &[u8],
    salt: &[u8],
    length: usize,
) -> argon2::password_hash::Result<Vec<u8>> {
    let mut output = vec![0; length];
    MEMORY.with_borrow_mut(|memory| {
        memory.resize(argon2.params().block_count(), Block::new());
        argon2.hash_password_into_with_memory(password, salt, &mut output, memory.as_mut_slice())
    })?;
    Ok(output)
}

/// With today's parameters, in the form that the library's own hashes have.
fn hash(password: &[u8], salt: [u8; SALT]) -> argon2::password_hash::Result<PasswordHash> {
    let (algorithm, version, params) =
        (Algorithm::default(), Version::default(), Params::default());
    let stored = ParamsString::try_from(&params)?;
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let argon2 = Argon2::new(algorithm, version, params);
    let output = run(&argon2, password, &salt, length)?;
    let hash = Phc {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: stored,
        salt: Some(Salt::new(&salt)?),
        hash: Some(Output::new(&output)?),
    };
    Ok(PasswordHash(hash.to_string()))
}

/// As the library's own check.
fn matches(password: &[u8], hash: &Phc) -> argon2::password_hash::Result<bool> {
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
        return Ok(false);
    };
    let algorithm = Algorithm::try_from(hash.algorithm.as_str())?;
    let version = hash
        .version
        .map_or(Ok(Version::default()), Version::try_from)?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(hash)?);
    let found = run(&argon2, password, salt.as_ref(), expected.len())?;
    Ok(bool::from(found.ct_eq(expected.as_bytes())))
}

fn verdict(password: &[u8], hash: &str) -> Result<Verdict> {
    let hash = Phc::new(hash).map_err(|error| Error::internal(error.to_string()))?;
    if !matches(password, &hash).unwrap_or(false) {
        return Ok(Verdict::Wrong);
    }
    let today = Params::default();
    let is_weak = Params::try_from(&hash).map_or(true, |stored| {
        stored.m_cost() < today.m_cost() || stored.t_cost() < today.t_cost()
    });
    Ok(if is_weak || hash.algorithm.as_str() != "argon2id" {
        Verdict::RightButWeak
    } else {
        Verdict::Right
    })
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};

    use super::*;

    const GOOD: &str = "velvet orbit cactus lantern";

    fn passwords() -> Passwords {
        let settings = crate::config::read(|_| None).unwrap();
        Passwords::new(&settings, Generator::seeded(1)).unwrap()
    }

    async fn code(password: &str, own_words: &[&str]) -> Option<ProblemCode> {
        let problem = passwords().problem("password", password, own_words).await;
        problem.unwrap().map(|problem| problem.code)
    }

    #[tokio::test]
    async fn new_passwords_are_judged_by_length_and_by_how_easily_they_are_guessed() {
        for (password, expected) in [
            (GOOD, None),
            ("", Some(ProblemCode::Blank)),
            ("kX9#mQ2", Some(ProblemCode::TooShort)),
            ("12345678", Some(ProblemCode::WeakPassword)),
            ("password", Some(ProblemCode::WeakPassword)),
            ("iloveyou1", Some(ProblemCode::WeakPassword)),
            ("Muster2026", Some(ProblemCode::WeakPassword)),
            ("qwertyuiop", Some(ProblemCode::WeakPassword)),
            (&format!("{GOOD}{}", "x".repeat(101)), None),
            (
                &format!("{GOOD}{}", "x".repeat(102)),
                Some(ProblemCode::TooLong),
            ),
            // What is easy to guess at first may be hard to guess after all.
            (&format!("{}{GOOD}", "x".repeat(24)), None),
            (&"x".repeat(128), Some(ProblemCode::WeakPassword)),
            // A walk over a keypad, long enough for sums to overflow if it were judged as one.
            (&"20262026".repeat(9), Some(ProblemCode::WeakPassword)),
        ] {
            assert_eq!(code(password, &[]).await, expected, "{password}");
        }
    }

    #[tokio::test]
    async fn what_people_are_called_makes_no_good_password() {
        let own_words = ["lovelace", "ada.lovelace@example.com", "Ada", "Byron-King"];
        for password in [
            "lovelaceada",
            "Ada.Lovelace@Example.com",
            "byron-king1",
            "MusterAda",
            "muster muster",
            "Ada & Byron, 1815",
            "2026-2027",
        ] {
            let found = code(password, &own_words).await;
            assert_eq!(found, Some(ProblemCode::WeakPassword), "{password}");
        }
        let address = "augusta.lovelace@analytical-engines.research.example.org";
        let found = code(address, &[address]).await;
        assert_eq!(found, Some(ProblemCode::WeakPassword));
        // One more word makes a difference, and signs alone are no name.
        for password in ["muster velvet cactus", "§%}&/(=?)#+*"] {
            assert_eq!(code(password, &own_words).await, None, "{password}");
        }
    }

    /// Names are judged as they were typed, be it in a form that is refused for their length.
    #[tokio::test]
    async fn a_password_is_judged_by_few_words_however_much_somebody_is_called() {
        let parts: Vec<String> = (0..32_000).map(|number| format!("w{number:04x}")).collect();
        let endless = parts.join(".");
        let own_words = [endless.as_str(), "Ada", "Lovelace"];
        for (password, expected) in [
            ("w0000.w0001", Some(ProblemCode::WeakPassword)),
            ("lovelaceada", Some(ProblemCode::WeakPassword)),
            (GOOD, None),
        ] {
            assert_eq!(code(password, &own_words).await, expected, "{password}");
        }
    }

    #[tokio::test]
    async fn characters_are_counted_and_not_bytes_or_what_they_are_composed_of() {
        assert_eq!(code("äöüßéèê", &[]).await, Some(ProblemCode::TooShort));
        let composed = "e\u{301}o\u{308}u\u{308}a\u{300}";
        assert_eq!(code(composed, &[]).await, Some(ProblemCode::TooShort));
    }

    #[tokio::test]
    async fn the_right_password_is_told_from_a_wrong_one_however_it_was_composed() {
        let passwords = passwords();
        let hash = passwords.hash("Zürich caf\u{e9} lantern").await.unwrap();
        for (password, expected) in [
            ("Zürich caf\u{e9} lantern", Verdict::Right),
            ("Zu\u{308}rich cafe\u{301} lantern", Verdict::Right),
            ("Zürich cafe lantern", Verdict::Wrong),
            ("", Verdict::Wrong),
        ] {
            assert_eq!(
                passwords.verify(password, Some(&hash)).await.unwrap(),
                expected
            );
        }
    }

    #[tokio::test]
    async fn a_hash_is_of_the_password_and_a_salt_of_our_own_and_of_nothing_else() {
        let passwords = passwords();
        let first = passwords.hash(GOOD).await.unwrap();
        let (form, rest) = first.0.split_at(31);
        assert_eq!(form, "$argon2id$v=19$m=19456,t=2,p=1$");
        let parts = rest.split('$').map(str::len).collect::<Vec<_>>();
        assert_eq!(parts, [22, 43], "16 and 32 bytes in base64");
        // The library's own check agrees, and finds what memory is left over from other runs no matter.
        let phc = Phc::new(&first.0).unwrap();
        let verified = Argon2::default().verify_password(GOOD.as_bytes(), &phc);
        assert_eq!(verified, Ok(()));
        let another = passwords.hash(GOOD).await.unwrap();
        assert_ne!(another, first);
        // The salts come from the one source of randomness that there is.
        assert_eq!(super::tests::passwords().hash(GOOD).await.unwrap(), first);
    }

    #[tokio::test]
    async fn every_check_takes_exactly_one_run_of_argon2() {
        let passwords = passwords();
        let hash = passwords.hash(GOOD).await.unwrap();
        let overlong = "x".repeat(LENGTH_MAX + 1);
        for (password, hash) in [
            (GOOD, Some(&hash)),
            ("wrong", Some(&hash)),
            ("anything", None),
            (overlong.as_str(), Some(&hash)),
            (overlong.as_str(), None),
        ] {
            let before = passwords.runs();
            passwords.verify(password, hash).await.unwrap();
            assert_eq!(passwords.runs() - before, 1);
        }
    }

    #[tokio::test]
    async fn nobody_is_never_right() {
        let verdict = passwords().verify("", None).await.unwrap();
        assert_eq!(verdict, Verdict::Wrong);
    }

    #[test]
    fn checking_nobody_takes_as_long_as_checking_somebody() {
        let nobody = Phc::new(NOBODY).unwrap();
        let hash = Argon2::default().hash_password(GOOD.as_bytes()).unwrap();
        assert_eq!(nobody.algorithm, hash.algorithm);
        assert_eq!(nobody.version, hash.version);
        assert_eq!(nobody.params, hash.params);
        // Argon2 ran, and found the password wrong; it did not trip over the hash before.
        let error = Argon2::default().verify_password(b"", &nobody).unwrap_err();
        assert_eq!(error, argon2::password_hash::Error::PasswordInvalid);
        assert!(!matches(b"", &nobody).unwrap());
    }

    #[tokio::test]
    async fn a_hash_with_weaker_parameters_is_right_but_weak() {
        let params = Params::new(8 * 1024, 1, 1, None).unwrap();
        let weak = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let hash = PasswordHash(weak.hash_password(GOOD.as_bytes()).unwrap().to_string());
        let verdict = passwords().verify(GOOD, Some(&hash)).await.unwrap();
        assert_eq!(verdict, Verdict::RightButWeak);
    }

    #[tokio::test]
    async fn only_what_is_weaker_than_today_is_weak() {
        let passwords = passwords();
        for (memory, times, expected) in [
            (19_456, 2, Verdict::Right),
            (20_480, 3, Verdict::Right),
            (19_455, 2, Verdict::RightButWeak),
            (19_456, 1, Verdict::RightButWeak),
            (20_480, 1, Verdict::RightButWeak),
            (8_192, 3, Verdict::RightButWeak),
        ] {
            let params = Params::new(memory, times, 1, None).unwrap();
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let hash = argon2.hash_password(GOOD.as_bytes()).unwrap();
            let hash = PasswordHash(hash.to_string());
            let verdict = passwords.verify(GOOD, Some(&hash)).await.unwrap();
            assert_eq!(verdict, expected, "{memory} KiB, {times} times");
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_wrong_even_where_nothing_would_be_right() {
        let passwords = passwords();
        let hash = passwords.hash("").await.unwrap();
        let overlong = "x".repeat(LENGTH_MAX + 1);
        let verdict = passwords.verify(&overlong, Some(&hash)).await.unwrap();
        assert_eq!(verdict, Verdict::Wrong);
    }

    #[tokio::test]
    async fn more_than_may_wait_are_sent_away() {
        let passwords = Passwords {
            waiting_max: 2,
            ..passwords()
        };
        // All cores are taken, so two wait and the third is sent away.
        let permits = passwords.cores.available_permits();
        let cores = passwords.cores.clone();
        let taken = cores
            .acquire_many(u32::try_from(permits).unwrap())
            .await
            .unwrap();
        let first = tokio::spawn({
            let p = passwords.clone();
            async move { p.hash(GOOD).await }
        });
        let second = tokio::spawn({
            let p = passwords.clone();
            async move { p.hash(GOOD).await }
        });
        while passwords.waiting.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(
            passwords.hash(GOOD).await,
            Err(Error::Unavailable(_))
        ));
        drop(taken);
        assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
        assert!(passwords.hash(GOOD).await.is_ok());
    }

    #[tokio::test]
    async fn a_run_that_panics_fails_alone_and_frees_its_core() {
        let passwords = passwords();
        for _ in 0..20 {
            let outcome = passwords.off_thread(|| panic!("on purpose")).await;
            let outcome: Result<()> = outcome;
            assert!(matches!(outcome, Err(Error::Internal(_))));
        }
        assert!(passwords.hash(GOOD).await.is_ok());
    }
}
