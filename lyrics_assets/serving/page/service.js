// Asking the service while somebody writes. At most two questions are on their way, so a slow network still answers in
// the course of typing; the newest answer wins, and what was asked before it is called off. A failed question is asked
// again, ever more slowly, however much is typed meanwhile.

const PAUSE_MS = 90;
const SLOW_MS = 1_500;
const TIMEOUT_MS = 10_000;
const AT_ONCE = 2;
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
const LONGEST_WAIT_MS = 60_000;

export class Service {
  #flying = new Map();
  #asked = 0;
  #answered = 0;
  #failures = 0;
  #wanted = null;
  #held = false;
  #timer;
  #slow;
  #onAnswer;
  #onTrouble;

  constructor({ onAnswer, onTrouble }) {
    this.#onAnswer = onAnswer;
    this.#onTrouble = onTrouble;
    addEventListener("online", () => this.retry());
    document.addEventListener("visibilitychange", () => document.hidden || this.retry());
  }

  want(question, { pause = PAUSE_MS } = {}) {
    this.#wanted = question;
    if (!this.#failures) this.#schedule(pause);
  }

  // There is nothing to ask, and no answer to wait for.
  rest() {
    clearTimeout(this.#timer);
    clearTimeout(this.#slow);
    this.#wanted = null;
    this.#held = false;
    this.#failures = 0;
    this.#answered = this.#asked;
    this.#callOff(this.#asked);
  }

  // Ask again at once what failed.
  retry() {
    if (this.#failures && this.#wanted) this.#schedule(0);
  }

  #schedule(pause) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#send(), pause);
  }

  async #send() {
    if (!this.#wanted) return;
    if (this.#flying.size >= AT_ONCE) {
      this.#held = true;
      return;
    }
    this.#held = false;
    const question = this.#wanted;
    const number = (this.#asked += 1);
    const flight = new AbortController();
    this.#flying.set(number, flight);
    const timeout = setTimeout(() => flight.abort("timeout"), TIMEOUT_MS);
    if (this.#flying.size === 1) this.#watch();
    try {
      const answer = await ask(question, flight.signal);
      if (number > this.#answered) this.#deliver(number, question, answer);
    } catch (error) {
      if (number > this.#answered) this.#recover(number, flight.signal.reason === "timeout" ? { kind: "timeout" } : error);
    } finally {
      clearTimeout(timeout);
      this.#flying.delete(number);
      if (this.#held && !this.#failures) this.#send();
    }
  }

  #watch() {
    clearTimeout(this.#slow);
    this.#slow = setTimeout(() => this.#failures || this.#onTrouble({ kind: "slow" }), SLOW_MS);
  }

  #deliver(number, question, answer) {
    this.#answered = number;
    this.#failures = 0;
    this.#callOff(number - 1);
    if (number < this.#asked) this.#watch();
    else clearTimeout(this.#slow);
    this.#onAnswer(question, answer);
  }

  #recover(number, { kind = "down", status, code, told, wait = 0 }) {
    if (number < this.#asked) return; // A newer question is on its way.
    clearTimeout(this.#slow);
    if (kind === "refused") {
      this.#answered = number;
      this.#failures = 0;
      this.#onTrouble({ kind, status, code, told });
      return;
    }
    const pause = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)];
    this.#failures += 1;
    this.#schedule(Math.max(pause, Math.min(wait, LONGEST_WAIT_MS)));
    this.#onTrouble({ kind: navigator.onLine ? kind : "offline", status, again: true });
  }

  #callOff(last) {
    for (const [number, flight] of this.#flying) {
      if (number <= last) flight.abort("superseded");
    }
  }
}

export async function fetchModel() {
  const response = await fetch("model");
  if (!response.ok) throw new Error(response.statusText);
  return response.json();
}

async function ask({ lyrics, genre }, signal) {
  const response = await fetch("classify", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    // Half a character, as a cut-off emoji leaves it, is no text; the places of the others stay.
    body: JSON.stringify({ lyrics: lyrics.toWellFormed?.() ?? lyrics, explain: true, neighbours: 5, genre }),
    cache: "no-store",
    signal,
  });
  if (response.ok) return response.json();
  const { status } = response;
  const temporary = status >= 500 || status === 408 || status === 429;
  const wait = 1_000 * Number(response.headers.get("Retry-After")) || 0;
  if (temporary) throw new Refusal({ kind: "down", status, wait });
  const { error } = await response.json().catch(() => ({}));
  throw new Refusal({ kind: "refused", status, code: error?.code, told: error?.message_pt });
}

class Refusal extends Error {
  constructor(details) {
    super(`answered ${details.status}`);
    Object.assign(this, details);
  }
}
