const LIMIT = 20_000;
const NEAR_LIMIT = 18_000;
const FEW_WORDS = 20;
const DOUBT = 0.35;
const PAUSE_MS = 150;
const SLOW_MS = 1_500;
const TIMEOUT_MS = 10_000;
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 16_000];
const STORED = "soa-como:rascunho";

const DRAFTS = [
  `Desci a ladeira com o sol na mão,
deixei a saudade na porta do bar,
o samba chegou, me chamou pro salão
e a dor que eu trazia esqueceu de entrar.
Bate, cavaco, que o morro acordou:
hoje a tristeza não sabe sambar.`,
  `Quando a lua clareia o meu sertão,
a sanfona chora e eu choro também,
levanta a poeira no meio do salão,
vem dançar agarradinho, meu bem.
Fogueira acesa, noite de São João:
quem tem um chamego não quer mais ninguém.`,
  `Saí da quebrada com caderno e caneta,
cada rima que eu faço é um passo pra meta.
Minha mãe de pé cedo, busão lotado,
eu gravando no quarto, sonhando acordado.
O sistema fecha a porta, eu abro no verso,
do fundo da viela pro meu universo.`,
];

const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

const whole = new Intl.NumberFormat("pt-BR");
const score = new Intl.NumberFormat("pt-BR", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const percent = new Intl.NumberFormat("pt-BR", { style: "percent" });
const longDate = new Intl.DateTimeFormat("pt-BR", { dateStyle: "long", timeZone: "UTC" });

const rows = new Map();
let timer;
let request;
let failures = 0;
let announced = "";
let replaced = "";

// The draft

function countWords(text) {
  return text.match(/[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu)?.length ?? 0;
}

function restoreDraft() {
  try {
    return localStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}

function keepDraft(text) {
  try {
    localStorage.setItem(STORED, text);
  } catch {
    // Without storage the page works as well; only a reload loses the draft.
  }
}

function replaceDraft(text) {
  const current = page.lyrics.value;
  if (countWords(current) && !DRAFTS.includes(current)) replaced = current;
  page.lyrics.value = text;
  page.lyrics.scrollTop = 0;
  page.replaced.hidden = !replaced || replaced === text;
  draftChanged(0);
}

function draftChanged(pause) {
  const text = page.lyrics.value;
  keepDraft(text);
  page.clear.hidden = !text;
  showRoom(text.length);
  failures = 0;
  schedule(pause);
}

// Asking the service

function schedule(pause) {
  clearTimeout(timer);
  timer = setTimeout(ask, pause);
}

async function ask() {
  request?.abort();
  request = undefined;
  const lyrics = page.lyrics.value;
  const words = countWords(lyrics);
  if (!words) return showEmpty();
  if (lyrics.length > LIMIT) return showTrouble("A letra passou do limite. Encurte um pouco para ter um palpite.");

  const own = (request = new AbortController());
  if (!rows.size) showVerdict("Um instante", "Lendo…", "");
  const slow = setTimeout(() => showTrouble("A resposta está demorando…"), SLOW_MS);
  const timeout = setTimeout(() => own.abort(), TIMEOUT_MS);
  try {
    const answer = await classify(lyrics, own.signal);
    if (own === request) showAnswer(answer, words);
  } catch (error) {
    if (own === request) recover(error);
  } finally {
    clearTimeout(slow);
    clearTimeout(timeout);
  }
}

async function classify(lyrics, signal) {
  const response = await fetch("classify", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ lyrics }),
    signal,
  });
  if (!response.ok) throw Object.assign(new Error(response.statusText), { status: response.status });
  return response.json();
}

function recover({ status }) {
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
    showTrouble("O serviço não conseguiu ler esta letra. Seu texto continua aqui.");
  } else if (failures < RETRY_MS.length) {
    schedule(RETRY_MS[failures]);
    failures += 1;
    showTrouble(
      navigator.onLine
        ? "Sem resposta do serviço. Seu texto está a salvo; vou tentar de novo."
        : "Você está sem conexão. Seu texto está a salvo, e o palpite volta junto com ela.",
    );
  } else {
    showTrouble("O serviço segue sem responder. Seu texto está a salvo aqui.");
    page.retry.hidden = false;
  }
}

function retry() {
  failures = 0;
  schedule(0);
}

async function loadModel() {
  const response = await fetch("model");
  if (response.ok) showModel(await response.json());
}

// Showing

function showEmpty() {
  clearTrouble();
  rows.clear();
  page.bars.replaceChildren();
  page.bars.hidden = true;
  announced = "";
  page.announcement.textContent = "";
  showVerdict("Folha em branco", "Qual é o primeiro verso?", "O palpite aparece aqui enquanto você escreve.");
}

