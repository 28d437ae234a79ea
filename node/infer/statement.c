#include "node/infer/statement.h"

#include <string.h>

#define SEPARATOR 0x1e

enum statement_form {
    FORM_PLAIN,
    FORM_VERB /* the object starts with a verb to conjugate */,
    FORM_OBJECT_IS /* "favourite X is Y" */
};

struct predicate {
    const char *lead; /* lower case words that open the clause; "i am" stands for "I'm" too */
    const char *name;
    bool negative;
    const char *yes, *no; /* how the sentence starts */
    enum statement_form form;
};

/* Longer leads before their prefixes. */
static const struct predicate predicates[] = {
    {"i am not allergic to", "allergic", true, "Is allergic to", "Is not allergic to", FORM_PLAIN},
    {"i am allergic to", "allergic", false, "Is allergic to", "Is not allergic to", FORM_PLAIN},
    {"i am not", "is", true, "Is", "Is not", FORM_PLAIN},
    {"i am", "is", false, "Is", "Is not", FORM_PLAIN},
    {"i do not like", "like", true, "Likes", "Dislikes", FORM_PLAIN},
    {"i do not enjoy", "like", true, "Likes", "Dislikes", FORM_PLAIN},
    {"i cannot stand", "like", true, "Likes", "Dislikes", FORM_PLAIN},
    {"i dislike", "like", true, "Likes", "Dislikes", FORM_PLAIN},
    {"i hate", "like", true, "Likes", "Dislikes", FORM_PLAIN},
    {"i really like", "like", false, "Likes", "Dislikes", FORM_PLAIN},
    {"i like", "like", false, "Likes", "Dislikes", FORM_PLAIN},
    {"i love", "like", false, "Likes", "Dislikes", FORM_PLAIN},
    {"i enjoy", "like", false, "Likes", "Dislikes", FORM_PLAIN},
    {"i do not prefer", "prefer", true, "Prefers", "Does not prefer", FORM_PLAIN},
    {"i prefer", "prefer", false, "Prefers", "Does not prefer", FORM_PLAIN},
    {"i do not use", "use", true, "Uses", "Does not use", FORM_PLAIN},
    {"i use", "use", false, "Uses", "Does not use", FORM_PLAIN},
    {"i do not eat", "eat", true, "Eats", "Does not eat", FORM_PLAIN},
    {"i eat", "eat", false, "Eats", "Does not eat", FORM_PLAIN},
    {"i do not drink", "drink", true, "Drinks", "Does not drink", FORM_PLAIN},
    {"i drink", "drink", false, "Drinks", "Does not drink", FORM_PLAIN},
    {"i do not speak", "speak", true, "Speaks", "Does not speak", FORM_PLAIN},
    {"i speak", "speak", false, "Speaks", "Does not speak", FORM_PLAIN},
    {"i do not play", "play", true, "Plays", "Does not play", FORM_PLAIN},
    {"i play", "play", false, "Plays", "Does not play", FORM_PLAIN},
    {"i do not live in", "live", true, "Lives in", "Does not live in", FORM_PLAIN},
    {"i live in", "live", false, "Lives in", "Does not live in", FORM_PLAIN},
    {"i do not work at", "work", true, "Works at", "Does not work at", FORM_PLAIN},
    {"i work at", "work", false, "Works at", "Does not work at", FORM_PLAIN},
    {"i work for", "work", false, "Works at", "Does not work at", FORM_PLAIN},
    {"i work as", "job", false, "Works as", "Does not work as", FORM_PLAIN},
    {"i was born in", "born", false, "Was born in", "Was not born in", FORM_PLAIN},
    {"i was born on", "born", false, "Was born on", "Was not born on", FORM_PLAIN},
    {"i grew up in", "grew", false, "Grew up in", "Did not grow up in", FORM_PLAIN},
    {"i graduated from", "graduated", false, "Graduated from", "Did not graduate from", FORM_PLAIN},
    {"i never", "habit", true, "Always", "Never", FORM_VERB},
    {"i always", "habit", false, "Always", "Never", FORM_VERB},
    {"my name is", "name", false, "Is called", "Is not called", FORM_PLAIN},
    {"my birthday is", "birthday", false, "Has a birthday on", "Has no birthday on", FORM_PLAIN},
    {"my favourite", "favourite", false, "Has as favourite", "Does not have as favourite", FORM_OBJECT_IS},
    {"my favorite", "favourite", false, "Has as favourite", "Does not have as favourite", FORM_OBJECT_IS},
    {"please remind me to", "remind", false, "Asked to be reminded to", "", FORM_PLAIN},
    {"remind me to", "remind", false, "Asked to be reminded to", "", FORM_PLAIN},
    {"remember to", "remind", false, "Asked to be reminded to", "", FORM_PLAIN},
    {"do not forget to", "remind", false, "Asked to be reminded to", "", FORM_PLAIN},
};
#define PREDICATES (sizeof predicates / sizeof predicates[0])

