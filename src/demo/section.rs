//! The lists of names that the catalogue is made of, and how they are read.

/// The shops: name, style, taxpayer, province, street.
pub(super) const SHOPS: &str = include_str!("shops.txt");
/// What is on menus.
pub(super) const MENU: &str = include_str!("menu.txt");
/// What is on shelves.
pub(super) const GROCERIES: &str = include_str!("groceries.txt");

/// Products that are offered in the same sizes.
pub(super) struct Section {
    pub(super) code: &'static str,
    /// The styles of shops that offer it.
    pub(super) styles: Vec<&'static str>,
    pub(super) category: &'static str,
    pub(super) vat: &'static str,
    pub(super) unit: &'static str,
    /// A name, and the price in per cent of the first one's.
    pub(super) sizes: Vec<(&'static str, i64)>,
    /// A name, and the price of the first size in dong.
    pub(super) names: Vec<(&'static str, i64)>,
}

/// The fields of every line that is neither empty nor a comment.
pub(super) fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Reads a list. Lines that are not as the list's head says are passed over; a test counts them.
pub(super) fn read(text: &'static str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in lines(text) {
        if let Some(head) = line.strip_prefix('[') {
            sections.extend(section(head));
        } else if let (Some(name), Some(section)) = (name(line), sections.last_mut()) {
            section.names.push(name);
        }
    }
    sections
}

fn section(head: &'static str) -> Option<Section> {
    let (code, rest) = head.split_once(']')?;
    let [styles, category, vat, unit, sizes] = fields(rest)?;
    Some(Section {
        code,
        styles: styles.split(',').collect(),
        category,
        vat,
        unit,
        sizes: sizes.split(", ").filter_map(size).collect(),
        names: Vec::new(),
    })
}

fn size(text: &'static str) -> Option<(&'static str, i64)> {
    let (name, percent) = text.split_once(':')?;
    Some((name, percent.parse().ok()?))
}

fn name(line: &'static str) -> Option<(&'static str, i64)> {
    let (name, thousands) = line.rsplit_once(": ")?;
    let (whole, tenths) = thousands.split_once('.').unwrap_or((thousands, "0"));
    Some((name, whole.parse::<i64>().ok()? * 1000 + tenths.parse::<i64>().ok()? * 100))
}

/// The fields of a line between bars.
pub(super) fn fields<const N: usize>(line: &'static str) -> Option<[&'static str; N]> {
    line.split('|').map(str::trim).collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_lists_is_understood() {
        for text in [MENU, GROCERIES] {
            let sections = read(text);
            let understood = sections.len() + sections.iter().map(|section| section.names.len()).sum::<usize>();
            assert_eq!(understood, lines(text).count());
            assert!(sections.iter().all(|section| !section.sizes.is_empty() && !section.names.is_empty()));
        }
        assert!(lines(SHOPS).all(|line| fields::<5>(line).is_some()));
    }
}
