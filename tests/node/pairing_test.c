/* Two nodes in one process, with real sockets on the loopback, pair by code: what each side is told, whatever
 * goes wrong. */
#include "node/pairing.h"

#include "crypto/hash.h"
#include "node/identity.h"
#include "node/serve/api.h"
#include "node/upkeep.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES 3
#define WAIT_MS 20000

struct device {
    char home[TMP_PATH_BYTES];
    struct node *n;
    struct net *net;
    struct pairing *p;
};

static struct tmp_dir dir;
static struct device dev[DEVICES];
static const struct history_grant all = {.kind = HISTORY_ALL};

static void device_open(struct device *d)
{
    struct err e = ERR_INIT;
    struct node_options o = {.home = d->home,
                             .log = {.out = getenv("SHOW_LOG") != NULL ? stderr : NULL, .level = LOG_DEBUG}};
    const struct net_options net = {.listen = "127.0.0.1:0"};
    assert_int_equal(node_open(&d->n, &o, &e), 0);
    int rc = net_open(&d->net, d->n, &net, &e);
    if (rc != 0) {
        print_message("%s\n", e.text);
    }
    assert_int_equal(rc, 0);
    d->p = pairing_new(d->n, d->net);
    assert_non_null(d->p);
    d->n->net = d->net;
    d->n->pairing = d->p;
}

static void device_close(struct device *d)
{
    if (d->n == NULL) {
        return;
    }
    pairing_free(d->p);
    net_close(d->net);
    d->n->pairing = NULL;
    d->n->net = NULL;
    node_close(d->n);
    *d = (struct device){0};
}

static int setup(void **state)
{
    static const char *const names[DEVICES] = {"laptop", "desktop", "phone"};
    struct err e = ERR_INIT;
    (void)state;
    tmp_dir_make(&dir);
    assert_int_equal(crypt_start(), 0);
    for (size_t i = 0; i < DEVICES; i++) {
        (void)tmp_path(&dir, names[i], dev[i].home);
        assert_int_equal(node_init(dev[i].home, bytes_str(names[i]), &e), 0);
        device_open(&dev[i]);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < DEVICES; i++) {
        device_close(&dev[i]);
    }
    tmp_dir_remove(&dir);
    return 0;
}

static void tell(struct device *d, const char *text)
{
    struct err e = ERR_INIT;
    cJSON *answer = NULL;
    cJSON *req = cJSON_CreateObject();
    assert_non_null(cJSON_AddStringToObject(req, "cmd", "tell"));
    assert_non_null(cJSON_AddStringToObject(req, "text", text));
    assert_int_equal(api_call(d->n, req, &answer, &e), 0);
    cJSON_Delete(req);
    cJSON_Delete(answer);
}

static enum pairing_phase phase(const struct device *d)
{
    struct pairing_view v;
    pairing_view(d->p, &v);
    return v.phase;
}

static void step(void)
{
    struct pollfd fds[DEVICES];
    nfds_t n = 0;
    for (size_t i = 0; i < DEVICES; i++) {
        if (dev[i].n != NULL) {
            (void)net_step(dev[i].net);
            (void)pairing_step(dev[i].p);
            (void)net_step(dev[i].net);
            fds[n++] = (struct pollfd){.fd = net_fd(dev[i].net), .events = POLLIN};
        }
    }
    (void)poll(fds, n, 5);
}

/* Runs all devices until d is in that phase. */
static void run_until(const struct device *d, enum pairing_phase want)
{
    const struct clock *c = &dev[0].n->clock;
    int64_t end = clock_mono_ms(c) + WAIT_MS;
    while (phase(d) != want) {
        struct pairing_view v;
        pairing_view(d->p, &v);
        if (clock_mono_ms(c) > end || (v.phase == PAIRING_FAILED && want != PAIRING_FAILED)) {
            print_message("phase %s, wanted %s: %s\n", pairing_phase_name(v.phase), pairing_phase_name(want),
                          v.text);
            fail();
        }
        step();
    }
}

static void show_code(struct device *d, char code[PAIR_DIGITS_TEXT + 1])
{
    struct err e = ERR_INIT;
    struct pairing_view v;
    int rc = pairing_host(d->p, &all, &e);
    if (rc != 0) {
        print_message("%s\n", e.text);
    }
    assert_int_equal(rc, 0);
    pairing_view(d->p, &v);
    memcpy(code, v.code, sizeof(v.code));
}