bool statement_is_single(struct bytes predicate)
{
    static const char *const list[] = {"live", "work", "job", "born", "grew", "name", "birthday"};
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (bytes_eq(predicate, bytes_str(list[i])))
            return true;
    }
    return false;
}

bool statement_is_reminder(struct bytes predicate)
{
    return bytes_eq(predicate, BYTES_LIT("remind"));
}

bool statement_name_split(struct bytes name, struct statement_name *out)
{
    const uint8_t *at = name.n > 0 ? memchr(name.p, SEPARATOR, name.n) : NULL;
    size_t n = at == NULL ? 0 : (size_t)(at - name.p);
    if (n == 0 || n + 3 > name.n || (name.p[n + 1] != '+' && name.p[n + 1] != '-'))
        return false;
    out->predicate = bytes_slice(name, 0, n);
    out->negative = name.p[n + 1] == '-';
    out->object = bytes_slice(name, n + 2, name.n);
    return true;
}

/* ---- sentences --------------------------------------------------------------------------------------------
 */

/* A sentence with contractions undone and typographic apostrophes made plain. */
static void sentence_plain(struct bytes s, struct buf *out)
{
    static const struct {
        const char *from, *to;
    } table[] = {{"\xe2\x80\x99", "'"}, {"\xe2\x80\x9c", "\""}, {"\xe2\x80\x9d", "\""}};
    static const struct {
        const char *from, *to;
    } contractions[] = {
        {"i'm ", "I am "}, {"don't ", "do not "}, {"can't ", "cannot "}, {"my name's ", "my name is "}};
    struct buf plain;
    buf_init(&plain, 4096);
    for (size_t i = 0; i < s.n;) {
        size_t hit = 0;
        for (; hit < 3 && !bytes_starts(bytes_slice(s, i, s.n), bytes_str(table[hit].from)); hit++) {
        }
        (void)buf_put(&plain, hit < 3 ? (uint8_t)table[hit].to[0] : s.p[i]);
        i += hit < 3 ? 3 : 1;
    }
    struct bytes p = buf_view(&plain);
    for (size_t i = 0; i < p.n;) {
        bool start = i == 0 || p.p[i - 1] == ' ';
        size_t hit = 0, n = 0;
        for (; start && hit < 4; hit++) {
            n = strlen(contractions[hit].from);
            if (i + n <= p.n && bytes_ieq(bytes_slice(p, i, n), bytes_str(contractions[hit].from)))
                break;
        }
        if (start && hit < 4) {
            (void)buf_str(out, contractions[hit].to);
            i += n;
        } else {
            (void)buf_put(out, p.p[i++]);
        }
    }
    buf_release(&plain);
}

static bool has_word(struct bytes s, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= s.n; i++) {
        if ((i == 0 || s.p[i - 1] == ' ' || s.p[i - 1] == ',') &&
            bytes_ieq(bytes_slice(s, i, n), bytes_str(word)) &&
            (i + n == s.n || s.p[i + n] == ' ' || s.p[i + n] == ','))
            return true;
    }
    return false;
}

/* Conditions, wishes, reports and quotations assert nothing. */
static bool sentence_asserts(struct bytes s, uint8_t end)
{
    static const char *const no[] = {"if",      "unless",  "would",   "wish",  "suppose",
                                     "imagine", "whether", "pretend", "maybe", "perhaps",
                                     "might",   "said",    "says",    "asked", "told"};
    if (end == '?' || s.n < 5 || s.n > 400 || memchr(s.p, '"', s.n) != NULL)
        return false;
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        if (has_word(s, no[i]))
            return false;
    }
    return true;
}

