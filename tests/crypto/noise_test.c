/* Noise against the published vectors, and against whoever changes a message.
 *
 * The product speaks BLAKE2b and three patterns only. The vectors have ten patterns with psks in all places,
 * and three hashes; what is missing for them (tables of tokens, two hash functions) is here, so that all 216
 * exercise the product's one code path. */
#include "crypto/noise.h"

#include "base/check.h"
#include "tests/crypto/kit.h"
#include "tests/support/rng.h"
#include "tests/support/unit.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define VECTORS TEST_SOURCE "/tests/vectors/noise.txt"
#define MESSAGES_MAX 8
#define TOKENS_MAX 128

/* ---- hashes and patterns that only the vectors use */

static void sha256_digest(const struct bytes *parts, size_t n_parts, uint8_t *out)
{
    crypto_hash_sha256_state st;
    crypto_hash_sha256_init(&st);
    for (size_t i = 0; i < n_parts; i++)
        crypto_hash_sha256_update(&st, parts[i].p, parts[i].n);
    crypto_hash_sha256_final(&st, out);
}

static void sha512_digest(const struct bytes *parts, size_t n_parts, uint8_t *out)
{
    crypto_hash_sha512_state st;
    crypto_hash_sha512_init(&st);
    for (size_t i = 0; i < n_parts; i++)
        crypto_hash_sha512_update(&st, parts[i].p, parts[i].n);
    crypto_hash_sha512_final(&st, out);
}

static const struct noise_hash sha256 = {32, 64, sha256_digest};
static const struct noise_hash sha512 = {64, 128, sha512_digest};

static const struct pattern {
    const char *name, *pre_i, *pre_r, *messages;
} patterns[] = {
    {"N", "", "s", "e es"},
    {"K", "s", "s", "e es ss"},
    {"X", "", "s", "e es s ss"},
    {"NN", "", "", "e,e ee"},
    {"NK", "", "s", "e es,e ee"},
    {"XK", "", "s", "e es,e ee,s se"},
    {"IX", "", "", "e s,e ee se s es"},
    {"KK", "s", "s", "e es ss,e ee se"},
    {"IK", "", "s", "e es s ss,e ee se"},
    {"XX", "", "", "e,e ee s es,s se"},
};

struct vector {
    char name[80];
    char messages[TOKENS_MAX];
    struct noise_protocol protocol;
    uint8_t prologue[2][64];
    size_t prologue_n[2];
    struct dh_key s[2];
    uint8_t e[2][KEY_BYTES], rs[2][KEY_BYTES], psk[2][NOISE_PSKS_MAX][KEY_BYTES];
    bool has_s[2], has_rs[2];
    size_t n_psks[2];
    uint8_t hash[NOISE_HASH_BYTES];
    size_t hash_n;
    struct bytes payload[MESSAGES_MAX], ciphertext[MESSAGES_MAX]; /* hex */
    int from[MESSAGES_MAX];
    size_t n;
};

/* Puts " psk" behind the n-th message (or "psk " before the first, for n = 0). */
static void add_psk(char *messages, unsigned n)
{
    char old[TOKENS_MAX];
    size_t at = 0;
    memcpy(old, messages, sizeof old);
    for (unsigned i = 0; i < n; i++)
        at += strcspn(old + at, ",") + (i + 1 < n ? 1 : 0);
    assert_true(snprintf(messages, TOKENS_MAX, "%.*s%s%s", (int)at, old, n == 0 ? "psk " : " psk", old + at) <
                TOKENS_MAX);
}

/* "Noise_XXpsk0+psk3_25519_ChaChaPoly_SHA256" → tokens and hash. */
static void read_name(struct vector *v, struct bytes name)
{
    const char *at, *end;
    size_t base;
    assert_true(name.n < sizeof v->name);
    memcpy(v->name, name.p, name.n);
    at = v->name + strlen("Noise_");
    end = strchr(at, '_');
    base = strcspn(at, "p_");
    v->protocol = (struct noise_protocol){.name = v->name, .messages = v->messages};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        if (strlen(patterns[i].name) != base || strncmp(at, patterns[i].name, base) != 0)
            continue;
        v->protocol.pre_i = patterns[i].pre_i;
        v->protocol.pre_r = patterns[i].pre_r;
        memcpy(v->messages, patterns[i].messages, strlen(patterns[i].messages));
    }
    CHECK(v->protocol.pre_i && v->protocol.pre_r);
    for (at = strstr(at, "psk"); at && at < end; at = strstr(at + 3, "psk"))
        add_psk(v->messages, (unsigned)(at[3] - '0'));
    v->protocol.hash = strstr(v->name, "_SHA256")   ? &sha256
                       : strstr(v->name, "_SHA512") ? &sha512
                                                    : &noise_blake2b;
}

