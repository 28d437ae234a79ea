/* The state of things: status, doctor, settings, watches, and what a job did. */
#include "cli/render.h"

#include "base/id.h"

#include <string.h>

#define LABEL_COLUMNS 9

static void label(struct page *p, const char *name)
{
    page_cell(p, PAINT_STRONG, name, LABEL_COLUMNS, false);
}

/* ---- status ----------------------------------------------------------------------------------------------
 */

static void draw_device(struct page *p, const cJSON *answer)
{
    const cJSON *device = doc_get(answer, "device");
    const cJSON *node = doc_get(answer, "node");
    char id[8] = "";
    char since[TIME_TEXT];
    memcpy(id, doc_text(device, "id"), strnlen(doc_text(device, "id"), 7));
    label(p, "device");
    page_paint(p, PAINT_STRONG, doc_text(device, "name"));
    page_str(p, "  ");
    page_paint(p, PAINT_DIM, id);
    page_line(p);
    label(p, "node");
    if (doc_flag(node, "running")) {
        time_relative(p->st, doc_time(node, "since"), since);
        page_on(p, PAINT_GOOD);
        page_str(p, "running");
        page_off(p, PAINT_GOOD);
        page_printf(p, ", process %.0f, started %s", doc_number(node, "pid"), since);
    } else {
        page_str(p, "not running (start it with: selfsamed)");
    }
    page_line(p);
}

static void draw_model(struct page *p, const cJSON *answer)
{
    char shown[TIME_TEXT], size[TIME_TEXT], ops[TIME_TEXT];
    number_print(doc_number(answer, "shown"), shown);
    number_print(doc_number(answer, "ops"), ops);
    size_print(doc_number(doc_get(answer, "store"), "bytes"), size);
    label(p, "model");
    draw_count(p, doc_number(answer, "propositions"), "proposition", NULL);
    page_printf(p, ", %s of them shown; %s changes, %s on disk", shown, ops, size);
    page_line(p);
    label(p, "digest");
    page_safe(p, doc_text(answer, "digest_words"));
    page_line(p);
}

static void draw_sources(struct page *p, const cJSON *answer)
{
    const cJSON *s = NULL;
    char digits[TIME_TEXT], last[TIME_TEXT];
    label(p, "observed");
    draw_count(p, doc_number(answer, "observations"), "record", NULL);
    page_line(p);
    cJSON_ArrayForEach(s, doc_get(answer, "sources"))
    {
        page_blanks(p, LABEL_COLUMNS);
        page_cell(p, PAINT_NONE, doc_text(s, "source"), 14, false);
        number_print(doc_number(s, "observations"), digits);
        page_printf(p, "%9s", digits);
        time_relative(p->st, doc_time(s, "last"), last);
        page_printf(p, "   last %s", last);
        page_line(p);
    }
}

static void draw_watched(struct page *p, const cJSON *answer)
{
    const cJSON *w = NULL;
    bool first = true;
    cJSON_ArrayForEach(w, doc_get(answer, "watching"))
    {
        if (first) {
            label(p, "watching");
        } else {
            page_blanks(p, LABEL_COLUMNS);
        }
        first = false;
        page_cell(p, PAINT_NONE, doc_text(w, "source"), 14, false);
        page_safe(p, doc_text(w, "path"));
        page_str(p, "  ");
        page_paint(p, PAINT_DIM, doc_text(w, "state"));
        page_line(p);
    }
}

static void draw_peers(struct page *p, const cJSON *answer)
{
    const cJSON *peer = NULL;
    cJSON_ArrayForEach(peer, doc_get(answer, "peers"))
    {
        label(p, "peer");
        page_cell(p, PAINT_NONE, doc_text(peer, "name"), 14, false);
        draw_standing(p, peer, "state");
        page_line(p);
    }
}

/* "12 340 tokens today of 50 000, 0.12 of 2 in money". */
static void draw_spending(struct page *p, const cJSON *o)
{
    const cJSON *today = doc_get(o, "today");
    char digits[TIME_TEXT];
    number_print(doc_number(today, "tokens_in") + doc_number(today, "tokens_out"), digits);
    page_printf(p, "; today %s tokens", digits);
    if (doc_number(o, "budget_tokens") > 0) {
        number_print(doc_number(o, "budget_tokens"), digits);
        page_printf(p, " of %s", digits);
    }
    if (doc_number(today, "money") > 0 || doc_number(o, "budget_money") > 0) {
        page_printf(p, ", money %.4f", doc_number(today, "money"));
    }
    if (doc_number(o, "budget_money") > 0) {
        page_printf(p, " of %.2f", doc_number(o, "budget_money"));
    }
}

