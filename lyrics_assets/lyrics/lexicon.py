"""Words that the trends know by kind: themes and function words of Portuguese, as `normalise` writes them.

The themes are a lexicon of this project's own, written by hand and measured against no reader's judgement. Its limits:
it knows words, not what they mean in a line (irony, negation, "mar" in "mar de gente"); accents are folded, so "avô"
and "avó" are one word; a theme that is sung of in other words is missed. Compare a theme with itself over dates and
genres; its share is no measure of how many songs are about it.
"""

from collections.abc import Iterable

THEME_WORDS = 2
"""Different words of a theme that a song must hold to be counted for it: one "amor" is in every other song."""

_THEMES = {
    "love": """
        amor amores amar amo ama amava amei amado amada amados amante amantes apaixonado apaixonada apaixonados
        apaixonar apaixonei apaixonou paixao paixoes beijo beijos beijar beijei beijou beija beijinho abraco abracos
        abracar abraca carinho carinhos namorado namorada namorar namoro querida querido coracao coracoes casar
        casamento noiva noivo alianca desejo desejos ternura romance sedutor seduzir
    """,
    "longing": """
        saudade saudades saudoso saudosa lembranca lembrancas lembrar lembro lembra lembrei lembrou recordar recordo
        recordacao recordacoes memoria memorias ausencia ausente distancia distante longe solidao sozinho sozinha
        partiu partida despedida despediu adeus esperando espero volte voltasse retrato foto fotografia fotos falta
        vazio vazia antigamente passado outrora
    """,
    "faith": """
        deus jesus cristo senhor fe espirito aleluia gloria glorias louvor louvores louvar louvo louvai adorar adoro
        adoracao adorador orar oracao oracoes oro reza rezar rezo rezei rezou bencao bencaos abencoado abencoada
        abencoar milagre milagres igreja biblia salvador salvacao salvo cruz calvario pecado pecados perdao redentor
        graca altar santo santa santos anjo anjos ungido uncao profeta profecia promessa misericordia cordeiro pastor
        eterno eternidade messias divino divina orixa axe
    """,
    "party": """
        festa festas balada baladas baile bailes danca dancar dancando dancou dance pista dj batidao paredao rebola
        rebolar rebolando rebolou requebra requebrar sentar sentando sarrada quicar quica remexe remexer carnaval
        folia bloco trio micareta farra curtir curtindo zoeira agito noitada alegria animar galera pagode sanfona
        forro arrasta arrastape
    """,
    "heartbreak and drink": """
        sofrer sofrendo sofro sofri sofreu sofrencia sofrimento chorar chora choro chorei chorou chorando chore
        lagrima lagrimas dor dores magoa magoas ferida feridas trair traicao traiu traido traida ex largou larguei
        terminou termino separacao ciume ciumes desilusao ilusao ingrata ingrato bebida bebidas beber bebo bebi
        bebendo bebeu bebado bebada cachaca cerveja cervejas pinga whisky vodka dose doses copo copos garrafa garrafas
        boteco bar balcao garcom porre ressaca gole goles
    """,
    "countryside": """
        roca sertao sertanejo sertaneja fazenda fazendas fazendeiro boi boiada bois boiadeiro gado vaca vacas vaqueiro
        vaquejada cavalo cavalos egua peao peoes rodeio rodeios laco lacar porteira curral rancho ranchos sitio
        caipira caboclo cabocla viola violeiro moda estradao poeira chapeu botas espora esporas berrante milho
        colheita plantar plantacao plantei enxada lavoura trator caminhoneta pasto capim fogao lenha
    """,
    "city and violence": """
        favela favelas quebrada quebradas periferia morro morros beco becos viela vielas gueto comunidade rua ruas
        esquina esquinas asfalto policia viatura sirene cadeia prisao cela grade algema crime crimes criminoso bandido
        bandidos ladrao trafico traficante droga drogas tiro tiros bala balas arma armas fuzil pistola revolver guerra
        sangue morte morrer matar matou mataram violencia racismo preconceito mano manos moleque moleques sobreviver
        sistema
    """,
    "money and status": """
        dinheiro grana cifrao milhao milhoes milionario rico rica ricos riqueza ouro prata diamante diamantes anel
        joia joias luxo ostentar ostentacao ostentando mansao iate jatinho nave naves carrao importado importada
        mercedes bmw porsche ferrari hilux moto motos grife nike lacoste gucci rolex champanhe camarote vip fama
        famoso famosa sucesso banco cartao pagar pago pagou notas patrao patroa
    """,
    "nature and sea": """
        mar mares praia praias areia onda ondas mare barco barcos jangada pescador rio rios cachoeira cachoeiras
        lagoa floresta mata matas serra serras montanha montanhas arvore arvores flor flores rosa rosas jardim jardins
        passaro passaros passarinho sol lua luar estrela estrelas ceu chuva vento ventos nuvem nuvens terra primavera
        verao inverno orvalho semente raiz raizes folha folhas
    """,
    "family": """
        mae maes mamae mainha pai papai painho filho filhos filha filhas filhinho filhinha irmao irmaos irma irmas avo
        avos vovo neto netos neta tia tio tios primo prima primos familia familias crianca criancas menino menina
        infancia berco colo madrinha padrinho compadre comadre esposa esposo marido herdeiro
    """,
}

THEMES: tuple[str, ...] = tuple(_THEMES)
"""Names of the themes."""

THEME_OF: dict[str, str] = {word: theme for theme, words in _THEMES.items() for word in words.split()}
"""The one theme of each word of the lexicon."""

_FUNCTION_WORDS = """
    a ao aos as o os um uma uns umas de do da dos das dum duma em no na nos nas num numa por pelo pela pelos pelas
    para pra pro pras pros com sem sob sobre ate desde entre contra apos ante perante tras e ou mas nem que quem qual
    quais quando quanto quanta quantos quantas como onde aonde porque pois porem se entao enquanto embora caso logo
    portanto eu tu ele ela vos eles elas voce voces ce me te lhe lhes mim ti si comigo contigo consigo conosco meu
    minha meus minhas teu tua teus tuas seu sua seus suas nosso nossa nossos nossas dele dela deles delas este esta
    estes estas esse essa esses essas aquele aquela aqueles aquelas isto isso aquilo neste nesta nesse nessa naquele
    naquela deste desta desse dessa disso disto daquele daquela nele nela neles nelas ai ali aqui la ca nao sim ja so
    mais menos muito muita muitos muitas pouco pouca tao tanto tanta tambem ainda agora sempre nunca talvez assim bem
    mal todo toda todos todas tudo nada cada algum alguma alguns algumas alguem ninguem nenhum nenhuma outro outra
    outros outras mesmo mesma mesmos mesmas qualquer tal sou es somos sao era eram foi fui fomos foram ser sendo sido
    seja fosse estou ta to tamo estamos estao estava tava tavam estar esteja tenho tem tens temos tinha tinham ter
    teve tive tendo tido ha havia haver vou vai vais vamos vao ia iam ir indo vem vim vir pode posso podia vez dai
    dali daqui oh ah ei eh uh hey le ne
"""

FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Words of grammar and interjections: their rise tells of style or of speech, not of what is sung about."""


def themes_of(words: Iterable[str]) -> list[str]:
    """Return the themes, in the order of THEMES, of which a song of these different normalised words holds enough."""
    found = [THEME_OF[word] for word in words if word in THEME_OF]
    return [theme for theme in THEMES if found.count(theme) >= THEME_WORDS]
