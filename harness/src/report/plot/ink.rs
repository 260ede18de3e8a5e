//! Colours by their meaning. A drawing that stands alone has those of a light page; in a report each is a CSS variable,
//! so that the page decides, by day and by night.

use plotters::style::RGBColor;

use crate::printable;

macro_rules! inks {
    ($($(#[$doc:meta])* $ink:ident $name:literal $red:literal $green:literal $blue:literal;)*) => {
        /// What a colour means. No two have the same light colour, by which they are told apart in a drawing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Ink {
            $($(#[$doc])* $ink,)*
        }

        impl Ink {
            /// Every ink.
            pub(crate) const ALL: &[Ink] = &[$(Ink::$ink),*];

            /// Name of the CSS variable.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Ink::$ink => $name,)*
                }
            }

            /// The colour on a light page.
            pub(crate) const fn colour(self) -> RGBColor {
                match self {
                    $(Ink::$ink => RGBColor($red, $green, $blue),)*
                }
            }
        }
    };
}

inks! {
    /// What lies below everything.
    Paper "--paper" 255 255 255;
    /// Words and figures.
    Text "--text" 27 31 36;
    /// Axes and what is said aside.
    Muted "--muted" 87 96 106;
    /// Lines of a grid.
    Grid "--grid" 216 222 228;
    /// Agreement.
    Good "--good" 26 107 54;
    /// Within the noise, known, or skipped.
    Fair "--fair" 138 83 0;
    /// Difference.
    Bad "--bad" 180 35 24;
    /// The first of several series.
    First "--first" 9 84 165;
    /// The second.
    Second "--second" 166 72 0;
    /// The third.
    Third "--third" 111 66 160;
    /// Words on a cell of a map.
    OnCell "--on-cell" 16 24 32;
    /// The lowest shift or power.
    Step0 "--step-0" 107 174 214;
    /// The next one.
    Step1 "--step-1" 143 193 223;
    /// The next one.
    Step2 "--step-2" 174 210 232;
    /// The next one.
    Step3 "--step-3" 204 226 240;
    /// The highest.
    Step4 "--step-4" 232 242 249;
    /// A cell that is not read as any digit.
    Odd "--odd" 244 143 120;
}

impl Ink {
    /// Steps of one hue: readable in print and by the colour-blind.
    pub(crate) const STEPS: [Ink; 5] = [Ink::Step0, Ink::Step1, Ink::Step2, Ink::Step3, Ink::Step4];

    /// Series of a chart, told apart by their marks too.
    pub(crate) const SERIES: [Ink; 3] = [Ink::First, Ink::Second, Ink::Third];

    /// `#RRGGBB`, as drawings have it.
    fn hexadecimal(self) -> String {
        let RGBColor(red, green, blue) = self.colour();
        format!("#{red:02X}{green:02X}{blue:02X}")
    }
}

/// A drawing for a page: colours by variables, labels in which nothing hides, a name for those who do not see it.
pub(crate) fn on_page(svg: &str, title: &str) -> String {
    let svg = svg.replace(" opacity=\"1\"", "").replace(">\n", ">");
    let mut themed = printable::text(&svg).replace('\n', " ");
    for ink in Ink::ALL {
        // Text cannot be taken for a colour: a quotation mark in it is escaped.
        let colour = format!("=\"{}\"", ink.hexadecimal());
        themed = themed.replace(&colour, &format!("=\"var({})\"", ink.name()));
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
    fn inks_are_told_apart() {
        let colours: BTreeSet<String> = Ink::ALL.iter().map(|ink| ink.hexadecimal()).collect();
        assert_eq!(colours.len(), Ink::ALL.len());
    }

    #[test]
    fn colours_become_variables_and_text_stays_text() {
        let svg = "<svg width=\"9\">\n<rect opacity=\"1\" fill=\"#FFFFFF\"/>\n<text>\n=&quot;#FFFFFF&quot;\n</text>\n</svg>\n";
        let page = on_page(svg, "a < b");
        assert!(
            page.starts_with("<svg width=\"9\" role=\"img\"><title>a &#60; b</title>"),
            "{page}"
        );
        assert!(page.contains("<rect fill=\"var(--paper)\"/>"), "{page}");
        assert!(page.contains("=&quot;#FFFFFF&quot;"), "{page}");
    }
}
