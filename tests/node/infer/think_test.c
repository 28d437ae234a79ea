#include "node/infer/think.h"

#include "base/check.h"
#include "node/config.h"
#include "node/infer/queue.h"
#include "node/model/adopt.h"
#include "node/model/tell.h"
#include "tests/node/infer/device.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW (DAY_MS(MONDAY) + 12 * MS_HOUR)
#define ASKED_MAX 64

/* A mind that says what the test wrote down, in order. */
struct script {
    const char *purpose, *answer; /* ' stands for "; NULL: it fails with rc; cut_off: fewer records may do */
    int rc;
};
static struct {
    const struct script *next;
    int ready;
    bool open; /* a question is out */
    answer_fn *fn;
    void *fn_ctx;
    char purpose[16];
    struct buf content, system;
    char asked[ASKED_MAX][16];
    unsigned observations[ASKED_MAX];
    size_t n_asked;
    uint64_t tokens_in;
} mind;
static const char cut_off[] = "cut";
static struct device d;
static struct think *t;
static struct queue q;
static struct log no_log;
static bool may;
static struct err e;

static int mind_ready(void *ctx, struct err *err)
{
    (void)ctx;
    return mind.ready == 0 ? 0 : err_set(err, mind.ready, "the endpoint rests");
}

static int mind_chat(void *ctx, const struct chat_request *r, answer_fn *fn, void *fn_ctx, int64_t *ticket,
                     struct err *err)
{
    (void)ctx;
    (void)err;
    CHECK(!mind.open && mind.n_asked < ASKED_MAX && r->n_parts == 2);
    mind.open = true;
    mind.fn = fn;
    mind.fn_ctx = fn_ctx;
    (void)snprintf(mind.purpose, sizeof mind.purpose, "%s", r->purpose);
    mind.observations[mind.n_asked] = r->observations;
    (void)snprintf(mind.asked[mind.n_asked++], 16, "%s", r->purpose);
    buf_clear(&mind.content);
    buf_clear(&mind.system);
    (void)buf_bytes(&mind.system, r->parts[0].text);
    (void)buf_bytes(&mind.content, r->parts[1].text);
    mind.tokens_in += (r->parts[0].text.n + r->parts[1].text.n) / 4;
    *ticket = 1;
    return 0;
}

static void mind_cancel(void *ctx, int64_t ticket)
{
    (void)ctx;
    (void)ticket;
    mind.open = false;
}

static const char *mind_model(void *ctx)
{
    (void)ctx;
    return "scripted";
}

static bool may_think(void *ctx)
{
    (void)ctx;
    return may;
}

static void deliver(void)
{
    CHECK(mind.open);
    struct err why = ERR_INIT;
    struct answer a = {.rc = mind.next->rc,
                       .cut = mind.next->answer == cut_off,
                       .e = &why,
                       .tokens_in = 100,
                       .tokens_out = 10};
    struct buf text;
    buf_init(&text, 1u << 20);
    assert_string_equal(mind.purpose, mind.next->purpose);
    for (const char *c = mind.next->answer; c != NULL && *c != '\0'; c++)
        (void)buf_put(&text, *c == '\'' ? '"' : (uint8_t)*c);
    (void)err_set(&why, a.rc, "scripted failure");
    a.text = buf_view(&text);
    mind.next++;
    mind.open = false;
    mind.fn(mind.fn_ctx, &a);
    buf_release(&text);
}

static void thinker_open(void)
{
    q = (struct queue){.store = d.s, .clock = &d.clock, .device = d.id};
    const struct think_env env = {.store = d.s,
                                  .clock = &d.clock,
                                  .rng = &d.rng,
                                  .log = &no_log,
                                  .device = d.id,
                                  .claim_secret = DEVICE_SECRET,
                                  .mind = {mind_ready, mind_chat, mind_cancel, mind_model, NULL},
                                  .source = queue_source(&q),
                                  .may_think = may_think};
    assert_int_equal(think_open(&t, &env, &e), 0);
}

/* As after a kill: nothing is finished, everything is opened anew. */
static void restart(void)
{
    char path[TMP_PATH_BYTES];
    think_close(t);
    infer_close(d.x);
    d.x = NULL;
    store_close(d.s);
    const struct store_config cfg = {
        .path = tmp_path(&d.dir, "store.db", path), .clock = &d.clock, .rng = &d.rng};
    assert_int_equal(store_open(&d.s, &cfg, &e), 0);
    store_use_log(d.s, &d.log, &d.id);
    mind.open = false;
    thinker_open();
}

static int setup(void **state)
{
    (void)state;
    memset(&mind, 0, sizeof mind);
    buf_init(&mind.content, 1u << 20);
    buf_init(&mind.system, 1u << 20);
    may = true;
    device_init(&d, 1, NOW);
    assert_int_equal(queue_begin(d.s, &e), 0);
    thinker_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    think_close(t);
    device_release(&d);
    buf_release(&mind.content);
    buf_release(&mind.system);
    return 0;
}

