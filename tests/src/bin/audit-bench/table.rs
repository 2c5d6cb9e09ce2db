//! Figures as a table of text.

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle)?;
    if values.len() % 2 == 1 {
        Some(*upper)
    } else {
        Some(f64::midpoint(values[middle - 1], *upper))
    }
}

/// Millions of bytes.
pub(crate) fn megabytes(bytes: u64) -> f64 {
    crate::cpu::ratio(bytes, 1_000_000)
}

/// A figure, or a dash where there is none.
pub(crate) fn shown(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.decimals$}"))
}

/// A table that can be read as it is and pasted into a page.
pub(crate) fn markdown<const N: usize>(header: &[&str; N], rows: &[[String; N]]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        cells.chain([header[at].chars().count()]).max().unwrap_or(0)
    };
    let line = |cells: [&str; N]| {
        let mut cells = cells.into_iter().enumerate();
        let first = cells
            .next()
            .map_or_else(String::new, |(at, cell)| format!("| {cell:<0$} |", width(at)));
        cells.fold(first, |line, (at, cell)| format!("{line} {cell:>0$} |", width(at)))
    };
    let mut rule = "|---|".to_owned();
    rule.push_str(&"---:|".repeat(N - 1));
    let body = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    [line(*header), rule].into_iter().chain(body).collect::<Vec<_>>().join("\n")
}
