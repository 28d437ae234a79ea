/* crypto/KEYS.md, read as a reader would: every vector in a block marked `vector` is computed with the code,
 * and the table of labels is compared with crypto/label.h. */
#include "crypto/aead.h"
#include "crypto/beacon.h"
#include "crypto/epoch.h"
#include "crypto/frame.h"
#include "crypto/keyfile.h"
#include "crypto/pair.h"
#include "crypto/words.h"

#include "base/check.h"
#include "tests/crypto/kit.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE TEST_SOURCE "/crypto/KEYS.md"
#define LABELS TEST_SOURCE "/crypto/label.h"
#define FIELDS_MAX 24

/* ---- reading the page */

struct field {
    struct bytes name, value;
};

struct block {
    struct bytes kind;
    struct field f[FIELDS_MAX];
    size_t n;
};

static struct bytes take_line(struct bytes *rest)
{
    size_t n = bytes_find(*rest, BYTES_LIT("\n"));
    struct bytes line = bytes_slice(*rest, 0, n);
    *rest = bytes_slice(*rest, n == SIZE_MAX ? rest->n : n + 1, SIZE_MAX);
    return line;
}

static bool next_block(struct bytes *rest, struct block *b)
{
    struct bytes line;
    size_t at = bytes_find(*rest, BYTES_LIT("```vector\n"));
    if (at == SIZE_MAX)
        return false;
    *rest = bytes_slice(*rest, at, SIZE_MAX);
    (void)take_line(rest);
    *b = (struct block){.kind = take_line(rest)};
    for (line = take_line(rest); !bytes_eq(line, BYTES_LIT("```")); line = take_line(rest)) {
        size_t n = bytes_find(line, BYTES_LIT(" "));
        assert_true(n != SIZE_MAX && b->n < FIELDS_MAX);
        b->f[b->n++] = (struct field){bytes_slice(line, 0, n), bytes_slice(line, n + 1, SIZE_MAX)};
    }
    return true;
}

static struct bytes get(const struct block *b, const char *name)
{
    for (size_t i = 0; i < b->n; i++)
        if (bytes_eq(b->f[i].name, bytes_str(name)))
            return b->f[i].value;
    fail_msg("no field '%s'", name);
    return BYTES_NONE;
}

/* Appends what hex digits or a quoted text stand for. */
static void put_value(const struct block *b, const char *name, struct buf *out)
{
    struct bytes v = get(b, name);
    if (v.n >= 2 && v.p[0] == '"')
        assert_int_equal(buf_bytes(out, bytes_slice(v, 1, v.n - 2)), 0);
    else
        kit_hex(v, out);
}

static void fixed(const struct block *b, const char *name, void *out, size_t n)
{
    struct buf v;
    buf_init(&v, n);
    put_value(b, name, &v);
    CHECK(v.n == n && v.p);
    memcpy(out, v.p, n);
    buf_release(&v);
}

static uint64_t decimal(struct bytes v)
{
    char text[24] = {0};
    CHECK(v.p && v.n > 0 && v.n < sizeof text);
    memcpy(text, v.p, v.n);
    return strtoull(text, NULL, 10);
}

/* The page's value of a result; when it is another one, the right one is printed. */
static void expect(const struct block *b, const char *name, struct bytes is)
{
    struct buf hex;
    buf_init(&hex, (size_t)1 << 20);
    kit_hex_put(is, &hex);
    if (!bytes_eq(get(b, name), buf_view(&hex))) {
        printf("%.*s: %s is %s\n", (int)b->kind.n, (const char *)b->kind.p, name, buf_cstr(&hex));
        fail();
    }
    buf_release(&hex);
}

/* ---- the vectors */

static void check_aead(const struct block *b)
{
    uint8_t key[KEY_BYTES], nonce[AEAD_NONCE_BYTES];
    struct buf label, ad, plain, out;
    buf_init(&label, 100);
    buf_init(&ad, 100);
    buf_init(&plain, 100);
    buf_init(&out, 300);
    fixed(b, "key", key, sizeof key);
    fixed(b, "nonce", nonce, sizeof nonce);
    put_value(b, "label", &label);
    put_value(b, "ad", &ad);
    put_value(b, "plain", &plain);
    assert_int_equal(
        aead_seal(&(struct aead){key, buf_cstr(&label), buf_view(&ad)}, nonce, buf_view(&plain), &out), 0);
    expect(b, "sealed", buf_view(&out));
    buf_release(&label);
    buf_release(&ad);
    buf_release(&plain);
    buf_release(&out);
}