static struct bytes skip_lead_in(struct bytes s)
{
    static const char *const leads[] = {
        "- ",        "* ",           "and ",  "but ", "also ",      "also, ", "well, ", "actually, ",
        "actually ", "by the way, ", "btw, ", "btw ", "fyi, ",      "fyi ",   "note: ", "so ",
        "yes, ",     "no, ",         "ok, ",  "hi, ", "honestly, ", "todo: "};
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++) {
        size_t n = strlen(leads[i]);
        if (s.n > n && bytes_ieq(bytes_slice(s, 0, n), bytes_str(leads[i]))) {
            s = bytes_trim(bytes_slice(s, n, s.n));
            i = SIZE_MAX; /* once more from the start of the table */
        }
    }
    return s;
}

/* The next sentence of a text; *end gets the mark that ended it. Quoted lines ("> …") are passed over. */
static struct bytes sentence_next(struct bytes text, size_t *at, uint8_t *end)
{
    for (;;) {
        while (*at < text.n &&
               (text.p[*at] == ' ' || text.p[*at] == '\n' || text.p[*at] == '\r' || text.p[*at] == '\t'))
            ++*at;
        if (*at >= text.n || text.p[*at] != '>')
            break;
        while (*at < text.n && text.p[*at] != '\n')
            ++*at;
    }
    size_t from = *at;
    *end = 0;
    for (; *at < text.n && *end == 0; ++*at) {
        uint8_t c = text.p[*at];
        bool gap =
            *at + 1 >= text.n || text.p[*at + 1] == ' ' || text.p[*at + 1] == '\n' || text.p[*at + 1] == '\r';
        if (c == '\n' || c == '!' || c == '?' || c == ';' || (c == '.' && gap))
            *end = c;
    }
    return bytes_trim(bytes_slice(text, from, *at - from - (*end != 0)));
}

/* ---- clauses ----------------------------------------------------------------------------------------------
 */

struct statement {
    const struct predicate *p;
    struct bytes object;
    struct bytes rest; /* behind the object: may hold another clause */
};

static size_t object_end(struct bytes s)
{
    static const char *const stops[] = {
        " because ",  " but ",    " and i ", " and my ", " so ",      " when ",      " since ",    " as i ",
        " although ", " though ", " while ", " anymore", " any more", " these days", " right now", " myself"};
    size_t end = s.n;
    for (size_t i = 0; i < s.n; i++) {
        if (memchr(",;:()", s.p[i], 5) != NULL)
            return i < end ? i : end;
        for (size_t k = 0; k < sizeof stops / sizeof stops[0]; k++) {
            size_t n = strlen(stops[k]);
            if (i + n <= s.n && bytes_ieq(bytes_slice(s, i, n), bytes_str(stops[k])))
                return i;
        }
    }
    return end;
}

static struct bytes first_word(struct bytes s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] != ' ')
        n++;
    return bytes_slice(s, 0, n);
}

/* "I am …" says who someone is only sometimes; moods, places to be and doings are gone tomorrow. */
static bool is_lasting(struct bytes object)
{
    static const char *const passing[] = {
        "a bit",    "a little", "able",    "about",   "afraid",   "all",   "also",    "always",
        "angry",    "at",       "aware",   "away",    "back",     "bored", "busy",    "certain",
        "confused", "curious",  "done",    "excited", "fine",     "glad",  "good",    "grateful",
        "happy",    "here",     "home",    "hungry",  "in",       "just",  "late",    "looking",
        "lost",     "not",      "now",     "off",     "ok",       "okay",  "on",      "out",
        "ready",    "really",   "sad",     "sick",    "so",       "sorry", "still",   "stuck",
        "supposed", "sure",     "the one", "there",   "thinking", "tired", "too",     "trying",
        "unable",   "unsure",   "using",   "very",    "well",     "with",  "working", "worried"};
    struct bytes w = first_word(object);
    if (bytes_ends(w, BYTES_LIT("ing")) || bytes_ends(w, BYTES_LIT("ed")))
        return bytes_ieq(w, BYTES_LIT("married")) || bytes_ieq(w, BYTES_LIT("retired"));
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        struct bytes p = bytes_str(passing[i]);
        if (bytes_ieq(w, p) ||
            (object.n > p.n && object.p[p.n] == ' ' && bytes_ieq(bytes_slice(object, 0, p.n), p)))
            return false;
    }
    return true;
}

