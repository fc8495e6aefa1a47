//! What `nova events` prints for people.

use nova_platform::desk::{Answer, Letter, LetterSeen, PlaceSeen, Request, Seen, TopicSeen};

use super::{BOLD, DIM, Output, RED, YELLOW, table};

/// A longer text is cut in a list.
const SHOWN: usize = 60;

/// The answer to a request.
pub(crate) fn events_text(output: Output, request: &Request, answer: &Answer) -> String {
    match answer {
        Answer::Topics { topics } => topics_text(output, topics),
        Answer::Lag { places } => lag_text(output, places),
        Answer::Tail { records } => records.iter().map(|record| record_text(output, record)).collect(),
        Answer::Letters { letters } => letters_text(output, letters),
        Answer::Letter { letter } => letter_text(output, letter),
        Answer::Changed { count } => changed_text(request, *count),
        Answer::Refused { why } => format!("{why}\n"),
    }
}

fn head(output: Output, words: &[&str]) -> Vec<String> {
    words.iter().map(|word| output.paint(BOLD, word)).collect()
}

fn topics_text(output: Output, topics: &[TopicSeen]) -> String {
    let mut rows = vec![head(output, &["TOPIC", "PARTITIONS", "RECORDS"])];
    for topic in topics {
        let mut row = vec![
            topic.name.clone(),
            topic.partitions.to_string(),
            topic.records.to_string(),
        ];
        if topic.leaderless > 0 {
            row.push(output.paint(RED, &format!("{} without a leader", topic.leaderless)));
        }
        rows.push(row);
    }
    table(&rows, 0)
}

fn lag_text(output: Output, places: &[PlaceSeen]) -> String {
    if places.is_empty() {
        return "no consumer has read anything yet\n".to_owned();
    }
    let words = ["CONSUMER", "TOPIC", "PARTITION", "NEXT", "END", "BEHIND", "PUT ASIDE"];
    let mut rows = vec![head(output, &words)];
    for place in places {
        let unknown = || output.paint(RED, "no such partition");
        let aside = place.put_aside.to_string();
        rows.push(vec![
            place.consumer.clone(),
            place.topic.clone(),
            place.partition.to_string(),
            place.next.to_string(),
            place.end.map_or_else(unknown, |end| end.to_string()),
            place.behind.map_or_else(String::new, |behind| behind.to_string()),
            if place.put_aside > 0 {
                output.paint(YELLOW, &aside)
            } else {
                aside
            },
        ]);
    }
    table(&rows, 0)
}

fn letters_text(output: Output, letters: &[LetterSeen]) -> String {
    if letters.is_empty() {
        return "nothing is put aside\n".to_owned();
    }
    let words = [
        "CONSUMER",
        "ID",
        "STATE",
        "TOPIC",
        "PARTITION",
        "OFFSET",
        "KEY",
        "TRIED",
        "REASON",
    ];
    let mut rows = vec![head(output, &words)];
    for letter in letters {
        let state = match (letter.asked, letter.state.as_str()) {
            (true, state) => output.paint(YELLOW, &format!("{state}, asked for")),
            (false, "dead") => output.paint(RED, "dead"),
            (false, state) => state.to_owned(),
        };
        rows.push(vec![
            letter.consumer.clone(),
            letter.id.to_string(),
            state,
            letter.topic.clone(),
            letter.partition.to_string(),
            letter.offset.to_string(),
            cut(&letter.key),
            letter.attempts.to_string(),
            cut(&letter.reason),
        ]);
    }
    table(&rows, 0)
}

fn letter_text(output: Output, letter: &Letter) -> String {
    let seen = &letter.seen;
    let mut rows = vec![
        vec!["consumer".to_owned(), seen.consumer.clone()],
        vec!["state".to_owned(), seen.state.clone()],
        vec!["reason".to_owned(), plain(&seen.reason)],
        vec!["tried".to_owned(), seen.attempts.to_string()],
        vec![
            "from".to_owned(),
            format!("{} partition {} offset {}", seen.topic, seen.partition, seen.offset),
        ],
        vec!["key".to_owned(), plain(&seen.key)],
    ];
    for (name, value) in &letter.headers {
        rows.push(vec![output.paint(DIM, &plain(name)), plain(value)]);
    }
    let body = letter.body.as_deref().map_or_else(|| "(no body)".to_owned(), plain);
    format!("{}{body}\n", table(&rows, 0))
}

fn record_text(output: Output, record: &Seen) -> String {
    let kind = record.headers.get("ce_type").map_or("?", String::as_str);
    let place = format!("{}/{}", record.partition, record.offset);
    let key = record.key.as_deref().unwrap_or("(no key)");
    let body = record.body.as_deref().unwrap_or("(no body)");
    format!(
        "{} {} {} {}\n",
        output.paint(DIM, &place),
        output.paint(BOLD, &plain(kind)),
        plain(key),
        plain(body)
    )
}

fn changed_text(request: &Request, count: u64) -> String {
    match request {
        Request::Redrive { consumer, .. } => format!(
            "{consumer} was asked to apply {count} events again; `nova events dlq list {consumer}` shows what is left\n"
        ),
        Request::Drop { consumer, .. } => format!(
            "dropped {count} events; those that waited behind one go on when they are redriven: `nova events dlq redrive {consumer} --all`\n"
        ),
        Request::Reset { consumer, .. } => format!("{consumer} begins anew in {count} partitions\n"),
        Request::Topics | Request::Lag | Request::Tail { .. } | Request::Letters { .. } | Request::Letter { .. } => {
            format!("{count}\n")
        }
    }
}

/// What others wrote must not move the cursor of whoever reads it.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c })
        .collect()
}

fn cut(text: &str) -> String {
    let text = plain(text).replace('\n', " ");
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_steer_a_terminal() {
        assert_eq!(cut("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb c");
        assert_eq!(cut(&"ä".repeat(61)), format!("{}…", "ä".repeat(60)));
    }
}
