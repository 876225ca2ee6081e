//! How a declaration is refused: each mistake where it is written, all of them
//! at once.

use std::fmt::Display;

use quote::ToTokens;

/// An error that underlines `at`.
pub(crate) fn refuse(at: impl ToTokens, why: impl Display) -> syn::Error {
    // Outside of a compiler spans are blank: unit tests read the tokens.
    #[cfg(test)]
    let why = format!("{why} @ {}", at.to_token_stream());
    syn::Error::new_spanned(at, why)
}

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// What succeeded, or nothing and one more mistake.
    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// The result, unless there was any mistake.
    pub(crate) fn finish<T>(mut self, result: syn::Result<T>) -> syn::Result<T> {
        let kept = self.keep(result);
        match (kept, self.0) {
            (_, Some(error)) => Err(error),
            (Some(value), None) => Ok(value),
            (None, None) => unreachable!("BUG: neither a result nor a mistake"),
        }
    }
}
