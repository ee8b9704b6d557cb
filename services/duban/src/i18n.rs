//! Both languages of the command line, Chinese and English, from one catalogue of plain tables: what the
//! program says (`messages`), what to do about an error (`hints`), the official terms of enum values
//! (`terms`), the headings of fields (`fields`) and findings (`verification`).

mod fields;
mod hints;
pub(crate) mod messages;
mod terms;
pub(crate) mod verification;

use clap::ValueEnum;

pub(crate) use fields::heading;
pub(crate) use hints::hint;
pub(crate) use terms::{is_unspecified, term, word};

/// A language of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// 中文
    Zh,
    /// English
    En,
}

impl Lang {
    /// Of a locale such as `zh_CN.UTF-8`: Chinese if it says so, else English.
    pub(crate) fn of_locale(locale: &str) -> Self {
        if locale.starts_with("zh") { Self::Zh } else { Self::En }
    }
}

/// One thing to say, in both languages. `{}` stands for what is filled in, in order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    pub(crate) zh: &'static str,
    pub(crate) en: &'static str,
}

impl Text {
    /// In one language.
    pub(crate) fn of(self, lang: Lang) -> &'static str {
        match lang {
            Lang::Zh => self.zh,
            Lang::En => self.en,
        }
    }

    /// In one language, each `{}` replaced by the next value.
    pub(crate) fn with(self, lang: Lang, values: &[&dyn std::fmt::Display]) -> String {
        let mut parts = self.of(lang).split("{}");
        let mut said = parts.next().unwrap_or_default().to_owned();
        for (index, part) in parts.enumerate() {
            if let Some(value) = values.get(index) {
                said.push_str(&value.to_string());
            }
            said.push_str(part);
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_says_the_language() {
        let said = ["zh_CN.UTF-8", "zh", "en_US.UTF-8", "C", ""].map(Lang::of_locale);
        assert_eq!(said, [Lang::Zh, Lang::Zh, Lang::En, Lang::En, Lang::En]);
    }

    #[test]
    fn values_are_filled_in_in_order() {
        let text = Text { zh: "第{}至{}条", en: "{} to {}" };
        assert_eq!(text.with(Lang::Zh, &[&1, &2]), "第1至2条");
        assert_eq!(text.with(Lang::En, &[&1, &"x"]), "1 to x");
    }
}