static void type_code(struct device *d, const struct device *host, const char *code)
{
    struct err e = ERR_INIT;
    int rc = pairing_join(d->p, bytes_str(code), net_address(host->net), &e);
    if (rc != 0) {
        print_message("%s\n", e.text);
    }
    assert_int_equal(rc, 0);
}

static void meet(struct device *host, struct device *joiner)
{
    char code[PAIR_DIGITS_TEXT + 1];
    show_code(host, code);
    type_code(joiner, host, code);
    run_until(joiner, PAIRING_ASKING);
    run_until(host, PAIRING_ASKING);
}

static void pair_up(struct device *host, struct device *joiner)
{
    struct err e = ERR_INIT;
    meet(host, joiner);
    assert_int_equal(pairing_answer(joiner->p, true, &e), 0);
    assert_int_equal(pairing_answer(host->p, true, &e), 0);
    run_until(joiner, PAIRING_DONE);
    run_until(host, PAIRING_DONE);
}

static void assert_failed(const struct device *d, int code, const char *text)
{
    struct pairing_view v;
    pairing_view(d->p, &v);
    assert_int_equal(v.phase, PAIRING_FAILED);
    if (v.failure != code || strstr(v.text, text) == NULL) {
        print_message("%d: %s / %s\n", v.failure, v.text, v.hint);
    }
    assert_int_equal(v.failure, code);
    assert_non_null(strstr(v.text, text));
}

/* ---- going well -------------------------------------------------------------------------------------------
 */

static void pairing_makes_one_group(void **state)
{
    (void)state;
    struct id a, b;
    struct pairing_view v;
    tell(&dev[0], "plays the cello");
    tell(&dev[1], "works in Lisbon");
    pair_up(&dev[0], &dev[1]);
    group_id(dev[0].n->group, &a);
    group_id(dev[1].n->group, &b);
    assert_true(id_eq(&a, &b));
    assert_int_equal(group_members(dev[0].n->group), 2);
    assert_true(identity_has_others(dev[1].n));
    assert_memory_equal(dev[0].n->home.keys.claim.p, dev[1].n->home.keys.claim.p, KEY_BYTES);
    pairing_view(dev[0].p, &v);
    assert_string_equal(v.peer_name, "desktop");
    assert_string_equal(v.code, "");
}

static void pairing_shows_the_others_name_before_anything_happens(void **state)
{
    (void)state;
    struct pairing_view v;
    meet(&dev[0], &dev[1]);
    pairing_view(dev[1].p, &v);
    assert_string_equal(v.peer_name, "laptop");
    assert_true(id_eq(&v.peer, &dev[0].n->home.device));
    assert_false(group_exists(dev[0].n->group));
    assert_false(group_exists(dev[1].n->group));
}

static void pairing_a_third_device_joins_either_of_two(void **state)
{
    (void)state;
    pair_up(&dev[0], &dev[1]);
    pair_up(&dev[1], &dev[2]);
    assert_int_equal(group_members(dev[2].n->group), 3);
    assert_true(identity_is_member(dev[2].n));
}

static void pairing_survives_reopening(void **state)
{
    (void)state;
    struct device *d = &dev[1];
    char home[TMP_PATH_BYTES];
    pair_up(&dev[0], d);
    memcpy(home, d->home, sizeof(home));
    device_close(d);
    memcpy(d->home, home, sizeof(home));
    device_open(d);
    assert_true(identity_is_member(d->n));
    assert_int_equal(group_members(d->n->group), 2);
    assert_memory_equal(dev[0].n->home.keys.claim.p, d->n->home.keys.claim.p, KEY_BYTES);
}

/* ---- going wrong ------------------------------------------------------------------------------------------
 */

static void pairing_no_on_either_side_changes_nothing(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    meet(&dev[0], &dev[1]);
    assert_int_equal(pairing_answer(dev[1].p, false, &e), 0);
    run_until(&dev[0], PAIRING_FAILED);
    assert_failed(&dev[0], ERR_CANCELLED, "said no");
    assert_failed(&dev[1], ERR_CANCELLED, "you said no");
    assert_false(group_exists(dev[0].n->group));
    meet(&dev[0], &dev[2]); /* and it can be tried again at once */
}