static void check_certificate(const struct block *b)
{
    struct device_keys k;
    struct id id;
    struct buf name, out;
    buf_init(&name, 100);
    buf_init(&out, DEVICE_CERT_BYTES_MAX);
    fixed(b, "sign_seed", k.sign.seed, KEY_BYTES);
    fixed(b, "noise_sk", k.noise.sk, KEY_BYTES);
    fixed(b, "seal_sk", k.seal.sk, KEY_BYTES);
    sign_key_from_seed(&k.sign, k.sign.seed);
    dh_key_from_secret(&k.noise, k.noise.sk);
    dh_key_from_secret(&k.seal, k.seal.sk);
    put_value(b, "name", &name);
    device_id_of(k.sign.pk, &id);
    expect(b, "id", bytes_of(id.b, ID_BYTES));
    assert_int_equal(device_cert_make(&k, buf_view(&name), (int64_t)decimal(get(b, "created")), &out, NULL),
                     0);
    expect(b, "certificate", buf_view(&out));
    buf_release(&name);
    buf_release(&out);
}

static void check_recovery(const struct block *b)
{
    uint8_t secret[RECOVERY_BYTES], got[RECOVERY_BYTES];
    struct device_keys k;
    struct buf words;
    fixed(b, "secret", secret, sizeof secret);
    buf_init(&words, RECOVERY_TEXT_MAX);
    put_value(b, "words", &words);
    assert_int_equal(recovery_parse(buf_view(&words), got, NULL), 0);
    assert_memory_equal(got, secret, sizeof got);
    device_keys_derive(&k, secret);
    expect(b, "sign_seed", bytes_of(k.sign.seed, KEY_BYTES));
    expect(b, "noise_sk", bytes_of(k.noise.sk, KEY_BYTES));
    expect(b, "seal_sk", bytes_of(k.seal.sk, KEY_BYTES));
    buf_release(&words);
}

static void check_frame(const struct block *b)
{
    struct frame_header h = {0};
    struct sign_key sign;
    uint8_t epoch[KEY_BYTES], nonce[AEAD_NONCE_BYTES] = {0}, flags[2];
    struct kit_rng random = {bytes_of(nonce, sizeof nonce)};
    struct rng rng = kit_rng_iface(&random);
    struct buf ops, out;
    buf_init(&ops, 1000);
    buf_init(&out, FRAME_BYTES_MAX);
    fixed(b, "key", epoch, sizeof epoch);
    fixed(b, "sign_seed", sign.seed, KEY_BYTES);
    sign_key_from_seed(&sign, sign.seed);
    fixed(b, "flags", flags, sizeof flags);
    h.flags = (uint16_t)(flags[0] << 8 | flags[1]);
    fixed(b, "group", h.group.b, ID_BYTES);
    fixed(b, "log", h.log.b, ID_BYTES);
    fixed(b, "device", h.device.b, ID_BYTES);
    fixed(b, "epoch", h.epoch.b, ID_BYTES);
    h.first = decimal(get(b, "first"));
    h.count = (uint32_t)decimal(get(b, "count"));
    fixed(b, "before", h.before.b, HASH_BYTES);
    fixed(b, "after", h.after.b, HASH_BYTES);
    fixed(b, "nonce", nonce, sizeof nonce);
    put_value(b, "ops", &ops);
    assert_int_equal(frame_seal(&h, &(struct frame_keys){epoch, &sign}, &rng, buf_view(&ops), &out), 0);
    expect(b, "frame", buf_view(&out));
    buf_release(&ops);
    buf_release(&out);
}

static void check_padding(const struct block *b)
{
    for (size_t i = 0; i < b->n; i++)
        assert_int_equal(frame_padded((size_t)decimal(b->f[i].name)), decimal(b->f[i].value));
}

static void check_epoch(const struct block *b)
{
    uint8_t key[KEY_BYTES], previous[KEY_BYTES], got[KEY_BYTES], nonce[AEAD_NONCE_BYTES],
        ephemeral[KEY_BYTES] = {0};
    struct kit_rng random = {bytes_of(ephemeral, sizeof ephemeral)};
    struct rng rng = kit_rng_iface(&random);
    struct epoch_binding bind;
    struct epoch_link link;
    struct dh_key member;
    struct buf out;
    buf_init(&out, 1000);
    fixed(b, "key", key, sizeof key);
    fixed(b, "group", bind.group.b, ID_BYTES);
    fixed(b, "recipient", bind.recipient.b, ID_BYTES);
    fixed(b, "seal_sk", member.sk, KEY_BYTES);
    dh_key_from_secret(&member, member.sk);
    fixed(b, "ephemeral_sk", ephemeral, sizeof ephemeral);
    epoch_id(key, &bind.epoch);
    expect(b, "id", bytes_of(bind.epoch.b, ID_BYTES));
    assert_int_equal(epoch_seal(&bind, key, member.pk, &rng, &out), 0);
    expect(b, "sealed", buf_view(&out));
    assert_int_equal(epoch_unseal(&bind, buf_view(&out), &member, got, NULL), 0);
    buf_clear(&out);
    fixed(b, "previous", previous, sizeof previous);
    fixed(b, "nonce", nonce, sizeof nonce);
    random.left = bytes_of(nonce, sizeof nonce);
    assert_int_equal(epoch_wrap(&bind.group, key, previous, &rng, &out), 0);
    expect(b, "wrapped", buf_view(&out));
    link.group = bind.group;
    epoch_id(previous, &link.previous);
    assert_int_equal(epoch_unwrap(&link, buf_view(&out), key, got, NULL), 0);
    buf_release(&out);
}

