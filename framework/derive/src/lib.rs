//! `#[derive(Params)]`: from a struct's fields, docs and `#[param(…)]` to a table of arguments.
//!
//! `#[param(default = EXPR, min = NUMBER, max = NUMBER)]`; without `default` a field takes its
//! type's own default. Field docs become the help text. The arguments of a field with
//! `#[param(flatten)]`, which are a struct of their own, stand last among the others.

use proc_macro::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Expr, Field, Fields, Result, parse_macro_input};

/// Implements `scvi_framework::params::Params` and `Default` for a struct with named fields.
#[proc_macro_derive(Params, attributes(param))]
pub fn derive_params(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(input: &DeriveInput) -> Result<proc_macro2::TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(input, "Params can be derived for structs only"));
    };
    let fields: Vec<&Field> = match &data.fields {
        Fields::Named(named) => named.named.iter().collect(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(_) => {
            return Err(Error::new_spanned(input, "Params needs named fields"));
        }
    };
    let attrs = fields.iter().map(|f| Attributes::parse(f)).collect::<Result<Vec<_>>>()?;
    let both = || fields.iter().copied().zip(&attrs);
    let groups: Vec<_> = both().filter(|(_, a)| a.flatten).map(|(f, _)| &f.ident).collect();
    let group_types: Vec<_> = both().filter(|(_, a)| a.flatten).map(|(f, _)| &f.ty).collect();
    let (fields, attrs): (Vec<&Field>, Vec<&Attributes>) =
        both().filter(|(_, a)| !a.flatten).unzip();
    let name = &input.ident;
    let idents: Vec<_> = fields.iter().map(|f| &f.ident).collect();
    let types: Vec<_> = fields.iter().map(|f| &f.ty).collect();
    let words: Vec<String> =
        idents.iter().map(|i| i.as_ref().map_or(String::new(), ToString::to_string)).collect();
    let defaults = attrs.iter().map(|a| match &a.default {
        Some(expr) => quote! { (#expr).into() },
        None => quote! { ::core::default::Default::default() },
    });
    let mins = attrs.iter().map(|a| bound(&a.min));
    let maxs = attrs.iter().map(|a| bound(&a.max));
    let helps = attrs.iter().map(|a| &a.help);

    Ok(quote! {
        impl ::core::default::Default for #name {
            fn default() -> Self {
                Self { #(#idents: #defaults,)* #(#groups: ::core::default::Default::default(),)* }
            }
        }

        impl ::scvi_framework::params::Params for #name {
            fn specs() -> ::std::vec::Vec<::scvi_framework::params::ParamSpec> {
                use ::scvi_framework::params::{ParamSpec, ParamType};
                let default = Self::default();
                let own = vec![#(ParamSpec {
                    name: #words.into(),
                    kind: <#types as ParamType>::kind(),
                    default: ParamType::to_value(&default.#idents),
                    min: #mins,
                    max: #maxs,
                    help: #helps.into(),
                }),*];
                [own, #(<#group_types as ::scvi_framework::params::Params>::specs()),*].concat()
            }

            fn to_args(&self) -> ::scvi_framework::params::Args {
                let mut args = ::scvi_framework::params::Args::new();
                #(args.insert(#words.into(), ::scvi_framework::params::ParamType::to_value(&self.#idents));)*
                #(args.extend(::scvi_framework::params::Params::to_args(&self.#groups));)*
                args
            }

            fn set(&mut self, name: &str, value: &::scvi_framework::serde_json::Value) -> bool {
                match name {
                    #(#words => match ::scvi_framework::params::ParamType::from_value(value) {
                        Some(value) => { self.#idents = value; true }
                        None => false,
                    },)*
                    _ => false #(|| ::scvi_framework::params::Params::set(&mut self.#groups, name, value))*,
                }
            }
        }
    })
}

fn bound(expr: &Option<Expr>) -> proc_macro2::TokenStream {
    match expr {
        Some(expr) => quote! { Some((#expr) as f64) },
        None => quote! { None },
    }
}

#[derive(Default)]
struct Attributes {
    default: Option<Expr>,
    min: Option<Expr>,
    max: Option<Expr>,
    flatten: bool,
    help: String,
}

impl Attributes {
    fn parse(field: &Field) -> Result<Self> {
        let mut found = Self::default();
        for attr in &field.attrs {
            if attr.path().is_ident("doc") {
                found.add_help(&attr.meta);
            }
            if !attr.path().is_ident("param") {
                continue;
            }
            attr.parse_nested_meta(|meta| {
                if meta.path.is_ident("flatten") {
                    found.flatten = true;
                    return Ok(());
                }
                let value = meta.value()?.parse::<Expr>()?;
                let place = match meta.path.get_ident().map(ToString::to_string).as_deref() {
                    Some("default") => &mut found.default,
                    Some("min") => &mut found.min,
                    Some("max") => &mut found.max,
                    _ => return Err(meta.error("expected `default`, `min`, `max` or `flatten`")),
                };
                *place = Some(value);
                Ok(())
            })?;
        }
        if found.help.is_empty() {
            return Err(Error::new_spanned(
                field,
                "a parameter needs a doc comment: it is its help text",
            ));
        }
        Ok(found)
    }

    fn add_help(&mut self, meta: &syn::Meta) {
        let syn::Meta::NameValue(pair) = meta else { return };
        let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return };
        if !self.help.is_empty() {
            self.help.push(' ');
        }
        self.help.push_str(text.value().trim());
    }
}
