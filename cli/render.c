/* Rows of propositions: show, query, and the one proposition that a change answers with.
 *
 *   @  m4x9c1e  prefers plain-text mail                9/10   2 h ago   laptop
 *   │  from 7 observations
 *
 * The first column says at a glance what kind of row it is; colour only repeats it. On a terminal the text is
 * wrapped to what the other columns leave; a narrow one gets the figures below the text instead. */
#include "cli/render.h"

#include "base/check.h"
#include "base/id.h"
#include "base/text.h"

#include <string.h>

#define ID_SHOWN 7
#define TEXT_MIN 28u     /* narrower than that, figures go below */
#define TEXT_MAX_FREE 56 /* column of texts when the width is free */
#define SCORE_COLUMNS 5
#define AGE_COLUMNS 10
#define DEVICES_MAX 24
#define BAR_CELLS 5

/* ---- reading documents -----------------------------------------------------------------------------------
 */

const cJSON *doc_get(const cJSON *o, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(o, key);
}

const char *doc_text(const cJSON *o, const char *key)
{
    const char *v = cJSON_GetStringValue(doc_get(o, key));
    return v != NULL ? v : "";
}

double doc_number(const cJSON *o, const char *key)
{
    const cJSON *v = doc_get(o, key);
    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

bool doc_flag(const cJSON *o, const char *key)
{
    return cJSON_IsTrue(doc_get(o, key));
}

int64_t doc_time(const cJSON *o, const char *key)
{
    int64_t ms = TIME_NONE;
    const char *v = cJSON_GetStringValue(doc_get(o, key));
    return v != NULL && rfc3339_parse(bytes_str(v), &ms, NULL) == 0 ? ms : TIME_NONE;
}

void draw_count(struct page *p, double n, const char *noun, const char *plural)
{
    char digits[TIME_TEXT];
    bool one = n > 0.5 && n < 1.5;
    number_print(n, digits);
    page_printf(p, "%s %s%s", digits, one || plural == NULL ? noun : plural,
                one || plural != NULL ? "" : "s");
}

/* ---- a row -----------------------------------------------------------------------------------------------
 */

struct mark {
    const char *utf8, *ascii;
    enum paint paint;
};

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool by_user(const cJSON *prop)
{
    return doc_flag(prop, "edited") || is(doc_text(prop, "kind"), "told") ||
           is(doc_text(prop, "verdict"), "confirmed");
}

static bool hidden(const cJSON *prop)
{
    const char *status = doc_text(prop, "status");
    return is(status, "faded") || is(status, "ended") || is(status, "zero") || is(status, "dropped") ||
           is(status, "superseded");
}

static const struct mark *mark_of(const cJSON *prop)
{
    static const struct mark marks[] = {{"×", "x", PAINT_BAD},
                                        {"@", "@", PAINT_STRONG},
                                        {"~", "~", PAINT_DIM},
                                        {"◆", "*", PAINT_USER},
                                        {"○", "o", PAINT_NONE}};
    if (is(doc_text(prop, "status"), "conflict")) {
        return &marks[0];
    }
    if (doc_flag(prop, "pinned")) {
        return &marks[1];
    }
    if (hidden(prop)) {
        return &marks[2];
    }
    return by_user(prop) ? &marks[3] : &marks[4];
}

/* The id, its unique prefix in bold, at least ID_SHOWN characters. */
static void draw_id(struct page *p, const cJSON *prop)
{
    char head[ID_TEXT + 1] = "";
    char tail[ID_TEXT + 1] = "";
    const char *id = doc_text(prop, "id");
    size_t n = strnlen(id, ID_TEXT);
    size_t bold = strnlen(doc_text(prop, "prefix"), ID_TEXT);
    size_t shown = bold > ID_SHOWN ? bold : ID_SHOWN;
    shown = shown > n ? n : shown;
    bold = bold > shown ? shown : bold;
    memcpy(head, id, bold);
    memcpy(tail, id + bold, shown - bold);
    page_paint(p, PAINT_ID, head);
    page_paint(p, PAINT_DIM, tail);
    page_blanks(p, shown < ID_SHOWN ? ID_SHOWN - shown : 0);
}

static void names_join(const cJSON *list, struct buf *out)
{
    const cJSON *v = NULL;
    cJSON_ArrayForEach(v, list)
    {
        const char *name = cJSON_GetStringValue(v);
        if (out->n > 0) {
            (void)buf_str(out, ", ");
        }
        (void)buf_str(out, name != NULL ? name : "");
    }
    CHECK(out->err == 0);
}

static void draw_devices(struct page *p, const cJSON *prop, size_t columns)
{
    struct buf names;
    buf_init(&names, 1u << 20);
    names_join(doc_get(prop, "devices"), &names);
    page_cell(p, PAINT_DIM, buf_cstr(&names), columns, true);
    buf_release(&names);
}

static enum paint score_paint(int confidence)
{
    return confidence >= 7 ? PAINT_GOOD : confidence >= 4 ? PAINT_NONE : PAINT_WARN;
}

static void draw_score(struct page *p, const cJSON *prop)
{
    char score[16];
    int confidence = (int)doc_number(prop, "confidence");
    (void)snprintf(score, sizeof(score), "%d/10", confidence);
    page_blanks(p, strlen(score) < SCORE_COLUMNS ? SCORE_COLUMNS - strlen(score) : 0);
    page_paint(p, score_paint(confidence), score);
}

static void age_of(const struct page *p, const cJSON *prop, char out[TIME_TEXT])
{
    const char *verdict = doc_text(prop, "verdict");
    if (is(verdict, "rejected") || is(verdict, "confirmed")) {
        (void)snprintf(out, TIME_TEXT, "%s", verdict);
    } else if (by_user(prop)) {
        (void)snprintf(out, TIME_TEXT, "set by you");
    } else {
        int64_t ms = doc_time(prop, "last_supported");
        time_relative(p->st, ms != TIME_NONE ? ms : doc_time(prop, "created"), out);
    }
}

/* Where the columns of a list of rows stand. */
struct layout {
    size_t before; /* columns before the text */
    size_t text;   /* columns of the text; WIDTH_NONE: free */
    size_t pad;    /* texts are filled up to this */
    size_t devices;
    bool narrow; /* figures below the text */
    bool bar;
    double best; /* highest score, for the bar */
};

static void layout_measure(struct layout *l, const cJSON *list, const struct style *st)
{
    const cJSON *prop = NULL;
    size_t longest = 0;
    cJSON_ArrayForEach(prop, list)
    {
        struct buf names;
        size_t n = safe_columns(doc_text(prop, "text"));
        longest = n > longest ? n : longest;
        buf_init(&names, 1u << 20);
        names_join(doc_get(prop, "devices"), &names);
        n = safe_columns(buf_cstr(&names));
        l->devices = n > l->devices ? n : l->devices;
        buf_release(&names);
        l->best = doc_number(prop, "score") > l->best ? doc_number(prop, "score") : l->best;
    }
    l->devices = l->devices > DEVICES_MAX ? DEVICES_MAX : l->devices;
    size_t after = 2 + SCORE_COLUMNS + 2 + AGE_COLUMNS + 2 + (l->bar ? BAR_CELLS + 2u : 0u) + l->devices;
    if (st->width == WIDTH_NONE) {
        l->pad = longest > TEXT_MAX_FREE ? TEXT_MAX_FREE : longest;
        return;
    }
    l->narrow = st->width < l->before + TEXT_MIN + after;
    size_t used = l->before + (l->narrow ? 0 : after);
    l->text = st->width > used + 8 ? st->width - used : 8;
    l->pad = longest > l->text ? l->text : longest;
}

static void draw_bar(struct page *p, double share)
{
    int full = (int)(share * BAR_CELLS + 0.5);
    for (int i = 0; i < BAR_CELLS; i++) {
        if (i < full) {
            page_glyph(p, "▰", "#");
        } else {
            page_glyph(p, "▱", "-");
        }
    }
}

static void draw_figures(struct page *p, const cJSON *prop, const struct layout *l)
{
    char age[TIME_TEXT];
    age_of(p, prop, age);
    page_blanks(p, 2);
    draw_score(p, prop);
    page_blanks(p, 2);
    page_cell(p, by_user(prop) ? PAINT_USER : PAINT_NONE, age, AGE_COLUMNS, false);
    if (l->bar) {
        page_blanks(p, 2);
        draw_bar(p, l->best > 0 ? doc_number(prop, "score") / l->best : 0);
    }
    page_blanks(p, 2);
    draw_devices(p, prop, l->devices);
}

static void indent_make(const struct page *p, const struct layout *l, char out[64])
{
    const char *rail = p->st->utf8 ? "│" : "|";
    size_t blanks = l->before > 1 ? l->before - 1 : 0;
    (void)snprintf(out, 64, "%s%*s", rail, (int)(blanks > 40 ? 40 : blanks), "");
}

/* The first line of the text with the figures behind it, then the rest of the text. */
static void draw_text(struct page *p, const cJSON *prop, const struct layout *l, const char *indent)
{
    struct buf b;
    struct page one; /* the wrapped text alone, to be split into lines */
    const char *text = doc_text(prop, "text");
    enum paint paint = hidden(prop) ? PAINT_DIM : PAINT_NONE;
    page_init(&one, p->st, NULL);
    page_wrapped(&one, text, l->text, "");
    b = one.b;
    struct bytes all = buf_view(&b);
    bool first = true;
    do {
        size_t end = bytes_find(all, BYTES_LIT("\n"));
        struct bytes line = bytes_slice(all, 0, end == SIZE_MAX ? all.n : end);
        all = end == SIZE_MAX ? BYTES_NONE : bytes_slice(all, end + 1, SIZE_MAX);
        if (!first) {
            page_line(p);
            page_str(p, indent);
        }
        page_on(p, paint);
        (void)buf_bytes(&p->b, line);
        page_off(p, paint);
        if (first && !l->narrow) {
            size_t n = utf8_columns(line);
            page_blanks(p, n < l->pad ? l->pad - n : 0);
            draw_figures(p, prop, l);
        }
        first = false;
    } while (all.n > 0);
    page_release(&one);
}

/* "from 7 observations, 2 against; tool" */
static void draw_ground(struct page *p, const cJSON *prop, const char *indent)
{
    double support = doc_number(prop, "evidence");
    double against = doc_number(prop, "contradicting");
    bool conflict = is(doc_text(prop, "status"), "conflict");
    if (support < 0.5 && against < 0.5 && !conflict) {
        return;
    }
    page_str(p, indent);
    page_on(p, PAINT_DIM);
    if (conflict) {
        page_str(p, "edited differently on two devices; selfsame why ");
        page_safe(p, doc_text(prop, "prefix"));
    } else {
        page_safe(p, doc_text(prop, "kind"));
        page_str(p, " from ");
        draw_count(p, support, "observation", NULL);
        if (against >= 0.5) {
            page_str(p, ", ");
            char digits[TIME_TEXT];
            number_print(against, digits);
            page_printf(p, "%s against", digits);
        }
    }
    page_off(p, PAINT_DIM);
    page_line(p);
}

static void draw_row(struct page *p, const cJSON *prop, const struct layout *l, size_t number)
{
    char indent[64];
    const struct mark *m = mark_of(prop);
    indent_make(p, l, indent);
    if (number > 0) {
        page_printf(p, "%3zu  ", number);
    }
    page_on(p, m->paint);
    page_glyph(p, m->utf8, m->ascii);
    page_off(p, m->paint);
    page_blanks(p, 2);
    draw_id(p, prop);
    page_blanks(p, 2);
    if (number > 0) {
        (void)snprintf(indent, sizeof(indent), "%*s", (int)l->before, "");
    }
    draw_text(p, prop, l, indent);
    page_line(p);
    char below[64];
    (void)snprintf(below, sizeof(below), number > 0 ? "     %s  " : "%s  ", p->st->utf8 ? "│" : "|");
    if (l->narrow) {
        page_str(p, below);
        draw_figures(p, prop, l);
        page_line(p);
    }
    draw_ground(p, prop, below);
}

/* ---- lists -----------------------------------------------------------------------------------------------
 */

void draw_show(struct page *p, const cJSON *answer)
{
    const cJSON *list = doc_get(answer, "propositions");
    const cJSON *prop = NULL;
    struct layout l = {.before = 3 + ID_SHOWN + 2};
    double n = 0;
    char digits[TIME_TEXT];
    layout_measure(&l, list, p->st);
    cJSON_ArrayForEach(prop, list)
    {
        draw_row(p, prop, &l, 0);
        n++;
    }
    double total = doc_number(answer, "total");
    if (total > n) {
        number_print(total - n, digits);
        page_printf(p, "~  (%s more; selfsame show --max %.0f)", digits, total);
        page_line(p);
    }
    if (doc_number(answer, "older") > 0) {
        number_print(doc_number(answer, "older"), digits);
        page_printf(p, "~  (%s older)", digits);
        page_line(p);
    }
    if (n < 1 && doc_number(answer, "older") < 1) {
        page_str(p, "Nothing is known yet.\n");
    }
}

void draw_query(struct page *p, const cJSON *answer)
{
    const cJSON *list = doc_get(answer, "results");
    const cJSON *prop = NULL;
    struct layout l = {.before = 5 + 3 + ID_SHOWN + 2, .bar = true};
    size_t n = 0;
    layout_measure(&l, list, p->st);
    cJSON_ArrayForEach(prop, list)
    {
        draw_row(p, prop, &l, ++n);
    }
    if (n == 0) {
        page_str(p, "Nothing in the model speaks to that.\n");
    }
}

void draw_one(struct page *p, const cJSON *answer)
{
    const cJSON *prop = doc_get(answer, "proposition");
    cJSON *list = cJSON_CreateArray();
    struct layout l = {.before = 3 + ID_SHOWN + 2};
    if (prop == NULL) {
        cJSON_Delete(list);
        return;
    }
    CHECK(list != NULL && cJSON_AddItemReferenceToArray(list, (cJSON *)prop));
    layout_measure(&l, list, p->st);
    draw_row(p, prop, &l, 0);
    cJSON_Delete(list);
}

/* Text from outside as Markdown that shows it as it is. */
static void markdown_safe(struct page *p, const char *text)
{
    struct page raw;
    page_init(&raw, p->st, NULL);
    page_safe(&raw, text);
    for (const char *c = buf_cstr(&raw.b); *c != '\0'; c++) {
        if (strchr("\\`*_[]<>#|&", *c) != NULL) {
            page_str(p, "\\");
        }
        page_printf(p, "%c", *c);
    }
    page_release(&raw);
}

void draw_markdown(struct page *p, const cJSON *prop)
{
    char when[TIME_TEXT];
    page_str(p, "- ");
    markdown_safe(p, doc_text(prop, "text"));
    page_printf(p, " (%d/10", (int)doc_number(prop, "confidence"));
    if (doc_flag(prop, "pinned")) {
        page_str(p, ", pinned");
    }
    if (by_user(prop)) {
        page_str(p, ", set by you");
    }
    if (hidden(prop)) {
        page_str(p, ", ");
        page_safe(p, doc_text(prop, "status"));
    }
    if (doc_time(prop, "last_supported") != TIME_NONE) {
        time_local(p->st, doc_time(prop, "last_supported"), when);
        page_printf(p, ", last seen %.10s", when);
    }
    page_str(p, ") `");
    page_safe(p, doc_text(prop, "id"));
    page_str(p, "`\n");
    if (doc_text(prop, "reasoning")[0] != '\0') {
        page_str(p, "  ");
        markdown_safe(p, doc_text(prop, "reasoning"));
        page_str(p, "\n");
    }
}
