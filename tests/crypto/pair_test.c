/* Pairing, with both sides in one process and somebody in between. */
#include "crypto/pair.h"

#include "tests/crypto/kit.h"
#include "tests/support/rng.h"
#include "tests/support/unit.h"

#include <string.h>

#define MESSAGES 5
#define NOW INT64_C(1800000000000)

/* Two devices that are about to pair; side 0 joins. */
struct scene {
    struct device_keys keys[2];
    struct buf cert[2];
    struct pair_self self[2];
    struct pair_code shown;
    struct test_rng random;
    struct rng rng;
    struct pair p[2];
};

static const char *const names[2] = {"phone of the joiner", "laptop of the host"};

static void scene_init(struct scene *s, uint64_t seed)
{
    test_rng_init(&s->random, seed);
    s->rng = test_rng_iface(&s->random);
    for (int i = 0; i < 2; i++) {
        device_keys_make(&s->keys[i], &s->rng);
        buf_init(&s->cert[i], DEVICE_CERT_BYTES_MAX);
        assert_int_equal(device_cert_make(&s->keys[i], bytes_str(names[i]), NOW, &s->cert[i], NULL), 0);
        s->self[i] = (struct pair_self){&s->keys[i], buf_view(&s->cert[i])};
    }
    pair_code_make(&s->shown, &s->rng);
}

static void scene_release(struct scene *s)
{
    for (int i = 0; i < 2; i++) {
        buf_release(&s->cert[i]);
        pair_wipe(&s->p[i]);
    }
}

static void scene_start(struct scene *s, const struct pair_code *typed)
{
    pair_join(&s->p[0], &s->self[0], typed);
    pair_host(&s->p[1], &s->self[1], &s->shown);
}

static struct pair_code typed_of(const struct scene *s, enum pair_kind kind)
{
    struct pair_code c = s->shown;
    c.has_digits = kind == PAIR_BY_DIGITS;
    c.has_qr = kind == PAIR_BY_QR;
    return c;
}

/* What whoever is in between does to message `at` (1..5), in place. */
struct meddle {
    unsigned at;
    void (*change)(void *ctx, struct buf *message);
    void *ctx;
};

struct outcome {
    int rc;        /* of the step that failed, or 0 */
    unsigned side; /* whose step that was */
    unsigned at;   /* the message it read */
};

/* Messages 1..5, until a step fails. */
static struct outcome run(struct scene *s, const struct meddle *m)
{
    struct buf msg, out;
    struct outcome o = {0};
    unsigned side = 0;
    buf_init(&msg, 4096);
    buf_init(&out, 4096);
    for (unsigned n = 0; n <= MESSAGES; n++, side = 1 - side) {
        o = (struct outcome){pair_step(&s->p[side], &s->rng, buf_view(&msg), &out, NULL), side, n};
        if (o.rc) {
            assert_int_equal(out.n, 0);
            break;
        }
        buf_clear(&msg);
        assert_int_equal(buf_bytes(&msg, buf_view(&out)), 0);
        buf_clear(&out);
        if (m && m->at == n + 1)
            m->change(m->ctx, &msg);
    }
    buf_release(&msg);
    buf_release(&out);
    return o;
}

static void assert_wiped(const struct pair *p, enum pair_state state)
{
    struct pair copy;
    memcpy(&copy, p, sizeof copy);
    assert_int_equal(copy.state, state);
    memset(&copy.state, 0, sizeof copy.state);
    assert_true(secret_is_zero(&copy, sizeof copy));
    assert_int_equal(pair_other_cert(p).n, 0);
}

static int answer(struct scene *s, unsigned side, bool yes)
{
    struct buf out, none;
    int rc;
    buf_init(&out, 100);
    buf_init(&none, 100);
    assert_int_equal(pair_answer(&s->p[side], yes, &out, NULL), 0);
    rc = pair_step(&s->p[1 - side], &s->rng, buf_view(&out), &none, NULL);
    assert_int_equal(none.n, 0);
    buf_release(&out);
    buf_release(&none);
    return rc;
}

