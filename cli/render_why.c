/* Why a proposition is held, as a small tree: the claim, its reasoning, who counts what, the observations it
 * rests on, and what was done to it. And the log of observations, which draws them the same way. */
#include "cli/render.h"

#include "base/limits.h"

#include <string.h>

#define SOURCE_COLUMNS 12
#define PURPOSE_COLUMNS 10
#define DEVICE_COLUMNS 12

/* What an observation says in one line: title and text, or the first of these it has. */
static const char *gist_of(const cJSON *o, struct buf *joined)
{
    static const char *const keys[] = {"command", "title", "text", "url", "app", "cwd"};
    const char *title = doc_text(o, "title");
    const char *text = doc_text(o, "text");
    if (title[0] != '\0' && text[0] != '\0' && buf_printf(joined, "%s: %s", title, text) == 0) {
        return buf_cstr(joined);
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (doc_text(o, keys[i])[0] != '\0') {
            return doc_text(o, keys[i]);
        }
    }
    const char *file = cJSON_GetStringValue(cJSON_GetArrayItem(doc_get(o, "files"), 0));
    return file != NULL ? file : "";
}

static size_t columns_left(const struct page *p, size_t used)
{
    if (p->st->width == WIDTH_NONE) {
        return 0;
    }
    return p->st->width > used + 10 ? p->st->width - used : 10;
}

static void draw_gist(struct page *p, const cJSON *o, size_t used)
{
    size_t room = columns_left(p, used);
    struct buf joined;
    buf_init(&joined, 2 * LIMIT_OBSERVATION_BYTES);
    const char *gist = gist_of(o, &joined);
    if (room == 0) {
        page_safe(p, gist);
    } else {
        page_cell(p, PAINT_NONE, gist, room, true);
    }
    buf_release(&joined);
}

static void draw_when(struct page *p, int64_t ms)
{
    char when[TIME_TEXT];
    time_local(p->st, ms, when);
    page_cell(p, PAINT_DIM, when, 16, false);
    page_blanks(p, 2);
}

/* ---- the tree --------------------------------------------------------------------------------------------
 */

static void branch(struct page *p, bool last, const char *title)
{
    if (last) {
        page_glyph(p, "└─ ", "`- ");
    } else {
        page_glyph(p, "├─ ", "|- ");
    }
    page_on(p, PAINT_STRONG);
    page_str(p, title);
    page_off(p, PAINT_STRONG);
}

static void rail(struct page *p, bool last)
{
    if (last) {
        page_str(p, "   ");
    } else {
        page_glyph(p, "│  ", "|  ");
    }
}

static void draw_reasoning(struct page *p, const cJSON *prop)
{
    const char *reasoning = doc_text(prop, "reasoning");
    if (reasoning[0] == '\0') {
        return;
    }
    branch(p, false, "reasoning");
    page_line(p);
    rail(p, false);
    page_wrapped(p, reasoning, columns_left(p, 3), p->st->utf8 ? "│  " : "|  ");
    page_line(p);
}

static void draw_revises(struct page *p, const cJSON *answer)
{
    const cJSON *o = NULL;
    if (cJSON_GetArraySize(doc_get(answer, "revises")) == 0) {
        return;
    }
    branch(p, false, "revises");
    page_line(p);
    cJSON_ArrayForEach(o, doc_get(answer, "revises"))
    {
        const char *text = doc_text(o, "text");
        rail(p, false);
        page_printf(p, "%.7s  ", doc_text(o, "id"));
        page_safe(p, text[0] != '\0' ? text : "(forgotten)");
        page_line(p);
    }
}

static void draw_counts(struct page *p, const cJSON *answer)
{
    const cJSON *c = NULL;
    const cJSON *list = doc_get(answer, "counts");
    char digits[TIME_TEXT];
    if (cJSON_GetArraySize(list) == 0) {
        return;
    }
    branch(p, false, "counted");
    page_line(p);
    cJSON_ArrayForEach(c, list)
    {
        rail(p, false);
        page_cell(p, PAINT_NONE, doc_text(c, "device"), DEVICE_COLUMNS, false);
        page_blanks(p, 2);
        page_cell(p, PAINT_NONE, doc_text(c, "source"), SOURCE_COLUMNS, false);
        page_blanks(p, 2);
        number_print(doc_number(c, "support"), digits);
        page_printf(p, "%6s for", digits);
        number_print(doc_number(c, "against"), digits);
        page_printf(p, "%6s against   ", digits);
        draw_when(p, doc_time(c, "first"));
        page_str(p, "to ");
        draw_when(p, doc_time(c, "last"));
        page_line(p);
    }
}