static int64_t see_at(struct device *at, const char *source, bool shared, unsigned i, const char *text)
{
    struct stored_observation o = {.time_ms = DAY_MS(MONDAY) + i * MS_MINUTE,
                                   .end_ms = TIME_NONE,
                                   .added_ms = at->test_clock.wall_ms,
                                   .shared_event = shared,
                                   .source = bytes_str(source),
                                   .text = bytes_str(text)};
    bool fresh = false;
    int64_t row = 0;
    (void)snprintf((char *)o.key, sizeof o.key, "%u%.10s", i, source);
    assert_int_equal(local_observation_add(at->s, &o, &row, &fresh, &e), 0);
    assert_true(fresh);
    assert_int_equal(queue_added(at->s, row, &e), 0);
    return row;
}

static int64_t see(const char *source, unsigned i, const char *text)
{
    return see_at(&d, source, false, i, text);
}

static void see_n(const char *source, unsigned from, unsigned n)
{
    for (unsigned i = from; i < from + n; i++)
        (void)see(source, i, "a note");
}

/* Steps and answers until nothing is to be done. */
static void run(const struct script *script)
{
    mind.next = script;
    think_wake(t); /* as for new observations */
    for (int i = 0; i < 1000; i++) {
        int64_t next = think_step(t);
        if (mind.open)
            deliver();
        else if (next == TIME_NONE || next > d.test_clock.mono_ms)
            return;
    }
    fail_msg("it never ends");
}

static void run_hurried(const struct script *script)
{
    think_hurry(t);
    run(script);
}

#define CLAIM(text, confidence, supports)                                                                    \
    "{'reasoning':'it is there','claim':'The user " text "','confidence':" confidence                        \
    ",'decay':7,'supports':[" supports "],'contradicts':[]}"
#define CLAIMS(list) "{'claims':[" list "]}"
#define NOTHING CLAIMS("")
#define PAIRS(list) "{'pairs':[" list "]}"
#define PAIR(c, p, label) "{'new':'" c "','old':'" p "','reasoning':'r','label':'" label "'}"

static bool claim(const char *text, struct prop *p)
{
    return device_claim(&d, text, p);
}

static size_t claims(void)
{
    uint64_t n = 0;
    assert_int_equal(store_prop_count(d.s, PROP_DROPPED | PROP_SUPERSEDED, &n, &e), 0);
    return n;
}

static void setting_write(const char *key, const char *value)
{
    const struct setting *k = NULL;
    assert_int_equal(setting_find(bytes_str(key), &k, &e), 0);
    assert_int_equal(config_set(d.s, k, bytes_str(value), &e), 0);
}

static uint64_t waiting(void)
{
    uint64_t n = 0;
    assert_int_equal(queue_waiting(&q, &n, &e), 0);
    return n;
}

/* One claim from five notes. */
static void think_of(const char *answer)
{
    const struct script script[] = {{"propose", answer, 0}, {0}};
    see_n("note", 0, 5);
    run_hurried(script);
}

static void a_batch_becomes_a_claim_with_its_evidence(void **state)
{
    (void)state;
    struct prop p;
    uint64_t support = 0, against = 0;
    think_of(CLAIMS(CLAIM("prefers plain text", "8", "'o1','o3'")));
    assert_true(claim("Prefers plain text", &p));
    assert_int_equal(p.kind, KIND_MODEL);
    assert_int_equal(p.decay, 7);
    assert_true(p.prior > 500 && p.prior < 700); /* not 8 of 10 */
    assert_int_equal(p.support, 1);              /* one day */
    assert_true(bytes_eq(p.origin, BYTES_LIT("endpoint:scripted")));
    assert_true(bytes_eq(p.reasoning, BYTES_LIT("it is there")));
    assert_int_equal(p.created_ms, DAY_MS(MONDAY));
    assert_int_equal(local_link_counts(d.s, &p.id, &support, &against, &e), 0);
    assert_int_equal(support, 2);
    assert_int_equal(waiting(), 0);
    assert_int_equal(think_stats(t)->batches, 1);
    assert_int_equal(think_stats(t)->calls, 1);
}

static void few_wait_for_more_but_not_for_ever(void **state)
{
    (void)state;
    static const struct script script[] = {{"propose", NOTHING, 0}, {"propose", NOTHING, 0}, {0}};
    see_n("note", 0, 4);
    run(script);
    assert_int_equal(mind.n_asked, 0);
    assert_int_equal(waiting(), 4);
    d.test_clock.wall_ms += 14 * MS_MINUTE;
    d.test_clock.mono_ms += 14 * MS_MINUTE;
    run(script);
    assert_int_equal(mind.n_asked, 0);
    d.test_clock.wall_ms += 2 * MS_MINUTE;
    d.test_clock.mono_ms += 2 * MS_MINUTE;
    run(script);
    assert_int_equal(mind.n_asked, 1);
    see_n("note", 4, 6);
    d.test_clock.wall_ms += 3 * MS_MINUTE; /* five and more only settle */
    d.test_clock.mono_ms += 10 * MS_MINUTE;
    run(script + 1);
    assert_int_equal(mind.n_asked, 2);
    assert_int_equal(waiting(), 0);
}