static void assert_talk(struct noise_session *a, struct noise_session *b)
{
    struct buf sealed, got;
    buf_init(&sealed, 100);
    buf_init(&got, 100);
    assert_int_equal(noise_seal(a, BYTES_NONE, BYTES_LIT("epoch keys"), &sealed), 0);
    assert_int_equal(noise_open(b, BYTES_NONE, buf_view(&sealed), &got), 0);
    assert_true(bytes_eq(buf_view(&got), BYTES_LIT("epoch keys")));
    buf_release(&sealed);
    buf_release(&got);
}

static void right_code_pairs(enum pair_kind kind)
{
    struct scene s;
    struct pair_code typed;
    struct noise_session session[2];
    scene_init(&s, 1 + (uint64_t)kind);
    typed = typed_of(&s, kind);
    scene_start(&s, &typed);
    assert_int_equal(run(&s, NULL).rc, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(s.p[i].state, PAIR_CONFIRM);
        assert_true(secret_is_zero(&s.p[i].code, sizeof s.p[i].code));
        assert_true(secret_is_zero(&s.p[i].cpace, sizeof s.p[i].cpace));
        assert_string_equal(s.p[i].other.name, names[1 - i]);
        assert_memory_equal(s.p[i].other.sign_pk, s.keys[1 - i].sign.pk, 32);
        assert_true(bytes_eq(pair_other_cert(&s.p[i]), buf_view(&s.cert[1 - i])));
    }
    assert_int_equal(answer(&s, 1, true), 0);
    assert_int_equal(s.p[0].state, PAIR_CONFIRM);
    assert_true(s.p[0].other_yes && s.p[1].own_yes && !s.p[0].own_yes);
    assert_int_equal(answer(&s, 0, true), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(s.p[i].state, PAIR_DONE);
        pair_take_session(&s.p[i], &session[i]);
        assert_true(s.p[i].session.failed);
    }
    assert_talk(&session[0], &session[1]);
    assert_talk(&session[1], &session[0]);
    scene_release(&s);
}

static void typed_code_pairs_two_devices(void **state)
{
    (void)state;
    right_code_pairs(PAIR_BY_DIGITS);
}

static void scanned_code_pairs_by_the_same_path(void **state)
{
    (void)state;
    right_code_pairs(PAIR_BY_QR);
}

static void wrong_code_is_noticed_by_the_host_at_once(void **state)
{
    struct scene s;
    struct outcome o;
    (void)state;
    for (int kind = PAIR_BY_DIGITS; kind <= PAIR_BY_QR; kind++) {
        scene_init(&s, 10);
        struct pair_code typed = typed_of(&s, (enum pair_kind)kind);
        typed.digits[7] = (uint8_t)('0' + (typed.digits[7] - '0' + 1) % 10);
        typed.qr[15] ^= 1;
        scene_start(&s, &typed);
        o = run(&s, NULL);
        assert_int_equal(o.rc, ERR_VERIFY);
        assert_int_equal(o.side, 1);
        assert_int_equal(o.at, 3);
        assert_wiped(&s.p[1], PAIR_FAILED);
        assert_int_equal(s.p[0].state, PAIR_KNOCK);
        scene_release(&s);
    }
}

/* The digits as a picture's secret and the other way round. */
static void kinds_of_codes_do_not_mix(void **state)
{
    struct scene s;
    struct pair_code typed;
    (void)state;
    scene_init(&s, 11);
    typed = typed_of(&s, PAIR_BY_QR);
    s.shown.has_qr = false;
    scene_start(&s, &typed);
    assert_int_equal(run(&s, NULL).rc, ERR_FORMAT);
    assert_wiped(&s.p[1], PAIR_FAILED);
    scene_release(&s);
}

static void recovery_words_pair_by_the_same_path(void **state)
{
    struct scene s;
    struct pair_code words, other;
    (void)state;
    scene_init(&s, 31);
    pair_code_words(s.keys[0].sign.pk, &words);
    pair_code_words(s.keys[1].sign.pk, &other);
    s.shown = words;
    scene_start(&s, &words);
    assert_int_equal(run(&s, NULL).rc, 0);
    assert_int_equal(s.p[1].state, PAIR_CONFIRM);
    assert_memory_equal(s.p[1].other.sign_pk, s.keys[0].sign.pk, SIGN_PK_BYTES);
    scene_start(&s, &other);
    assert_int_equal(run(&s, NULL).rc, ERR_VERIFY);
    other = (struct pair_code){.has_qr = true};
    scene_start(&s, &other);
    assert_int_equal(run(&s, NULL).rc, ERR_FORMAT);
    scene_release(&s);
}