static void read_field(struct vector *v, struct bytes key, struct bytes value)
{
    int side = bytes_starts(key, BYTES_LIT("resp")) ? 1 : 0;
    uint8_t sk[KEY_BYTES];
    if (bytes_eq(key, BYTES_LIT("protocol_name"))) {
        read_name(v, value);
    } else if (bytes_ends(key, BYTES_LIT("_prologue"))) {
        v->prologue_n[side] = value.n / 2;
        kit_hex_fixed(value, v->prologue[side], value.n / 2);
    } else if (bytes_ends(key, BYTES_LIT("_ephemeral"))) {
        kit_hex_fixed(value, v->e[side], KEY_BYTES);
    } else if (bytes_ends(key, BYTES_LIT("_remote_static"))) {
        kit_hex_fixed(value, v->rs[side], KEY_BYTES);
        v->has_rs[side] = true;
    } else if (bytes_ends(key, BYTES_LIT("_static"))) {
        kit_hex_fixed(value, sk, KEY_BYTES);
        dh_key_from_secret(&v->s[side], sk);
        v->has_s[side] = true;
    } else if (bytes_ends(key, BYTES_LIT("_psk"))) {
        kit_hex_fixed(value, v->psk[side][v->n_psks[side]++], KEY_BYTES);
    } else if (bytes_eq(key, BYTES_LIT("handshake_hash"))) {
        v->hash_n = value.n / 2;
        kit_hex_fixed(value, v->hash, v->hash_n);
    } else if (bytes_eq(key, BYTES_LIT("from"))) {
        v->from[v->n] = bytes_eq(value, BYTES_LIT("resp"));
    } else if (bytes_eq(key, BYTES_LIT("payload"))) {
        v->payload[v->n] = value;
    } else if (bytes_eq(key, BYTES_LIT("ciphertext"))) {
        v->ciphertext[v->n++] = value;
    } else {
        assert_true(bytes_eq(key, BYTES_LIT("source")));
    }
    assert_true(v->n < MESSAGES_MAX);
}

static void start(struct noise *h, const struct vector *v, int side)
{
    struct noise_setup setup = {.protocol = &v->protocol,
                                .initiator = side == 0,
                                .prologue = bytes_of(v->prologue[side], v->prologue_n[side]),
                                .own = v->has_s[side] ? &v->s[side] : NULL,
                                .remote = v->has_rs[side] ? v->rs[side] : NULL};
    for (size_t i = 0; i < v->n_psks[side]; i++)
        setup.psks[i] = v->psk[side][i];
    /* Some vectors leave out what the pattern says is known: the other side's public key. */
    const char *known = side == 0 ? v->protocol.pre_r : v->protocol.pre_i;
    CHECK(known);
    if (!setup.remote && *known)
        setup.remote = v->s[1 - side].pk;
    noise_init(h, &setup);
}

/* One message from the side that the vector names: written, compared, read by the other side. */
static void handshake_message(struct noise *h, const struct vector *v, size_t i, struct bytes payload,
                              struct buf *out)
{
    int from = v->from[i];
    struct kit_rng fixed = {bytes_of(v->e[from], KEY_BYTES)};
    struct rng rng = kit_rng_iface(&fixed);
    struct buf got;
    buf_init(&got, NOISE_MESSAGE_BYTES);
    assert_true(noise_own_turn(&h[from]));
    assert_int_equal(noise_write(&h[from], &rng, payload, out), 0);
    assert_int_equal(noise_read(&h[1 - from], buf_view(out), &got), 0);
    assert_true(bytes_eq(buf_view(&got), payload));
    buf_release(&got);
}

