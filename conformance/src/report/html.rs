//! For people: one page that needs nothing else.

use crate::case::{Group, Level, Line, Report, Status};
use crate::run::count;
use std::fmt::Write as _;

const HEAD: &str = include_str!("report.head.html");

const LEGEND: &str = "<p class=\"legend\"><a class=\"pass\"></a> passed <a class=\"fail\"></a> failed \
     <a class=\"known\"></a> failed as expected <a class=\"skip\"></a> skipped; \
     -&gt; the kit says, &lt;- the target says</p></section>";

/// The page.
pub fn render(target: &str, reports: &[Report]) -> String {
    let (passed, failed, skipped) = count(reports);
    let mut page = HEAD.to_owned();
    let state = if failed == 0 { "good" } else { "bad" };
    let _ = write!(
        page,
        "<header class=\"{state}\"><h1>Duologue conformance</h1><p>{}</p>\
         <p class=\"sum\"><b>{passed}</b> passed <b>{failed}</b> failed <b>{skipped}</b> skipped</p>\
         {}</header><main>",
        escape(target),
        bar([passed, failed, skipped])
    );
    matrix(&mut page, reports);
    for report in reports.iter().filter(|report| needs_attention(report)) {
        failure(&mut page, report);
    }
    table(&mut page, reports);
    page.push_str("</main></body></html>\n");
    page
}

fn needs_attention(report: &Report) -> bool {
    report.status.is_failure() || report.status == Status::Expected
}

fn class(status: Status) -> &'static str {
    match status {
        Status::Passed => "pass",
        Status::Failed | Status::Broken | Status::Unexpected => "fail",
        Status::Skipped => "skip",
        Status::Expected => "known",
    }
}

fn bar(parts: [usize; 3]) -> String {
    let mut bar = String::from("<div class=\"bar\">");
    for (part, class) in parts.into_iter().zip(["pass", "fail", "skip"]) {
        if part > 0 {
            let _ = write!(bar, "<i class=\"{class}\" style=\"flex-grow:{part}\"></i>");
        }
    }
    bar + "</div>"
}

/// A row for each group, a square for each case.
fn matrix(page: &mut String, reports: &[Report]) {
    page.push_str("<section class=\"matrix\">");
    for group in Group::ALL {
        let here: Vec<&Report> = reports.iter().filter(|r| r.case.group == group).collect();
        if here.is_empty() {
            continue;
        }
        let good = here
            .iter()
            .filter(|report| report.status == Status::Passed)
            .count();
        let total = here.len();
        let _ = write!(
            page,
            "<h2>{group}</h2><span class=\"n\">{good}/{total}</span><div>"
        );
        for report in here {
            let id = escape(&report.case.id);
            let class = class(report.status);
            let title = escape(&format!("{}: {}", report.case.id, report.case.says));
            let _ = write!(
                page,
                "<a class=\"{class}\" href=\"#{id}\" title=\"{title}\"></a>"
            );
        }
        page.push_str("</div>");
    }
    page.push_str(LEGEND);
}

fn failure(page: &mut String, report: &Report) {
    let case = &report.case;
    let class = class(report.status);
    let parting = match report.reference.is_empty() {
        true => usize::MAX,
        false => parting(&report.transcript, &report.reference),
    };
    let _ = write!(
        page,
        "<article id=\"{id}\" class=\"{class}\"><h3>{id}</h3><p>{says}</p>\
         <p class=\"why\">{why}</p><p class=\"verdicts\">behaviour <b>{}</b>, close <b>{}</b></p>\
         <div class=\"sides\"><div><h4>this implementation</h4>{}</div>",
        report.behaviour.word(),
        report.close.word(),
        transcript(&report.transcript, parting),
        id = escape(&case.id),
        says = escape(case.says),
        why = escape(&report.why),
    );
    if !report.reference.is_empty() {
        let reference = transcript(&report.reference, parting);
        let _ = write!(page, "<div><h4>the built-in peer</h4>{reference}</div>");
    }
    page.push_str("</div></article>");
}

/// The first line in which two transcripts differ by more than keys, hashes and ports.
fn parting(one: &[Line], other: &[Line]) -> usize {
    let same = |(one, other): &(&Line, &Line)| {
        one.side == other.side && shape(&one.text) == shape(&other.text)
    };
    one.iter().zip(other).take_while(same).count()
}

/// A line without what is random in it.
fn shape(text: &str) -> String {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let fixed = |word: &&str| {
        let random = word.len() >= 4 && word.chars().all(|letter| letter.is_ascii_hexdigit());
        !random && !word.is_empty()
    };
    words.filter(fixed).collect::<Vec<_>>().join(" ")
}

fn transcript(lines: &[Line], parting: usize) -> String {
    let mut out = String::from("<ol>");
    for (number, line) in lines.iter().enumerate() {
        let class = match line.side {
            "->" => "kit",
            "<-" => "target",
            _ => "remark",
        };
        let parted = if number >= parting { " parted" } else { "" };
        let text = escape(&line.text);
        let side = escape(line.side);
        let _ = write!(
            out,
            "<li class=\"{class}{parted}\"><time>{}</time><b>{side}</b> {text}</li>",
            line.at
        );
    }
    if lines.len() <= parting && parting != usize::MAX {
        out.push_str("<li class=\"parted\"><time></time>nothing more</li>");
    }
    out + "</ol>"
}

fn table(page: &mut String, reports: &[Report]) {
    page.push_str("<details open><summary>every case</summary><table><thead><tr><th>case</th>");
    page.push_str("<th>what the target must do</th><th>behaviour</th><th>close</th><th>ms</th></tr></thead><tbody>");
    for report in reports {
        let case = &report.case;
        let level = match case.level {
            Level::Must => "",
            Level::Should => " <small>should</small>",
        };
        let anchor = match needs_attention(report) {
            true => String::new(),
            false => format!(" id=\"{}\"", escape(&case.id)),
        };
        let note = match report.status {
            Status::Skipped => format!("<br><small>skipped: {}</small>", escape(&report.why)),
            _ => String::new(),
        };
        let _ = write!(
            page,
            "<tr class=\"{}\"{anchor}><td>{}{level}</td><td>{}{note}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            class(report.status),
            escape(&case.id),
            escape(case.says),
            report.behaviour.word(),
            report.close.word(),
            report.took.as_millis()
        );
    }
    page.push_str("</tbody></table></details>");
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter if letter.is_control() => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}
