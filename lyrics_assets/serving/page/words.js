// What the page says, and in which form: Brazilian Portuguese, its numbers and dates.

export const whole = new Intl.NumberFormat("pt-BR");
export const percent = new Intl.NumberFormat("pt-BR", { style: "percent" });
const score = new Intl.NumberFormat("pt-BR", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const longDate = new Intl.DateTimeFormat("pt-BR", { dateStyle: "long", timeZone: "UTC" });

export const TITLE = "Soa como?";
export const BLANK = {
  lead: "Folha em branco",
  title: "Qual é o primeiro verso?",
  detail: "O palpite aparece aqui enquanto você escreve.",
};
export const READING = { lead: "Um instante", title: "Lendo…", detail: "" };

const WARNINGS = {
  too_short: "Ainda há pouco texto. Escreva mais alguns versos.",
  not_portuguese: "Isto não parece português, a única língua que o modelo lê.",
  unlike_anything_known: "Quase nenhuma destas palavras aparece nas letras que o modelo leu.",
  close_call: "Dois gêneros estão quase empatados.",
};

// Of several reasons the first is told: more verses do not make another language Portuguese.
const WITHOUT_GENRE = {
  not_portuguese: "Não parece português",
  too_short: "Cedo para dizer",
  unlike_anything_known: "Não conheço nada assim",
};

const REFUSED = {
  413: "A letra é grande demais para o serviço. Encurte um pouco para ter um palpite.",
  415: "O serviço não entendeu o pedido desta página. Recarregue-a; seu texto fica guardado.",
};

export function counted(number, one, many) {
  return `${whole.format(number)} ${number === 1 ? one : many}`;
}

export function share(probability) {
  return probability < 0.005 ? "<1%" : percent.format(probability);
}

export function verdict({ genre, confidence, probabilities, warnings }) {
  const [first, second] = Object.entries(probabilities);
  const codes = warnings.map(({ code }) => code);
  if (genre === null) {
    const reason = Object.keys(WITHOUT_GENRE).find((code) => codes.includes(code));
    const told = warnings.filter(({ code }) => code === reason || !(code in WITHOUT_GENRE));
    const title = WITHOUT_GENRE[reason] ?? "Cedo para dizer";
    return { lead: "Sem palpite", title, detail: "", warnings: told, known: false };
  }
  if (codes.includes("close_call") && second) {
    const title = `${first[0]} e ${second[0]}`;
    const detail = `${share(first[1])} contra ${share(second[1])}.`;
    const told = warnings.filter(({ code }) => code !== "close_call"); // The verdict says it.
    return { lead: "Em dúvida entre", title, detail, warnings: told, known: true, doubtful: true };
  }
  const detail = `${confidenceInWords(confidence)}: ${share(confidence)}.`;
  return { lead: "Soa como", title: genre, detail, warnings, known: true };
}

function confidenceInWords(confidence) {
  if (confidence >= 0.8) return "Quase certeza";
  if (confidence >= 0.55) return "Bem provável";
  if (confidence >= 0.35) return "Um bom palpite";
  return "Um palpite, com folga para errar";
}

export function warning({ code, message }) {
  return message || WARNINGS[code] || "";
}

export function trouble({ kind, status, told }) {
  switch (kind) {
    case "slow":
      return "A resposta está demorando. Pode continuar a escrever.";
    case "offline":
      return "Você está sem conexão. Seu texto está a salvo, e o palpite volta junto com ela.";
    case "refused":
      return told || REFUSED[status] || "O serviço não conseguiu ler esta letra. Seu texto continua aqui.";
    case "timeout":
      return "A resposta não veio a tempo. Seu texto está a salvo; vou tentar de novo.";
    default:
      if (status === 429) return "Há muita gente escrevendo agora. Seu texto está a salvo; já volto a tentar.";
      if (status === 503) return "O serviço está ocupado ou acordando. Seu texto está a salvo; já volto a tentar.";
      if (status === 504) return "O serviço demorou demais. Seu texto está a salvo; já volto a tentar.";
      return "O serviço não respondeu. Seu texto está a salvo; já volto a tentar.";
  }
}

export function model(release) {
  const { version, extraction_dates: dates, n_train: songs, macro_f1: mark, macro_f1_interval: interval } = release;
  const [first, last] = [dates.at(0), dates.at(-1)].map((date) => new Date(date));
  const range = longDate.formatRange(first, last).replace(/\s*–\s*/, " a ");
  const when = first < last ? `de ${range}` : `em ${longDate.format(first)}`;
  const [low, high] = interval.map((end) => score.format(end));
  return (
    `O modelo de hoje (versão ${version}) aprendeu com ${counted(songs, "letra, colhida", "letras, colhidas")} ${when}. ` +
    `Em músicas de artistas que nunca tinha lido, tirou nota ${score.format(mark)} de 1 ` +
    `(macro-F1; entre ${low} e ${high}): todos os gêneros pesam igual, e 1 seria acertar sempre.`
  );
}

export const DRAFTS = [
  {
    title: "Ladeira",
    lyrics: `Desci a ladeira com o sol na mão,
deixei a saudade na porta do bar,
o samba chegou, me chamou pro salão
e a dor que eu trazia esqueceu de entrar.

Bate, cavaco, que o morro acordou:
hoje a tristeza não sabe sambar.
Se o surdo responde, a roda fechou,
ninguém vai embora sem antes cantar.`,
  },
  {
    title: "Fogueira",
    lyrics: `Quando a lua clareia o meu sertão,
a sanfona chora e eu choro também,
levanta a poeira no meio do salão,
vem dançar agarradinho, meu bem.

Fogueira acesa, noite de São João:
quem tem um chamego não quer mais ninguém.`,
  },
  {
    title: "Caderno",
    lyrics: `Saí da quebrada com caderno e caneta,
cada rima que eu faço é um passo pra meta.
Minha mãe de pé cedo, busão lotado,
eu gravando no quarto, sonhando acordado.

O sistema fecha a porta, eu abro no verso,
do fundo da viela pro meu universo.`,
  },
  {
    title: "Deserto",
    lyrics: `Senhor, no deserto a tua voz me chamou,
de mãos vazias eu venho te louvar.
A graça que eu não busquei me encontrou
e fez do meu pranto um altar.

Aleluia, se a noite demora a passar,
a tua luz não demora a chegar.`,
  },
];