/* Whether the counts and the evidence are of more than one device: then each piece of evidence names its own.
 */
static bool several_devices(const cJSON *answer)
{
    static const char *const lists[] = {"counts", "evidence"};
    const char *first = NULL;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const cJSON *o = NULL;
        cJSON_ArrayForEach(o, doc_get(answer, lists[i]))
        {
            const char *device = doc_text(o, "device");
            first = first == NULL && device[0] != '\0' ? device : first;
            if (device[0] != '\0' && strcmp(first, device) != 0) {
                return true;
            }
        }
    }
    return false;
}

static void draw_evidence(struct page *p, const cJSON *answer)
{
    const cJSON *o = NULL;
    const cJSON *list = doc_get(answer, "evidence");
    char shown[TIME_TEXT], total[TIME_TEXT];
    int n = cJSON_GetArraySize(list);
    bool named = several_devices(answer);
    double all = doc_number(answer, "evidence_total");
    if (n == 0) {
        return;
    }
    number_print(n, shown);
    number_print(all, total);
    branch(p, false, "evidence");
    if (all > n) {
        page_printf(p, " (latest %s of %s)", shown, total);
    }
    page_line(p);
    cJSON_ArrayForEach(o, list)
    {
        bool supports = doc_flag(o, "supports");
        rail(p, false);
        page_paint(p, supports ? PAINT_GOOD : PAINT_BAD, supports ? "+ " : "- ");
        draw_when(p, doc_time(o, "time"));
        if (named) {
            page_cell(p, PAINT_NONE, doc_text(o, "device"), DEVICE_COLUMNS, false);
            page_blanks(p, 2);
        }
        page_cell(p, PAINT_NONE, doc_text(o, "source"), SOURCE_COLUMNS, false);
        page_blanks(p, 2);
        draw_gist(p, o, 3 + 2 + 18 + SOURCE_COLUMNS + 2 + (named ? DEVICE_COLUMNS + 2u : 0));
        page_line(p);
    }
}

static void draw_history(struct page *p, const cJSON *answer)
{
    const cJSON *h = NULL;
    branch(p, true, "history");
    page_line(p);
    cJSON_ArrayForEach(h, doc_get(answer, "history"))
    {
        if (strcmp(doc_text(h, "what"), "kind") == 0) {
            continue; /* said above */
        }
        rail(p, true);
        draw_when(p, doc_time(h, "time"));
        page_cell(p, PAINT_NONE, doc_text(h, "device"), DEVICE_COLUMNS, false);
        page_blanks(p, 2);
        bool user = strcmp(doc_text(h, "class"), "user") == 0;
        page_cell(p, user ? PAINT_USER : PAINT_NONE, doc_text(h, "class"), 6, false);
        page_blanks(p, 2);
        page_safe(p, doc_text(h, "what"));
        if (doc_text(h, "value")[0] != '\0') {
            page_str(p, ": ");
            size_t used = 3 + 18 + DEVICE_COLUMNS + 2 + 8 + 2 + safe_columns(doc_text(h, "what"));
            size_t room = columns_left(p, used);
            if (room == 0) {
                page_safe(p, doc_text(h, "value"));
            } else {
                page_cell(p, PAINT_NONE, doc_text(h, "value"), room, true);
            }
        }
        page_line(p);
    }
}

static void draw_nature(struct page *p, const cJSON *prop)
{
    static const char *const lasting[] = {"",           "hours",       "a day",  "days",  "a week",   "weeks",
                                          "two months", "half a year", "a year", "years", "ten years"};
    int decay = (int)doc_number(prop, "decay");
    page_glyph(p, "│  ", "|  ");
    page_on(p, PAINT_DIM);
    if (doc_number(prop, "evidence") + doc_number(prop, "contradicting") < 1) { /* else said in the row */
        page_safe(p, doc_text(prop, "kind"));
        page_str(p, ", ");
    }
    page_printf(p, "probability %.2f, decay %d/10", doc_number(prop, "probability"), decay);
    if (decay >= 1 && decay <= 10) {
        page_printf(p, " (half gone after %s)", lasting[decay]);
    }
    if (doc_text(prop, "scope")[0] != '\0') {
        page_str(p, ", scope ");
        page_safe(p, doc_text(prop, "scope"));
    }
    if (strncmp(doc_text(prop, "origin"), "endpoint:", 9) == 0) {
        page_str(p, ", worded by ");
        page_safe(p, doc_text(prop, "origin") + 9);
    }
    if (strcmp(doc_text(prop, "status"), "live") != 0) {
        page_str(p, ", ");
        page_safe(p, doc_text(prop, "status"));
    }
    page_off(p, PAINT_DIM);
    page_line(p);
}

