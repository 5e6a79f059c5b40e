//! Enums that are label values, JSON values and words at once.

/// Defines an enum together with the name of each variant, so that none can be missing in `ALL` or go by two names.
///
/// The name is what `name()`, `Display` and `Serialize` give.
macro_rules! closed_set {
    ($(#[$meta:meta])* $vis:vis enum $set:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        $vis enum $set {
            $($(#[$doc])* $variant,)+
        }

        impl $set {
            /// Every variant, in the order of the definition.
            $vis const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name of the variant.
            #[must_use]
            $vis const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl ::std::fmt::Display for $set {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                formatter.pad(self.name())
            }
        }

        impl ::serde::Serialize for $set {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}

pub(crate) use closed_set;
