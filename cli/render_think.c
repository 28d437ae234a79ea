/* What the language model does: a line of status, the answer of think, norms. */
#include "cli/render.h"

#include <string.h>

static void put_number(struct page *p, const cJSON *t, const char *key, const char *after)
{
    char digits[TIME_TEXT];
    number_print(doc_number(t, key), digits);
    page_printf(p, "%s%s", digits, after);
}

static void draw_trouble(struct page *p, const char *trouble)
{
    if (trouble[0] != '\0') {
        page_on(p, PAINT_WARN);
        page_str(p, "; ");
        page_safe(p, trouble);
        page_off(p, PAINT_WARN);
    }
}

/* Another device thinks: what of this one waits, and what that one has. */
static void draw_elsewhere(struct page *p, const cJSON *t)
{
    page_safe(p, doc_text(t, "device"));
    page_str(p, " thinks for your devices; here ");
    put_number(p, t, "waiting", " waiting, ");
    put_number(p, t, "handed", " handed over");
    if (doc_number(t, "errands") > 0) {
        page_str(p, " (");
        draw_count(p, doc_number(t, "errands"), "errand", NULL);
        page_str(p, ")");
    }
}

static void draw_here(struct page *p, const cJSON *t)
{
    const char *trouble = doc_text(t, "trouble");
    page_safe(p, doc_text(t, "model")[0] != '\0' ? doc_text(t, "model") : "a language model");
    page_str(p, ": ");
    put_number(p, t, "waiting", " waiting, ");
    put_number(p, t, "observations", " thought about, ");
    put_number(p, t, "calls", " questions");
    if (doc_flag(t, "busy")) {
        page_printf(p, "; now: %s", doc_text(t, "stage"));
    }
    if (doc_number(t, "failed") > 0) {
        page_str(p, "; ");
        put_number(p, t, "failed", " batches given up");
    }
    draw_trouble(p, trouble);
}

bool thinks_elsewhere(const cJSON *t)
{
    return doc_text(t, "device")[0] != '\0' && !doc_flag(t, "here");
}

void draw_thinking_line(struct page *p, const cJSON *t)
{
    if (thinks_elsewhere(t)) {
        draw_elsewhere(p, t);
    } else {
        draw_here(p, t);
    }
    page_line(p);
}

void draw_thinking(struct page *p, const cJSON *answer)
{
    const cJSON *t = doc_get(answer, "thinking");
    draw_thinking_line(p, t);
    if (doc_number(t, "observations") < 1) {
        return;
    }
    put_number(p, t, "added", " new, ");
    put_number(p, t, "revised", " revised, ");
    put_number(p, t, "raised", " supported, ");
    put_number(p, t, "lowered", " contradicted, ");
    put_number(p, t, "dropped", " records kept back by norms");
    page_line(p);
}

void draw_pictures(struct page *p, const cJSON *pictures)
{
    const char *trouble = doc_text(pictures, "trouble");
    put_number(p, pictures, "described", " described");
    if (doc_number(pictures, "dropped") > 0) {
        page_str(p, ", ");
        put_number(p, pictures, "dropped", " dropped by the audit");
    }
    if (doc_number(pictures, "failed") > 0) {
        page_str(p, ", ");
        put_number(p, pictures, "failed", " could not be");
    }
    if (doc_number(pictures, "waiting") > 0) {
        page_str(p, ", ");
        put_number(p, pictures, "waiting", " waiting");
    }
    if (doc_flag(pictures, "screenshots")) {
        page_str(p, "; screenshots: ");
        put_number(p, pictures, "taken", " taken, ");
        put_number(p, pictures, "unchanged", " unchanged");
    }
    draw_trouble(p, trouble);
    draw_trouble(p, doc_text(pictures, "screenshot_trouble"));
    page_line(p);
}

void draw_norms(struct page *p, const cJSON *answer)
{
    const char *line = doc_text(cJSON_GetArrayItem(doc_get(answer, "settings"), 0), "value");
    if (*line == '\0') {
        page_str(p, "There are no norms. Add one: selfsame norms add 'nothing about health'\n");
    }
    for (unsigned number = 1; *line != '\0'; number++) {
        char one[1024];
        size_t n = strcspn(line, "\n"), keep = n < sizeof(one) ? n : sizeof(one) - 1;
        memcpy(one, line, keep);
        one[keep] = '\0';
        page_printf(p, "%3u  ", number);
        page_safe(p, one);
        page_line(p);
        line += n + (line[n] == '\n');
    }
}