static void check_beacon(const struct block *b)
{
    uint8_t secret[KEY_BYTES], nonce[BEACON_NONCE_BYTES] = {0}, out[BEACON_BYTES];
    struct kit_rng random = {bytes_of(nonce, sizeof nonce)};
    struct rng rng = kit_rng_iface(&random);
    struct buf said;
    buf_init(&said, 100);
    fixed(b, "secret", secret, sizeof secret);
    fixed(b, "nonce", nonce, sizeof nonce);
    put_value(b, "said", &said);
    beacon_make(secret, (int64_t)decimal(get(b, "now")), &rng, buf_view(&said), out);
    expect(b, "beacon", bytes_of(out, sizeof out));
    buf_release(&said);
}

/* ---- pairing */

#define RANDOM_BYTES (16 + 64 + 32)

struct peer {
    struct device_keys keys;
    struct buf cert;
    uint8_t random[RANDOM_BYTES];
    struct kit_rng rng;
    struct pair p;
};

static void peer_init(struct peer *d, const struct block *b, const char *name)
{
    char field[32];
    uint8_t secret[KEY_BYTES];
    struct pair_code code;
    struct buf text;
    buf_init(&d->cert, DEVICE_CERT_BYTES_MAX);
    buf_init(&text, 100);
    fixed(b, name, secret, sizeof secret);
    device_keys_derive(&d->keys, secret);
    assert_int_equal(
        device_cert_make(&d->keys, bytes_str(name), (int64_t)decimal(get(b, "created")), &d->cert, NULL), 0);
    (void)snprintf(field, sizeof field, "%s_random", name);
    fixed(b, field, d->random, sizeof d->random);
    d->rng.left = bytes_of(d->random, sizeof d->random);
    put_value(b, "code", &text);
    assert_int_equal(pair_code_parse(buf_view(&text), &code, NULL), 0);
    const struct pair_self self = {&d->keys, buf_view(&d->cert)};
    if (*name == 'j')
        pair_join(&d->p, &self, &code);
    else
        pair_host(&d->p, &self, &code);
    buf_release(&text);
}

static void check_pairing(const struct block *b)
{
    struct peer d[2];
    struct buf in, out;
    char field[32];
    buf_init(&in, 1000);
    buf_init(&out, 1000);
    peer_init(&d[0], b, "joiner");
    peer_init(&d[1], b, "host");
    for (unsigned n = 0; n < 5; n++) {
        struct rng rng = kit_rng_iface(&d[n % 2].rng);
        buf_clear(&out);
        assert_int_equal(pair_step(&d[n % 2].p, &rng, buf_view(&in), &out, NULL), 0);
        (void)snprintf(field, sizeof field, "message_%u", n + 1);
        expect(b, field, buf_view(&out));
        buf_clear(&in);
        assert_int_equal(buf_bytes(&in, buf_view(&out)), 0);
    }
    buf_clear(&out);
    assert_int_equal(pair_step(&d[1].p, NULL, buf_view(&in), &out, NULL), 0);
    assert_int_equal(pair_answer(&d[0].p, true, &out, NULL), 0);
    expect(b, "joiner_yes", buf_view(&out));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(d[i].rng.left.n, 0);
        pair_wipe(&d[i].p);
        buf_release(&d[i].cert);
    }
    buf_release(&in);
    buf_release(&out);
}

static void check_words(const struct block *b)
{
    uint8_t pk[SIGN_PK_BYTES], knock[KEY_BYTES];
    struct pair_code code;
    fixed(b, "sign_pk", pk, sizeof pk);
    pair_code_words(pk, &code);
    expect(b, "code", bytes_of(code.qr, sizeof code.qr));
    pair_knock_words(pk, knock);
    expect(b, "knock", bytes_of(knock, sizeof knock));
}