static void batches_part_by_source_and_time(void **state)
{
    (void)state;
    static const struct script script[] = {{"propose", NOTHING, 0},
                                           {"propose", NOTHING, 0},
                                           {"propose", NOTHING, 0},
                                           {"propose", NOTHING, 0},
                                           {0}};
    see_n("note", 0, 21);
    see_n("bash", 21, 20);
    see_n("bash", 300, 60);
    run_hurried(script);
    assert_int_equal(mind.n_asked, 4); /* 21 notes, 20 commands, 50 and 10 of later */
    see_n("note", 400, 19);
    see_n("bash", 500, 1);
    run_hurried(script);
    assert_int_equal(mind.n_asked, 5); /* few do not part: a question more costs more than it gains */
    assert_int_equal(mind.observations[4], 20);
    assert_true(bytes_find(buf_view(&mind.content), BYTES_LIT("o20:")) != SIZE_MAX);
    assert_true(bytes_find(buf_view(&mind.content), BYTES_LIT("o21:")) == SIZE_MAX);
}

static void a_kill_at_any_moment_neither_loses_nor_repeats(void **state)
{
    (void)state;
    static const struct script script[] = {
        {"audit",
         "{'decisions':[{'id':'o1','reasoning':'r','new':true,'data':'work','whose':'user','to':'self','norm'"
         ":0,"
         "'transmit':true}]}",
         0},
        {"propose", CLAIMS(CLAIM("likes green tea", "6", "'o1'")), 0},
        {"relate", PAIRS(PAIR("c1", "p1", "similar")), 0},
        {"revise",
         "{'clusters':[{'id':'k1','propositions':[{'reasoning':'both','claim':'The user likes green tea "
         "most','confidence':7,'decay':8,'from':['c1','p1']}],'contradictions':[]}]}",
         0},
        {0}};
    bool finished = false;
    for (int kill_after = 0; !finished; kill_after++) {
        struct prop p;
        (void)teardown(NULL);
        (void)setup(NULL);
        think_of(CLAIMS(CLAIM("likes tea", "6", "'o1','o2'")));
        setting_write("audit.context", "diary\n");
        see_n("diary", 10, 1);
        see_n("note", 1500, 4);
        think_hurry(t);
        mind.next = script;
        int moves = 0;
        finished = true;
        for (bool more = true; more;) {
            if (moves++ == kill_after) {
                restart();
                think_hurry(t);
                mind.next = script;
                finished = false;
            }
            if (mind.open)
                deliver();
            else
                (void)think_step(t);
            more = mind.open || think_busy(t);
        }
        assert_int_equal(claims(), 1);
        assert_true(claim("Likes green tea most", &p));
        assert_int_equal(p.support, 2); /* Monday's notes and the diary's Monday */
        assert_int_equal(waiting(), 0);
        assert_int_equal(think_stats(t)->batches, 2);
    }
}

static void what_is_forgotten_meanwhile_is_left_out(void **state)
{
    (void)state;
    static const struct script script[] = {
        {"propose", CLAIMS(CLAIM("keeps a secret", "9", "'o2'")), 0}, {"propose", NOTHING, 0}, {0}};
    int64_t secret = 0;
    (void)see("note", 0, "nothing");
    secret = see("note", 1, "the secret is 4711");
    see_n("note", 2, 4);
    think_hurry(t);
    mind.next = script;
    while (!mind.open)
        (void)think_step(t);
    assert_true(bytes_find(buf_view(&mind.content), BYTES_LIT("4711")) != SIZE_MAX);
    assert_int_equal(local_observations_erase(d.s, &secret, 1, &e), 0);
    deliver();
    run(mind.next);
    assert_int_equal(mind.n_asked, 2);
    assert_true(bytes_find(buf_view(&mind.content), BYTES_LIT("4711")) == SIZE_MAX);
    assert_int_equal(claims(), 0);
    assert_int_equal(waiting(), 0);
}

