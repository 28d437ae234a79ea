#include "node/model/relate.h"

#include "node/model/revise.h"
#include "tests/node/model/mind.h"
#include "tests/support/unit.h"

#include <stdio.h>

static struct test_rng seeded;
static struct rng rng;
static struct prompt p;
static struct proposals claims;
static struct knowns known;
static struct relations rel;
static struct clusters clusters;
static struct revisions revisions;
static struct buf text;

static void claim_put(const char *sentence, uint64_t shown)
{
    claims.v[claims.n] =
        (struct proposal){bytes_str(sentence), BYTES_LIT("because"), 6, 5, UINT64_C(1) << claims.n, 0};
    known.shown[claims.n++] = shown;
}

static void known_put(uint8_t kind, uint32_t flags, const char *sentence)
{
    known.v[known.n] = (struct known){.kind = kind,
                                      .flags = flags,
                                      .decay = 4,
                                      .confidence = 7,
                                      .text = bytes_str(sentence),
                                      .reasoning = BYTES_LIT("older")};
    known.v[known.n].id.b[0] = (uint8_t)(known.n + 1);
    known.n++;
}

/* c1 c2 c3, p1 and p2 of the model, p3 told, p4 of a rule. */
static int setup(void **state)
{
    (void)state;
    test_rng_init(&seeded, 12);
    rng = test_rng_iface(&seeded);
    prompt_init(&p, &rng, "Ana");
    proposals_init(&claims);
    knowns_init(&known);
    revisions_init(&revisions);
    buf_init(&text, 1u << 20);
    known_put(KIND_MODEL, 0, "Ana lives in Lisbon");
    known_put(KIND_MODEL, 0, "Ana likes tea");
    known_put(KIND_TOLD, PROP_EDITED, "Ana likes coffee");
    known_put(KIND_TOOL, 0, "Uses rg");
    claim_put("Ana lives in Porto", 1);
    claim_put("Ana likes green tea", 6);
    claim_put("Ana drinks tea at noon", 10);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    prompt_release(&p);
    buf_release(&claims.text);
    buf_release(&known.text);
    revisions_release(&revisions);
    buf_release(&text);
    return 0;
}

static int relate(const char *json)
{
    return relate_read(&claims, &known, quoted(&text, json), &rel, NULL);
}
#define PAIR(c, old, label) "{'new':'" c "','old':'" old "','reasoning':'r','label':'" label "'}"

static void labels_are_taken_by_pair(void **state)
{
    (void)state;
    assert_int_equal(
        relate("{'pairs':[" PAIR("c1", "p1", "contradicting") "," PAIR("c2", "p2", "similar") "," PAIR(
            "c2", "p3", "unrelated") "," PAIR("c3", "p4", "identical") "]}"),
        0);
    assert_int_equal(rel.v[0][0], RELATION_CONTRADICTING);
    assert_int_equal(rel.v[1][1], RELATION_SIMILAR);
    assert_int_equal(rel.v[1][2], RELATION_UNRELATED);
    assert_int_equal(rel.v[2][3], RELATION_IDENTICAL);
    assert_int_equal(relation_identical(&rel, &known, 2), 3);
    assert_true(relation_identical(&rel, &known, 0) == SIZE_MAX);
    assert_int_equal(rel.rejected, 0);
}

static void pairs_not_shown_and_odd_labels_join_nothing(void **state)
{
    (void)state;
    static const struct relations none;
    assert_int_equal(
        relate("{'pairs':[" PAIR("c1", "p2", "identical") "," PAIR("c9", "p1", "identical") "," PAIR(
            "c1", "p9", "identical") "," PAIR("p1", "c1", "identical") "," PAIR("c1", "p1",
                                                                                "the same") ",{}]}"),
        0);
    assert_memory_equal(rel.v, none.v, sizeof none.v);
    assert_int_equal(rel.rejected, 6);
}

static void the_very_same_sentence_is_identical_whatever_the_label(void **state)
{
    (void)state;
    struct bytes before = known.v[0].text;
    known.v[0].text = claims.v[0].text;
    assert_int_equal(relate("{'pairs':[" PAIR("c1", "p1", "contradicting") "]}"), 0);
    assert_int_equal(rel.v[0][0], RELATION_IDENTICAL);
    known.v[1].text = claims.v[0].text; /* not shown with it */
    assert_int_equal(relate("{'pairs':[]}"), 0);
    assert_int_equal(rel.v[0][0], RELATION_IDENTICAL);
    assert_int_equal(rel.v[0][1], RELATION_UNRELATED);
    known.v[0].text = before;
}

