/* The built-in heuristics: rules that turn traces into claims. What they claim is a function of the traces
 * held, the clock's day and the device; HEURISTICS.md says for each kind of claim what counts as an occasion,
 * what supports and what contradicts, and why the thresholds are what they are.
 *
 * A *subject* is what claims are about: a tool, a project, a site, a word, a group of alternatives. One flush
 * looks at the subjects whose traces changed, and at all of them when the frame changed: the days on which
 * this device saw anything, by source. For each subject the claims made last time are kept in a local record
 * (id and digest), so that an unchanged claim costs one comparison and one that is no longer made is taken
 * back.
 *
 * Reading is bounded: WINDOW_DAYS back from the newest day. */
#ifndef NODE_INFER_HEURISTICS_H
#define NODE_INFER_HEURISTICS_H

#include "base/map.h"
#include "node/infer/features.h"
#include "node/infer/infer.h"
#include "node/model/claim.h"

#define WINDOW_WEEKS 26
#define WINDOW_DAYS (WINDOW_WEEKS * 7)
#define SOURCES_MAX 64
/* The source of evidence that is about this device as such; private, no observer's. */
#define SOURCE_DEVICE SOURCES_MAX
/* Uses of one subject in a window; a busier one counts from what was read first. */
#define USES_MAX 200000

/* Subjects that are no features of their own. */
enum subject_kind {
    SUBJECT_ALTERNATIVES = 64, /* name: group number in decimal */
    SUBJECT_ACTIVITY,          /* name: activity of the device claim */
};

struct use { /* one observation of the subject */
    int32_t day;
    uint16_t minute;
    uint16_t source;     /* index into frame.sources */
    int64_t observation; /* 0: none, the day stands for it */
    uint32_t member;     /* which of the subject's names (alternatives, statements); 0 where there is one */
};
struct subject {
    uint8_t kind;
    struct bytes name;
    const struct use *v; /* ascending by day, minute, observation */
    size_t n;
};

/* What is the same for all subjects of one flush. Days are indexed from `from`; `newest` is the newest day
 * with a trace, not later than tomorrow. */
struct frame {
    int32_t newest, from, today;
    struct frame_source {
        struct bytes name; /* owned by the frame's text */
        bool shared;
        uint8_t active[WINDOW_DAYS];
        int64_t first[WINDOW_DAYS]; /* the first observation of each active day */
    } sources[SOURCES_MAX + 1];     /* the last: SOURCE_DEVICE */
    size_t n_sources;
    uint8_t active[WINDOW_DAYS]; /* any source but calendars */
};

struct heuristics;
int heuristics_new(struct heuristics **out, const struct infer_env *env, struct err *e) MUST_CHECK;
void heuristics_free(struct heuristics *h); /* NULL fine */
/* Looks at what is dirty. `fresh` as for claim_apply(). */
int heuristics_flush(struct heuristics *h, const struct claim_fresh *fresh, struct infer_summary *sum,
                     struct err *e) MUST_CHECK;

/* Names all claims, writes nothing. */
int heuristics_name(struct heuristics *h, claim_named_fn *fn, void *ctx, struct err *e) MUST_CHECK;

/* ---- for the rules (heur_*.c) ---- */
typedef int heur_fn(struct heuristics *h, const struct subject *s, struct err *e);
heur_fn heur_routine, heur_tool, heur_preference, heur_project, heur_document, heur_topic, heur_site,
    heur_event, heur_statement, heur_device;

const struct frame *heur_frame(const struct heuristics *h);
const struct infer_env *heur_env(const struct heuristics *h);
/* The observation of a row; views valid until the next call on the store. */
int heur_observation(struct heuristics *h, int64_t row, struct stored_observation *out,
                     struct err *e) MUST_CHECK;
/* Names of a subject with members, by index. */
struct bytes heur_member(const struct heuristics *h, uint32_t member);
size_t heur_members(const struct heuristics *h);

/* Evidence of the claim being built. Occasions: one for each day, source and sign, however often it is
 * called; calls for one day follow each other. An against-occasion has no time of its own. A source is not
 * chosen over another: what one source saw must not depend on which others were read before. */
void evidence_begin(struct heuristics *h);
void evidence_occasion(struct heuristics *h, const struct use *u, bool against);
/* The same for the week that starts on a Monday, as an occasion of its own. */
void evidence_week(struct heuristics *h, int32_t monday, uint16_t source, bool against);
void evidence_link(struct heuristics *h, int64_t observation, bool against);
/* Every use in [v, v+n) an occasion and linked. */
void evidence_uses(struct heuristics *h, const struct use *v, size_t n);
/* Days with at least one occasion; weeks are left out. */
uint64_t evidence_support(const struct heuristics *h);
uint64_t evidence_against(const struct heuristics *h);

struct wording {
    uint8_t kind, decay;
    uint16_t prior;
    int64_t until_ms, at_ms; /* at_ms: the time of the evidence when it is not that of the observations
                                (events); TIME_NONE */
    struct bytes key;        /* behind the kind; canonical */
    struct bytes text, reasoning;
};
#define WORDING(k) ((struct wording){.kind = (k), .until_ms = TIME_NONE, .at_ms = TIME_NONE})
/* Makes the claim from the evidence since evidence_begin(). */
int heur_claim(struct heuristics *h, const struct wording *w, struct err *e) MUST_CHECK;

/* Scratch for key, text and reasoning of a wording; cleared by evidence_begin(). */
struct buf *heur_key(struct heuristics *h), *heur_text(struct heuristics *h),
    *heur_reasoning(struct heuristics *h);

/* Numbers in reasoning change in steps, so that a claim is not rewritten with every observation: exact below
 * 10, fives below 50, tens below 200, fifties above. */
unsigned count_rounded(uint64_t n);
/* "4", "20+" */
void count_put(struct buf *out, uint64_t n);

static inline bool day_in(const struct frame *f, int32_t day)
{
    return day >= f->from && day <= f->newest;
}
/* Days in [from, to] on which the source was active at all. */
unsigned frame_active_days(const uint8_t *active, int from, int to);

#endif