function showAnswer({ genre, confidence, probabilities, model }, words) {
  failures = 0;
  clearTrouble();
  const ranking = Object.entries(probabilities).sort(([, a], [, b]) => b - a);
  const [first, second] = ranking.map(([name, share]) => ({ name, share: percent.format(share) }));
  const doubtful = confidence < DOUBT;
  const lead = doubtful ? "Ainda em dúvida entre" : "Soa como";
  const title = doubtful ? `${first.name} e ${second.name}` : genre;
  let detail = doubtful ? `${first.share} contra ${second.share}.` : `${confidenceInWords(confidence)}: ${first.share}.`;
  if (words < FEW_WORDS) detail += " Escreva mais alguns versos para um palpite melhor.";

  showVerdict(lead, title, detail);
  page.answer.classList.toggle("doubtful", doubtful);
  showBars(ranking);
  showModel(model);
  if (genre !== announced) {
    announced = genre;
    page.announcement.textContent = `${lead} ${title}.`;
  }
}

function confidenceInWords(confidence) {
  if (confidence >= 0.8) return "Quase certeza";
  if (confidence >= 0.55) return "Bem provável";
  return "Um bom palpite";
}

function showVerdict(lead, title, detail) {
  page.lead.textContent = lead;
  page.title.textContent = title;
  page.detail.textContent = detail;
}

function showBars(ranking) {
  page.bars.hidden = false;
  const top = page.bars.getBoundingClientRect().top;
  const before = new Map();
  for (const [genre, row] of rows) {
    before.set(genre, { y: row.item.getBoundingClientRect().top - top, bar: getComputedStyle(row.bar).transform });
  }
  for (const [genre, share] of ranking) {
    if (!rows.has(genre)) rows.set(genre, createRow(genre));
    const row = rows.get(genre);
    row.share.textContent = share < 0.005 ? "<1%" : percent.format(share);
    row.bar.style.setProperty("--share", share);
  }
  page.bars.replaceChildren(...ranking.map(([genre]) => rows.get(genre).item));
  for (const [genre] of ranking) {
    const { item, bar } = rows.get(genre);
    const old = before.get(genre) ?? { y: item.offsetTop, bar: "scaleX(0)" };
    glide(item, `translateY(${old.y - item.offsetTop}px)`);
    glide(bar, old.bar);
  }
}

function createRow(genre) {
  const item = document.createElement("li");
  const [name, share, bar] = ["name", "share", "bar"].map((part) => {
    const element = document.createElement("span");
    element.className = part;
    return element;
  });
  name.textContent = genre;
  item.append(name, " ", share, bar);
  return { item, share, bar };
}

function glide(element, from) {
  const duration = reducedMotion.matches ? 0 : 450;
  element.animate([{ transform: from, offset: 0 }], { duration, easing: "cubic-bezier(.2, .7, .2, 1)" });
}

function showTrouble(message) {
  page.trouble.textContent = message;
  page.answer.classList.add("stale");
}

function clearTrouble() {
  page.trouble.textContent = "";
  page.retry.hidden = true;
  page.answer.classList.remove("stale");
}

function showRoom(length) {
  const left = LIMIT - length;
  page.room.classList.toggle("over", left < 0);
  if (length < NEAR_LIMIT) page.room.textContent = "";
  else if (left >= 0) page.room.textContent = `Ainda cabem ${whole.format(left)} caracteres`;
  else page.room.textContent = `${whole.format(-left)} caracteres além do limite`;
}

function showModel({ extraction_dates: dates, n_train: songs, macro_f1: mark, macro_f1_interval: [low, high] }) {
  const [first, last] = [dates.at(0), dates.at(-1)].map((date) => new Date(date));
  const range = longDate.formatRange(first, last).replace(/\s*–\s*/, " a ");
  const when = first < last ? `de ${range}` : `em ${range}`;
  page.model.textContent =
    `O modelo de hoje aprendeu com ${whole.format(songs)} letras, colhidas ${when}. ` +
    `Quanto acerta? Com artistas que nunca tinha lido, tirou nota ${score.format(mark)} de 1 ` +
    `(entre ${score.format(low)} e ${score.format(high)}); nela, todos os gêneros pesam igual, e 1 seria acertar sempre.`;
}

function showDrafts() {
  for (const draft of DRAFTS) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = draft;
    button.addEventListener("click", () => replaceDraft(draft));
    const item = document.createElement("li");
    item.append(button);
    page.drafts.append(item);
  }
}

// Start

page.lyrics.addEventListener("input", () => draftChanged(PAUSE_MS));
page.clear.addEventListener("click", () => {
  replaceDraft("");
  page.lyrics.focus();
});
page.undo.addEventListener("click", () => {
  replaceDraft(replaced);
  page.lyrics.focus();
});
page.retry.addEventListener("click", retry);
addEventListener("online", () => {
  if (page.answer.classList.contains("stale")) retry();
});

page.lyrics.value = restoreDraft();
showDrafts();
showEmpty();
draftChanged(0);
loadModel().catch(() => {}); // Every answer brings the model too.
