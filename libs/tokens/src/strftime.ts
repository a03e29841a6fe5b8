const MONTHS = 'January February March April May June July August September October November December'.split(' ');
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');
const MS_PER_DAY = 86_400_000;

/** Python's `strftime` in local time and English, whatever the machine's language; unknown directives stay. */
export function strftime(date: Date, format: string): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const year = date.getFullYear();
  const dayOfYear = Math.round((Date.UTC(year, date.getMonth(), date.getDate()) - Date.UTC(year, 0, 1)) / MS_PER_DAY);
  /** Week of the year; days before the first such weekday are in week 0. */
  const week = (firstDay: number) => Math.floor((dayOfYear + 7 - ((date.getDay() - firstDay + 7) % 7)) / 7);
  const month = MONTHS[date.getMonth()]!;
  const day = DAYS[date.getDay()]!;
  const directives: { readonly [letter: string]: () => string } = {
    Y: () => String(year),
    y: () => two(year % 100),
    C: () => two(Math.floor(year / 100)),
    m: () => two(date.getMonth() + 1),
    d: () => two(date.getDate()),
    e: () => String(date.getDate()).padStart(2),
    j: () => String(dayOfYear + 1).padStart(3, '0'),
    U: () => two(week(0)),
    W: () => two(week(1)),
    w: () => String(date.getDay()),
    u: () => String(date.getDay() || 7),
    B: () => month,
    b: () => month.slice(0, 3),
    h: () => month.slice(0, 3),
    A: () => day,
    a: () => day.slice(0, 3),
    H: () => two(date.getHours()),
    I: () => two(date.getHours() % 12 || 12),
    M: () => two(date.getMinutes()),
    S: () => two(date.getSeconds()),
    f: () => String(date.getMilliseconds() * 1000).padStart(6, '0'),
    s: () => String(Math.floor(date.getTime() / 1000)),
    p: () => (date.getHours() < 12 ? 'AM' : 'PM'),
    // Python's clock without time zone prints none.
    Z: () => '',
    z: () => '',
    D: () => strftime(date, '%m/%d/%y'),
    x: () => strftime(date, '%m/%d/%y'),
    F: () => strftime(date, '%Y-%m-%d'),
    T: () => strftime(date, '%H:%M:%S'),
    X: () => strftime(date, '%H:%M:%S'),
    R: () => strftime(date, '%H:%M'),
    c: () => strftime(date, '%a %b %e %H:%M:%S %Y'),
    n: () => '\n',
    t: () => '\t',
    '%': () => '%',
  };
  return format.replace(/%(-?)([A-Za-z%])/g, (directive, unpadded: string, letter: string) => {
    const text = directives[letter]?.();
    if (text === undefined) return directive;
    return unpadded === '' ? text : text.replace(/^[0 ]+(?=\d)/, '');
  });
}