static void either_user_can_refuse(void **state)
{
    (void)state;
    for (unsigned who = 0; who < 2; who++) {
        for (int after_yes = 0; after_yes < 2; after_yes++) {
            struct scene s;
            struct pair_code typed;
            scene_init(&s, 20);
            typed = typed_of(&s, PAIR_BY_DIGITS);
            scene_start(&s, &typed);
            assert_int_equal(run(&s, NULL).rc, 0);
            if (after_yes)
                assert_int_equal(answer(&s, 1 - who, true), 0);
            assert_int_equal(answer(&s, who, false), 0);
            assert_wiped(&s.p[0], PAIR_REFUSED);
            assert_wiped(&s.p[1], PAIR_REFUSED);
            scene_release(&s);
        }
    }
}

/* ---- somebody in between */

static void assert_refused(uint64_t seed, const struct meddle *m)
{
    struct scene s;
    struct pair_code typed;
    struct outcome o;
    scene_init(&s, seed);
    typed = typed_of(&s, PAIR_BY_DIGITS);
    scene_start(&s, &typed);
    o = run(&s, m);
    assert_true(o.rc == ERR_VERIFY || o.rc == ERR_FORMAT || o.rc == ERR_VERSION);
    assert_true(o.at >= m->at);
    assert_wiped(&s.p[o.side], PAIR_FAILED);
    scene_release(&s);
}