static void a_pair_labelled_two_ways_is_unrelated(void **state)
{
    (void)state;
    assert_int_equal(
        relate("{'pairs':[" PAIR("c1", "p1", "identical") "," PAIR("c1", "p1", "contradicting") "]}"), 0);
    assert_int_equal(rel.v[0][0], RELATION_UNRELATED);
}

static void no_list_of_pairs_is_no_answer(void **state)
{
    (void)state;
    assert_int_equal(relate("{}"), ERR_FORMAT);
    assert_int_equal(relate("identical"), ERR_FORMAT);
}

static void the_question_shows_each_claim_once_and_its_pairs(void **state)
{
    (void)state;
    relate_ask(&p, &claims, &known);
    assert_int_equal(prompt_error(&p, NULL), 0);
    assert_int_equal(fences_in(&p, buf_view(&p.content)), 2 * (3 + 4));
    assert_true(bytes_find(buf_view(&p.content), BYTES_LIT("compared with p2 p3, c2:")) != SIZE_MAX);
}

static void cluster(const char *json)
{
    assert_int_equal(relate(json), 0);
    revise_clusters(&claims, &known, &rel, &clusters);
}

static void claims_of_one_known_hang_together(void **state)
{
    (void)state;
    cluster("{'pairs':[" PAIR("c2", "p2", "similar") "," PAIR("c3", "p2", "similar") "]}");
    assert_int_equal(clusters.n, 1);
    assert_int_equal(clusters.v[0].claims, 6);
    assert_int_equal(clusters.v[0].olds, 2);
}

static void identical_claims_and_what_is_not_the_models_stay_out(void **state)
{
    (void)state;
    cluster("{'pairs':[" PAIR("c1", "p1", "identical") "," PAIR("c2", "p3", "similar") "," PAIR(
        "c3", "p4", "similar") "]}");
    assert_int_equal(clusters.n, 0);
    cluster("{'pairs':[" PAIR("c2", "p3", "contradicting") "]}");
    assert_int_equal(clusters.n, 1);
}

static int revise(const char *json)
{
    const struct revise_input in = {&claims, &known, &clusters};
    return revise_read(&p, &in, quoted(&text, json), &revisions, NULL);
}

/* k1: c1 against p1; k2: c2 similar to p2, against p3. */
static void two_clusters(void)
{
    cluster("{'pairs':[" PAIR("c1", "p1", "contradicting") "," PAIR("c2", "p2", "similar") "," PAIR(
        "c2", "p3", "contradicting") "]}");
    assert_int_equal(clusters.n, 2);
}
#define REVISED(claim, from)                                                                                 \
    "{'reasoning':'both','claim':'" claim "','confidence':7,'decay':8,'from':[" from "]}"
#define CLUSTER(id, claims, against)                                                                         \
    "{'clusters':[{'id':'" id "','propositions':[" claims "],'contradictions':[" against "]}]}"

static void a_revision_names_what_it_is_made_from(void **state)
{
    (void)state;
    two_clusters();
    assert_int_equal(revise(CLUSTER("k2", REVISED("Ana likes green tea most", "'c2','p2'"), "")), 0);
    assert_int_equal(revisions.n, 1);
    assert_int_equal(revisions.v[0].claims, 2);
    assert_int_equal(revisions.v[0].olds, 2);
    assert_int_equal(revisions.v[0].confidence, 7);
    assert_true(bytes_eq(revisions.v[0].text, BYTES_LIT("Ana likes green tea most")));
    assert_true(bytes_eq(revisions.v[0].reasoning, BYTES_LIT("both")));
}

static void what_is_outside_the_cluster_or_the_users_is_not_revised(void **state)
{
    (void)state;
    static const char *const from[] = {"'c1','p2'", "'c2','p1'", "'c2','p3'", "'p2'",     "'c2','p7'",
                                       "",          "'o1'",      "2",         "'c2','p4'"};
    two_clusters();
    for (size_t i = 0; i < sizeof from / sizeof from[0]; i++) {
        char json[512];
        (void)snprintf(json, sizeof json, CLUSTER("k2", REVISED("Ana likes tea", "%s"), ""), from[i]);
        assert_int_equal(revise(json), 0);
        assert_int_equal(revisions.n, 0);
        assert_int_equal(revisions.rejected, 1);
    }
}