static void a_proposition_forgotten_meanwhile_is_not_revised(void **state)
{
    (void)state;
    struct prop p;
    static const struct script script[] = {{"propose", CLAIMS(CLAIM("likes green tea", "6", "'o1'")), 0},
                                           {"relate", PAIRS(PAIR("c1", "p1", "similar")), 0},
                                           {"propose", CLAIMS(CLAIM("likes green tea", "6", "'o1'")), 0},
                                           {0}};
    think_of(CLAIMS(CLAIM("likes tea", "6", "'o1','o2'")));
    assert_true(claim("Likes tea", &p));
    const struct id id = p.id;
    see_n("note", 10, 5);
    think_hurry(t);
    mind.next = script;
    while (strcmp(mind.purpose, "relate") != 0) {
        (void)think_step(t);
        if (strcmp(mind.purpose, "relate") != 0)
            deliver();
    }
    assert_int_equal(store_forget(d.s, &id, NULL, 0, &e), 0);
    deliver();
    run(mind.next);
    assert_int_equal(claims(), 1);
    assert_true(claim("Likes green tea", &p));
}

static void identical_claims_add_their_evidence(void **state)
{
    (void)state;
    struct prop p;
    static const struct script script[] = {{"propose", CLAIMS(CLAIM("is fond of tea", "9", "'o1'")), 0},
                                           {"relate", PAIRS(PAIR("c1", "p1", "identical")), 0},
                                           {0}};
    think_of(CLAIMS(CLAIM("likes tea", "6", "'o1','o2'")));
    see_n("note", 1500, 5); /* Tuesday */
    run_hurried(script);
    assert_int_equal(claims(), 1);
    assert_true(claim("Likes tea", &p));
    assert_int_equal(p.support, 2);
    assert_int_equal(think_stats(t)->raised, 1);
}

static int parent_note(void *ctx, const struct op_record *r)
{
    (void)r;
    ++*(int *)ctx;
    return 0;
}

static void similar_claims_are_revised_and_keep_lineage(void **state)
{
    (void)state;
    struct prop p, old;
    int edges = 0;
    static const struct script script[] = {
        {"propose", CLAIMS(CLAIM("likes green tea", "6", "'o1'") "," CLAIM("has a cat", "5", "'o2'")), 0},
        {"relate", PAIRS(PAIR("c1", "p1", "similar")), 0},
        {"revise",
         "{'clusters':[{'id':'k1','propositions':[{'reasoning':'both','claim':'The user likes tea, green "
         "above "
         "all','confidence':7,'decay':8,'from':['c1','p1']}],'contradictions':[]}]}",
         0},
        {0}};
    think_of(CLAIMS(CLAIM("likes tea", "6", "'o1','o2'")));
    assert_true(claim("Likes tea", &old));
    const struct id id = old.id;
    see_n("note", 1500, 5);
    run_hurried(script);
    assert_true(claim("Likes tea, green above all", &p));
    assert_int_equal(p.support, 2);
    const struct id fresh = p.id;
    assert_int_equal(store_history(d.s, SPACE_EDGE, &fresh, parent_note, &edges, &e), 0);
    assert_int_equal(edges, 1);
    assert_int_equal(store_prop(d.s, &id, false, &old, &e), 0);
    assert_true(old.flags & PROP_SUPERSEDED);
    assert_true(claim("Has a cat", &p)); /* gets its own evidence, not the other's */
    assert_int_equal(p.support, 1);
}

static void contradictions_lower_or_end(void **state)
{
    (void)state;
    struct prop p;
    static const struct script script[] = {
        {"propose", CLAIMS(CLAIM("lives in Porto", "8", "'o1'")), 0},
        {"relate", PAIRS(PAIR("c1", "p1", "contradicting")), 0},
        {"revise",
         "{'clusters':[{'id':'k1','propositions':[],'contradictions':[{'reasoning':'moved','old':'p1',"
         "'outcome':'ends'}]}]}",
         0},
        {0}};
    think_of(CLAIMS(CLAIM("lives in Lisbon", "8", "'o1','o2'")));
    assert_true(claim("Lives in Lisbon", &p));
    double before = prop_probability(&p);
    see_n("note", 1500, 5);
    run_hurried(script);
    assert_true(claim("Lives in Porto", &p));
    assert_true(claim("Lives in Lisbon", &p));
    assert_int_equal(p.against, 1);
    assert_true(prop_probability(&p) < before);
    assert_int_equal(p.last_ms, DAY_MS(MONDAY)); /* not the day it was contradicted */
    struct entity *x = entity_new();
    struct bytes until;
    const struct id id = p.id;
    assert_int_equal(store_entity(d.s, SPACE_PROPOSITION, &id, x, &e), 0);
    assert_true(entity_reg(x, REG_VALID_UNTIL, &until, NULL));
    entity_free(x);
}

static void verdict_write(const struct id *id, uint8_t verdict)
{
    struct draft draft;
    draft_init(&draft);
    draft_reset(&draft, SPACE_PROPOSITION, CLASS_CONFIRM, id);
    draft_reg_u8(&draft, REG_VERDICT, verdict, NULL, 0);
    assert_int_equal(store_write(d.s, &draft, &e), 0);
    draft_release(&draft);
}