static void wrong_code_for(const char *right, char wrong[PAIR_DIGITS_TEXT + 1])
{
    memcpy(wrong, right, PAIR_DIGITS_TEXT + 1);
    wrong[0] = wrong[0] == '9' ? '0' : (char)(wrong[0] + 1);
}

static void pairing_wrong_code_three_times_ends_it(void **state)
{
    (void)state;
    char code[PAIR_DIGITS_TEXT + 1], wrong[PAIR_DIGITS_TEXT + 1];
    struct pairing_view v;
    show_code(&dev[0], code);
    wrong_code_for(code, wrong);
    for (int i = 1; i <= PAIR_TRIES; i++) {
        type_code(&dev[1], &dev[0], wrong);
        run_until(&dev[1], PAIRING_FAILED);
        assert_failed(&dev[1], ERR_VERIFY, "code");
        int64_t end = clock_mono_ms(&dev[0].n->clock) + WAIT_MS;
        do {
            step();
            pairing_view(dev[0].p, &v);
        } while (v.tries_left > PAIR_TRIES - i && clock_mono_ms(&dev[0].n->clock) < end);
        assert_int_equal(v.tries_left, PAIR_TRIES - i);
    }
    assert_failed(&dev[0], ERR_VERIFY, "three times");
    struct err e = ERR_INIT;
    assert_int_equal(pairing_join(dev[2].p, bytes_str(code), net_address(dev[0].net), &e), 0);
    run_until(&dev[2], PAIRING_FAILED);
}

static void pairing_right_code_after_a_wrong_one_works(void **state)
{
    (void)state;
    char code[PAIR_DIGITS_TEXT + 1], wrong[PAIR_DIGITS_TEXT + 1];
    show_code(&dev[0], code);
    wrong_code_for(code, wrong);
    type_code(&dev[1], &dev[0], wrong);
    run_until(&dev[1], PAIRING_FAILED);
    type_code(&dev[1], &dev[0], code);
    run_until(&dev[1], PAIRING_ASKING);
}

static void pairing_nonsense_is_refused_before_dialling(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    assert_int_equal(pairing_join(dev[1].p, BYTES_LIT("hello"), NULL, &e), ERR_USAGE);
    assert_int_equal(phase(&dev[1]), PAIRING_NONE);
    assert_int_equal(pairing_answer(dev[1].p, true, &e), ERR_USAGE);
}

static void pairing_where_nobody_shows_a_code_says_so(void **state)
{
    (void)state;
    type_code(&dev[1], &dev[0], "1234-5678");
    run_until(&dev[1], PAIRING_FAILED);
    assert_failed(&dev[1], ERR_NOTFOUND, "shows no code now");
    assert_failed(&dev[1], ERR_NOTFOUND, net_address(dev[0].net));
}

static void pairing_where_nobody_is_names_address_and_reason(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    assert_int_equal(pairing_join(dev[1].p, BYTES_LIT("1234-5678"), "127.0.0.1:1", &e), 0);
    run_until(&dev[1], PAIRING_FAILED);
    assert_failed(&dev[1], ERR_NOTFOUND, "no device was reached at 127.0.0.1:1: ");
    assert_failed(&dev[1], ERR_NOTFOUND, "refused");
}

static void pairing_member_of_a_group_does_not_join_another(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    pair_up(&dev[0], &dev[1]);
    assert_int_equal(pairing_join(dev[1].p, BYTES_LIT("1234-5678"), NULL, &e), ERR_EXISTS);
    assert_non_null(strstr(e.hint, "show the code here"));
}

static void pairing_is_one_at_a_time(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    char code[PAIR_DIGITS_TEXT + 1];
    show_code(&dev[0], code);
    assert_int_equal(pairing_host(dev[0].p, &all, &e), ERR_INUSE);
    /* and what is refused leaves the one that is under way alone */
    assert_int_equal(pairing_join(dev[0].p, BYTES_LIT("1234-5678"), net_address(dev[1].net), &e), ERR_INUSE);
    static const uint8_t secret[RECOVERY_BYTES] = {1};
    assert_int_equal(pairing_recover(dev[0].p, secret, net_address(dev[1].net), &e), ERR_INUSE);
    assert_int_equal(phase(&dev[0]), PAIRING_WAITING);
    type_code(&dev[1], &dev[0], code);
    run_until(&dev[1], PAIRING_ASKING);
    run_until(&dev[0], PAIRING_ASKING);
    pairing_cancel(dev[0].p);
    assert_failed(&dev[0], ERR_CANCELLED, "ended here");
    show_code(&dev[0], code);
}

