//! Settings with a PEM text, which stands in the web configuration itself or in a file that it names.

use crate::config::mapping::Mapping;
use crate::config::node_ref::NodeRef;
use crate::tls::Pem;
use crate::watched_files::WatchedFiles;

/// The value of one of two keys: `cert` or `cert_file`, and so on.
pub(super) struct PemSetting<'d> {
    pub(super) value: NodeRef<'d>,
    /// The key, where the text stands in the configuration.
    inline_key: Option<&'static str>,
}

impl<'d> PemSetting<'d> {
    /// Returns the setting, if one of its keys has a value. The file counts where both have one, as in the toolkit.
    pub(super) fn find(
        section: &mut Mapping<'d>,
        inline_key: &'static str,
        file_key: &'static str,
    ) -> Option<Self> {
        let inline = section.optional(inline_key).filter(|value| !value.is_empty_text());
        let file = section.optional(file_key).filter(|value| !value.is_empty_text());
        if let (Some(inline), Some(_)) = (&inline, &file) {
            inline.warn(format_args!("is ignored, because there is {file_key}; remove one of them"));
        }
        let file = file.map(|value| Self { value, inline_key: None });
        file.or_else(|| inline.map(|value| Self { value, inline_key: Some(inline_key) }))
    }

    /// Returns the text; reports a file that cannot be read.
    pub(super) fn read(&self, files: &mut WatchedFiles) -> Option<Pem> {
        if let Some(key) = self.inline_key {
            return self.value.text("a text in PEM format").map(|text| Pem::inline(key, text));
        }
        self.value.ok_or_error(Pem::read(&self.value.file()?, files))
    }
}