static void transport_message(struct noise_session *s, const struct vector *v, size_t i, struct bytes payload,
                              struct buf *out)
{
    int from = v->from[i];
    struct buf got;
    buf_init(&got, NOISE_MESSAGE_BYTES);
    assert_int_equal(noise_seal(&s[from], BYTES_NONE, payload, out), 0);
    assert_int_equal(noise_open(&s[1 - from], BYTES_NONE, buf_view(out), &got), 0);
    assert_true(bytes_eq(buf_view(&got), payload));
    buf_release(&got);
}

static void run_vector(const struct vector *v)
{
    struct noise h[2];
    struct noise_session s[2];
    bool split = false;
    start(&h[0], v, 0);
    start(&h[1], v, 1);
    for (size_t i = 0; i < v->n; i++) {
        struct buf payload, expected, out;
        buf_init(&payload, NOISE_MESSAGE_BYTES);
        buf_init(&expected, NOISE_MESSAGE_BYTES);
        buf_init(&out, NOISE_MESSAGE_BYTES);
        kit_hex(v->payload[i], &payload);
        kit_hex(v->ciphertext[i], &expected);
        if (split)
            transport_message(s, v, i, buf_view(&payload), &out);
        else
            handshake_message(h, v, i, buf_view(&payload), &out);
        assert_true(bytes_eq(buf_view(&out), buf_view(&expected)));
        if (!split && h[0].state == NOISE_DONE) {
            assert_int_equal(noise_split(&h[0], &s[0]), 0);
            assert_int_equal(noise_split(&h[1], &s[1]), 0);
            split = true;
        }
        buf_release(&payload);
        buf_release(&expected);
        buf_release(&out);
    }
    assert_true(split);
    assert_memory_equal(s[0].hash, s[1].hash, v->protocol.hash->len);
    if (v->hash_n > 0)
        assert_memory_equal(s[0].hash, v->hash, v->hash_n);
}

static void all_published_vectors_pass(void **state)
{
    struct kit_lines l;
    struct bytes key, value;
    struct vector v = {0};
    unsigned done = 0;
    (void)state;
    kit_lines_open(&l, VECTORS);
    while (kit_lines_next(&l, &key, &value)) {
        if (key.n > 0) {
            read_field(&v, key, value);
            continue;
        }
        if (v.n > 0) {
            run_vector(&v);
            done++;
        }
        v = (struct vector){0};
    }
    if (v.n > 0) {
        run_vector(&v);
        done++;
    }
    kit_lines_close(&l);
    assert_int_equal(done, 216);
}

/* The product's own tables say the same as those that the vectors proved. */
static void own_patterns_are_those_of_the_vectors(void **state)
{
    const struct noise_protocol *const own[] = {&noise_ik, &noise_xx, &noise_xxpsk0};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct vector v = {0};
        read_name(&v, bytes_str(own[i]->name));
        assert_string_equal(own[i]->messages, v.messages);
        assert_string_equal(own[i]->pre_i, v.protocol.pre_i);
        assert_string_equal(own[i]->pre_r, v.protocol.pre_r);
        assert_ptr_equal(own[i]->hash, v.protocol.hash);
    }
}

/* ---- whoever changes a message */

struct pairing {
    const struct noise_protocol *protocol;
    struct dh_key s[2];
    uint8_t psk[KEY_BYTES];
    struct noise h[2];
    struct test_rng random;
    struct rng rng;
};

static const struct noise_protocol *const products[] = {&noise_ik, &noise_xx, &noise_xxpsk0};

static void begin(struct pairing *p, const struct noise_protocol *protocol, uint64_t seed)
{
    p->protocol = protocol;
    test_rng_init(&p->random, seed);
    p->rng = test_rng_iface(&p->random);
    dh_key_make(&p->s[0], &p->rng);
    dh_key_make(&p->s[1], &p->rng);
    rng_fill(&p->rng, p->psk, KEY_BYTES);
    for (int side = 0; side < 2; side++) {
        noise_init(&p->h[side],
                   &(struct noise_setup){.protocol = protocol,
                                         .initiator = side == 0,
                                         .prologue = BYTES_LIT("prologue"),
                                         .own = &p->s[side],
                                         .remote = side == 0 && *protocol->pre_r ? p->s[1].pk : NULL,
                                         .psks = {protocol == &noise_xxpsk0 ? p->psk : NULL}});
    }
}