static void pairing_second_joiner_waits_its_turn(void **state)
{
    (void)state;
    char code[PAIR_DIGITS_TEXT + 1];
    struct err e = ERR_INIT;
    show_code(&dev[0], code);
    type_code(&dev[1], &dev[0], code);
    run_until(&dev[1], PAIRING_ASKING);
    type_code(&dev[2], &dev[0], code);
    run_until(&dev[2], PAIRING_FAILED);
    assert_int_equal(phase(&dev[1]), PAIRING_ASKING);
    assert_int_equal(pairing_answer(dev[1].p, true, &e), 0);
    assert_int_equal(pairing_answer(dev[0].p, true, &e), 0);
    run_until(&dev[1], PAIRING_DONE);
}

static void pairing_window_closed_half_way_is_told_to_the_other(void **state)
{
    (void)state;
    meet(&dev[0], &dev[1]);
    pairing_cancel(dev[1].p);
    run_until(&dev[0], PAIRING_FAILED);
    assert_failed(&dev[0], ERR_IO, "went away");
    assert_false(group_exists(dev[0].n->group));
}

static void pairing_a_copy_of_oneself_is_refused(void **state)
{
    (void)state;
    struct device *d = &dev[2];
    char from[TMP_PATH_BYTES], to[TMP_PATH_BYTES], home[TMP_PATH_BYTES];
    static const char *const files[] = {"device", "keys"};
    memcpy(home, d->home, sizeof(home));
    device_close(d);
    memcpy(d->home, home, sizeof(home));
    for (size_t i = 0; i < 2; i++) {
        snprintf(from, sizeof(from), "%s/laptop/%s", dir.path, files[i]);
        snprintf(to, sizeof(to), "%s/phone/%s", dir.path, files[i]);
        tmp_copy(from, to);
    }
    device_open(d);
    char code[PAIR_DIGITS_TEXT + 1];
    show_code(&dev[0], code);
    type_code(d, &dev[0], code);
    run_until(d, PAIRING_FAILED);
    assert_failed(d, ERR_EXISTS, "copy");
}

/* A clock that can be put forward. */
static struct clock real;
static int64_t ahead_ms;

static int64_t ahead_wall(void *ctx)
{
    (void)ctx;
    return clock_wall_ms(&real) + ahead_ms;
}

static int64_t ahead_mono(void *ctx)
{
    (void)ctx;
    return clock_mono_ms(&real) + ahead_ms;
}

static void clock_ahead(struct device *d, int64_t ms)
{
    real = dev[2].n->clock; /* nobody's of the two that pair */
    ahead_ms = ms;
    d->n->clock = (struct clock){.wall_ms = ahead_wall, .mono_ms = ahead_mono};
}

static void pairing_code_expires_after_ten_minutes(void **state)
{
    (void)state;
    struct pairing_view v;
    char code[PAIR_DIGITS_TEXT + 1];
    clock_ahead(&dev[0], 0);
    show_code(&dev[0], code);
    ahead_ms = PAIR_CODE_MS - 1000;
    step();
    assert_int_equal(phase(&dev[0]), PAIRING_WAITING);
    ahead_ms = PAIR_CODE_MS + 1;
    run_until(&dev[0], PAIRING_FAILED);
    assert_failed(&dev[0], ERR_CANCELLED, "expired");
    pairing_view(dev[0].p, &v);
    assert_string_equal(v.code, "");
    assert_string_equal(v.hint, "show a new one: selfsame pair");
    type_code(&dev[1], &dev[0], code);
    run_until(&dev[1], PAIRING_FAILED);
    assert_failed(&dev[1], ERR_NOTFOUND, "shows no code now");
    pairing_view(dev[1].p, &v);
    assert_non_null(strstr(v.hint, "run selfsame pair there"));
    assert_false(group_exists(dev[0].n->group));
    show_code(&dev[0], code); /* and a new one counts */
    type_code(&dev[1], &dev[0], code);
    run_until(&dev[1], PAIRING_ASKING);
}

