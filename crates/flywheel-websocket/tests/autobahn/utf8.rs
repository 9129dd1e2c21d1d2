use crate::case::{Case, Reply, TEXT, first, fragmented, last, middle, whole};

/// A Greek word with one accented letter of three bytes.
const GREEK: &[u8] = "κ\u{1F79}σμε".as_bytes();

/// Cases 6.*: text in all fragmentations, and text that is none.
pub(crate) fn cases() -> Vec<Case> {
    let text = |text: &[u8]| vec![Reply::Text(text.to_vec())];
    let mixed = "Hello-µ@ßöäüàá-UTF-8!!".as_bytes();
    let (start, end) = mixed.split_at(mixed.len() - "üàá-UTF-8!!".len());
    let surrogate = [GREEK, b"\xED\xA0\x80", b"edited"].concat();
    let mut cases = vec![
        Case::passes("6.1.1", vec![whole(TEXT, b"")], text(b"")),
        Case::passes("6.1.2", vec![first(TEXT, b""), middle(b""), last(b"")], text(b"")),
        Case::passes("6.1.3", vec![first(TEXT, b""), middle(b"between"), last(b"")], text(b"between")),
        Case::passes("6.2.1", vec![whole(TEXT, mixed)], text(mixed)),
        Case::passes("6.2.2", vec![first(TEXT, start), last(end)], text(mixed)),
        Case::passes("6.2.3", fragmented(TEXT, mixed, 1), text(mixed)),
        Case::passes("6.2.4", fragmented(TEXT, GREEK, 1), text(GREEK)),
        Case::fails("6.3.1", vec![whole(TEXT, &surrogate)], vec![], 1007),
        Case::fails("6.3.2", fragmented(TEXT, &surrogate, 1), vec![], 1007).with_step(13),
    ];
    cases.extend(fail_fast());
    for (group, sequences) in groups() {
        for (index, (valid, bytes)) in sequences.into_iter().enumerate() {
            let (id, steps) = (format!("6.{group}.{}", index + 1), vec![whole(TEXT, &bytes)]);
            cases.push(if valid {
                Case::passes(&id, steps, text(&bytes))
            } else {
                Case::fails(&id, steps, vec![], 1007)
            });
        }
    }
    cases
}

/// A code point beyond the last, in three parts: the connection must fail with the second, in fragments as in the
/// middle of one frame.
fn fail_fast() -> Vec<Case> {
    let (beyond, rest) = (b"\xF4\x90\x80\x80", b"edited");
    let text = [GREEK, beyond, rest].concat();
    let frame = whole(TEXT, &text);
    let header = frame.len() - text.len();
    let cut = |a: usize, b: usize| {
        vec![
            frame[..header + a].to_vec(),
            frame[header + a..header + b].to_vec(),
            frame[header + b..].to_vec(),
        ]
    };
    let fragments = |a: usize, b: usize| vec![first(TEXT, &text[..a]), middle(&text[a..b]), last(&text[b..])];
    let (greek, both) = (GREEK.len(), GREEK.len() + beyond.len());
    [
        ("6.4.1", fragments(greek, both)),
        ("6.4.2", fragments(greek + 1, greek + 2)),
        ("6.4.3", cut(greek, both)),
        ("6.4.4", cut(greek + 1, greek + 2)),
    ]
    .into_iter()
    .map(|(id, steps)| Case::fails(id, steps, vec![], 1007).with_step(2))
    .collect()
}

type Sequences = Vec<(bool, Vec<u8>)>;

fn sequences(valid: bool, list: &[&[u8]]) -> Sequences {
    list.iter().map(|bytes| (valid, bytes.to_vec())).collect()
}