static void write_next(struct pairing *p, int from, struct buf *out)
{
    buf_init(out, NOISE_MESSAGE_BYTES);
    assert_int_equal(noise_write(&p->h[from], &p->rng, BYTES_LIT("payload"), out), 0);
}

static void deliver(struct pairing *p, int to, struct bytes message)
{
    struct buf got;
    buf_init(&got, NOISE_MESSAGE_BYTES);
    assert_int_equal(noise_read(&p->h[to], message, &got), 0);
    assert_true(bytes_eq(buf_view(&got), BYTES_LIT("payload")));
    buf_release(&got);
}

static unsigned count_messages(const struct noise_protocol *protocol)
{
    unsigned n = 1;
    for (const char *c = protocol->messages; *c; c++)
        n += *c == ',';
    return n;
}

/* Runs i messages as they should be, then writes the next one (message i, from 0). */
static void advance(struct pairing *p, unsigned i, struct buf *message)
{
    for (unsigned k = 0; k < i; k++) {
        write_next(p, (int)(k % 2), message);
        deliver(p, (int)(1 - k % 2), buf_view(message));
        buf_release(message);
    }
    write_next(p, (int)(i % 2), message);
}

static void assert_wiped(const struct noise *h)
{
    struct noise copy;
    struct noise_session s;
    struct buf out;
    memcpy(&copy, h, sizeof copy);
    assert_true(noise_failed(&copy));
    assert_false(noise_own_turn(&copy));
    assert_null(noise_remote(&copy));
    memset(&copy.state, 0, sizeof copy.state);
    assert_true(secret_is_zero(&copy, sizeof copy));
    memcpy(&copy, h, sizeof copy);
    buf_init(&out, 100);
    assert_int_equal(noise_read(&copy, BYTES_LIT("more"), &out), ERR_VERIFY);
    assert_int_equal(noise_write(&copy, NULL, BYTES_NONE, &out), ERR_VERIFY);
    assert_int_equal(noise_split(&copy, &s), ERR_VERIFY);
    assert_int_equal(out.n, 0);
    assert_true(s.failed && secret_is_zero(s.send.k, KEY_BYTES) && secret_is_zero(s.recv.k, KEY_BYTES));
    buf_release(&out);
}

/* Side `to` gets a bad message i of n. Then it fails at once, or the other side fails at what comes next: the
 * two never both come to an end. The state given stays as it is. */
static void assert_refused(const struct pairing *before, unsigned i, struct bytes bad)
{
    struct pairing p = *before;
    unsigned to = 1 - i % 2;
    struct buf got, message;
    p.rng = test_rng_iface(&p.random);
    buf_init(&got, NOISE_MESSAGE_BYTES);
    if (noise_read(&p.h[to], bad, &got) == 0) {
        assert_true(i + 1 < count_messages(p.protocol));
        buf_clear(&got);
        buf_init(&message, NOISE_MESSAGE_BYTES);
        if (noise_write(&p.h[to], &p.rng, BYTES_NONE, &message) == 0) {
            assert_int_equal(noise_read(&p.h[1 - to], buf_view(&message), &got), ERR_VERIFY);
            assert_wiped(&p.h[1 - to]);
        } else {
            assert_wiped(&p.h[to]);
        }
        buf_release(&message);
    } else {
        assert_wiped(&p.h[to]);
    }
    assert_int_equal(got.n, 0);
    buf_release(&got);
}

static void every_changed_handshake_message_is_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        for (unsigned i = 0; i < count_messages(products[k]); i++) {
            struct pairing p;
            struct buf m;
            begin(&p, products[k], 7 + k);
            advance(&p, i, &m);
            for (size_t n = 0; n < m.n; n++)
                assert_refused(&p, i, bytes_slice(buf_view(&m), 0, n));
            for (size_t bit = 0; bit < m.n * 8; bit++) {
                m.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_refused(&p, i, buf_view(&m));
                m.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            }
            for (int more = 1; more <= 17; more += 16) {
                for (int j = 0; j < more; j++)
                    assert_int_equal(buf_put(&m, 0), 0);
                assert_refused(&p, i, buf_view(&m));
            }
            buf_release(&m);
        }
    }
}

