//! Reading crontab's five fields.

use crate::model::Invalid;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// Their numbers begin with 0.
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// What may stand for five fields.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A field's name, its numbers, and the names that may stand for them, from the first number on.
struct Kind {
    name: &'static str,
    first: u8,
    last: u8,
    names: &'static [&'static str],
}

const KINDS: [Kind; 5] = [
    Kind { name: "minute", first: 0, last: 59, names: &[] },
    Kind { name: "hour", first: 0, last: 23, names: &[] },
    Kind { name: "day of the month", first: 1, last: 31, names: &[] },
    Kind { name: "month", first: 1, last: 12, names: &MONTHS },
    Kind { name: "day of the week", first: 0, last: 7, names: &DAYS },
];

/// The numbers that a field means.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    /// In order, each once.
    numbers: Vec<u8>,
    /// Whether it begins with `*`, which crontab takes for unrestricted.
    is_star: bool,
}

/// Minute, hour, day of the month, month, day of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields([Field; 5]);

impl Fields {
    pub(super) fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let nickname = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        let words: Vec<&str> = nickname.map_or(text, |(_, fields)| fields).split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = words[..] else {
            return Err(Invalid::new(
                "cron",
                "must have five fields: minute, hour, day of the month, month, day of the week; e.g. 0 9 * * mon-fri",
            ));
        };
        let [minutes, hours, days, months, weekdays] = &KINDS;
        Ok(Self([
            minutes.parse(minute)?,
            hours.parse(hour)?,
            days.parse(day)?,
            months.parse(month)?,
            weekdays.parse_weekday(weekday)?,
        ]))
    }

    /// Whether it goes by the time that passes.
    pub(super) fn is_wildcard(&self) -> bool {
        self.0[0].is_star || self.0[1].is_star
    }

    /// The same for the crate `cron`: seconds first, weekdays by their names, and one expression for each of two kinds of days.
    pub(super) fn for_the_crate(&self) -> Vec<String> {
        let [minute, hour, day, month, weekday] = &self.0;
        let numbers = |field: &Field| field.numbers.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
        let days = weekday.numbers.iter().map(|day| DAYS[usize::from(*day)]).collect::<Vec<_>>().join(",");
        let with = |day: &str, weekday: &str| {
            format!("0 {} {} {day} {} {weekday}", numbers(minute), numbers(hour), numbers(month))
        };
        if day.is_star || weekday.is_star {
            vec![with(&numbers(day), &days)]
        } else {
            vec![with(&numbers(day), "*"), with("*", &days)]
        }
    }
}

impl Kind {
    fn parse(&self, text: &str) -> Result<Field, Invalid> {
        let mut has = [false; 60];
        for item in text.split(',') {
            let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
            let step = step.map_or(Some(1), |step| step.parse::<u8>().ok().filter(|step| *step > 0));
            let step = step.ok_or_else(|| self.wrong(text))?;
            let (first, last) = if range == "*" {
                (self.first, self.last)
            } else if let Some((first, last)) = range.split_once('-') {
                (self.number(first, text)?, self.number(last, text)?)
            } else if item.contains('/') {
                return Err(self.wrong(text)); // crontab(5): steps come behind ranges and stars
            } else {
                let number = self.number(range, text)?;
                (number, number)
            };
            if first > last {
                return Err(self.wrong(text));
            }
            for number in (first..=last).step_by(usize::from(step)) {
                has[usize::from(number)] = true;
            }
        }
        let numbers = (self.first..=self.last).filter(|number| has[usize::from(*number)]).collect();
        Ok(Field { numbers, is_star: text.starts_with('*') })
    }

    /// Sunday is 0 and 7.
    fn parse_weekday(&self, text: &str) -> Result<Field, Invalid> {
        let mut field = self.parse(text)?;
        if let Some(at) = field.numbers.iter().position(|day| *day == 7) {
            field.numbers.remove(at);
            if field.numbers.first() != Some(&0) {
                field.numbers.insert(0, 0);
            }
        }
        Ok(field)
    }

    fn number(&self, word: &str, text: &str) -> Result<u8, Invalid> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(word));
        let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let number = match named {
            Some(at) => u8::try_from(at).ok().map(|at| at + self.first),
            None => word.parse().ok().filter(|_| is_number),
        };
        number.filter(|number| (self.first..=self.last).contains(number)).ok_or_else(|| self.wrong(text))
    }

    fn wrong(&self, text: &str) -> Invalid {
        let shown: String = text.chars().take(40).collect();
        let names = match self.names {
            [] => String::new(),
            names => format!(" or {}", names.join(", ")),
        };
        let Self { name, first, last, .. } = self;
        Invalid::new(
            "cron",
            format!(
                "the {name} is `{}`, but must be *, or numbers from {first} to {last}{names}, as lists (1,2), ranges (1-5) and steps (*/2)",
                shown.escape_debug()
            ),
        )
    }
}
