// The margin: the verdict, the bars, what speaks for a genre, the artists.

import { graded, tintOf } from "./sheet.js";
import { counted, percent, share } from "./words.js";

const BARS_AT_FIRST = 6;
const MOST_PROS = 8;
const MOST_CONS = 4;
const MOST_VERSES = 3;
const GLIDE_MS = 450;
const STALE_MS = 1_500;

const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

export class Bars {
  #list;
  #more;
  #onChoose;
  #rows = new Map();
  #ranking = [];
  #chosen = null;
  #pinned = false;
  #all = false;

  constructor(list, more, onChoose) {
    this.#list = list;
    this.#more = more;
    this.#onChoose = onChoose;
    more.addEventListener("click", () => {
      this.#all = !this.#all;
      this.#reveal();
    });
  }

  show(probabilities, chosen, pinned) {
    this.#ranking = Object.entries(probabilities);
    this.#chosen = chosen;
    this.#pinned = pinned;
    const top = this.#list.getBoundingClientRect().top;
    const before = new Map();
    for (const [genre, { item, bar }] of this.#rows) {
      if (!item.hidden && item.isConnected) {
        before.set(genre, { y: item.getBoundingClientRect().top - top, bar: getComputedStyle(bar).transform });
      }
    }
    for (const [genre, probability] of this.#ranking) {
      if (!this.#rows.has(genre)) this.#rows.set(genre, this.#row(genre));
      const row = this.#rows.get(genre);
      row.share.textContent = share(probability);
      row.bar.style.setProperty("--share", probability);
    }
    this.#arrange(this.#ranking.map(([genre]) => this.#rows.get(genre).item));
    this.#reveal();
    for (const [genre] of this.#ranking) {
      const { item, bar } = this.#rows.get(genre);
      const old = before.get(genre);
      if (item.hidden) continue;
      glide(item, `translateY(${(old?.y ?? item.offsetTop) - item.offsetTop}px)`);
      glide(bar, old?.bar ?? "scaleX(0)");
    }
  }

  // Rows move only if the order has changed, and the focus stays where it was.
  #arrange(items) {
    if (items.length === this.#list.children.length && items.every((item, at) => item === this.#list.children[at])) return;
    const focused = this.#list.contains(document.activeElement) ? document.activeElement : null;
    this.#list.replaceChildren(...items);
    focused?.focus({ preventScroll: true });
  }

  #reveal() {
    this.#ranking.forEach(([genre], rank) => {
      const { item, button } = this.#rows.get(genre);
      const chosen = genre === this.#chosen;
      const focused = item.contains(document.activeElement);
      item.hidden = !this.#all && rank >= BARS_AT_FIRST && !chosen && !focused;
      item.classList.toggle("chosen", chosen);
      button.setAttribute("aria-pressed", String(chosen && this.#pinned));
    });
    const others = this.#ranking.length - BARS_AT_FIRST;
    this.#more.hidden = others <= 0;
    this.#more.setAttribute("aria-expanded", String(this.#all));
    this.#more.textContent = this.#all ? "Mostrar só os mais prováveis" : `Mostrar todos os ${this.#ranking.length} gêneros`;
  }

  #row(genre) {
    const [name, share, bar] = [make("span", "name", genre), make("span", "share"), make("span", "bar")];
    const button = make("button", "", name, " ", share, bar);
    button.type = "button";
    button.addEventListener("click", () => this.#onChoose(genre));
    return { item: make("li", "", button), button, share, bar };
  }
}

function glide(element, from) {
  if (reducedMotion.matches) return;
  element.animate([{ transform: from, offset: 0 }], { duration: GLIDE_MS, easing: "cubic-bezier(.2, .7, .2, 1)" });
}

// The strongest words once each, however often they are sung, then the strongest verses: signs tell what colours tell.
export function showEvidence({ pros, cons, verses, silent }, text, words, lines, onVerse) {
  const sums = new Map();
  for (const { start, end, weight } of words) {
    const word = text.slice(start, end).toLocaleLowerCase("pt-BR");
    const sum = sums.get(word) ?? { word, weight: 0, times: 0 };
    sums.set(word, { word, weight: sum.weight + weight, times: sum.times + 1 });
  }
  const ranked = graded([...sums.values()]).sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  const speaking = ranked.filter(({ level }) => level > 0).slice(0, MOST_PROS);
  const opposing = ranked.filter(({ level }) => level < 0).slice(0, MOST_CONS);
  pros.replaceChildren(...speaking.map(wordItem));
  cons.replaceChildren(...opposing.map(wordItem));
  const strongest = graded(lines, [0.25, 0.6]).sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  verses.replaceChildren(...strongest.slice(0, MOST_VERSES).map((line) => verseItem(text, line, onVerse)));
  for (const list of [pros, cons, verses]) list.hidden = !list.children.length;
  silent.hidden = Boolean(speaking.length);
  silent.textContent = opposing.length ? "Nenhuma palavra fala por ele, por enquanto." : "Nenhuma palavra pesa, por enquanto.";
}

function sign(level) {
  return make("span", "sign", level > 0 ? "+" : "−");
}

function wordItem({ word, level, times }) {
  const item = make("li", "", sign(level), make("span", tintOf(level), word));
  if (times > 1) item.append(make("span", "times", ` ×${times}`));
  return item;
}

function verseItem(text, { start, end, level }, onVerse) {
  const button = make("button", level > 0 ? "pro" : "con", sign(level), text.slice(start, end));
  button.type = "button";
  button.title = "Mostrar na folha";
  button.addEventListener("click", () => onVerse(start, end));
  return make("li", "", button);
}

export function showArtists(list, artists) {
  list.replaceChildren(
    ...artists.map(({ artist, genre, similarity, titles }) => {
      const near = make("span", "near");
      near.style.setProperty("--share", Math.min(1, similarity));
      const unseen = make("span", "unseen", `, proximidade de ${percent.format(similarity)}`);
      const item = make("li", "", make("span", "artist", artist), " ", make("span", "genre", genre), unseen, near);
      if (titles.length) item.append(make("p", "titles", titles.join("\u00a0· ")));
      return item;
    }),
  );
}

export function roomLeft(length, words, lines, limit) {
  const written = `${counted(lines, "verso", "versos")}, ${counted(words, "palavra", "palavras")}`;
  const left = limit - length;
  if (left < 0) return `${counted(-left, "caractere", "caracteres")} além do limite`;
  if (left <= limit / 10) return `${left === 1 ? "Ainda cabe" : "Ainda cabem"} ${counted(left, "caractere", "caracteres")}`;
  return words ? written : "";
}

// Say it only once it has settled: a screen reader is not to talk over each key.
export function announcer(element) {
  let timer;
  let said = "";
  return (sentence) => {
    clearTimeout(timer);
    if (sentence === said) return;
    timer = setTimeout(() => {
      said = element.textContent = sentence;
    }, STALE_MS);
  };
}