/* Side by side: another run's messages, earlier and later ones of the same run, and a side's own. */
static void messages_out_of_place_are_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        unsigned n = count_messages(products[k]);
        for (unsigned i = 0; i < n; i++) {
            for (unsigned other = 0; other < n; other++) {
                struct pairing p, q;
                struct buf m, wrong;
                begin(&p, products[k], 50);
                begin(&q, products[k], 51);
                advance(&p, i, &m);
                advance(&q, other, &wrong);
                /* The first message of another initiator to the same responder would be a run of its own. */
                if (i != 0 || other != 0)
                    assert_refused(&p, i, buf_view(&wrong));
                buf_release(&wrong);
                begin(&q, products[k], 50);
                advance(&q, other, &wrong);
                if (i != other)
                    assert_refused(&p, i, buf_view(&wrong));
                buf_release(&wrong);
                buf_release(&m);
            }
        }
    }
}

static void reflected_messages_are_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        for (unsigned i = 0; i < count_messages(products[k]); i++) {
            struct pairing p;
            struct buf m, got;
            begin(&p, products[k], 60);
            advance(&p, i, &m);
            buf_init(&got, NOISE_MESSAGE_BYTES);
            assert_int_equal(noise_read(&p.h[i % 2], buf_view(&m), &got), ERR_VERIFY);
            assert_wiped(&p.h[i % 2]);
            assert_int_equal(got.n, 0);
            buf_release(&got);
            buf_release(&m);
        }
    }
}

/* The first message of XX is any 32 bytes, so a side that read out of turn would take them. */
static void message_out_of_turn_is_refused(void **state)
{
    static const uint8_t any[KEY_BYTES] = {9};
    struct pairing p;
    struct buf got;
    (void)state;
    begin(&p, &noise_xx, 65);
    buf_init(&got, 100);
    assert_int_equal(noise_read(&p.h[0], bytes_of(any, sizeof any), &got), ERR_VERIFY);
    assert_wiped(&p.h[0]);
    buf_release(&got);
}

/* Every message begins with the ephemeral key, except the third of XX and XXpsk0. */
static void ephemeral_keys_of_low_order_are_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        for (unsigned i = 0; i < 2; i++) {
            for (int point = 0; point < KIT_LOW_POINTS; point++) {
                struct pairing p;
                struct buf m;
                begin(&p, products[k], 70);
                advance(&p, i, &m);
                kit_hex_fixed(bytes_str(kit_low_points[point]), m.p, KEY_BYTES);
                assert_refused(&p, i, buf_view(&m));
                buf_release(&m);
            }
        }
    }
}

/* The first message of XX is in the clear, so nothing but the DH can notice: when the answer is written. */
static void dh_with_a_key_of_low_order_ends_the_handshake(void **state)
{
    (void)state;
    for (int point = 0; point < KIT_LOW_POINTS; point++) {
        struct pairing p;
        struct buf m;
        begin(&p, &noise_xx, 75);
        advance(&p, 0, &m);
        kit_hex_fixed(bytes_str(kit_low_points[point]), m.p, KEY_BYTES);
        deliver(&p, 1, buf_view(&m));
        buf_clear(&m);
        assert_int_equal(noise_write(&p.h[1], &p.rng, BYTES_NONE, &m), ERR_VERIFY);
        assert_int_equal(m.n, 0);
        assert_wiped(&p.h[1]);
        buf_release(&m);
    }
}

/* A side that sends an honest handshake with such a static key: DH with it gives zeros, and that is refused.
 */
static void static_keys_of_low_order_are_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        for (int point = 0; point < KIT_LOW_POINTS; point++) {
            struct pairing p;
            struct buf m;
            unsigned i = products[k] == &noise_ik ? 0 : 2;
            begin(&p, products[k], 80);
            kit_hex_fixed(bytes_str(kit_low_points[point]), p.h[0].s.pk, KEY_BYTES);
            advance(&p, i, &m);
            assert_refused(&p, i, buf_view(&m));
            buf_release(&m);
        }
    }
}

