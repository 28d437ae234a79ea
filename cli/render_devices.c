/* Drawing devices, peers, pairing and conflicts. */
#include "cli/render.h"

#include <string.h>

#define NAME_COLUMNS 12

/* "k7qf-2mpa": the head of an id, as people compare it. */
static void draw_short(struct page *p, enum paint paint, const char *id)
{
    char text[10];
    if (strlen(id) < 8) {
        return;
    }
    memcpy(text, id, 4);
    text[4] = '-';
    memcpy(text + 5, id + 4, 4);
    text[9] = '\0';
    page_paint(p, paint, text);
    page_blanks(p, 3);
}

/* What the reason says beyond the numbers, which are shown already. */
static const char *reason_beyond(const cJSON *d)
{
    const char *reason = doc_text(d, "reason");
    if (strncmp(reason, "lacks ", 6) != 0 && strncmp(reason, "has ", 4) != 0) {
        return reason;
    }
    const char *rest = strchr(reason, ';');
    return rest != NULL ? rest + 2 : "";
}

void draw_standing(struct page *p, const cJSON *d, const char *key)
{
    const char *state = doc_text(d, key);
    char seen[TIME_TEXT];
    bool equal = strcmp(state, "equal") == 0;
    page_paint(p, equal ? PAINT_GOOD : strcmp(state, "diverged") == 0 ? PAINT_BAD : PAINT_WARN, state);
    bool met = doc_time(d, "last_seen") != TIME_NONE;
    if (doc_number(d, "they_lack") > 0) {
        page_str(p, met ? "; lacks " : "; may lack ");
        draw_count(p, doc_number(d, "they_lack"), "of your changes", "of your changes");
    }
    if (doc_number(d, "we_lack") > 0) {
        page_str(p, "; has ");
        draw_count(p, doc_number(d, "we_lack"), "change more", "changes more");
    }
    int64_t last = doc_time(d, met ? "last_seen" : "last_heard");
    if (!doc_flag(d, "connected") && last != TIME_NONE) {
        time_relative(p->st, last, seen);
        page_printf(p, met ? "; last seen %s" : "; last heard of %s", seen);
    }
    if (reason_beyond(d)[0] != '\0') {
        page_str(p, "; ");
        page_safe(p, reason_beyond(d));
    }
}

static void draw_offset(struct page *p, const cJSON *d)
{
    double ms = doc_number(d, "clock_offset_ms");
    if ((ms > 5000 || ms < -5000) && strstr(doc_text(d, "reason"), "its clock is") == NULL) {
        page_printf(p, "; its clock is %.0f s %s", (ms < 0 ? -ms : ms) / 1000, ms > 0 ? "ahead" : "behind");
    }
}

static bool is_removed(const cJSON *d)
{
    return strcmp(doc_text(d, "state"), "removed") == 0;
}

/* Whether this very device was removed by the others. */
static bool we_are_out(const cJSON *answer)
{
    const cJSON *d = NULL;
    cJSON_ArrayForEach(d, doc_get(answer, "devices"))
    {
        if (doc_flag(d, "this")) {
            return is_removed(d);
        }
    }
    return false;
}

static void draw_device(struct page *p, const cJSON *d, bool out)
{
    bool removed = is_removed(d);
    draw_short(p, removed ? PAINT_DIM : PAINT_ID, doc_text(d, "id"));
    page_cell(p, removed ? PAINT_DIM : PAINT_STRONG, doc_text(d, "name"), NAME_COLUMNS, false);
    page_blanks(p, 2);
    if (doc_flag(d, "this")) {
        page_str(p, removed ? "this device; removed from the group" : "this device");
    } else if (removed) {
        page_paint(p, PAINT_DIM, doc_flag(d, "words") ? "no longer count" : "removed");
    } else if (doc_flag(d, "words")) {
        page_str(p, "24 words on paper");
    } else if (out) {
        page_str(p, "in the group that this device was removed from");
    } else {
        draw_standing(p, d, "sync");
        draw_offset(p, d);
    }
    if (strcmp(doc_text(d, "state"), "asleep") == 0) {
        page_str(p, "; asleep");
    }
    page_line(p);
}

/* Which key is in use, and who has not said to have it. */
static void draw_epoch(struct page *p, const cJSON *answer)
{
    const cJSON *d = NULL;
    const cJSON *epoch = doc_get(answer, "epoch");
    char since[TIME_TEXT];
    const char *before = "; not confirmed yet by ";
    if (!cJSON_IsObject(epoch)) {
        return;
    }
    time_local(p->st, doc_time(epoch, "since"), since);
    page_on(p, PAINT_DIM);
    page_printf(p, "key %.0f, in use since %s", doc_number(epoch, "number"), since);
    cJSON_ArrayForEach(d, doc_get(answer, "devices"))
    {
        bool waits = !doc_flag(d, "this") && !doc_flag(d, "words") && !is_removed(d);
        if (waits && strcmp(doc_text(d, "epoch"), doc_text(epoch, "id")) != 0) {
            page_str(p, before);
            page_safe(p, doc_text(d, "name"));
            before = ", ";
        }
    }
    page_off(p, PAINT_DIM);
    page_line(p);
}

