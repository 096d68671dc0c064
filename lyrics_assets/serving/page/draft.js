// The draft: kept in this browser alone, taken back step by step, saved as a file.

const STORED = "soa-como:rascunho";
const PAUSE_MS = 800;
const MOST_STEPS = 300;

// Storage may be denied or full: then the page works as well, and only a reload loses the draft.

export function restore() {
  try {
    return localStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}

export function keep(text) {
  try {
    if (text) localStorage.setItem(STORED, text);
    else localStorage.removeItem(STORED);
    return true;
  } catch {
    return false;
  }
}

export function download(text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  link.download = `${fileName(text)}.txt`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function fileName(text) {
  const verse = text.split("\n").find((line) => line.trim()) ?? "";
  const plain = verse.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.match(/[a-z0-9]+/g)?.slice(0, 6).join("-").slice(0, 60) || "letra";
}

// The browser's own undo stays as it is; this one has a button, and reaches over examples and new sheets too.

export class History {
  #past = [];
  #future = [];
  #last = 0;

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  // What stood on the sheet before it was changed. What is typed without a pause is one step.
  record(before, { step }) {
    const now = performance.now();
    if (step || now - this.#last > PAUSE_MS || !this.#past.length) this.#past.push(before);
    if (this.#past.length > MOST_STEPS) this.#past.shift();
    this.#future = [];
    this.#last = step ? 0 : now;
  }

  undo(current) {
    return this.#move(this.#past, this.#future, current);
  }

  redo(current) {
    return this.#move(this.#future, this.#past, current);
  }

  forget() {
    this.#past = [];
    this.#future = [];
  }

  #move(from, to, current) {
    to.push(current);
    this.#last = 0;
    return from.pop();
  }
}