static void another_psk_prologue_or_static_key_is_refused(void **state)
{
    struct pairing p;
    struct buf m;
    (void)state;
    begin(&p, &noise_xxpsk0, 90);
    p.h[1].psks[0][31] ^= 1;
    advance(&p, 0, &m);
    assert_refused(&p, 0, buf_view(&m));
    buf_release(&m);
    begin(&p, &noise_xx, 91);
    p.h[1].h[0] ^= 1; /* as another prologue would have done */
    advance(&p, 0, &m);
    assert_refused(&p, 0, buf_view(&m));
    buf_release(&m);
    begin(&p, &noise_ik, 92);
    p.h[1].s = p.s[0]; /* meant for another responder */
    advance(&p, 0, &m);
    assert_refused(&p, 0, buf_view(&m));
    buf_release(&m);
}

/* ---- transport */

static void open_sessions(const struct noise_protocol *protocol, struct noise_session s[2])
{
    struct pairing p;
    struct buf m;
    unsigned last = count_messages(protocol) - 1;
    begin(&p, protocol, 100);
    advance(&p, last, &m);
    deliver(&p, (int)(1 - last % 2), buf_view(&m));
    assert_memory_equal(noise_remote(&p.h[1]), p.s[0].pk, KEY_BYTES);
    assert_memory_equal(noise_remote(&p.h[0]), p.s[1].pk, KEY_BYTES);
    assert_int_equal(noise_split(&p.h[0], &s[0]), 0);
    assert_int_equal(noise_split(&p.h[1], &s[1]), 0);
    assert_wiped(&p.h[0]);
    assert_memory_equal(s[0].hash, s[1].hash, NOISE_HASH_BYTES);
    buf_release(&m);
}

static void assert_session_over(struct noise_session *s)
{
    struct buf out;
    buf_init(&out, 100);
    assert_true(s->failed);
    assert_true(secret_is_zero(s->send.k, KEY_BYTES) && secret_is_zero(s->recv.k, KEY_BYTES));
    assert_true(secret_is_zero(s->hash, sizeof s->hash));
    assert_int_equal(noise_seal(s, BYTES_NONE, BYTES_NONE, &out), ERR_VERIFY);
    assert_int_equal(noise_open(s, BYTES_NONE, BYTES_LIT("0123456789abcdef"), &out), ERR_VERIFY);
    assert_int_equal(noise_left(s), 0);
    assert_int_equal(out.n, 0);
    buf_release(&out);
}

static void try_to_open(const struct noise_session *s, struct bytes message, int expected)
{
    struct noise_session copy = *s;
    struct buf got;
    buf_init(&got, NOISE_MESSAGE_BYTES);
    assert_int_equal(noise_open(&copy, BYTES_LIT("ad"), message, &got), expected);
    if (expected)
        assert_session_over(&copy);
    buf_release(&got);
}