void draw_device_list(struct page *p, const cJSON *answer)
{
    const cJSON *d = NULL;
    bool out = we_are_out(answer);
    cJSON_ArrayForEach(d, doc_get(answer, "devices"))
    {
        draw_device(p, d, out);
    }
    if (out) {
        page_str(p, "To start again as a new device: selfsame init --renew\n");
    } else if (cJSON_GetArraySize(doc_get(answer, "devices")) < 2) {
        page_str(p, "Add one: start selfsamed on both, then here: selfsame pair\n");
    } else {
        draw_epoch(p, answer);
    }
}

void draw_meetings(struct page *p, const cJSON *answer)
{
    const cJSON *d = NULL;
    if (cJSON_GetArraySize(doc_get(answer, "peers")) == 0) {
        page_str(p, "This device is alone. Add another: selfsame pair\n");
    }
    cJSON_ArrayForEach(d, doc_get(answer, "peers"))
    {
        page_cell(p, PAINT_STRONG, doc_text(d, "name"), NAME_COLUMNS, false);
        page_blanks(p, 2);
        draw_standing(p, d, "state");
        page_line(p);
    }
}

void draw_paired(struct page *p, const cJSON *answer)
{
    const cJSON *peer = doc_get(answer, "peer");
    if (doc_flag(answer, "words")) {
        page_str(p, "This device belongs to your group now; '");
        page_safe(p, doc_text(peer, "name"));
        page_str(p, "' let it in, and the model comes in from there.\n"
                    "The recovery words are used up. Write down new ones: selfsame devices words\n"
                    "Is a device lost? It is still a member: selfsame devices, then selfsame devices remove "
                    "DEVICE\n");
        return;
    }
    page_str(p, "Paired with '");
    page_safe(p, doc_text(peer, "name"));
    page_str(p, "'.");
    if (doc_text(answer, "text")[0] != '\0') {
        page_str(p, " ");
        page_safe(p, doc_text(answer, "text"));
    }
    page_str(p, "\nNext: selfsame devices\n");
}

void draw_words(struct page *p, const cJSON *answer)
{
    const char *words = doc_text(answer, "words");
    int i = 0;
    page_str(p,
             "Write these down, in this order. They are shown once, and count from when you have typed them\n"
             "back; any earlier ones of the group do not count then.\n\n");
    while (*words != '\0') {
        char one[16];
        size_t n = strcspn(words, " ");
        (void)snprintf(one, sizeof(one), "%.*s", (int)(n < 15 ? n : 15), words);
        page_printf(p, "%3d ", ++i);
        page_cell(p, PAINT_STRONG, one, 10, false);
        if (i % 4 == 0) {
            page_line(p);
        }
        words += n + strspn(words + n, " ");
    }
    page_str(p,
             "\nWhoever has them can become one of your devices. Type them back with: selfsame devices words "
             "--check\nA new device then comes in by: selfsame recover\n");
}

static void draw_choice(struct page *p, const cJSON *c)
{
    char when[TIME_TEXT];
    page_glyph(p, "│  ", "|  ");
    page_printf(p, "%d  ", (int)doc_number(c, "choice"));
    page_safe(p, doc_text(c, "value"));
    page_on(p, PAINT_DIM);
    time_relative(p->st, doc_time(c, "time"), when);
    page_str(p, "   ");
    page_safe(p, doc_text(c, "device"));
    page_printf(p, ", %s", when);
    page_off(p, PAINT_DIM);
    page_line(p);
}

void draw_conflicts(struct page *p, const cJSON *answer)
{
    const cJSON *c = NULL;
    const cJSON *choice = NULL;
    if (cJSON_GetArraySize(doc_get(answer, "conflicts")) == 0) {
        page_str(p, "No two devices disagree.\n");
    }
    cJSON_ArrayForEach(c, doc_get(answer, "conflicts"))
    {
        char id[8] = {0};
        memcpy(id, doc_text(c, "id"), strlen(doc_text(c, "id")) < 7 ? strlen(doc_text(c, "id")) : 7);
        page_glyph(p, "×  ", "x  ");
        page_paint(p, PAINT_ID, id);
        page_str(p, "  ");
        page_safe(p, doc_text(c, "text"));
        page_str(p, "  (");
        page_safe(p, doc_text(c, "field"));
        page_str(p, ")");
        page_line(p);
        cJSON_ArrayForEach(choice, doc_get(c, "choices"))
        {
            draw_choice(p, choice);
        }
        page_glyph(p, "└─ ", "`- ");
        page_printf(p, "selfsame resolve %s --take N\n", id);
    }
}