static void draw_endpoint(struct page *p, const cJSON *o)
{
    char until[TIME_TEXT];
    if (!cJSON_IsObject(o)) {
        return;
    }
    label(p, "endpoint");
    page_safe(p, doc_text(o, "host"));
    page_str(p, "  ");
    page_safe(p, doc_text(o, "model"));
    page_str(p, "  ");
    bool fine = strcmp(doc_text(o, "state"), "ready") == 0;
    page_on(p, fine ? PAINT_GOOD : PAINT_WARN);
    page_str(p, doc_text(o, "state"));
    page_off(p, fine ? PAINT_GOOD : PAINT_WARN);
    if (doc_time(o, "until") != TIME_NONE) {
        time_local(p->st, doc_time(o, "until"), until);
        page_printf(p, " until %s", until);
    }
    if (doc_number(o, "waiting") > 0) {
        page_str(p, "; ");
        draw_count(p, doc_number(o, "waiting"), "request", NULL);
        page_str(p, " waiting");
    }
    draw_spending(p, o);
    page_line(p);
}

void draw_status(struct page *p, const cJSON *answer)
{
    const cJSON *a = NULL;
    char until[TIME_TEXT];
    draw_device(p, answer);
    draw_model(p, answer);
    draw_sources(p, answer);
    draw_watched(p, answer);
    draw_peers(p, answer);
    draw_endpoint(p, doc_get(answer, "endpoint"));
    const cJSON *t = doc_get(answer, "thinking");
    if (doc_flag(t, "configured") || doc_text(t, "device")[0] != '\0') {
        label(p, "thinking");
        draw_thinking_line(p, t);
    }
    if (doc_number(doc_get(answer, "pictures"), "waiting") > 0 ||
        doc_flag(doc_get(answer, "pictures"), "screenshots")) {
        label(p, "pictures");
        draw_pictures(p, doc_get(answer, "pictures"));
    }
    if (doc_time(answer, "paused_until") != TIME_NONE) {
        time_local(p->st, doc_time(answer, "paused_until"), until);
        label(p, "paused");
        page_on(p, PAINT_WARN);
        page_printf(p, "nothing is observed until %s", until);
        page_off(p, PAINT_WARN);
        page_line(p);
    }
    if (cJSON_GetArraySize(doc_get(answer, "attention")) == 0) {
        return;
    }
    page_on(p, PAINT_WARN);
    page_str(p, "# Needs attention:");
    page_off(p, PAINT_WARN);
    page_line(p);
    cJSON_ArrayForEach(a, doc_get(answer, "attention"))
    {
        const char *text = cJSON_GetStringValue(a);
        page_str(p, "#   - ");
        page_safe(p, text != NULL ? text : "");
        page_line(p);
    }
}

/* ---- doctor ----------------------------------------------------------------------------------------------
 */

void draw_doctor(struct page *p, const cJSON *answer)
{
    const cJSON *c = NULL;
    cJSON_ArrayForEach(c, doc_get(answer, "checks"))
    {
        bool ok = doc_flag(c, "ok");
        page_on(p, ok ? PAINT_GOOD : PAINT_BAD);
        page_glyph(p, ok ? "✓" : "✗", ok ? "ok" : "NO");
        page_off(p, ok ? PAINT_GOOD : PAINT_BAD);
        page_blanks(p, 2);
        page_cell(p, PAINT_STRONG, doc_text(c, "name"), 13, false);
        page_safe(p, doc_text(c, "text"));
        page_line(p);
        if (doc_text(c, "hint")[0] != '\0') {
            page_blanks(p, p->st->utf8 ? 16 : 17);
            page_str(p, "hint: ");
            page_safe(p, doc_text(c, "hint"));
            page_line(p);
        }
    }
}

/* ---- settings and watches --------------------------------------------------------------------------------
 */

static void draw_value(struct page *p, const char *value)
{
    const char *end = NULL;
    if (value[0] == '\0') {
        page_paint(p, PAINT_DIM, "(none)");
    }
    for (const char *line = value; *line != '\0'; line = *end != '\0' ? end + 1 : end) {
        char one[512];
        end = strchrnul(line, '\n');
        (void)snprintf(one, sizeof(one), "%.*s", (int)(end - line), line);
        if (line != value || (*end != '\0' && end[1] != '\0')) { /* several lines: each on its own */
            page_line(p);
            page_blanks(p, 4);
        }
        page_safe(p, one);
    }
}