void draw_why(struct page *p, const cJSON *answer)
{
    const cJSON *prop = doc_get(answer, "proposition");
    draw_one(p, answer);
    draw_nature(p, prop);
    draw_reasoning(p, prop);
    draw_revises(p, answer);
    draw_counts(p, answer);
    draw_evidence(p, answer);
    draw_history(p, answer);
}

/* ---- log -------------------------------------------------------------------------------------------------
 */

static void draw_audit(struct page *p, const cJSON *list)
{
    const cJSON *a = NULL;
    char digits[TIME_TEXT];
    if (cJSON_GetArraySize(list) == 0) {
        page_str(p, "The audit has dropped and redacted nothing so far.\n");
        return;
    }
    page_on(p, PAINT_STRONG);
    page_str(p, "rule                    source           times  first             last");
    page_off(p, PAINT_STRONG);
    page_line(p);
    cJSON_ArrayForEach(a, list)
    {
        page_cell(p, PAINT_NONE, doc_text(a, "rule"), 22, false);
        page_blanks(p, 2);
        page_cell(p, PAINT_NONE, doc_text(a, "source"), SOURCE_COLUMNS, false);
        page_blanks(p, 2);
        number_print(doc_number(a, "count"), digits);
        page_printf(p, "%8s  ", digits);
        draw_when(p, doc_time(a, "first"));
        draw_when(p, doc_time(a, "last"));
        page_line(p);
    }
}

static void draw_sent_sources(struct page *p, const cJSON *row)
{
    const cJSON *s = NULL;
    bool first = true;
    cJSON_ArrayForEach(s, doc_get(row, "sources"))
    {
        page_str(p, first ? " of " : ", ");
        page_safe(p, cJSON_IsString(s) ? s->valuestring : "");
        first = false;
    }
}

static void draw_sent(struct page *p, const cJSON *list)
{
    const cJSON *r = NULL;
    char out[TIME_TEXT];
    char in[TIME_TEXT];
    if (cJSON_GetArraySize(list) == 0) {
        page_str(p, "Nothing was sent to a language model so far.\n");
        return;
    }
    cJSON_ArrayForEach(r, list)
    {
        draw_when(p, doc_time(r, "time"));
        page_cell(p, PAINT_STRONG, doc_text(r, "purpose"), PURPOSE_COLUMNS, false);
        page_blanks(p, 2);
        bool both = doc_number(r, "images") > 0 && doc_number(r, "observations") > 0;
        if (doc_number(r, "images") > 0) {
            draw_count(p, doc_number(r, "images"), "picture", NULL);
            page_str(p, both ? ", " : "");
        }
        if (both || doc_number(r, "images") < 1) {
            draw_count(p, doc_number(r, "observations"), "observation", NULL);
        }
        draw_sent_sources(p, r);
        size_print(doc_number(r, "bytes_out"), out);
        number_print(doc_number(r, "tokens_in") + doc_number(r, "tokens_out"), in);
        page_printf(p, "; %s, %s tokens, to ", out, in);
        page_safe(p, doc_text(r, "host"));
        page_str(p, ": ");
        page_safe(p, doc_text(r, "outcome"));
        page_line(p);
    }
}

void draw_log(struct page *p, const cJSON *answer)
{
    const cJSON *o = NULL;
    const cJSON *list = doc_get(answer, "observations");
    if (doc_get(answer, "sent") != NULL) {
        draw_sent(p, doc_get(answer, "sent"));
        return;
    }
    if (list == NULL) {
        draw_audit(p, doc_get(answer, "audit"));
        return;
    }
    if (cJSON_GetArraySize(list) == 0) {
        page_str(p, "Nothing was observed.\n");
    }
    cJSON_ArrayForEach(o, list)
    {
        draw_when(p, doc_time(o, "time"));
        page_cell(p, PAINT_NONE, doc_text(o, "source"), SOURCE_COLUMNS, false);
        page_blanks(p, 2);
        draw_gist(p, o, 18 + SOURCE_COLUMNS + 2);
        page_line(p);
    }
}