static void flip(void *ctx, struct buf *message)
{
    size_t bit = *(size_t *)ctx;
    message->p[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void cut(void *ctx, struct buf *message)
{
    message->n = *(size_t *)ctx;
}

static void extend(void *ctx, struct buf *message)
{
    for (size_t i = 0; i < *(size_t *)ctx; i++)
        assert_int_equal(buf_put(message, 0), 0);
}

static size_t message_bytes(unsigned at)
{
    const size_t cert = DEVICE_CERT_BYTES_MAX - DEVICE_NAME_BYTES;
    const size_t n[MESSAGES + 1] = {
        0, 20, 52, 80, 32 + 48 + cert + strlen(names[1]) + 16, 48 + cert + strlen(names[0]) + 16};
    return n[at];
}

static void check_size(void *ctx, struct buf *message)
{
    assert_int_equal(message->n, message_bytes(*(unsigned *)ctx));
}

static void messages_have_the_sizes_of_the_page(void **state)
{
    (void)state;
    for (unsigned at = 1; at <= MESSAGES; at++) {
        struct scene s;
        struct pair_code typed;
        scene_init(&s, 30);
        typed = typed_of(&s, PAIR_BY_DIGITS);
        scene_start(&s, &typed);
        assert_int_equal(run(&s, &(struct meddle){at, check_size, &at}).rc, 0);
        scene_release(&s);
    }
    assert_int_equal(message_bytes(5) + DEVICE_NAME_BYTES - strlen(names[0]), PAIR_MESSAGE_BYTES);
}

/* Every bit of the short messages; of the two with certificates, which Noise's own tests cover, each byte. */
static void every_changed_message_ends_the_run(void **state)
{
    (void)state;
    for (unsigned at = 1; at <= MESSAGES; at++) {
        for (size_t bit = 0; bit < message_bytes(at) * 8; bit += at <= 3 ? 1 : 8 + (bit / 8) % 3)
            assert_refused(31, &(struct meddle){at, flip, &bit});
        for (size_t n = 0; n < message_bytes(at); n++)
            assert_refused(31, &(struct meddle){at, cut, &n});
        for (size_t n = 1; n <= 64; n += 21)
            assert_refused(31, &(struct meddle){at, extend, &n});
    }
}

struct point {
    size_t at;
    uint8_t bytes[32];
};

static void put_point(void *ctx, struct buf *message)
{
    const struct point *p = ctx;
    memcpy(message->p + p->at, p->bytes, sizeof p->bytes);
}

/* The shares are the end of message 2 and the start of message 3; the identity is the encoding of zeros. */
static void identity_and_invalid_points_end_the_run(void **state)
{
    struct point points[3] = {{.bytes = {0}}, {.bytes = {1}}, {.bytes = {0xff, 0xff}}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        points[i].at = PAIR_HELLO_BYTES;
        assert_refused(32, &(struct meddle){2, put_point, &points[i]});
        points[i].at = 0;
        assert_refused(32, &(struct meddle){3, put_point, &points[i]});
    }
}

/* The joiner's own messages come back to it; messages of one run are put into another. */
static void reflected_and_reordered_messages_end_the_run(void **state)
{
    struct scene s;
    struct pair_code typed;
    struct buf m[MESSAGES + 1], none;
    (void)state;
    buf_init(&none, 4096);
    scene_init(&s, 40);
    typed = typed_of(&s, PAIR_BY_DIGITS);
    scene_start(&s, &typed);
    for (unsigned n = 0; n < MESSAGES; n++) {
        buf_init(&m[n], 4096);
        assert_int_equal(
            pair_step(&s.p[n % 2], &s.rng, n > 0 ? buf_view(&m[n - 1]) : BYTES_NONE, &m[n], NULL), 0);
    }
    /* m[n] is message n + 1. A side that waits for message `at` gets message `wrong` of that run. */
    for (unsigned at = 1; at <= MESSAGES; at++) {
        for (unsigned wrong = 1; wrong <= MESSAGES; wrong++) {
            struct scene q;
            unsigned side = at % 2;
            scene_init(&q, 41);
            q.shown = s.shown;
            scene_start(&q, &typed);
            struct buf last, out;
            buf_init(&last, 4096);
            buf_init(&out, 4096);
            for (unsigned n = 0; n + 1 < at; n++) {
                assert_int_equal(pair_step(&q.p[n % 2], &q.rng, buf_view(&last), &out, NULL), 0);
                buf_clear(&last);
                assert_int_equal(buf_bytes(&last, buf_view(&out)), 0);
                buf_clear(&out);
            }
            if (at == 2) /* nothing but the joiner's hello went out */
                assert_int_equal(q.p[0].state, PAIR_SHARE);
            if (at != 1 || wrong != 1) {
                int rc = pair_step(&q.p[side], &q.rng, buf_view(&m[wrong - 1]), &out, NULL);
                /* The host's second message is accepted from another run of the same code, then message 4 is
                 * not. */
                assert_true(rc != 0 || (at == 2 && wrong == 2));
                if (rc)
                    assert_wiped(&q.p[side], PAIR_FAILED);
            }
            buf_release(&last);
            buf_release(&out);
            scene_release(&q);
        }
    }
    for (unsigned n = 0; n < MESSAGES; n++)
        buf_release(&m[n]);
    buf_release(&none);
    scene_release(&s);
}

struct capture {
    struct buf all;
};

static void capture(void *ctx, struct buf *message)
{
    struct capture *c = ctx;
    assert_int_equal(buf_bytes(&c->all, buf_view(message)), 0);
}

/* Names, device ids and keys never travel in the clear. */
static void nothing_that_names_a_device_is_readable(void **state)
{
    struct capture c;
    (void)state;
    buf_init(&c.all, 65536);
    for (unsigned at = 1; at <= MESSAGES; at++) {
        struct scene s;
        struct pair_code typed;
        scene_init(&s, 50);
        typed = typed_of(&s, PAIR_BY_DIGITS);
        scene_start(&s, &typed);
        assert_int_equal(run(&s, &(struct meddle){at, capture, &c}).rc, 0);
        for (int i = 0; i < 2; i++) {
            struct bytes all = buf_view(&c.all);
            assert_int_equal(bytes_find(all, bytes_str(names[i])), SIZE_MAX);
            assert_int_equal(bytes_find(all, bytes_of(s.keys[i].sign.pk, 32)), SIZE_MAX);
            assert_int_equal(bytes_find(all, bytes_of(s.keys[i].noise.pk, 32)), SIZE_MAX);
            assert_int_equal(bytes_find(all, bytes_of(s.keys[i].seal.pk, 32)), SIZE_MAX);
            assert_int_equal(bytes_find(all, bytes_of(s.p[i].other.device.b, 16)), SIZE_MAX);
        }
        scene_release(&s);
    }
    assert_true(c.all.n > 500);
    buf_release(&c.all);
}

/* Each bit of the answer's 17 bytes; in the last round it is delivered twice. */
static void answers_cannot_be_forged_or_repeated(void **state)
{
    const size_t bits = 136;
    (void)state;
    for (size_t bit = 0; bit <= bits; bit++) {
        struct scene s;
        struct pair_code typed;
        struct buf out, none;
        scene_init(&s, 60);
        typed = typed_of(&s, PAIR_BY_DIGITS);
        scene_start(&s, &typed);
        assert_int_equal(run(&s, NULL).rc, 0);
        buf_init(&out, 100);
        buf_init(&none, 100);
        assert_int_equal(pair_answer(&s.p[1], true, &out, NULL), 0);
        if (bit < bits)
            out.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        else
            assert_int_equal(pair_step(&s.p[0], &s.rng, buf_view(&out), &none, NULL), 0);
        assert_int_equal(pair_step(&s.p[0], &s.rng, buf_view(&out), &none, NULL), ERR_VERIFY);
        assert_wiped(&s.p[0], PAIR_FAILED);
        assert_int_equal(pair_step(&s.p[0], &s.rng, buf_view(&out), &none, NULL), ERR_VERIFY);
        buf_release(&out);
        buf_release(&none);
        scene_release(&s);
    }
}

/* A second yes of the real peer, sealed as it should be: there is one answer. */
static void second_answer_ends_the_pairing(void **state)
{
    static const uint8_t yes = 1;
    struct scene s;
    struct pair_code typed;
    struct buf out, none;
    (void)state;
    scene_init(&s, 61);
    typed = typed_of(&s, PAIR_BY_DIGITS);
    scene_start(&s, &typed);
    assert_int_equal(run(&s, NULL).rc, 0);
    assert_int_equal(answer(&s, 1, true), 0);
    buf_init(&out, 100);
    buf_init(&none, 100);
    assert_int_equal(noise_seal(&s.p[1].session, BYTES_NONE, bytes_of(&yes, 1), &out), 0);
    assert_int_equal(pair_step(&s.p[0], &s.rng, buf_view(&out), &none, NULL), ERR_VERIFY);
    assert_wiped(&s.p[0], PAIR_FAILED);
    buf_release(&out);
    buf_release(&none);
    scene_release(&s);
}

/* ---- devices that are not what they say */

static void certificate_of_another_device_is_refused(void **state)
{
    (void)state;
    for (int liar = 0; liar < 2; liar++) {
        struct scene s;
        struct pair_code typed;
        struct outcome o;
        struct device_keys other;
        struct buf cert;
        scene_init(&s, 70);
        kit_keys(&other, 71);
        buf_init(&cert, DEVICE_CERT_BYTES_MAX);
        assert_int_equal(device_cert_make(&other, BYTES_LIT("stolen"), NOW, &cert, NULL), 0);
        s.self[liar].cert = buf_view(&cert);
        typed = typed_of(&s, PAIR_BY_DIGITS);
        scene_start(&s, &typed);
        o = run(&s, NULL);
        assert_int_equal(o.rc, ERR_VERIFY);
        assert_int_equal(o.side, 1 - liar);
        assert_wiped(&s.p[o.side], PAIR_FAILED);
        buf_release(&cert);
        scene_release(&s);
    }
}

static void device_with_our_own_keys_is_refused(void **state)
{
    struct scene s;
    struct pair_code typed;
    (void)state;
    scene_init(&s, 72);
    s.self[0] = s.self[1];
    typed = typed_of(&s, PAIR_BY_DIGITS);
    scene_start(&s, &typed);
    assert_int_equal(run(&s, NULL).rc, ERR_EXISTS);
    scene_release(&s);
}

static void newer_version_is_told_apart_from_nonsense(void **state)
{
    struct scene s;
    struct buf out;
    struct err e = ERR_INIT;
    uint8_t hello[30] = {2, 1, 1, 1};
    (void)state;
    buf_init(&out, 100);
    scene_init(&s, 80);
    pair_host(&s.p[1], &s.self[1], &s.shown);
    assert_int_equal(pair_step(&s.p[1], &s.rng, bytes_of(hello, sizeof hello), &out, &e), ERR_VERSION);
    pair_host(&s.p[1], &s.self[1], &s.shown);
    assert_int_equal(pair_step(&s.p[1], &s.rng, BYTES_LIT("GET / HTTP/1.1"), &out, &e), ERR_FORMAT);
    pair_host(&s.p[1], &s.self[1], &s.shown);
    hello[0] = 0;
    assert_int_equal(pair_step(&s.p[1], &s.rng, bytes_of(hello, sizeof hello), &out, &e), ERR_FORMAT);
    pair_host(&s.p[1], &s.self[1], &s.shown);
    assert_int_equal(pair_step(&s.p[1], &s.rng, BYTES_NONE, &out, &e), ERR_FORMAT);
    assert_int_equal(out.n, 0);
    buf_release(&out);
    scene_release(&s);
}

/* ---- codes */

static void codes_are_read_as_people_write_them(void **state)
{
    static const char *const good[] = {"4821-7309", "48217309", " 4821 7309\n", "48-21-73-09"};
    static const char *const bad[] = {"",
                                      "4821-730",
                                      "4821-73091",
                                      "4821-730a",
                                      "selfsame:",
                                      "selfsame:abc",
                                      "selfsame:0123456789abcdefghjkmnpqrl!",
                                      "\xd9\xa4-8217309"};
    struct pair_code c;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(pair_code_parse(bytes_str(good[i]), &c, NULL), 0);
        assert_true(c.has_digits && !c.has_qr);
        assert_memory_equal(c.digits, "48217309", 8);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = ERR_INIT;
        assert_int_equal(pair_code_parse(bytes_str(bad[i]), &c, &e), ERR_USAGE);
        assert_true(e.hint[0] != 0);
        assert_true(secret_is_zero(&c, sizeof c));
    }
}

static void codes_come_back_from_their_texts(void **state)
{
    struct test_rng t;
    struct rng rng;
    unsigned first_zero = 0;
    (void)state;
    test_rng_init(&t, 90);
    rng = test_rng_iface(&t);
    for (int i = 0; i < 2000; i++) {
        struct pair_code c, d;
        char digits[PAIR_DIGITS_TEXT + 1], qr[PAIR_QR_TEXT + 1];
        pair_code_make(&c, &rng);
        pair_code_digits(&c, digits);
        pair_code_qr(&c, qr);
        assert_int_equal(strlen(digits), PAIR_DIGITS_TEXT);
        assert_int_equal(strlen(qr), PAIR_QR_TEXT);
        assert_int_equal(pair_code_parse(bytes_str(digits), &d, NULL), 0);
        assert_memory_equal(c.digits, d.digits, PAIR_DIGITS);
        assert_int_equal(pair_code_parse(bytes_str(qr), &d, NULL), 0);
        assert_memory_equal(c.qr, d.qr, sizeof c.qr);
        assert_true(d.has_qr && !d.has_digits);
        first_zero += c.digits[0] == '0';
    }
    assert_in_range(first_zero, 150, 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed_code_pairs_two_devices),
        cmocka_unit_test(scanned_code_pairs_by_the_same_path),
        cmocka_unit_test(wrong_code_is_noticed_by_the_host_at_once),
        cmocka_unit_test(kinds_of_codes_do_not_mix),
        cmocka_unit_test(recovery_words_pair_by_the_same_path),
        cmocka_unit_test(either_user_can_refuse),
        cmocka_unit_test(messages_have_the_sizes_of_the_page),
        cmocka_unit_test(every_changed_message_ends_the_run),
        cmocka_unit_test(identity_and_invalid_points_end_the_run),
        cmocka_unit_test(reflected_and_reordered_messages_end_the_run),
        cmocka_unit_test(nothing_that_names_a_device_is_readable),
        cmocka_unit_test(answers_cannot_be_forged_or_repeated),
        cmocka_unit_test(second_answer_ends_the_pairing),
        cmocka_unit_test(certificate_of_another_device_is_refused),
        cmocka_unit_test(device_with_our_own_keys_is_refused),
        cmocka_unit_test(newer_version_is_told_apart_from_nonsense),
        cmocka_unit_test(codes_are_read_as_people_write_them),
        cmocka_unit_test(codes_come_back_from_their_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
