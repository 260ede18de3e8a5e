//! The attribute `#[test]` of the crate `testing`.

use proc_macro::{Delimiter, TokenStream, TokenTree};

/// Registers a function without arguments as a test, with its needs.
///
/// ```ignore
/// use testing::{MODELS, test};
///
/// #[test]
/// fn addition_commutes() {}
///
/// #[test(needs(MODELS))]
/// fn every_model_is_read() {}
/// ```
///
/// `needs` lists values of `testing::Need`. The test is skipped, with the reason, unless all of them are met.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let registration = match (needs(arguments), name(&item)) {
        (Ok(needs), Ok(name)) => format!(
            "::testing::inventory::submit! {{
                ::testing::Test {{ module: module_path!(), name: {name:?}, needs: &[{needs}], run: {name} }}
            }}"
        ),
        (Err(message), _) | (_, Err(message)) => format!("compile_error!({message:?});"),
    };
    let registration: TokenStream = registration.parse().expect("the text above is Rust");
    item.into_iter().chain(registration).collect()
}

/// The tokens in `needs(...)`; empty without arguments.
fn needs(arguments: TokenStream) -> Result<TokenStream, &'static str> {
    let tokens: Vec<TokenTree> = arguments.into_iter().collect();
    match tokens.as_slice() {
        [] => Ok(TokenStream::new()),
        [TokenTree::Ident(word), TokenTree::Group(group)]
            if word.to_string() == "needs" && group.delimiter() == Delimiter::Parenthesis =>
        {
            Ok(group.stream())
        }
        _ => Err("expected #[test] or #[test(needs(A, B))]"),
    }
}

/// The name of a function item.
fn name(item: &TokenStream) -> Result<String, &'static str> {
    let mut tokens = item.clone().into_iter();
    tokens
        .by_ref()
        .find(|token| token.to_string() == "fn")
        .and_then(|_| tokens.next())
        .map(|name| name.to_string())
        .ok_or("expected a function")
}
