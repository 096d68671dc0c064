// The sheet: a plain textarea, so that caret, selection, input methods and the browser's undo are its own, and behind it
// a mirror of the same text in the same measures, invisible but for the tints under its words and the signs beside its
// lines. The mirror gives the sheet its height; so there is one scroll for both.

const WORD = /[\p{L}\p{N}\p{M}]/u;
const FAINTEST = 0.08; // Weights below that are no pull, however little else there is.
const LONG = 2_000; // Characters that a browser takes seconds to insert as if typed.
const WORD_STEPS = [0.12, 0.3, 0.5, 0.75];
const LINE_STEPS = [0.25, 0.6];

export class Sheet {
  #textarea;
  #mirror;
  #keys = [];
  #text = "";
  #words = [];
  #lines = [];

  constructor(textarea, mirror) {
    this.#textarea = textarea;
    this.#mirror = mirror;
    this.#render();
  }

  get text() {
    return this.#text;
  }

  // Follow what stands in the textarea now: tints move along with their words, those of a changed word go.
  follow() {
    const text = this.#textarea.value;
    const change = difference(this.#text, text);
    this.#words = shift(this.#words, change, text);
    this.#lines = shift(this.#lines, change);
    this.#text = text;
    this.#render();
    if (this.#textarea.scrollTop) {
      this.#textarea.scrollTop = 0;
      this.#mirror.children[lineOf(text, this.#textarea.selectionEnd)].scrollIntoView({ block: "nearest" });
    }
  }

  // Tint by an explanation of what was sent; the sheet may have changed since.
  tint(sent, words, lines) {
    const change = difference(sent, this.#text);
    this.#words = shift(graded(words, WORD_STEPS), change, this.#text);
    this.#lines = shift(graded(lines, LINE_STEPS), change);
    this.#render();
  }

  clear() {
    this.#words = [];
    this.#lines = [];
    this.#render();
  }

  // Replace the text, so that the browser's undo knows of it if it is short and that raises no keyboard on the screen.
  replace(text, caret = 0) {
    const textarea = this.#textarea;
    const { start, end, delta } = difference(textarea.value, text);
    const inserted = text.slice(start, end + delta);
    const focused = document.activeElement;
    const known = inserted.length < LONG;
    const mayFocus = focused === textarea || !matchMedia("(pointer: coarse)").matches;
    if (mayFocus && known) {
      textarea.focus({ preventScroll: true });
      textarea.setSelectionRange(start, end);
      document.execCommand(inserted ? "insertText" : "delete", false, inserted);
    }
    if (textarea.value !== text) textarea.value = text;
    textarea.setSelectionRange(caret, caret);
    if (mayFocus && known && focused !== document.body) focused?.focus({ preventScroll: true });
    this.follow();
  }

  select(start, end) {
    this.#textarea.focus({ preventScroll: true });
    this.#textarea.setSelectionRange(start, end);
    this.#mirror.children[lineOf(this.#text, start)].scrollIntoView({ block: "nearest" });
  }

  #render() {
    const lines = this.#describe();
    const keys = lines.map(({ key }) => key);
    let head = 0;
    while (head < keys.length && keys[head] === this.#keys[head]) head += 1;
    let tail = 0;
    const most = Math.min(keys.length, this.#keys.length) - head;
    while (tail < most && keys.at(-1 - tail) === this.#keys.at(-1 - tail)) tail += 1;

    const old = [...this.#mirror.children].slice(head, this.#keys.length - tail);
    const fresh = lines.slice(head, lines.length - tail).map(renderLine);
    const after = this.#mirror.children[this.#keys.length - tail] ?? null;
    for (const line of old) line.remove();
    for (const line of fresh) this.#mirror.insertBefore(line, after);
    this.#keys = keys;
  }

  #describe() {
    const marks = new Map(this.#lines.map((line) => [lineOf(this.#text, line.start), line]));
    let [start, next] = [0, 0];
    return this.#text.split("\n").map((text, number) => {
      const words = [];
      for (; next < this.#words.length && this.#words[next].start <= start + text.length; next += 1) {
        const { start: from, end, level } = this.#words[next];
        words.push({ from: from - start, to: end - start, level });
      }
      start += text.length + 1;
      const { level = 0, stale = false } = marks.get(number) ?? {};
      const key = JSON.stringify([text, words, level, stale]);
      return { key, text, words, level, stale };
    });
  }
}

function renderLine({ text, words, level, stale }) {
  const line = document.createElement("div");
  if (level) {
    line.className = level > 0 ? "pro" : "con";
    line.classList.toggle("stale", stale);
    line.dataset.sign = (level > 0 ? "+" : "−").repeat(Math.abs(level));
  }
  let written = 0;
  for (const { from, to, level } of words) {
    const word = document.createElement("span");
    word.className = tintOf(level);
    word.textContent = text.slice(from, to);
    line.append(text.slice(written, from), word);
    written = to;
  }
  // An empty line is as high as another one only if there is something in it.
  line.append(text.slice(written) || (written ? "" : "\u200b"));
  return line;
}

export function tintOf(level) {
  return level > 0 ? `pro${level}` : `con${-level}`;
}

// Levels from 1 upwards for what speaks for the genre, from -1 downwards for what speaks against it; what says little
// is left out.
export function graded(spans, steps = WORD_STEPS) {
  const strongest = spans.reduce((most, { weight }) => Math.max(most, Math.abs(weight)), FAINTEST);
  return spans
    .map((span) => {
      const pull = Math.abs(span.weight) / strongest;
      return { ...span, level: Math.sign(span.weight) * steps.filter((step) => pull >= step).length };
    })
    .filter(({ level }) => level);
}

// Offsets in code points, as the service counts them, become offsets in a string of this language.
export function inCodeUnits(text, spans) {
  const places = [];
  let unit = 0;
  for (const character of text) {
    places.push(unit);
    unit += character.length;
  }
  places.push(unit);
  return spans.map(({ start, end, weight }) => ({ start: places[start], end: places[end], weight }));
}

// The one stretch in which two texts differ: start and end in the first, delta what the second one is longer by.
export function difference(before, after) {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start += 1;
  let same = 0;
  while (same < shorter - start && before.at(-1 - same) === after.at(-1 - same)) same += 1;
  return { start, end: before.length - same, delta: after.length - before.length };
}

// Move spans along with a change. Of words (if the text is given) those that it touched are dropped; lines stay, stale.
function shift(spans, { start, end, delta }, text) {
  if (start === end && !delta) return spans;
  const moved = [];
  for (const span of spans) {
    const before = span.end <= start;
    const by = before ? 0 : delta;
    const [from, to] = [span.start + by, span.end + by];
    if (text === undefined) {
      if (before || span.start >= end) moved.push({ ...span, start: from, end: to });
      else if (span.start <= start && to > span.start) moved.push({ ...span, end: to, stale: true });
    } else if (before || span.start >= end) {
      const touched = span.end === start || span.start === end;
      if (!touched || !(isWord(text, from - 1) || isWord(text, to))) moved.push({ ...span, start: from, end: to });
    }
  }
  return moved;
}

function isWord(text, place) {
  if (place < 0 || place >= text.length) return false;
  const unit = text.charCodeAt(place);
  if (unit >= 0xdc00 && unit < 0xe000) place -= 1;
  return WORD.test(String.fromCodePoint(text.codePointAt(place)));
}

function lineOf(text, place) {
  let line = 0;
  for (let end = text.indexOf("\n"); end >= 0 && end < place; end = text.indexOf("\n", end + 1)) line += 1;
  return line;
}
