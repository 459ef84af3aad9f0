//! Redis, or Valkey, for what several processes share. Nothing rests on it: a call
//! that is not answered soon is given up, and the next ones are not made for a
//! while, so that a Redis that is slow, paused or gone costs next to nothing.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, ScriptInvocation};

pub use redis::Script;
use tokio::time::{Instant, timeout};

use crate::metrics::Metrics;

/// For a call; many times what one takes.
const LIMIT: Duration = Duration::from_millis(100);
/// How late this process may look, and how often, for the delay to be taken for Redis's.
const LATE: Duration = Duration::from_millis(20);
const TURNS: usize = 5;
const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// After a call that failed, none is made for this long.
const PAUSE: Duration = Duration::from_secs(5);

/// Cheap to clone; one per process.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    state: Arc<Mutex<State>>,
    metrics: Metrics,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    is_connecting: bool,
    paused_until: Option<Instant>,
    /// What was told of it last.
    told: Option<Told>,
    has_told_of_refusal: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Answers,
    Away,
}

impl Redis {
    /// Connects when it is first asked for something, which is not answered yet. The error is a line
    /// for the operator.
    pub fn new(url: &str, metrics: Metrics) -> Result<Self, String> {
        // What the library says of a URL could hold its password.
        let client = Client::open(url).map_err(|_| "REDIS_URL cannot be used".to_owned())?;
        Ok(Self {
            client,
            state: Arc::default(),
            metrics,
        })
    }

    /// Whether it answers. The error is a line for the operator.
    pub async fn check(&self) -> Result<(), String> {
        let answered = async {
            let mut connection = self.connect().await?;
            in_time(redis::cmd("PING").query_async::<String>(&mut connection)).await
        };
        let answer: Result<String, Trouble> = answered.await;
        answer.map(drop).map_err(|trouble| trouble.to_string())
    }

    /// Has the connection made that somebody is going to need.
    pub fn connect_soon(&self) {
        self.connection();
    }

    /// Runs a script whole, and nothing else meanwhile. It answers numbers. Redis keeps the text, so
    /// that its hash is all that is sent.
    pub async fn run(&self, call: &ScriptInvocation<'_>) -> Option<Vec<u64>> {
        self.answer(async |connection| call.invoke_async(connection).await)
            .await
    }