/// The byte sequences of Markus Kuhn's decoder test that the suite sends, by its group numbers.
fn groups() -> Vec<(u8, Sequences)> {
    let good = |list: &[&[u8]]| sequences(true, list);
    let bad = |list: &[&[u8]]| sequences(false, list);
    let whole_characters = [2, 5, 7, 9, 11];
    let prefixes = (1..=GREEK.len()).map(|end| (whole_characters.contains(&end), GREEK[..end].to_vec()));
    let stray: Vec<u8> = (0x80..0xBF).collect();
    let lonely = [(0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD)]
        .map(|(from, to)| (false, (from..to).flat_map(|byte| [byte, b' ']).collect()));
    let unfinished: [&[u8]; 10] = [
        b"\xC0",
        b"\xE0\x80",
        b"\xF0\x80\x80",
        b"\xF8\x80\x80\x80",
        b"\xFC\x80\x80\x80\x80",
        b"\xDF",
        b"\xEF\xBF",
        b"\xF7\xBF\xBF",
        b"\xFB\xBF\xBF\xBF",
        b"\xFD\xBF\xBF\xBF\xBF",
    ];
    let mut boundaries = good(&[b"\xED\x9F\xBF", b"\xEE\x80\x80", b"\xEF\xBF\xBD", b"\xF4\x8F\xBF\xBF"]);
    boundaries.extend(bad(&[b"\xF4\x90\x80\x80"]));
    vec![
        (
            5,
            good(&[
                b"hello$world",
                "hello¢world".as_bytes(),
                "hello€world".as_bytes(),
                "hello𤭢world".as_bytes(),
                GREEK,
            ]),
        ),
        (6, prefixes.collect()),
        (7, good(&[b"\0", b"\xC2\x80", b"\xE0\xA0\x80", b"\xF0\x90\x80\x80"])),
        (8, bad(&[b"\xF8\x88\x80\x80\x80", b"\xFC\x84\x80\x80\x80\x80"])),
        (9, good(&[b"\x7F", b"\xDF\xBF", b"\xEF\xBF\xBF", b"\xF4\x8F\xBF\xBF"])),
        (10, bad(&[b"\xF7\xBF\xBF\xBF", b"\xFB\xBF\xBF\xBF\xBF", b"\xFD\xBF\xBF\xBF\xBF\xBF"])),
        (11, boundaries),
        (
            12,
            bad(&[
                b"\x80",
                b"\xBF",
                b"\x80\xBF",
                b"\x80\xBF\x80",
                b"\x80\xBF\x80\xBF",
                b"\x80\xBF\x80\xBF\x80",
                b"\x80\xBF\x80\xBF\x80\xBF",
                &stray,
            ]),
        ),
        (13, lonely.to_vec()),
        (14, bad(&unfinished)),
        (15, bad(&[&unfinished.concat()])),
        (16, bad(&[b"\xFE", b"\xFF", b"\xFE\xFE\xFF\xFF"])),
        (17, bad(&overlong(0xAF))),
        (
            18,
            bad(&[
                b"\xC1\xBF",
                b"\xE0\x9F\xBF",
                b"\xF0\x8F\xBF\xBF",
                b"\xF8\x87\xBF\xBF\xBF",
                b"\xFC\x83\xBF\xBF\xBF\xBF",
            ]),
        ),
        (19, bad(&overlong(0x80))),
        (20, surrogates()),
        (21, surrogate_pairs()),
        (22, noncharacters()),
        (23, (0xB9..=0xBF).map(|end| (true, vec![0xEF, 0xBF, end])).collect()),
    ]
}

/// The five too long ways to write a character below U+0040.
fn overlong(end: u8) -> [&'static [u8]; 5] {
    match end {
        0xAF => [
            b"\xC0\xAF",
            b"\xE0\x80\xAF",
            b"\xF0\x80\x80\xAF",
            b"\xF8\x80\x80\x80\xAF",
            b"\xFC\x80\x80\x80\x80\xAF",
        ],
        _ => [
            b"\xC0\x80",
            b"\xE0\x80\x80",
            b"\xF0\x80\x80\x80",
            b"\xF8\x80\x80\x80\x80",
            b"\xFC\x80\x80\x80\x80\x80",
        ],
    }
}

fn surrogates() -> Sequences {
    [(0xA0, 0x80), (0xAD, 0xBF), (0xAE, 0x80), (0xAF, 0xBF), (0xB0, 0x80), (0xBE, 0x80), (0xBF, 0xBF)]
        .map(|(middle, end)| (false, vec![0xED, middle, end]))
        .to_vec()
}

fn surrogate_pairs() -> Sequences {
    let high = [(0xA0, 0x80), (0xAD, 0xBF), (0xAE, 0x80), (0xAF, 0xBF)];
    let low = [(0xB0, 0x80), (0xBF, 0xBF)];
    high.into_iter().flat_map(|(a, b)| low.map(|(c, d)| (false, vec![0xED, a, b, 0xED, c, d]))).collect()
}

/// The last two code points of each plane are no characters, but valid UTF-8.
fn noncharacters() -> Sequences {
    (0..=16_u32)
        .flat_map(|plane| [plane << 16 | 0xFFFE, plane << 16 | 0xFFFF])
        .filter_map(char::from_u32)
        .map(|code_point| (true, code_point.to_string().into_bytes()))
        .collect()
}
