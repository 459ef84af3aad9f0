//! `muster create-admin`: the only way to a first admin. Safe beside a running
//! server, since the database decides what is unique.

use std::io::{BufRead, IsTerminal, Read, Write, stdin, stdout};

use clap::Args;

use super::{Failure, machine, mailer, print};
use crate::app::App;
use crate::config::Settings;
use crate::service::user::{CreateAdmin, create_admin as create};

#[derive(Args)]
pub(super) struct CreateAdminArguments {
    /// The name to log in with
    #[arg(long)]
    username: Option<String>,
    /// The address that mails go to
    #[arg(long)]
    email: Option<String>,
    /// Read the password from standard input instead of asking for it
    #[arg(long, requires_all = ["username", "email"])]
    password_stdin: bool,
}

/// Takes from the arguments what is there, and asks for the rest.
pub(super) fn ask(arguments: CreateAdminArguments) -> Result<CreateAdmin, Failure> {
    if !arguments.password_stdin && !stdin().is_terminal() {
        return Err(Failure::Unusable(
            "there is no terminal to ask on: give --username, --email and --password-stdin".into(),
        ));
    }
    let or_ask = |given: Option<String>, question: &str| match given {
        Some(answer) => Ok(answer),
        None => ask_line(question),
    };
    let username = or_ask(arguments.username, "Username: ")?;
    let email = or_ask(arguments.email, "E-mail address: ")?;
    let password = if arguments.password_stdin {
        read_password()?
    } else {
        ask_password()?
    };
    Ok(CreateAdmin {
        username,
        email,
        password,
    })
}

pub(super) async fn create_admin(settings: Settings, answers: CreateAdmin) -> Result<(), Failure> {
    let mailer = mailer(&settings)?;
    let (clock, generator) = machine()?;
    let app = App::open(settings, clock, generator, mailer).await?;
    let admin = create(&app.cx, answers).await?;
    print(&format!(
        "{} is an admin now, and can log in.",
        admin.username
    ));
    Ok(())
}

fn ask_line(question: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("no answer: {error}"));
    let mut out = stdout();
    out.write_all(question.as_bytes()).map_err(failed)?;
    out.flush().map_err(failed)?;
    let mut line = String::new();
    stdin().lock().read_line(&mut line).map_err(failed)?;
    Ok(line)
}

fn ask_password() -> Result<String, Failure> {
    let ask = |question| {
        rpassword::prompt_password(question)
            .map_err(|error| Failure::Failed(format!("no answer: {error}")))
    };
    let password = ask("Password: ")?;
    if ask("The same again: ")? != password {
        return Err(Failure::Failed("the two passwords differ".into()));
    }
    Ok(password)
}

/// All of standard input but the line break at its end.
fn read_password() -> Result<String, Failure> {
    /// More bytes than the longest password that is allowed can have.
    const BYTES_MAX: u64 = 4_096;
    let mut password = String::new();
    stdin()
        .lock()
        .take(BYTES_MAX)
        .read_to_string(&mut password)
        .map_err(|error| format!("the password cannot be read: {error}"))?;
    let end = password.trim_end_matches(['\r', '\n']).len();
    password.truncate(end);
    Ok(password)
}
