//! Colours by their meaning. A separate drawing has the colours of a light page. In a report, each colour is a CSS
//! variable, so that the page can use a light or a dark scheme.

use plotters::style::RGBColor;

use crate::printable;

macro_rules! colours {
    ($($(#[$doc:meta])* $colour:ident $name:literal $red:literal $green:literal $blue:literal;)*) => {
        /// The meaning of a colour. The RGB values on a light page are distinct, because [`on_page`] identifies colours
        /// by them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Colour {
            $($(#[$doc])* $colour,)*
        }

        impl Colour {
            /// Every colour.
            pub(crate) const ALL: &[Colour] = &[$(Colour::$colour),*];

            /// Name of the CSS variable.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Colour::$colour => $name,)*
                }
            }

            /// The RGB value on a light page.
            pub(crate) const fn rgb(self) -> RGBColor {
                match self {
                    $(Colour::$colour => RGBColor($red, $green, $blue),)*
                }
            }
        }
    };
}

colours! {
    /// Background.
    Background "--background" 255 255 255;
    /// Text.
    Text "--text" 27 31 36;
    /// Axes and secondary text.
    Muted "--muted" 87 96 106;
    /// Lines of a grid.
    Grid "--grid" 216 222 228;
    /// Agreement.
    Good "--good" 26 107 54;
    /// Within the noise floor, known divergence, or skipped.
    Fair "--fair" 138 83 0;
    /// Divergence.
    Bad "--bad" 180 35 24;
    /// The first of several series.
    First "--first" 9 84 165;
    /// The second.
    Second "--second" 166 72 0;
    /// The third.
    Third "--third" 111 66 160;
    /// Text on a cell of a map.
    OnCell "--on-cell" 16 24 32;
    /// The lowest shift or power.
    Step0 "--step-0" 107 174 214;
    /// The next one.
    Step1 "--step-1" 143 193 223;
    /// The next one.
    Step2 "--step-2" 174 210 232;
    /// The next one.
    Step3 "--step-3" 204 226 240;
    /// The highest shift or power.
    Step4 "--step-4" 232 242 249;
    /// A cell that was not read as a digit.
    Odd "--odd" 244 143 120;
}

impl Colour {
    /// Steps of one hue, which are distinct in print and for colour-blind readers.
    pub(crate) const STEPS: [Colour; 5] = [
        Colour::Step0,
        Colour::Step1,
        Colour::Step2,
        Colour::Step3,
        Colour::Step4,
    ];

    /// Series of a plot. Their marks differ too.
    pub(crate) const SERIES: [Colour; 3] = [Colour::First, Colour::Second, Colour::Third];

    /// The RGB value as `#RRGGBB`, as it is written in drawings.
    fn hexadecimal(self) -> String {
        let RGBColor(red, green, blue) = self.rgb();
        format!("#{red:02X}{green:02X}{blue:02X}")
    }
}

/// Prepares a drawing for a page: replaces colours by CSS variables, escapes invisible characters in labels, and adds
/// `title` as alt text.
pub(crate) fn on_page(svg: &str, title: &str) -> String {
    let svg = svg.replace(" opacity=\"1\"", "").replace(">\n", ">");
    let mut themed = printable::text(&svg).replace('\n', " ");
    for colour in Colour::ALL {
        // Text never matches, because quotation marks in it are escaped.
        let attribute = format!("=\"{}\"", colour.hexadecimal());
        themed = themed.replace(&attribute, &format!("=\"var({})\"", colour.name()));
    }
    let title = askama::filters::escape(title, askama::filters::Html)
        .map(|escaped| escaped.to_string())
        .unwrap_or_default();
    match themed.split_once('>') {
        Some((tag, rest)) => format!("{tag} role=\"img\"><title>{title}</title>{rest}"),
        None => themed,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn colours_are_distinct() {
        let colours: BTreeSet<String> = Colour::ALL.iter().map(|c| c.hexadecimal()).collect();
        assert_eq!(colours.len(), Colour::ALL.len());
    }

    #[test]
    fn colours_become_variables_and_text_stays_text() {
        let svg = "<svg width=\"9\">\n<rect opacity=\"1\" fill=\"#FFFFFF\"/>\n\
                   <text>\n=&quot;#FFFFFF&quot;\n</text>\n</svg>\n";
        let page = on_page(svg, "a < b");
        assert!(
            page.starts_with("<svg width=\"9\" role=\"img\"><title>a &#60; b</title>"),
            "{page}"
        );
        assert!(
            page.contains("<rect fill=\"var(--background)\"/>"),
            "{page}"
        );
        assert!(page.contains("=&quot;#FFFFFF&quot;"), "{page}");
    }
}