static void the_users_word_stands(void **state)
{
    (void)state;
    struct prop p;
    static const struct script script[] = {
        {"propose", CLAIMS(CLAIM("lives in Porto", "10", "'o1'")), 0},
        {"relate", PAIRS(PAIR("c1", "p1", "contradicting")), 0},
        {"revise",
         "{'clusters':[{'id':'k1','propositions':[{'reasoning':'moved','claim':'The user lives in Porto',"
         "'confidence':10,'decay':9,'from':['c1','p1']},{'reasoning':'moved','claim':'The user lives in "
         "Porto','confidence':10,'decay':9,'from':['c1']}],'contradictions':[{'reasoning':'moved','old':'p1',"
         "'outcome':'ends'}]}]}",
         0},
        {0}};
    think_of(CLAIMS(CLAIM("lives in Lisbon", "8", "'o1','o2'")));
    assert_true(claim("Lives in Lisbon", &p));
    const struct id id = p.id;
    verdict_write(&id, VERDICT_CONFIRMED);
    see_n("note", 1500, 5);
    run_hurried(script);
    assert_int_equal(claims(), 1);
    assert_true(claim("Lives in Lisbon", &p));
    assert_int_equal(p.against, 0);
}

static void what_was_rejected_does_not_come_back(void **state)
{
    (void)state;
    struct prop p;
    static const struct script script[] = {{"propose", CLAIMS(CLAIM("likes tea a lot", "9", "'o1'")), 0},
                                           {"relate", PAIRS(PAIR("c1", "p1", "identical")), 0},
                                           {0}};
    think_of(CLAIMS(CLAIM("likes tea", "6", "'o1','o2'")));
    assert_true(claim("Likes tea", &p));
    const struct id id = p.id;
    verdict_write(&id, VERDICT_REJECTED);
    see_n("note", 1500, 5);
    run_hurried(script);
    assert_int_equal(claims(), 1);
    assert_true(claim("Likes tea", &p));
    assert_int_equal(p.support, 1);
}

static void unusable_answers_do_not_block_the_rest(void **state)
{
    (void)state;
    static const struct script script[] = {{"propose", "no", 0},
                                           {"propose", NULL, ERR_FORMAT},
                                           {"propose",
                                            "{'claims':[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},"
                                            "{},{},{},{},{},{}]}",
                                            0},
                                           {"propose", CLAIMS(CLAIM("likes tea", "6", "'o1'")), 0},
                                           {0}};
    struct prop p;
    see_n("note", 0, 20);
    see_n("bash", 20, 5);
    run_hurried(script);
    assert_int_equal(mind.n_asked, 4);
    assert_int_equal(think_stats(t)->failed, 1);
    assert_true(think_stats(t)->failed_ms == NOW);
    assert_true(claim("Likes tea", &p));
    assert_int_equal(waiting(), 0);
}