static bool verb_is_present(struct bytes verb)
{
    static const char *const past[] = {"been", "had",     "was",    "were", "went", "saw",
                                       "did",  "thought", "knew",   "got",  "made", "have",
                                       "seem", "could",   "should", "can",  "will"};
    for (size_t i = 0; i < sizeof past / sizeof past[0]; i++) {
        if (bytes_ieq(verb, bytes_str(past[i])))
            return false;
    }
    return verb.n > 1 && !bytes_ends(verb, BYTES_LIT("ed"));
}

static bool object_fits(const struct predicate *p, struct bytes object)
{
    if (object.n < 2 || object.n > STATEMENT_OBJECT_MAX || !utf8_valid(object))
        return false;
    if (strcmp(p->name, "is") == 0)
        return is_lasting(object);
    if (p->form == FORM_VERB)
        return verb_is_present(first_word(object)) && first_word(object).n < object.n;
    if (p->form == FORM_OBJECT_IS)
        return bytes_ifind(object, BYTES_LIT(" is ")) != SIZE_MAX;
    struct bytes w = first_word(object);
    return !bytes_ieq(w, BYTES_LIT("it")) && !bytes_ieq(w, BYTES_LIT("this")) &&
           !bytes_ieq(w, BYTES_LIT("that")) && !bytes_ieq(w, BYTES_LIT("how"));
}

static bool clause_parse(struct bytes s, struct statement *out)
{
    for (size_t i = 0; i < PREDICATES; i++) {
        struct bytes lead = bytes_str(predicates[i].lead);
        if (s.n <= lead.n + 1 || s.p[lead.n] != ' ' || !bytes_ieq(bytes_slice(s, 0, lead.n), lead))
            continue;
        struct bytes rest = bytes_slice(s, lead.n + 1, s.n);
        size_t n = object_end(rest);
        out->p = &predicates[i];
        out->object = bytes_trim(bytes_slice(rest, 0, n));
        out->rest = bytes_slice(rest, n, rest.n);
        return object_fits(out->p, out->object);
    }
    return false;
}

static void name_put(const struct predicate *p, struct bytes object, struct buf *out)
{
    (void)buf_str(out, p->name);
    (void)buf_put(out, SEPARATOR);
    (void)buf_put(out, p->negative ? '-' : '+');
    (void)text_normalise(object, out);
}

/* ---- walking a text ---------------------------------------------------------------------------------------
 */

struct walk {
    struct buf sentence;
    size_t at, n;
    struct bytes rest; /* of the current sentence */
    struct bytes text;
};

static void walk_init(struct walk *w, struct bytes text)
{
    *w = (struct walk){.text = bytes_slice(text, 0, 16384)};
    buf_init(&w->sentence, 4096);
}

/* A further clause of the sentence: ", and I …", "but my …". */
static struct bytes clause_further(struct bytes rest)
{
    while (rest.n > 0 && memchr(",;:() ", rest.p[0], 6) != NULL)
        rest = bytes_slice(rest, 1, rest.n);
    return skip_lead_in(rest);
}

static bool walk_next(struct walk *w, struct statement *out)
{
    for (;;) {
        if (w->rest.n > 0 && clause_parse(w->rest, out)) {
            w->rest = clause_further(out->rest);
            return true;
        }
        if (w->at >= w->text.n)
            return false;
        uint8_t end;
        struct bytes s = sentence_next(w->text, &w->at, &end);
        buf_clear(&w->sentence);
        sentence_plain(bytes_slice(s, 0, 500), &w->sentence);
        w->rest = buf_view(&w->sentence);
        w->rest = sentence_asserts(w->rest, end) ? skip_lead_in(w->rest) : BYTES_NONE;
    }
}

