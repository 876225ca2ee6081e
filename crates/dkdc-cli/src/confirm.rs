//! Asking before something is gone for good: a person is asked, a script must say
//! so beforehand.

use std::io::{IsTerminal, Write, stderr, stdin};

use crate::exit::{Code, Failure, Result};

/// Asks, and goes on when the answer is yes. `what` would be done, as in
/// "cleared".
pub(crate) fn yes(question: &str, what: &str) -> Result<()> {
    let answer = ask(&format!("{question} [y/N] "), what)?;
    match answer.to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(refused(what)),
    }
}

/// Asks for a word, and goes on when it is typed.
pub(crate) fn word(question: &str, word: &str, what: &str) -> Result<()> {
    let answer = ask(&format!("{question} Type {word} to go on: "), what)?;
    if answer == word {
        Ok(())
    } else {
        Err(refused(what))
    }
}

fn refused(what: &str) -> Failure {
    Failure::new(Code::Failure, format!("nothing was {what}"))
}

fn ask(question: &str, what: &str) -> Result<String> {
    if !stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "nobody is there to be asked whether it is to be {what}: --force does it without"
        )));
    }
    let failed = |error: std::io::Error| Failure::new(Code::Failure, error.to_string());
    let mut err = stderr();
    write!(err, "{question}")
        .and_then(|()| err.flush())
        .map_err(failed)?;
    let mut answer = String::new();
    stdin().read_line(&mut answer).map_err(failed)?;
    Ok(answer.trim().to_owned())
}