static void pairing_that_nobody_answers_ends_on_both_sides(void **state)
{
    (void)state;
    clock_ahead(&dev[0], 0);
    meet(&dev[0], &dev[1]);
    ahead_ms = 5 * 60 * 1000 + 1;
    run_until(&dev[0], PAIRING_FAILED);
    assert_failed(&dev[0], ERR_CANCELLED, "nobody said yes in five minutes");
    ahead_ms += 2000; /* the last words have left */
    run_until(&dev[1], PAIRING_FAILED);
    assert_failed(&dev[1], ERR_IO, "before both had said yes");
    assert_false(group_exists(dev[0].n->group) || group_exists(dev[1].n->group));
}

static void pairing_that_nobody_looks_at_any_more_ends(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    clock_ahead(&dev[0], 0);
    meet(&dev[0], &dev[1]);
    pairing_looked(dev[0].p);
    ahead_ms = PAIRING_ABANDONED_MS - 1000;
    step();
    assert_int_equal(phase(&dev[0]), PAIRING_ASKING);
    pairing_looked(dev[0].p);
    ahead_ms += PAIRING_ABANDONED_MS - 1000;
    step();
    assert_int_equal(phase(&dev[0]), PAIRING_ASKING);
    ahead_ms += 2000;
    run_until(&dev[0], PAIRING_FAILED);
    assert_failed(&dev[0], ERR_CANCELLED, "the command that began this pairing is gone");
    ahead_ms += 2000; /* the last words have left */
    run_until(&dev[1], PAIRING_FAILED);
    meet(&dev[0], &dev[1]); /* who has said yes need not look on */
    pairing_looked(dev[0].p);
    assert_int_equal(pairing_answer(dev[0].p, true, &e), 0);
    ahead_ms += 2 * PAIRING_ABANDONED_MS;
    assert_int_equal(pairing_answer(dev[1].p, true, &e), 0);
    run_until(&dev[1], PAIRING_DONE);
}

/* What a script or a person is told: through the control interface. */
static void pairing_expiry_is_told_through_the_control_interface(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    char code[PAIR_DIGITS_TEXT + 1];
    cJSON *answer = NULL;
    clock_ahead(&dev[0], 0);
    show_code(&dev[0], code);
    ahead_ms = PAIR_CODE_MS + 1;
    run_until(&dev[0], PAIRING_FAILED);
    cJSON *req = cJSON_CreateObject();
    assert_non_null(cJSON_AddStringToObject(req, "cmd", "pair.state"));
    assert_int_equal(api_call(dev[0].n, req, &answer, &e), 0);
    assert_string_equal(cJSON_GetObjectItem(answer, "phase")->valuestring, "failed");
    assert_string_equal(cJSON_GetObjectItem(answer, "error")->valuestring, err_name(ERR_CANCELLED));
    assert_non_null(strstr(cJSON_GetObjectItem(answer, "text")->valuestring, "ten minutes"));
    assert_non_null(strstr(cJSON_GetObjectItem(answer, "hint")->valuestring, "selfsame pair"));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(answer, "code")));
    cJSON_Delete(req);
    cJSON_Delete(answer);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(pairing_makes_one_group),
        T(pairing_shows_the_others_name_before_anything_happens),
        T(pairing_a_third_device_joins_either_of_two),
        T(pairing_survives_reopening),
        T(pairing_no_on_either_side_changes_nothing),
        T(pairing_wrong_code_three_times_ends_it),
        T(pairing_right_code_after_a_wrong_one_works),
        T(pairing_nonsense_is_refused_before_dialling),
        T(pairing_where_nobody_shows_a_code_says_so),
        T(pairing_where_nobody_is_names_address_and_reason),
        T(pairing_member_of_a_group_does_not_join_another),
        T(pairing_is_one_at_a_time),
        T(pairing_second_joiner_waits_its_turn),
        T(pairing_window_closed_half_way_is_told_to_the_other),
        T(pairing_a_copy_of_oneself_is_refused),
        T(pairing_code_expires_after_ten_minutes),
        T(pairing_that_nobody_answers_ends_on_both_sides),
        T(pairing_that_nobody_looks_at_any_more_ends),
        T(pairing_expiry_is_told_through_the_control_interface),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