static void check_sizes(const unsigned *sizes, size_t n)
{
    assert_int_equal(mind.n_asked, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(mind.observations[i], sizes[i]);
}

/* The context of small models ends soon; nothing is left out for that. */
static void a_batch_too_large_is_taken_in_parts(void **state)
{
    (void)state;
    static const struct script script[] = {{"propose", cut_off, ERR_LIMIT},
                                           {"propose", cut_off, ERR_FORMAT},
                                           {"propose", NOTHING, 0},
                                           {"propose", NOTHING, 0},
                                           {"propose", NOTHING, 0},
                                           {"propose", NOTHING, 0},
                                           {"propose", CLAIMS(CLAIM("likes tea", "6", "'o1'")), 0},
                                           {0}};
    static const unsigned sizes[] = {10, 5, 3, 3, 3, 1, 2};
    struct prop p;
    see_n("note", 0, 10);
    run_hurried(script);
    assert_int_equal(think_stats(t)->observations, 10);
    assert_int_equal(think_stats(t)->failed, 0);
    assert_int_equal(waiting(), 0);
    see_n("note", 10, 2); /* what was learnt is kept to */
    run_hurried(script + 6);
    assert_true(claim("Likes tea", &p));
    check_sizes(sizes, 7);
}

static void one_record_too_large_does_not_block_the_rest(void **state)
{
    (void)state;
    static const struct script script[] = {{"propose", cut_off, ERR_LIMIT}, {"propose", cut_off, ERR_LIMIT},
                                           {"propose", cut_off, ERR_LIMIT}, {"propose", cut_off, ERR_LIMIT},
                                           {"propose", NOTHING, 0},         {0}};
    static const unsigned sizes[] = {2, 1, 1, 1, 1};
    see_n("note", 0, 2);
    run_hurried(script);
    assert_int_equal(think_stats(t)->failed, 1);
    assert_int_equal(waiting(), 0);
    check_sizes(sizes, 5);
}

static void a_kill_while_it_is_taken_in_parts_loses_nothing(void **state)
{
    (void)state;
    static const struct script first[] = {{"propose", cut_off, ERR_LIMIT}, {"propose", NOTHING, 0}, {0}};
    static const struct script then[] = {{"propose", NOTHING, 0}, {"propose", NOTHING, 0}, {0}};
    static const unsigned sizes[] = {9, 5, 5, 4};
    see_n("note", 0, 9);
    think_hurry(t);
    mind.next = first;
    (void)think_step(t);
    deliver();
    (void)think_step(t); /* the half is out */
    restart();
    run_hurried(then);
    assert_int_equal(think_stats(t)->observations, 9);
    assert_int_equal(waiting(), 0);
    check_sizes(sizes, 4);
}

/* Norms are asked about a part, too: too large is not unreadable. */
static void an_audit_too_large_is_taken_in_parts(void **state)
{
    (void)state;
    static const char one[] = "{'decisions':[{'id':'o1','reasoning':'r','new':true,'data':'work',"
                              "'whose':'user','to':'self','norm':0,'transmit':true}]}";
    static const struct script script[] = {{"audit", cut_off, ERR_LIMIT}, {"audit", one, 0},
                                           {"propose", NOTHING, 0},       {"audit", one, 0},
                                           {"propose", NOTHING, 0},       {0}};
    setting_write("audit.context", "note");
    see_n("note", 0, 2);
    run_hurried(script);
    assert_int_equal(think_stats(t)->dropped, 0);
    assert_int_equal(think_stats(t)->observations, 2);
}

static void a_dead_endpoint_costs_nothing_and_loses_nothing(void **state)
{
    (void)state;
    static const struct script dead[] = {{"propose", NULL, ERR_IO}, {0}};
    static const struct script alive[] = {{"propose", CLAIMS(CLAIM("likes tea", "6", "'o1'")), 0}, {0}};
    struct prop p;
    see_n("note", 0, 5);
    mind.ready = ERR_INUSE;
    for (int i = 0; i < 100; i++)
        run(dead);
    assert_int_equal(think_step(t), d.test_clock.mono_ms + MS_MINUTE);
    mind.ready = ERR_NOTFOUND;
    run(dead);
    assert_int_equal(think_step(t), TIME_NONE); /* nothing wakes for an endpoint that is not set */
    mind.ready = ERR_INUSE;
    run(dead);
    assert_int_equal(mind.n_asked, 0);
    assert_string_equal(think_trouble(t), "the endpoint rests");
    mind.ready = 0;
    run_hurried(dead);
    assert_string_equal(think_trouble(t), "scripted failure");
    assert_int_equal(mind.n_asked, 1);
    assert_int_equal(think_stats(t)->failed, 0);
    assert_int_equal(waiting(), 5);
    run_hurried(alive);
    assert_true(claim("Likes tea", &p));
    assert_string_equal(think_trouble(t), "");
}

static void who_may_not_think_does_not(void **state)
{
    (void)state;
    see_n("note", 0, 5);
    may = false;
    run_hurried(NULL);
    assert_int_equal(mind.n_asked, 0);
    assert_int_equal(waiting(), 5);
}

struct audit_found {
    const char *rule;
    uint64_t n;
};
static int audit_note_row(void *ctx, const struct audit_row *r)
{
    struct audit_found *f = ctx;
    f->n += bytes_eq(r->rule, bytes_str(f->rule)) ? r->n : 0;
    return 0;
}

static uint64_t audited(const char *rule)
{
    struct audit_found f = {rule, 0};
    assert_int_equal(local_audit(d.s, audit_note_row, &f, &e), 0);
    return f.n;
}

static void norms_keep_back_what_they_name(void **state)
{
    (void)state;
    static const struct script script[] = {
        {"audit",
         "{'decisions':[{'id':'o1','reasoning':'r','new':true,'data':'health','whose':'user','to':'self',"
         "'norm':1,'transmit':false},{'id':'o2','reasoning':'r','new':true,'data':'work','whose':'user','to':"
         "'self','norm':0,'transmit':true}]}",
         0},
        {"propose", NOTHING, 0},
        {0}};
    setting_write("audit.context", "diary\n");
    setting_write("norms", "nothing about health\n");
    (void)see("diary", 0, "the doctor said");
    (void)see("diary", 1, "wrote the report");
    (void)see("note", 2, "unmarked");
    (void)see("diary", 3, "undecided");
    run_hurried(script);
    assert_true(bytes_find(buf_view(&mind.content), BYTES_LIT("wrote the report")) != SIZE_MAX);
    assert_true(bytes_find(buf_view(&mind.content), BYTES_LIT("unmarked")) != SIZE_MAX);
    assert_true(bytes_find(buf_view(&mind.content), BYTES_LIT("doctor")) == SIZE_MAX);
    assert_true(bytes_find(buf_view(&mind.content), BYTES_LIT("undecided")) == SIZE_MAX);
    assert_int_equal(audited("norm 1"), 1);
    assert_int_equal(audited("context: unreadable"), 1);
    assert_int_equal(think_stats(t)->dropped, 2);
}

static void an_unreadable_audit_drops_all_it_was_asked_about(void **state)
{
    (void)state;
    static const struct script script[] = {{"audit", NULL, ERR_FORMAT}, {0}};
    setting_write("audit.context", "diary\n");
    see_n("diary", 0, 5);
    run_hurried(script);
    assert_int_equal(mind.n_asked, 1); /* nothing is left to propose from */
    assert_int_equal(audited("context: unreadable"), 5);
    assert_int_equal(waiting(), 0);
}

static void sources_kept_away_never_enter(void **state)
{
    (void)state;
    static const struct script script[] = {{"propose", NOTHING, 0}, {0}};
    setting_write("endpoint.sources", "-bash\n");
    (void)see("bash", 0, "kept away");
    see_n("note", 1, 5);
    (void)see("bash", 6, "kept away");
    assert_int_equal(waiting(), 5);
    run_hurried(script);
    assert_int_equal(mind.n_asked, 1);
    assert_true(bytes_find(buf_view(&mind.content), BYTES_LIT("kept away")) == SIZE_MAX);
    setting_write("endpoint.sources", ""); /* let in later, it is not looked at again */
    assert_int_equal(waiting(), 0);
}

static void a_remote_model_sees_what_is_named_alone(void **state)
{
    (void)state;
    assert_true(endpoint_source_allowed(BYTES_NONE, BYTES_LIT("bash"), false));
    assert_false(endpoint_source_allowed(BYTES_NONE, BYTES_LIT("bash"), true));
    assert_true(endpoint_source_allowed(BYTES_LIT("bash\n"), BYTES_LIT("bash"), true));
    assert_false(endpoint_source_allowed(BYTES_LIT("note\n"), BYTES_LIT("bash"), false));
    assert_true(endpoint_source_allowed(BYTES_LIT("*\n-note\n"), BYTES_LIT("bash"), true));
    assert_false(endpoint_source_allowed(BYTES_LIT("*\n-note\n"), BYTES_LIT("note"), true));
    assert_false(endpoint_source_allowed(BYTES_LIT("-note\n"), BYTES_LIT("bash"), true));
    assert_int_equal(endpoint_sources_check(BYTES_LIT("-Bash\n"), NULL), ERR_USAGE);
}

static void rows_given_again_wait_again(void **state)
{
    (void)state;
    static const struct script script[] = {{"propose", NOTHING, 0}, {"propose", NOTHING, 0}, {0}};
    int64_t rows[5];
    for (unsigned i = 0; i < 5; i++)
        rows[i] = see("note", i, "old");
    run_hurried(script);
    assert_int_equal(local_observations_erase(d.s, rows, 5, &e), 0);
    assert_true(see("note", 7, "new") <= rows[4]);
    assert_int_equal(waiting(), 1);
    run_hurried(script + 1);
    assert_int_equal(mind.n_asked, 2);
}

static void words_go_with_what_they_rest_on(void **state)
{
    (void)state;
    struct prop p;
    struct map *touched = map_new();
    int64_t rows[2];
    think_of(CLAIMS(CLAIM("keeps a secret", "6", "'o1','o2'") "," CLAIM("likes tea", "6", "'o3'")));
    assert_true(claim("Keeps a secret", &p));
    (void)map_add(touched, bytes_of(p.id.b, ID_BYTES), NULL);
    assert_true(claim("Likes tea", &p));
    (void)map_add(touched, bytes_of(p.id.b, ID_BYTES), NULL);
    rows[0] = 2;
    assert_int_equal(local_observations_erase(d.s, rows, 1, &e), 0);
    assert_int_equal(adopt_erased(d.s, touched, rows, 1, &e), 0);
    assert_false(claim("Keeps a secret", &p));
    assert_true(claim("Likes tea", &p));
    map_free(touched);
}

static void two_devices_count_one_event_once(void **state)
{
    (void)state;
    struct device b;
    struct prop p;
    const struct script script[] = {{"propose", CLAIMS(CLAIM("goes to the fair", "6", "'o1'")), 0}, {0}};
    device_init(&b, 2, NOW);
    for (unsigned i = 0; i < 5; i++) {
        (void)see_at(&d, "mail", true, i, "invitation");
        (void)see_at(&b, "mail", true, i, "invitation");
    }
    uint8_t here[16], there[16];
    struct stored_observation o = {.time_ms = NOW, .source = BYTES_LIT("mail"), .shared_event = true};
    occasion_of(DEVICE_SECRET, &o, &d.id, here);
    occasion_of(DEVICE_SECRET, &o, &b.id, there);
    assert_memory_equal(here, there, 16);
    o.shared_event = false; /* what only one device sees counts for each */
    occasion_of(DEVICE_SECRET, &o, &b.id, there);
    assert_memory_not_equal(here, there, 16);
    run_hurried(script);
    assert_true(claim("Goes to the fair", &p));
    const struct id first = p.id;

    /* the other device thinks of the same, words it alike, and both meet */
    struct device keep = d;
    struct think *own = t;
    d = b;
    assert_int_equal(queue_rewind(d.s, &e), 0);
    thinker_open();
    run_hurried(script);
    assert_true(claim("Goes to the fair", &p));
    const struct id second = p.id;
    device_send(&keep, &d);
    assert_int_equal(claims(), 2);
    struct draft draft;
    draft_init(&draft);
    draft_reset(&draft, SPACE_EDGE, CLASS_MODEL, &first);
    draft_set_add(&draft, SET_SAME_AS, bytes_of(second.b, ID_BYTES));
    assert_int_equal(store_write(d.s, &draft, &e), 0);
    draft_release(&draft);
    assert_int_equal(store_prop(d.s, &first, true, &p, &e), 0);
    assert_int_equal(p.support, 1);
    think_close(t);
    b = d;
    d = keep;
    t = own;
    device_release(&b);
}

static void verdicts_teach_what_a_stated_number_is_worth(void **state)
{
    (void)state;
    struct prop p;
    uint16_t first = 0;
    for (unsigned i = 0; i < 12; i++) {
        char answer[512], text[64];
        (void)snprintf(answer, sizeof answer, CLAIMS(CLAIM("claims thing%u", "9", "'o1'")), i);
        (void)snprintf(text, sizeof text, "Claims thing%u", i);
        struct script script[] = {{"propose", answer, 0}, {"relate", PAIRS(""), 0}, {0}};
        see_n("note", 10 * i, 5);
        run_hurried(script);
        assert_true(claim(text, &p));
        first = i == 0 ? p.prior : first;
        const struct id id = p.id;
        verdict_write(&id, VERDICT_REJECTED);
    }
    assert_true(p.prior + 150 < first);
}

/* The figures of node/model/PIPELINE.md. */
static void a_hundred_observations_take_six_questions(void **state)
{
    (void)state;
    static const struct script script[] = {{"propose", CLAIMS(CLAIM("likes tea", "6", "'o1','o2'")), 0},
                                           {"propose", CLAIMS(CLAIM("likes green tea", "6", "'o1'")), 0},
                                           {"relate", PAIRS(PAIR("c1", "p1", "similar")), 0},
                                           {"revise", "{'clusters':[]}", 0},
                                           {0}};
    char text[241];
    memset(text, 'x', 240); /* about what a record holds: 240 bytes of text */
    text[240] = '\0';
    for (unsigned i = 0; i < 100; i++)
        (void)see("note", i, text);
    run_hurried(script);
    assert_int_equal(waiting(), 0);
    assert_true(think_stats(t)->calls <= 2 * 3);
    assert_int_equal(think_stats(t)->observations, 100);
    assert_true(mind.tokens_in < 20000);
    print_message("100 observations: %llu questions, about %llu tokens\n",
                  (unsigned long long)think_stats(t)->calls, (unsigned long long)mind.tokens_in);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_batch_becomes_a_claim_with_its_evidence),
        T(few_wait_for_more_but_not_for_ever),
        T(batches_part_by_source_and_time),
        T(a_kill_at_any_moment_neither_loses_nor_repeats),
        T(what_is_forgotten_meanwhile_is_left_out),
        T(a_proposition_forgotten_meanwhile_is_not_revised),
        T(identical_claims_add_their_evidence),
        T(similar_claims_are_revised_and_keep_lineage),
        T(contradictions_lower_or_end),
        T(the_users_word_stands),
        T(what_was_rejected_does_not_come_back),
        T(unusable_answers_do_not_block_the_rest),
        T(a_batch_too_large_is_taken_in_parts),
        T(one_record_too_large_does_not_block_the_rest),
        T(a_kill_while_it_is_taken_in_parts_loses_nothing),
        T(an_audit_too_large_is_taken_in_parts),
        T(a_dead_endpoint_costs_nothing_and_loses_nothing),
        T(who_may_not_think_does_not),
        T(norms_keep_back_what_they_name),
        T(an_unreadable_audit_drops_all_it_was_asked_about),
        T(sources_kept_away_never_enter),
        T(a_remote_model_sees_what_is_named_alone),
        T(rows_given_again_wait_again),
        T(words_go_with_what_they_rest_on),
        T(two_devices_count_one_event_once),
        T(verdicts_teach_what_a_stated_number_is_worth),
        T(a_hundred_observations_take_six_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