static bool eats_meat(const struct statement *s)
{
    static const char *const meats[] = {"meat", "beef", "pork", "chicken", "steak", "bacon"};
    for (size_t i = 0;
         strcmp(s->p->name, "eat") == 0 && !s->p->negative && i < sizeof meats / sizeof meats[0]; i++) {
        if (has_word(s->object, meats[i]))
            return true;
    }
    return false;
}

int statements_of(struct bytes text, struct buf *words, name_fn fn, void *ctx)
{
    static const struct predicate not_vegetarian = {"", "is", true, "Is", "Is not", FORM_PLAIN};
    struct walk w;
    struct statement st;
    int rc = 0;
    walk_init(&w, text);
    for (size_t n = 0; rc == 0 && n < STATEMENTS_MAX && walk_next(&w, &st); n++) {
        buf_clear(words);
        name_put(st.p, st.object, words);
        rc = words->err != 0 ? words->err : fn(ctx, buf_view(words));
        if (rc == 0 && eats_meat(&st)) {
            buf_clear(words);
            name_put(&not_vegetarian, BYTES_LIT("vegetarian"), words);
            rc = fn(ctx, buf_view(words));
        }
    }
    buf_release(&w.sentence);
    return rc;
}

/* ---- wording ----------------------------------------------------------------------------------------------
 */

static void verb_put(struct bytes verb, struct buf *out)
{
    uint8_t last = verb.p[verb.n - 1], before = verb.n > 1 ? verb.p[verb.n - 2] : 0;
    bool es = last == 's' || last == 'x' || last == 'z' || last == 'o' ||
              (last == 'h' && (before == 'c' || before == 's'));
    bool ies = last == 'y' && memchr("aeiou", before, 5) == NULL;
    (void)buf_bytes(out, bytes_slice(verb, 0, verb.n - (ies ? 1 : 0)));
    (void)buf_str(out, ies ? "ies" : es ? "es" : "s");
}

/* First person words become third person ones. */
static void object_put(struct bytes object, bool verb_first, struct buf *out)
{
    static const char *const swaps[][2] = {
        {"my", "their"}, {"me", "them"}, {"i", "they"}, {"myself", "themself"}, {"mine", "theirs"}};
    bool first = true;
    while (object.n > 0) {
        struct bytes w = first_word(object);
        size_t hit = 0;
        while (hit < 5 && !bytes_ieq(w, bytes_str(swaps[hit][0])))
            hit++;
        if (!first)
            (void)buf_put(out, ' ');
        if (hit < 5)
            (void)buf_str(out, swaps[hit][1]);
        else if (first && verb_first && w.n > 0)
            verb_put(w, out);
        else
            (void)buf_bytes(out, w);
        first = false;
        object = bytes_trim(bytes_slice(object, w.n, object.n));
    }
}

static void sentence_put(const struct statement *st, struct buf *out)
{
    (void)buf_str(out, st->p->negative ? st->p->no : st->p->yes);
    (void)buf_put(out, ' ');
    size_t is = st->p->form == FORM_OBJECT_IS ? bytes_ifind(st->object, BYTES_LIT(" is ")) : SIZE_MAX;
    if (is == SIZE_MAX) {
        object_put(st->object, st->p->form == FORM_VERB, out);
        return;
    }
    object_put(bytes_slice(st->object, 0, is), false, out);
    (void)buf_str(out, ": ");
    object_put(bytes_trim(bytes_slice(st->object, is + 4, st->object.n)), false, out);
}

bool statement_sentence(struct bytes text, struct bytes name, struct buf *out)
{
    struct walk w;
    struct statement st;
    struct buf own;
    bool found = false;
    walk_init(&w, text);
    buf_init(&own, 4096);
    for (size_t n = 0; !found && n < STATEMENTS_MAX && walk_next(&w, &st); n++) {
        buf_clear(&own);
        name_put(st.p, st.object, &own);
        found = bytes_eq(buf_view(&own), name);
        if (found)
            sentence_put(&st, out);
    }
    buf_release(&own);
    buf_release(&w.sentence);
    return found;
}