    pub async fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.call::<Option<Vec<u8>>>(redis::cmd("GET").arg(key))
            .await
            .flatten()
    }

    pub async fn set(&self, key: &str, value: &[u8], life: Duration) {
        let mut set = redis::cmd("SET");
        set.arg(key).arg(value).arg("EX").arg(life.as_secs().max(1));
        self.call::<()>(&set).await;
    }

    /// Whether it was taken; nobody may be listening. Waits for a connection that is being made,
    /// since nobody waits for this.
    pub async fn publish(&self, channel: &str, text: &str) -> bool {
        let began = Instant::now();
        while self.connection().is_none() && began.elapsed() < CONNECT_LIMIT {
            tokio::time::sleep(CONNECT_LIMIT / 20).await;
        }
        let publish = redis::cmd("PUBLISH").arg(channel).arg(text).to_owned();
        self.call::<i64>(&publish).await.is_some()
    }

    /// What is published, until the connection ends. None when there is none to be had.
    pub async fn subscribe(&self, channel: &str) -> Option<impl Stream<Item = String> + use<>> {
        let connected = timeout(CONNECT_LIMIT, async {
            let mut subscriber = self.client.get_async_pubsub().await?;
            subscriber.subscribe(channel).await?;
            Ok::<_, RedisError>(subscriber)
        });
        let subscriber = match connected.await {
            Ok(Ok(subscriber)) => subscriber,
            Ok(Err(error)) => {
                self.failed(&Trouble::Error(error));
                return None;
            }
            Err(_) => {
                self.failed(&Trouble::Silent);
                return None;
            }
        };
        self.answered();
        let messages = subscriber.into_on_message();
        Some(messages.filter_map(async |message| message.get_payload().ok()))
    }

    /// None when there was no answer, for whatever reason; it is in the log by then.
    async fn call<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        self.answer(async |connection| command.query_async(connection).await)
            .await
    }

    async fn answer<T>(
        &self,
        call: impl AsyncFnOnce(&mut MultiplexedConnection) -> Result<T, RedisError>,
    ) -> Option<T> {
        let mut connection = self.connection()?;
        match in_time(call(&mut connection)).await {
            Ok(answer) => {
                self.answered();
                Some(answer)
            }
            Err(Trouble::Error(error)) if is_refusal(&error) => {
                self.refused(&error);
                None
            }
            Err(trouble) => {
                self.failed(&trouble);
                let mut state = self.state();
                state.paused_until = Some(Instant::now() + PAUSE);
                // What is left of an answer that comes late is not to be taken for the next one's.
                state.connection = None;
                None
            }
        }
    }

    /// The connection, if there is one. If not, one is made, but nobody waits for it.
    fn connection(&self) -> Option<MultiplexedConnection> {
        let mut state = self.state();
        if state
            .paused_until
            .is_some_and(|until| Instant::now() < until)
        {
            return None;
        }
        if state.connection.is_none() && !state.is_connecting {
            state.is_connecting = true;
            let this = self.clone();
            tokio::spawn(async move {
                let connected = this.connect().await;
                match &connected {
                    Ok(_) => this.answered(),
                    Err(trouble) => this.failed(trouble),
                }
                let mut state = this.state();
                state.is_connecting = false;
                match connected {
                    Ok(connection) => state.connection = Some(connection),
                    Err(_) => state.paused_until = Some(Instant::now() + PAUSE),
                }
            });
        }
        state.connection.clone()
    }

    async fn connect(&self) -> Result<MultiplexedConnection, Trouble> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_LIMIT))
            // Ours is `in_time`.
            .set_response_timeout(None);
        let connecting = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        match timeout(CONNECT_LIMIT, connecting).await {
            Ok(connection) => Ok(connection?),
            Err(_) => Err(Trouble::Silent),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self) {
        self.metrics.redis_answered();
        if self.is_news(Told::Answers) {
            tracing::info!("Redis answers");
        }
    }

    /// It is there, but does not do this, as one that is full does not keep more. Logged once.
    fn refused(&self, error: &RedisError) {
        self.metrics.redis_refused();
        if !std::mem::replace(&mut self.state().has_told_of_refusal, true) {
            tracing::error!(%error, "Redis refuses what it is told; work goes on from the database");
        }
    }

    /// Logged once, until it has answered again.
    fn failed(&self, trouble: &Trouble) {
        self.metrics.redis_failed();
        if self.is_news(Told::Away) {
            tracing::error!(%trouble, "Redis is away; work goes on from the database");
        }
    }

    fn is_news(&self, news: Told) -> bool {
        self.state().told.replace(news) != Some(news)
    }
}

/// Whether the server said this, rather than that it could not be reached.
fn is_refusal(error: &RedisError) -> bool {
    !(error.is_io_error() || error.is_connection_dropped() || error.is_timeout())
}

async fn in_time<T>(call: impl Future<Output = Result<T, RedisError>>) -> Result<T, Trouble> {
    let mut call = pin!(call);
    for _ in 0..TURNS {
        let began = Instant::now();
        match timeout(LIMIT, &mut call).await {
            Ok(answer) => return Ok(answer?),
            // This process itself was so busy that it looked late: the answer may be there, unread.
            Err(_) if began.elapsed() > LIMIT + LATE => {}
            Err(_) => return Err(Trouble::Silent),
        }
    }
    Err(Trouble::Silent)
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("no answer in time")]
    Silent,
    #[error("{0}")]
    Error(#[from] RedisError),
}