static void a_contradiction_ends_or_lowers(void **state)
{
    (void)state;
    two_clusters();
    assert_int_equal(revise(CLUSTER("k1", REVISED("Ana lives in Porto", "'c1'"),
                                    "{'reasoning':'moved','old':'p1','outcome':'ends'}")),
                     0);
    assert_int_equal(revisions.outcome[0], OUTCOME_ENDS);
    assert_int_equal(revise(CLUSTER("k1", "", "{'reasoning':'r','old':'p1','outcome':'lowers'}")), 0);
    assert_int_equal(revisions.outcome[0], OUTCOME_LOWERS);
    assert_int_equal(revise(CLUSTER("k1", "", "{'reasoning':'r','old':'p2','outcome':'ends'}")), 0);
    assert_int_equal(revisions.outcome[1], OUTCOME_NONE);
    assert_int_equal(revisions.rejected, 1);
}

static void a_revision_about_another_or_with_the_fence_is_refused(void **state)
{
    (void)state;
    two_clusters();
    assert_int_equal(revise(CLUSTER("k2", REVISED("Bea likes tea", "'c2','p2'"), "")), 0);
    assert_int_equal(revisions.n, 0);
    char json[512];
    (void)snprintf(json, sizeof json, CLUSTER("k2", REVISED("Ana likes %s", "'c2','p2'"), ""), p.fence);
    assert_int_equal(revise(json), 0);
    assert_int_equal(revisions.n, 0);
}

static void a_cluster_is_answered_once(void **state)
{
    (void)state;
    two_clusters();
    assert_int_equal(
        revise("{'clusters':[{'id':'k2','propositions':[" REVISED(
            "Ana likes tea",
            "'c2','p2'") "]},{'id':'k2','propositions':[" REVISED("Ana likes tea",
                                                                  "'c2','p2'") "]},{'id':'k3'}]}"),
        0);
    assert_int_equal(revisions.n, 1);
    assert_int_equal(revisions.rejected, 2);
}

static void the_question_shows_confidence_and_decay_of_old_and_new(void **state)
{
    (void)state;
    two_clusters();
    revise_ask(&p, &claims, &known, &clusters);
    assert_int_equal(prompt_error(&p, NULL), 0);
    assert_int_equal(fences_in(&p, buf_view(&p.content)), 2 * 5);
    assert_true(bytes_find(buf_view(&p.content), BYTES_LIT("known, confidence 7, decay 4, p1:")) != SIZE_MAX);
    assert_true(bytes_find(buf_view(&p.content),
                           BYTES_LIT("known, not to be reworded, confidence 7, decay 4, p3:")) != SIZE_MAX);
}

static void schemas_are_json_and_name_what_was_shown(void **state)
{
    (void)state;
    const char *const schemas[] = {relate_schema, revise_schema};
    two_clusters();
    for (size_t i = 0; i < 2; i++) {
        struct buf sent;
        buf_init(&sent, PROMPT_SCHEMA_BYTES);
        prompt_release(&p);
        prompt_init(&p, &rng, "Ana");
        i == 0 ? relate_ask(&p, &claims, &known) : revise_ask(&p, &claims, &known, &clusters);
        assert_int_equal(prompt_schema(&p, schemas[i], &sent), 0);
        cJSON *doc = cJSON_Parse(buf_cstr(&sent));
        assert_non_null(doc);
        assert_true(bytes_find(buf_view(&sent), BYTES_LIT("\"enum\":[\"p1\",\"p2\"")) != SIZE_MAX);
        assert_true(bytes_find(buf_view(&sent), BYTES_LIT("$c")) == SIZE_MAX);
        cJSON_Delete(doc);
        buf_release(&sent);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(labels_are_taken_by_pair),
        T(pairs_not_shown_and_odd_labels_join_nothing),
        T(the_very_same_sentence_is_identical_whatever_the_label),
        T(a_pair_labelled_two_ways_is_unrelated),
        T(no_list_of_pairs_is_no_answer),
        T(the_question_shows_each_claim_once_and_its_pairs),
        T(claims_of_one_known_hang_together),
        T(identical_claims_and_what_is_not_the_models_stay_out),
        T(a_revision_names_what_it_is_made_from),
        T(what_is_outside_the_cluster_or_the_users_is_not_revised),
        T(a_contradiction_ends_or_lowers),
        T(a_revision_about_another_or_with_the_fence_is_refused),
        T(a_cluster_is_answered_once),
        T(the_question_shows_confidence_and_decay_of_old_and_new),
        T(schemas_are_json_and_name_what_was_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
