//! The commands that look at a database or set it up: `migrate`, `check`, `demo`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Direction, Failure, machine, mailer, print};
use crate::app::App;
use crate::config::{self, Settings};
use crate::metrics::Metrics;
use crate::redis::Redis;
use crate::service::demo;
use crate::store::{self, Address, Db};

pub(super) async fn migrate(settings: &Settings, direction: Direction) -> Result<(), Failure> {
    let db = Db::open(Address::of(settings)).await?;
    match direction {
        Direction::Up => store::migrate_up(&db).await?,
        Direction::Down => store::migrate_down(&db).await?,
        Direction::Status => {}
    }
    for migration in store::migration_status(&db).await? {
        let state = if migration.applied {
            "applied"
        } else {
            "pending"
        };
        print(&format!("{state}  {}", migration.name));
    }
    Ok(())
}

/// Says of each thing that Muster needs what was found, and fails if any is amiss.
pub(super) async fn check(settings: Settings) -> Result<(), Failure> {
    print("settings  read");
    let database = check_database(&settings).await;
    let mail = match mailer(&settings) {
        Ok(mailer) => mailer.check().await,
        Err(Failure::Failed(line) | Failure::Unusable(line)) => Err(line),
    };
    let mut amiss = Vec::new();
    let secret = config::check_signing_secret(&settings);
    let redis = check_redis(&settings).await;
    for (name, found) in [
        ("database", database),
        ("secret", secret),
        ("redis", redis),
        ("mail", mail),
    ] {
        match found {
            Ok(found) => print(&format!("{name:<9} {found}")),
            Err(line) => amiss.push(format!("{name}: {line}")),
        }
    }
    if amiss.is_empty() {
        Ok(())
    } else {
        Err(Failure::Failed(amiss.join("\n")))
    }
}

async fn check_redis(settings: &Settings) -> Result<String, String> {
    match &settings.redis_url {
        None => Ok("not used: REDIS_URL is not set".into()),
        Some(url) => {
            let redis = Redis::new(url.expose(), Metrics::default())?;
            redis.check().await?;
            Ok("reached".into())
        }
    }
}

async fn check_database(settings: &Settings) -> Result<String, String> {
    let db = Db::open(Address::of(settings)).await?;
    let migrations = store::migration_status(&db)
        .await
        .map_err(|error| error.to_string())?;
    let applied = migrations
        .iter()
        .filter(|migration| migration.applied)
        .count();
    Ok(format!(
        "reached; {applied} of {} migrations are applied",
        migrations.len()
    ))
}

pub(super) async fn demo(settings: Settings) -> Result<(), Failure> {
    let mailer = mailer(&settings)?;
    let (clock, generator) = machine()?;
    // Nobody's default: whoever fills a database is the only one told how to get in.
    let password = URL_SAFE_NO_PAD.encode(generator.bytes::<12>());
    let public_url = settings.public_url.clone();
    let app = App::open(settings, clock, generator, mailer).await?;
    demo::fill(&app.cx, &password).await?;
    print("The database holds sample people and tasks now. Log in as");
    for (username, role) in demo::accounts() {
        print(&format!("  {username:<8} {role:?}"));
    }
    print(&format!("with the password {password} at {public_url}"));
    Ok(())
}
