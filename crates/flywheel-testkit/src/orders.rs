use crate::{Asked, Backing, Cut, Cutter, with_status};

impl Cutter {
    /// Lets a script cut connections: `GET /<number of the cutter>/<order>/<bytes>`.
    ///
    /// Orders are `close` and `reset`, `close-in` and `reset-in` so many bytes, `hold-close` and `hold-reset`, and
    /// `release`.
    pub fn obey(cutters: Vec<Self>) -> Backing {
        Backing::start(move |asked| Some(obey(&cutters, asked)))
    }
}

fn obey(cutters: &[Cutter], asked: &Asked) -> String {
    let mut parts = asked.target.split('/').skip(1);
    let mut next = || parts.next().unwrap_or_default();
    let cutter = &cutters[next().parse::<usize>().unwrap()];
    let order = next();
    let bytes = next().parse().unwrap_or(0);
    match order {
        "close" => cutter.cut(Cut::Close),
        "reset" => cutter.cut(Cut::Reset),
        "close-in" => cutter.cut_after(bytes, Cut::Close),
        "reset-in" => cutter.cut_after(bytes, Cut::Reset),
        "hold-close" => cutter.hold(Cut::Close),
        "hold-reset" => cutter.hold(Cut::Reset),
        "release" => cutter.release(),
        other => return with_status(404, other),
    }
    with_status(200, "{}")
}