static void check_keyfile(const struct block *b)
{
    uint8_t recovery[KEY_BYTES];
    struct keyfile_cost cost = {(uint32_t)decimal(get(b, "passes")), (uint32_t)decimal(get(b, "memory_kib"))};
    struct buf random, payload, passphrase, file;
    struct kit_rng fixed_random;
    struct rng rng = kit_rng_iface(&fixed_random);
    struct keyfile k, got;
    buf_init(&random, 1000);
    buf_init(&payload, 1000);
    buf_init(&passphrase, 1000);
    buf_init(&file, KEYFILE_BYTES_MAX);
    put_value(b, "random", &random);
    put_value(b, "payload", &payload);
    put_value(b, "passphrase", &passphrase);
    fixed(b, "recovery", recovery, sizeof recovery);
    fixed_random.left = buf_view(&random);
    const struct keyfile_unlock u[KEYFILE_KINDS] = {{KEYFILE_PLAIN, BYTES_NONE},
                                                    {KEYFILE_PASSPHRASE, buf_view(&passphrase)},
                                                    {KEYFILE_RECOVERY, bytes_of(recovery, sizeof recovery)}};
    assert_int_equal(keyfile_new(&k, &rng, buf_view(&payload)), 0);
    for (int i = 0; i < KEYFILE_KINDS; i++)
        assert_int_equal(keyfile_put_slot(&k, &u[i], &cost, &rng, NULL), 0);
    assert_int_equal(keyfile_encode(&k, &rng, &file), 0);
    assert_int_equal(fixed_random.left.n, 0);
    expect(b, "file", buf_view(&file));
    for (int i = 0; i < KEYFILE_KINDS; i++) {
        assert_int_equal(keyfile_open(&got, buf_view(&file), &u[i], NULL), 0);
        assert_true(bytes_eq(buf_view(&got.payload), buf_view(&payload)));
        keyfile_release(&got);
    }
    keyfile_release(&k);
    buf_release(&random);
    buf_release(&payload);
    buf_release(&passphrase);
    buf_release(&file);
}

static const struct {
    const char *kind;
    void (*check)(const struct block *b);
} kinds[] = {
    {"aead", check_aead},       {"certificate", check_certificate}, {"recovery", check_recovery},
    {"frame", check_frame},     {"padding", check_padding},         {"epoch", check_epoch},
    {"pairing", check_pairing}, {"beacon", check_beacon},           {"keyfile", check_keyfile},
    {"words", check_words},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static void every_vector_of_the_page_is_what_the_code_gives(void **state)
{
    struct buf page;
    struct bytes rest;
    struct block b;
    bool seen[KINDS] = {false};
    (void)state;
    buf_init(&page, 1 << 20);
    tmp_read(PAGE, &page);
    rest = buf_view(&page);
    while (next_block(&rest, &b)) {
        size_t i = 0;
        while (i < KINDS && !bytes_eq(b.kind, bytes_str(kinds[i].kind)))
            i++;
        assert_true(i < KINDS);
        kinds[i].check(&b);
        seen[i] = true;
    }
    for (size_t i = 0; i < KINDS; i++)
        assert_true(seen[i]);
    buf_release(&page);
}

/* Every label of the header is on the page, no two are the same, and the page has no other. */
static void labels_of_page_and_header_are_the_same(void **state)
{
    struct buf page, header;
    struct bytes rest;
    unsigned in_header = 0, in_page = 0;
    (void)state;
    buf_init(&page, 1 << 20);
    buf_init(&header, 1 << 20);
    tmp_read(PAGE, &page);
    tmp_read(LABELS, &header);
    for (rest = buf_view(&header); rest.n > 0;) {
        struct bytes line = take_line(&rest);
        struct buf row;
        size_t from = bytes_find(line, BYTES_LIT("\""));
        if (!bytes_starts(line, BYTES_LIT("#define LABEL_")))
            continue;
        line = bytes_slice(line, from + 1, line.n - from - 2);
        buf_init(&row, 200);
        assert_int_equal(buf_printf(&row, "| `%.*s` |", (int)line.n, (const char *)line.p), 0);
        assert_true(bytes_find(buf_view(&page), buf_view(&row)) != SIZE_MAX);
        assert_int_equal(bytes_find(rest, bytes_slice(buf_view(&row), 3, line.n)), SIZE_MAX);
        buf_release(&row);
        in_header++;
    }
    for (rest = buf_view(&page); rest.n > 0;)
        in_page += bytes_starts(take_line(&rest), BYTES_LIT("| `selfsame 1 "));
    assert_true(in_header > 0);
    assert_int_equal(in_header, in_page);
    buf_release(&page);
    buf_release(&header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_of_the_page_is_what_the_code_gives),
        cmocka_unit_test(labels_of_page_and_header_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
