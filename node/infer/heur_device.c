/* "Uses laptop for browsing": which device for what. The days on which this device saw the activity support,
 * its other active days contradict; counted for this device alone, so the claim belongs to it and the
 * devices' claims stand side by side. */
#include "node/infer/heuristics.h"

#include <string.h>

#define DEVICE_DAYS_MIN 5
#define DEVICE_SHARE_MIN 0.3

static bool source_serves(struct bytes source, struct bytes activity)
{
    if (bytes_eq(activity, BYTES_LIT("the command line")))
        return source_is_shell(source);
    if (bytes_eq(activity, BYTES_LIT("browsing")))
        return source_is_browser(source);
    if (bytes_eq(activity, BYTES_LIT("programming")))
        return bytes_eq(source, BYTES_LIT("git"));
    if (bytes_eq(activity, BYTES_LIT("mail")))
        return bytes_starts(source, BYTES_LIT("mail"));
    return source_is_written(source);
}

static void days_mark(const struct frame *f, struct bytes activity, uint8_t days[WINDOW_DAYS])
{
    memset(days, 0, WINDOW_DAYS);
    for (size_t i = 0; i < f->n_sources; i++) {
        for (int d = 0; d < WINDOW_DAYS && source_serves(f->sources[i].name, activity); d++)
            days[d] |= f->sources[i].active[d];
    }
}

/* One observation a day and source stands for the day. */
static void links_put(struct heuristics *h, struct bytes activity)
{
    const struct frame *f = heur_frame(h);
    for (size_t i = 0; i < f->n_sources; i++) {
        for (int d = 0; d < WINDOW_DAYS && source_serves(f->sources[i].name, activity); d++) {
            if (f->sources[i].active[d])
                evidence_link(h, f->sources[i].first[d], false);
        }
    }
}

int heur_device(struct heuristics *h, const struct subject *s, struct err *e)
{
    const struct frame *f = heur_frame(h);
    const struct infer_env *env = heur_env(h);
    uint8_t days[WINDOW_DAYS];
    days_mark(f, s->name, days);
    unsigned support = frame_active_days(days, 0, WINDOW_DAYS - 1),
             all = frame_active_days(f->active, 0, WINDOW_DAYS - 1);
    if (support < DEVICE_DAYS_MIN || support < DEVICE_SHARE_MIN * all || env->device_name == NULL)
        return 0;
    struct wording w = WORDING(KIND_DEVICE);
    evidence_begin(h);
    for (int d = 0; d < WINDOW_DAYS; d++) {
        if (f->active[d])
            evidence_occasion(h, &(struct use){.day = f->from + d, .source = SOURCE_DEVICE}, !days[d]);
    }
    links_put(h, s->name);
    struct buf *key = heur_key(h), *text = heur_text(h), *why = heur_reasoning(h);
    (void)buf_append(key, env->device.b, ID_BYTES);
    (void)buf_bytes(key, s->name);
    (void)buf_printf(text, "Uses %s for ", env->device_name);
    (void)buf_bytes(text, s->name);
    (void)buf_str(why, "On ");
    count_put(why, support);
    (void)buf_str(why, " of the days that this device saw, ");
    count_put(why, all);
    (void)buf_str(why, " in the last 26 weeks");
    w.key = buf_view(key);
    w.text = buf_view(text);
    w.reasoning = buf_view(why);
    return heur_claim(h, &w, e);
}
