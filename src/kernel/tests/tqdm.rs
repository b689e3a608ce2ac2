//! What the real tqdm prints is read as what it counted.

use std::process::{Command, Stdio};

use crate::kernel::progress::in_stream;
use crate::testing::python;

/// Prints a JSON line for every bar: what was printed, how much is done, of how much, and the label.
const PRINTS: &str = r"
import io, json, sys
try:
    from tqdm import tqdm
except ImportError:
    sys.exit(77)

class File(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal
    encoding = property(lambda self: 'utf-8')
    def isatty(self):
        return self.terminal

cases = [
    {}, {'desc': 'loading'}, {'desc': 'a: [1, 2] 50%'}, {'total': None}, {'total': None, 'desc': 'rows', 'unit': ' rows'},
    {'unit_scale': True, 'unit': 'B'}, {'unit_scale': True, 'total': None, 'unit': 'B', 'desc': 'fetch'}, {'ascii': True},
    {'colour': 'green'}, {'ncols': 0}, {'ncols': 60, 'desc': 'narrow'}, {'ncols': 120}, {'total': 2.5}, {'total': 0},
    {'position': 2, 'desc': 'inner'}, {'postfix': {'loss': '[0.1, 2]'}}, {'unit': 'Example', 'total': None}, {'total': float('inf')},
    {'leave': False}, {'initial': 3},
]
steps = {'whole': [1, 1, 7, 91], 'large': [999, 1, 123456, 10**9], 'parts': [0.5, 0.25, 0.125]}
for case in cases:
    for name, updates in steps.items():
        if name == 'parts' and case.get('unit') == 'Example':
            continue  # 0.75Example is 0.75 of an `Example` or 750 P of an `xample`
        for terminal in (True, False):
            given = {'total': sum(updates), **case}
            file = File(terminal)
            bar = tqdm(file=file, mininterval=0, miniters=0, **given)
            for update in [0, *updates]:
                file.seek(0), file.truncate()
                bar.update(update)
                total = None if given['total'] in (None, 0, float('inf')) or bar.n >= given['total'] + 0.5 else given['total']
                print(json.dumps([file.getvalue(), bar.n, total, case.get('desc'), bool(case.get('unit_scale'))]))
            bar.close()
";

#[test]
#[expect(clippy::disallowed_methods, reason = "ends by itself")]
fn every_bar_is_read_as_tqdm_counted() {
    let done =
        Command::new(python()).args(["-c", PRINTS]).stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
    if done.status.code() == Some(77) {
        return; // an environment from before tqdm was asked for
    }
    assert!(done.status.success());
    let lines = String::from_utf8(done.stdout).unwrap();
    let mut seen = 0;
    for line in lines.lines() {
        let (text, n, total, label, scaled): (String, f64, Option<f64>, Option<String>, bool) =
            serde_json::from_str(line).unwrap();
        let Some(read) = in_stream(&text) else {
            assert!(!text.contains('['), "not read: {text:?}");
            continue;
        };
        // Three digits are all that scaling leaves.
        let near = |a: f64, b: f64| (a - b).abs() <= if scaled { 0.006 * b } else { 0.0 };
        assert!(near(read.done, n), "{n}: {text:?} {read:?}");
        assert_eq!(read.total.is_some(), total.is_some(), "{text:?} {read:?}");
        assert!(near(read.total.unwrap_or_default(), total.unwrap_or_default()), "{total:?}: {text:?} {read:?}");
        assert_eq!(read.message, label, "{text:?}");
        seen += 1;
    }
    assert!(seen > 400, "{seen} bars");
}
