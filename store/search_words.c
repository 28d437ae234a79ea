/* Stop words: words so common that as query terms they cost time and decide nothing. Folded as the index
 * folds them, sorted by bytes. English in full; of other languages the commonest function words, without
 * those that are content words of English ("die", "war", "son", "man"). */
#include "store/search_int.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const char *const stop_words[] = {
    "a", "aan", "aber", "about", "above", "after", "again", "against", "agli", "al", "algo", "all", "alla",
    "alle", "als", "also", "an", "anche", "and", "any", "ao", "aos", "are", "aren", "as", "at", "au",
    "auch", "auf", "aus", "aux", "avec", "be", "because", "been", "before", "bei", "beim", "being", "below",
    "between", "bij", "bis", "both", "but", "by", "can", "cannot", "ce", "cet", "cette", "che", "comme",
    "como", "cosa", "could", "couldn", "cual", "cuando", "d", "da", "dal", "dalla", "damit", "dann", "dans",
    "dass", "dat", "de", "degli", "dei", "dein", "deja", "del", "dela", "dele", "della", "delle", "dem",
    "denn", "der", "desde", "deze", "di", "dich", "did", "didn", "dit", "doch", "does", "doesn", "doing",
    "don", "donc", "donde", "done", "door", "dort", "dove", "down", "du", "durch", "during", "e", "each",
    "een", "ein", "eine", "einem", "einen", "einer", "eines", "either", "el", "ela", "ele", "ellas", "elle",
    "elles", "ellos", "else", "en", "entre", "eres", "es", "esa", "ese", "eso", "essa", "esse", "est",
    "esta", "este", "esto", "et", "etait", "etc", "etre", "eu", "euch", "euer", "eux", "ever", "few", "foi",
    "for", "from", "fue", "fur", "further", "geen", "get", "gets", "gli", "got", "haar", "had", "hadn",
    "has", "hasn", "hasta", "hatte", "have", "haven", "having", "hay", "he", "heb", "hebben", "heeft",
    "her", "here", "hers", "herself", "het", "hier", "hij", "him", "himself", "his", "hoe", "how", "i",
    "ich", "ici", "if", "ihm", "ihn", "ihr", "ihre", "ik", "ils", "im", "in", "into", "is", "isn", "isso",
    "ist", "isto", "it", "its", "itself", "j", "je", "jede", "jeder", "just", "kan", "kann", "kein",
    "keine", "las", "le", "les", "let", "leur", "leurs", "lhe", "ll", "loro", "los", "lui", "m", "maar",
    "mais", "mas", "me", "mein", "meine", "mesmo", "meu", "mich", "might", "mij", "mijn", "minha", "mio",
    "mir", "mis", "mit", "moi", "more", "most", "must", "mustn", "muy", "my", "myself", "na", "naar",
    "nach", "nao", "nas", "nel", "nella", "nem", "ni", "nicht", "niet", "no", "noch", "nog", "nor", "nos",
    "not", "notre", "nous", "now", "nu", "nur", "o", "ob", "oder", "of", "off", "ohne", "om", "on", "once",
    "onder", "only", "ons", "ont", "onze", "ook", "or", "other", "ou", "ought", "our", "ours", "ourselves",
    "out", "over", "own", "para", "pela", "pelo", "perche", "pero", "piu", "por", "porque", "qu", "qual",
    "quando", "que", "quel", "quella", "quelle", "quello", "quem", "questa", "questo", "qui", "quien", "re",
    "s", "sa", "same", "sans", "sao", "schon", "se", "sehr", "sein", "seine", "ses", "seu", "shall", "shan",
    "she", "should", "shouldn", "si", "sich", "sie", "sind", "so", "sobre", "some", "sono", "sont", "su",
    "such", "suo", "sus", "t", "tambem", "tambien", "tem", "than", "that", "the", "their", "theirs", "them",
    "themselves", "then", "there", "these", "they", "this", "those", "though", "through", "thus", "tiene",
    "to", "toi", "too", "tra", "tres", "tuo", "tus", "uber", "uit", "um", "uma", "un", "una", "und",
    "under", "une", "uno", "unos", "uns", "unser", "unter", "until", "up", "upon", "us", "van", "ve",
    "veel", "very", "voce", "vom", "von", "voor", "vor", "vos", "votre", "vous", "waar", "wann", "warum",
    "was", "wasn", "wat", "we", "weil", "wel", "wenn", "werd", "werden", "were", "weren", "what", "when",
    "where", "which", "while", "who", "whom", "whose", "why", "wieder", "wij", "will", "wird", "with", "wo",
    "won", "wordt", "would", "wouldn", "y", "ya", "yet", "yo", "you", "your", "yours", "yourself",
    "yourselves", "ze", "zei", "zich", "zij", "zijn", "zou", "zu", "zum", "zur", "zwischen", "а", "без",
    "бы", "был", "была", "были", "было", "быть", "в", "вам", "вас", "весь", "во", "вот", "все", "всё", "вы",
    "где", "да", "для", "до", "его", "ее", "если", "есть", "еще", "ещё", "её", "же", "за", "и", "из", "или",
    "им", "их", "к", "как", "когда", "кто", "ли", "меня", "мне", "мой", "моя", "мы", "на", "над", "нам",
    "нас", "не", "него", "нее", "нет", "неё", "ни", "них", "но", "о", "об", "он", "она", "они", "оно", "от",
    "по", "под", "при", "с", "со", "так", "там", "тебя", "то", "только", "ты", "у", "уже", "что", "чтобы",
    "эта", "эти", "это", "этот", "я",
};
/* clang-format on */

static int word_cmp(const void *key, const void *slot)
{
    const struct bytes *word = key;
    const char *other = *(const char *const *)slot;
    size_t i = 0;
    while (i < word->n && other[i] != '\0' && word->p[i] == (uint8_t)other[i])
        i++;
    return (i < word->n ? word->p[i] : 0) - (uint8_t)other[i];
}

bool search_stop_word(struct bytes word)
{
    return bsearch(&word, stop_words, sizeof stop_words / sizeof *stop_words, sizeof *stop_words, word_cmp) !=
           NULL;
}