void draw_config(struct page *p, const cJSON *answer)
{
    const cJSON *s = NULL;
    cJSON_ArrayForEach(s, doc_get(answer, "settings"))
    {
        page_paint(p, PAINT_DIM, "# ");
        page_paint(p, PAINT_DIM, doc_text(s, "about"));
        page_line(p);
        page_paint(p, PAINT_STRONG, doc_text(s, "key"));
        page_str(p, " = ");
        draw_value(p, doc_text(s, "value"));
        page_str(p, doc_flag(s, "set") ? "" : "  (default)");
        page_line(p);
    }
}

static void draw_level(struct page *p, const char *level)
{
    page_cell(p, strcmp(level, "text") == 0 ? PAINT_WARN : PAINT_NONE, level, 9, false);
    page_str(p, strcmp(level, "text") == 0     ? "what was learnt, how often and when, and a few excerpts"
                : strcmp(level, "counts") == 0 ? "what was learnt, how often and when; no content"
                                               : "nothing is learnt from it, nothing leaves this device");
}

void draw_share(struct page *p, const cJSON *answer)
{
    const cJSON *s = NULL;
    cJSON_ArrayForEach(s, doc_get(answer, "sources"))
    {
        page_cell(p, PAINT_STRONG, doc_text(s, "source"), 16, false);
        draw_level(p, doc_text(s, "level"));
        page_paint(p, PAINT_DIM, doc_flag(s, "set") ? "" : "  (as all others)");
        page_line(p);
    }
    page_cell(p, PAINT_STRONG, "all others", 16, false);
    draw_level(p, doc_text(answer, "others"));
    page_line(p);
    page_str(p, "This holds for this device alone; no other device and no other setting changes it.\n"
                "Change: selfsame share SOURCE nothing|counts|text|default\n");
}

void draw_watch(struct page *p, const cJSON *answer)
{
    const cJSON *w = NULL;
    const cJSON *list = doc_get(answer, "watching");
    if (cJSON_GetArraySize(list) == 0) {
        page_str(p, "Nothing is watched. Add a history with: selfsame import SOURCE --watch\n");
    }
    cJSON_ArrayForEach(w, list)
    {
        page_cell(p, PAINT_NONE, doc_text(w, "source"), 14, false);
        page_safe(p, doc_text(w, "path"));
        page_str(p, "  ");
        page_paint(p, PAINT_DIM, doc_text(w, "state"));
        page_line(p);
    }
}

/* ---- jobs ------------------------------------------------------------------------------------------------
 */

static void draw_part(struct page *p, const cJSON *answer, const char *key, const char *after)
{
    char digits[TIME_TEXT];
    if (doc_number(answer, key) > 0) {
        number_print(doc_number(answer, key), digits);
        page_printf(p, ", %s %s", digits, after);
    }
}

void draw_job(struct page *p, const cJSON *answer, bool tell)
{
    const cJSON *props = doc_get(answer, "propositions");
    char digits[TIME_TEXT];
    draw_count(p, doc_number(answer, "read"), tell ? "line" : "record", NULL);
    page_str(p, " read: ");
    number_print(doc_number(answer, "added"), digits);
    page_printf(p, "%s new", digits);
    draw_part(p, answer, "known", "known already");
    draw_part(p, answer, "redacted", "redacted");
    draw_part(p, answer, "dropped", "dropped by the audit");
    draw_part(p, answer, "skipped", "not yours");
    draw_part(p, answer, "waiting", "to be described");
    draw_part(p, answer, "bad", "bad");
    page_line(p);
    if (doc_get(answer, "pictures") != NULL) {
        draw_pictures(p, doc_get(answer, "pictures"));
        return;
    }
    if (props == NULL || tell) {
        return;
    }
    page_str(p, "learnt: ");
    if (doc_number(props, "added") + doc_number(props, "raised") + doc_number(props, "lowered") +
            doc_number(props, "revived") <
        1) {
        page_str(p, "nothing new");
        page_line(p);
        return;
    }
    draw_count(p, doc_number(props, "added"), "new proposition", NULL);
    draw_part(p, props, "raised", "more certain");
    draw_part(p, props, "lowered", "less certain");
    draw_part(p, props, "revived", "true again");
    page_line(p);
}
