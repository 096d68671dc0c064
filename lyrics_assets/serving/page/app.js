// Puts the parts of the page together.

import { download, History, keep, restore } from "./draft.js";
import { announcer, Bars, roomLeft, showArtists, showEvidence } from "./margin.js";
import { fetchModel, Service } from "./service.js";
import { difference, inCodeUnits, Sheet } from "./sheet.js";
import * as says from "./words.js";

const LIMIT = 20_000;

const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const sheet = new Sheet(page.lyrics, page.mirror);
const history = new History();
const bars = new Bars(page.bars, page.more, choose);
const announce = announcer(page.announcement);
const service = new Service({ onAnswer: showAnswer, onTrouble: showTrouble });

let pinned = null; // The genre that was chosen; without one the most probable is explained.
let latest = null; // The newest answer and what it answers.
let caret = { start: 0, end: 0 };
let stored = true;

// The draft

function countWords(text) {
  return text.match(/[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu)?.length ?? 0;
}

function snapshot() {
  return { text: sheet.text, caret: caret.end };
}

function onInput(event) {
  const before = snapshot();
  sheet.follow();
  rememberCaret();
  if (sheet.text === before.text) return;
  const { start, end } = difference(before.text, sheet.text);
  const typed = /^(insertText|insertCompositionText|deleteContent)/.test(event.inputType);
  history.record(before, { step: !typed || end - start > 1 });
  page.notice.textContent = "";
  draftChanged();
}

function rememberCaret() {
  caret = { start: page.lyrics.selectionStart, end: page.lyrics.selectionEnd };
}

function write({ text, caret: place = 0 }) {
  page.lyrics.removeEventListener("input", onInput);
  sheet.replace(text, place);
  page.lyrics.addEventListener("input", onInput);
  rememberCaret();
  draftChanged({ pause: 0 });
}

function writeAnew(text, notice) {
  if (text === sheet.text) return;
  const lost = countWords(sheet.text) && !says.DRAFTS.some(({ lyrics }) => lyrics === sheet.text);
  history.record(snapshot(), { step: true });
  page.pane.scrollTop = 0;
  write({ text });
  page.notice.textContent = lost ? notice : "";
}

function draftChanged(options) {
  const { text } = sheet;
  stored = keep(text);
  showSheet(text);
  ask(options);
}

function forget() {
  service.rest();
  keep("");
  history.forget();
  page.lyrics.value = "";
  sheet.follow();
  pinned = null;
  rememberCaret();
  draftChanged();
  page.notice.textContent = "Rascunho esquecido.";
  page.lyrics.focus();
}

// Asking

function ask(options) {
  const { text } = sheet;
  if (!countWords(text)) {
    service.rest();
    showBlank();
  } else if ([...text].length > LIMIT) {
    service.rest();
    showTrouble({ kind: "refused", told: "A letra passou do limite. Encurte um pouco para ter um palpite." });
  } else {
    if (!latest) showVerdict(says.READING);
    service.want({ lyrics: text, genre: pinned }, options);
  }
}

function choose(genre) {
  pinned = genre === pinned ? null : genre;
  if (latest) bars.show(latest.answer.probabilities, pinned ?? first(latest.answer), Boolean(pinned));
  ask({ pause: 0 });
}

function first({ probabilities }) {
  return Object.keys(probabilities)[0];
}

// Showing

function showSheet(text) {
  const lines = text.split("\n").filter((line) => line.trim()).length;
  const length = [...text].length;
  page.room.textContent = roomLeft(length, countWords(text), lines, LIMIT);
  page.room.classList.toggle("over", length > LIMIT);
  const focused = document.activeElement;
  page.undo.disabled = !history.canUndo;
  page.redo.disabled = !history.canRedo;
  page.save.disabled = page.fresh.disabled = !text;
  // A button that has nothing more to do hands the focus on.
  if (focused === page.undo && page.undo.disabled) page.redo.focus();
  if (focused === page.redo && page.redo.disabled) page.undo.focus();
  page.privacy.textContent = stored
    ? "Seu rascunho fica só neste navegador. O serviço o lê para responder e não o guarda."
    : "Este navegador não deixa guardar o rascunho: salve-o antes de sair. O serviço o lê para responder e não o guarda.";
}

function showBlank() {
  latest = null;
  pinned = null;
  clearTrouble();
  showVerdict(says.BLANK);
  showWarnings([]);
  sheet.clear();
  announce("");
  for (const part of [page.genres, page.evidence, page.company, page.legend]) part.hidden = true;
  page.main.className = "blank";
  page.examples.open = true;
  document.title = `${says.TITLE} O gênero da sua letra`;
}

function showAnswer(question, answer) {
  const said = says.verdict(answer);
  if (!latest) page.examples.open = false;
  latest = { question, answer };
  clearTrouble();
  showVerdict(said);
  showWarnings(said.warnings);
  page.main.className = said.known ? (said.doubtful ? "doubtful" : "known") : "unsure";
  document.title = said.known ? `${said.title} · ${says.TITLE}` : says.TITLE;

  // While the answer to a choice is on its way the choice stands.
  page.genres.hidden = false;
  bars.show(answer.probabilities, pinned ?? first(answer), Boolean(pinned));
  if (question.genre === pinned) explain(question.lyrics, answer);

  page.company.hidden = !answer.similar_artists?.length;
  showArtists(page.artists, answer.similar_artists ?? []);
  if (answer.model) page.model.textContent = says.model(answer.model);

  const about = pinned && pinned !== said.title ? ` Na folha, o que fala por ${pinned}.` : "";
  announce(`${said.lead}${said.known ? " " : ": "}${said.title}.${about}`);
}

function explain(sent, { explanation, genre }) {
  // What a text that is too short or in another language says word by word is worth nothing, unless it was asked for.
  const shown = explanation && (genre !== null || pinned);
  page.evidence.hidden = page.legend.hidden = !shown;
  if (!shown) return sheet.clear();
  const words = inCodeUnits(sent, explanation.words);
  const lines = inCodeUnits(sent, explanation.lines);
  sheet.tint(sent, words, lines);
  page.subject.textContent = page.spoken.textContent = explanation.genre;
  page.choice.hidden = !pinned;
  showEvidence(page, sent, words, lines, (start, end) => showVerse(sent, start, end));
}

function showVerse(sent, start, end) {
  const { start: from, end: to, delta } = difference(sent, sheet.text);
  const by = start >= to ? delta : 0;
  if (end <= from || start >= to) sheet.select(start + by, end + by);
}

function showVerdict({ lead, title, detail }) {
  page.lead.textContent = lead;
  page.title.textContent = title;
  page.detail.textContent = detail;
  page.detail.hidden = !detail;
}

function showWarnings(warnings) {
  page.warnings.hidden = !warnings.length;
  page.warnings.replaceChildren(
    ...warnings.map((warning) => Object.assign(document.createElement("li"), { textContent: says.warning(warning) })),
  );
}

function showTrouble(trouble) {
  if (trouble.code === "unknown_genre" && pinned) return choose(pinned); // Of a model that has gone meanwhile.
  const message = says.trouble(trouble);
  if (page.trouble.textContent !== message) page.trouble.textContent = message;
  page.retry.hidden = !trouble.again;
  page.main.classList.add("stale");
  if (!latest) showVerdict({ lead: "Sem palpite", title: "Ainda sem resposta", detail: "" });
}

function clearTrouble() {
  page.trouble.textContent = "";
  page.retry.hidden = true;
  page.main.classList.remove("stale");
}

function showDrafts() {
  for (const { title, lyrics } of says.DRAFTS) {
    const button = document.createElement("button");
    button.type = "button";
    const [name, verse] = ["strong", "span"].map((tag) => document.createElement(tag));
    name.textContent = title;
    verse.textContent = lyrics.split("\n", 2).join("\n");
    button.append(name, " ", verse);
    button.addEventListener("click", () => {
      writeAnew(lyrics, "Seu rascunho saiu da folha; Desfazer o traz de volta.");
    });
    const item = document.createElement("li");
    item.append(button);
    page.drafts.append(item);
  }
}

// Start

page.lyrics.addEventListener("input", onInput);
document.addEventListener("selectionchange", () => document.activeElement === page.lyrics && rememberCaret());
page.undo.addEventListener("click", () => write(history.undo(snapshot())));
page.redo.addEventListener("click", () => write(history.redo(snapshot())));
page.fresh.addEventListener("click", () => {
  writeAnew("", "Folha nova. Desfazer traz o rascunho de volta.");
  page.lyrics.focus();
});
page.save.addEventListener("click", () => download(sheet.text));
page.forget.addEventListener("click", () => page.forgetting.showModal());
page.forgetting.addEventListener("close", () => {
  if (page.forgetting.returnValue === "forget") forget();
  page.forgetting.returnValue = "";
});
page.follow.addEventListener("click", () => {
  choose(pinned);
  page.bars.querySelector("button")?.focus({ preventScroll: true });
});
page.retry.addEventListener("click", () => service.retry());
addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() === "s" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
    event.preventDefault();
    if (sheet.text) download(sheet.text);
  }
});
addEventListener("beforeunload", (event) => {
  if (!stored && sheet.text) event.preventDefault();
});

if (!page.lyrics.value) page.lyrics.value = restore(); // Somebody may have begun to write before this was loaded.
sheet.follow();
showDrafts();
draftChanged({ pause: 0 });
fetchModel().then(
  (model) => (page.model.textContent = says.model(model)),
  () => {}, // Every answer brings the model too.
);