static void changed_replayed_and_reflected_transport_messages_end_the_session(void **state)
{
    struct noise_session s[2];
    struct buf first, second;
    (void)state;
    open_sessions(&noise_ik, s);
    buf_init(&first, 1000);
    buf_init(&second, 1000);
    assert_int_equal(noise_seal(&s[0], BYTES_LIT("ad"), BYTES_LIT("one"), &first), 0);
    assert_int_equal(noise_seal(&s[0], BYTES_LIT("ad"), BYTES_LIT("two"), &second), 0);
    for (size_t n = 0; n < first.n; n++)
        try_to_open(&s[1], bytes_slice(buf_view(&first), 0, n), ERR_VERIFY);
    for (size_t bit = 0; bit < first.n * 8; bit++) {
        first.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        try_to_open(&s[1], buf_view(&first), ERR_VERIFY);
        first.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    try_to_open(&s[1], buf_view(&second), ERR_VERIFY); /* out of order */
    try_to_open(&s[0], buf_view(&first), ERR_VERIFY);  /* reflected */
    try_to_open(&s[1], buf_view(&first), 0);
    s[1].recv.n++;
    try_to_open(&s[1], buf_view(&first), ERR_VERIFY); /* replayed */
    try_to_open(&s[1], buf_view(&second), 0);
    buf_release(&first);
    buf_release(&second);
}

static void transport_stops_at_its_limits(void **state)
{
    static const uint8_t big[NOISE_MESSAGE_BYTES];
    struct noise_session s[2];
    struct buf out, got;
    (void)state;
    open_sessions(&noise_xx, s);
    buf_init(&out, 2 * (size_t)NOISE_MESSAGE_BYTES);
    buf_init(&got, NOISE_MESSAGE_BYTES);
    assert_int_equal(noise_left(&s[0]), NOISE_MESSAGES_MAX);
    assert_int_equal(noise_seal(&s[0], BYTES_NONE, bytes_of(big, sizeof big - 15), &out), ERR_LIMIT);
    assert_int_equal(noise_seal(&s[0], BYTES_NONE, bytes_of(big, sizeof big - 16), &out), 0);
    assert_int_equal(out.n, NOISE_MESSAGE_BYTES);
    assert_int_equal(noise_open(&s[1], BYTES_NONE, buf_view(&out), &got), 0);
    assert_int_equal(noise_left(&s[0]), NOISE_MESSAGES_MAX - 1);
    s[0].send.n = s[1].recv.n = NOISE_MESSAGES_MAX - 1;
    buf_clear(&out);
    buf_clear(&got);
    assert_int_equal(noise_seal(&s[0], BYTES_NONE, BYTES_LIT("last"), &out), 0);
    assert_int_equal(noise_open(&s[1], BYTES_NONE, buf_view(&out), &got), 0);
    assert_int_equal(noise_left(&s[0]), 0);
    assert_int_equal(noise_seal(&s[0], BYTES_NONE, BYTES_LIT("more"), &out), ERR_LIMIT);
    assert_int_equal(noise_open(&s[1], BYTES_NONE, buf_view(&out), &got), ERR_VERIFY);
    buf_release(&out);
    buf_release(&got);
}

static void both_sides_rekey_to_the_same_key(void **state)
{
    struct noise_session s[2];
    uint8_t old[KEY_BYTES];
    struct buf out, got;
    (void)state;
    open_sessions(&noise_ik, s);
    buf_init(&out, 100);
    buf_init(&got, 100);
    memcpy(old, s[0].send.k, KEY_BYTES);
    noise_rekey(&s[0].send);
    noise_rekey(&s[1].recv);
    assert_memory_not_equal(old, s[0].send.k, KEY_BYTES);
    assert_int_equal(noise_seal(&s[0], BYTES_NONE, BYTES_LIT("on"), &out), 0);
    assert_int_equal(noise_open(&s[1], BYTES_NONE, buf_view(&out), &got), 0);
    assert_true(bytes_eq(buf_view(&got), BYTES_LIT("on")));
    buf_release(&out);
    buf_release(&got);
}

static void handshake_payloads_are_limited(void **state)
{
    static const uint8_t big[NOISE_MESSAGE_BYTES];
    struct pairing p;
    struct buf out;
    (void)state;
    begin(&p, &noise_ik, 110);
    buf_init(&out, 2 * (size_t)NOISE_MESSAGE_BYTES);
    assert_int_equal(noise_write(&p.h[0], &p.rng, bytes_of(big, sizeof big - 95), &out), ERR_LIMIT);
    assert_int_equal(out.n, 0);
    assert_wiped(&p.h[0]);
    begin(&p, &noise_ik, 110);
    assert_int_equal(noise_write(&p.h[0], &p.rng, bytes_of(big, sizeof big - 96), &out), 0);
    assert_int_equal(out.n, NOISE_MESSAGE_BYTES);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_published_vectors_pass),
        cmocka_unit_test(own_patterns_are_those_of_the_vectors),
        cmocka_unit_test(every_changed_handshake_message_is_refused),
        cmocka_unit_test(messages_out_of_place_are_refused),
        cmocka_unit_test(reflected_messages_are_refused),
        cmocka_unit_test(message_out_of_turn_is_refused),
        cmocka_unit_test(ephemeral_keys_of_low_order_are_refused),
        cmocka_unit_test(dh_with_a_key_of_low_order_ends_the_handshake),
        cmocka_unit_test(static_keys_of_low_order_are_refused),
        cmocka_unit_test(another_psk_prologue_or_static_key_is_refused),
        cmocka_unit_test(changed_replayed_and_reflected_transport_messages_end_the_session),
        cmocka_unit_test(transport_stops_at_its_limits),
        cmocka_unit_test(both_sides_rekey_to_the_same_key),
        cmocka_unit_test(handshake_payloads_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
