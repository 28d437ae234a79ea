/* Frames: what is sealed opens, and nothing else does; and a second implementation (frame_check.py) agrees.
 */
#include "crypto/frame.h"

#include "base/cursor.h"
#include "crypto/label.h"
#include "tests/crypto/kit.h"
#include "tests/support/rng.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PYTHON "/usr/bin/python3 " TEST_SOURCE "/tests/crypto/frame_check.py"

struct scene {
    struct test_rng random;
    struct rng rng;
    struct sign_key sign;
    uint8_t epoch[KEY_BYTES];
    struct frame_keys keys;
    struct frame_header header;
};

static void scene_init(struct scene *s, uint64_t seed)
{
    uint8_t secret[KEY_BYTES];
    test_rng_init(&s->random, seed);
    s->rng = test_rng_iface(&s->random);
    rng_fill(&s->rng, secret, sizeof secret);
    sign_key_from_seed(&s->sign, secret);
    rng_fill(&s->rng, s->epoch, sizeof s->epoch);
    s->keys = (struct frame_keys){s->epoch, &s->sign};
    rng_fill(&s->rng, &s->header, sizeof s->header);
    s->header.first = test_rng_below(&s->random, 1000000) + 1;
    s->header.count = (uint32_t)test_rng_below(&s->random, LIMIT_FRAME_OPS) + 1;
}

static void random_ops(struct scene *s, size_t n, struct buf *ops)
{
    buf_init(ops, LIMIT_FRAME_BODY_BYTES);
    if (n > 0)
        test_rng_fill(&s->random, buf_extend(ops, n), n);
}

static void seal(struct scene *s, struct bytes ops, struct buf *out)
{
    buf_init(out, FRAME_BYTES_MAX);
    assert_int_equal(frame_seal(&s->header, &s->keys, &s->rng, ops, out), 0);
}

static int open_whole(const struct scene *s, struct bytes in, struct buf *ops)
{
    struct frame f;
    int rc = frame_decode(in, &f, NULL);
    if (!rc)
        rc = frame_verify(&f, s->sign.pk, NULL);
    if (!rc)
        rc = frame_open(&f, s->epoch, ops, NULL);
    return rc;
}

static const size_t sizes[] = {0, 1, 251, 252, 253, 300, 1000, 4096, 60000, 250000, FRAME_OPS_BYTES_MAX};
#define SIZES (sizeof sizes / sizeof *sizes)

static void what_is_sealed_opens_with_the_same_header(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        struct scene s;
        struct buf ops, sealed, got;
        struct frame f;
        scene_init(&s, 100 + i);
        random_ops(&s, sizes[i], &ops);
        seal(&s, buf_view(&ops), &sealed);
        buf_init(&got, LIMIT_FRAME_BODY_BYTES);
        assert_int_equal(open_whole(&s, buf_view(&sealed), &got), 0);
        assert_true(bytes_eq(buf_view(&got), buf_view(&ops)));
        assert_int_equal(frame_decode(buf_view(&sealed), &f, NULL), 0);
        assert_int_equal(sealed.n, frame_bytes(&f.header));
        assert_int_equal(sealed.n, FRAME_EXTRA_BYTES + frame_padded(sizes[i] + 4));
        assert_int_equal(f.header.flags, s.header.flags);
        assert_true(id_eq(&f.header.group, &s.header.group) && id_eq(&f.header.log, &s.header.log));
        assert_true(id_eq(&f.header.device, &s.header.device) && id_eq(&f.header.epoch, &s.header.epoch));
        assert_true(f.header.first == s.header.first && f.header.count == s.header.count);
        assert_memory_equal(f.header.before.b, s.header.before.b, HASH_BYTES);
        assert_memory_equal(f.header.after.b, s.header.after.b, HASH_BYTES);
        buf_release(&ops);
        buf_release(&sealed);
        buf_release(&got);
    }
}

static void too_many_ops_are_not_sealed(void **state)
{
    struct scene s;
    struct buf out;
    uint8_t *big = calloc(1, FRAME_OPS_BYTES_MAX + 1);
    (void)state;
    scene_init(&s, 1);
    buf_init(&out, (size_t)FRAME_BYTES_MAX * 2);
    assert_int_equal(frame_seal(&s.header, &s.keys, &s.rng, bytes_of(big, FRAME_OPS_BYTES_MAX + 1), &out),
                     ERR_LIMIT);
    assert_int_equal(out.n, 0);
    buf_release(&out);
    free(big);
}

static void padding_is_padme_with_a_floor(void **state)
{
    (void)state;
    assert_int_equal(frame_padded(0), 256);
    assert_int_equal(frame_padded(256), 256);
    assert_int_equal(frame_padded(257), 272);
    assert_int_equal(frame_padded(1000), 1024);
    assert_int_equal(frame_padded(4096), 4096);
    assert_int_equal(frame_padded(4097), 4352);
    assert_int_equal(frame_padded(100000), 100352);
    assert_int_equal(frame_padded(1u << 20), 1u << 20);
    for (size_t n = 257; n < 100000; n += 7) {
        size_t p = frame_padded(n);
        assert_true(p >= n && (p - n) * 100 < n * 12);
        assert_int_equal(frame_padded(p), p);
    }
}

static void every_truncation_extension_and_flip_is_refused(void **state)
{
    struct scene s;
    struct buf sealed, got;
    (void)state;
    scene_init(&s, 2);
    seal(&s, BYTES_LIT("ops of a frame"), &sealed);
    buf_init(&got, LIMIT_FRAME_BODY_BYTES);
    for (size_t n = 0; n < sealed.n; n++)
        assert_int_equal(open_whole(&s, bytes_slice(buf_view(&sealed), 0, n), &got), ERR_FORMAT);
    for (size_t bit = 0; bit < sealed.n * 8; bit++) {
        sealed.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(open_whole(&s, buf_view(&sealed), &got) != 0);
        sealed.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(buf_put(&sealed, 0), 0);
    assert_int_equal(open_whole(&s, buf_view(&sealed), &got), ERR_FORMAT);
    assert_int_equal(got.n, 0);
    buf_release(&sealed);
    buf_release(&got);
}

/* Header and body are bound by the sealing too, for whoever does not look at the signature first. */
static void flips_do_not_open_even_unverified(void **state)
{
    struct scene s;
    struct buf sealed, got;
    struct frame f;
    (void)state;
    scene_init(&s, 3);
    seal(&s, BYTES_LIT("ops of a frame"), &sealed);
    buf_init(&got, LIMIT_FRAME_BODY_BYTES);
    for (size_t bit = 0; bit < (sealed.n - SIGN_BYTES) * 8; bit++) {
        sealed.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (frame_decode(buf_view(&sealed), &f, NULL) == 0)
            assert_int_equal(frame_open(&f, s.epoch, &got, NULL), ERR_VERIFY);
        sealed.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(got.n, 0);
    buf_release(&sealed);
    buf_release(&got);
}

static void other_keys_neither_verify_nor_open(void **state)
{
    struct scene s, other;
    struct buf sealed, got;
    struct frame f;
    (void)state;
    scene_init(&s, 4);
    scene_init(&other, 5);
    seal(&s, BYTES_LIT("ops"), &sealed);
    buf_init(&got, LIMIT_FRAME_BODY_BYTES);
    assert_int_equal(frame_decode(buf_view(&sealed), &f, NULL), 0);
    assert_int_equal(frame_verify(&f, other.sign.pk, NULL), ERR_VERIFY);
    for (int i = 0; i < KIT_LOW_POINTS; i++) {
        uint8_t pk[SIGN_PK_BYTES];
        kit_hex_fixed(bytes_str(kit_low_points[i]), pk, sizeof pk);
        assert_int_equal(frame_verify(&f, pk, NULL), ERR_VERIFY);
    }
    assert_int_equal(frame_open(&f, other.epoch, &got, NULL), ERR_VERIFY);
    assert_int_equal(got.n, 0);
    buf_release(&sealed);
    buf_release(&got);
}

/* One ciphertext that opens under two keys is possible with XChaCha20-Poly1305 alone. A frame names its key:
 * with the commitment replaced by the other key's it opens under neither. */
static void frame_commits_to_its_key(void **state)
{
    struct scene s, other;
    struct buf a, b, got;
    struct frame f;
    (void)state;
    scene_init(&s, 6);
    scene_init(&other, 7);
    other.header = s.header;
    seal(&s, BYTES_LIT("ops"), &a);
    seal(&other, BYTES_LIT("ops"), &b);
    buf_init(&got, LIMIT_FRAME_BODY_BYTES);
    memcpy(a.p + FRAME_HEADER_BYTES + AEAD_NONCE_BYTES, b.p + FRAME_HEADER_BYTES + AEAD_NONCE_BYTES,
           AEAD_COMMIT_BYTES);
    assert_int_equal(frame_decode(buf_view(&a), &f, NULL), 0);
    assert_int_equal(frame_open(&f, s.epoch, &got, NULL), ERR_VERIFY);
    assert_int_equal(frame_open(&f, other.epoch, &got, NULL), ERR_VERIFY);
    buf_release(&a);
    buf_release(&b);
    buf_release(&got);
}

static void kept_parts_give_the_same_frame_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        struct scene s;
        struct buf ops, sealed, again;
        struct frame f;
        struct frame_kept kept;
        scene_init(&s, 200 + i);
        random_ops(&s, sizes[i], &ops);
        seal(&s, buf_view(&ops), &sealed);
        assert_int_equal(frame_decode(buf_view(&sealed), &f, NULL), 0);
        frame_keep(&f, &kept);
        buf_init(&again, FRAME_BYTES_MAX);
        assert_int_equal(frame_again(&f.header, s.epoch, &kept, buf_view(&ops), &again), 0);
        assert_true(bytes_eq(buf_view(&again), buf_view(&sealed)));
        buf_release(&ops);
        buf_release(&sealed);
        buf_release(&again);
    }
}

/* With the body gone, its hash still proves who wrote the header. */
static void header_verifies_without_the_body(void **state)
{
    struct scene s;
    struct buf sealed;
    struct frame f;
    struct hash body;
    uint8_t header[FRAME_HEADER_BYTES];
    (void)state;
    scene_init(&s, 8);
    seal(&s, BYTES_LIT("ops that will be erased"), &sealed);
    assert_int_equal(frame_decode(buf_view(&sealed), &f, NULL), 0);
    frame_body_hash(&f, &body);
    memcpy(header, f.header_bytes.p, sizeof header);
    assert_int_equal(frame_verify_stripped(bytes_of(header, sizeof header), &body, f.signature.p, s.sign.pk),
                     0);
    header[100] ^= 1;
    assert_int_equal(frame_verify_stripped(bytes_of(header, sizeof header), &body, f.signature.p, s.sign.pk),
                     ERR_VERIFY);
    header[100] ^= 1;
    body.b[0] ^= 1;
    assert_int_equal(frame_verify_stripped(bytes_of(header, sizeof header), &body, f.signature.p, s.sign.pk),
                     ERR_VERIFY);
    buf_release(&sealed);
}

static int decode_header(const struct frame_header *h)
{
    struct buf b;
    struct frame_header got;
    int rc;
    buf_init(&b, FRAME_HEADER_BYTES);
    frame_header_encode(h, &b);
    assert_int_equal(b.n, FRAME_HEADER_BYTES);
    rc = frame_header_decode(buf_view(&b), &got, NULL);
    buf_release(&b);
    return rc;
}

static void impossible_headers_are_refused(void **state)
{
    struct scene s;
    struct frame_header h;
    (void)state;
    scene_init(&s, 9);
    s.header.body_bytes = AEAD_EXTRA_BYTES + FRAME_PAD_FLOOR;
    assert_int_equal(decode_header(&s.header), 0);
    h = s.header, h.first = 0;
    assert_int_equal(decode_header(&h), ERR_FORMAT);
    h = s.header, h.count = 0;
    assert_int_equal(decode_header(&h), ERR_FORMAT);
    h = s.header, h.count = LIMIT_FRAME_OPS + 1;
    assert_int_equal(decode_header(&h), ERR_LIMIT);
    h = s.header, h.first = UINT64_MAX, h.count = 2;
    assert_int_equal(decode_header(&h), ERR_FORMAT);
    h = s.header, h.first = UINT64_MAX, h.count = 1;
    assert_int_equal(decode_header(&h), 0);
    h = s.header, h.body_bytes = 0;
    assert_int_equal(decode_header(&h), ERR_FORMAT);
    h = s.header, h.body_bytes += 1;
    assert_int_equal(decode_header(&h), ERR_FORMAT);
    h = s.header, h.body_bytes = UINT32_MAX;
    assert_int_equal(decode_header(&h), ERR_LIMIT);
    h = s.header, h.body_bytes = AEAD_EXTRA_BYTES + LIMIT_FRAME_BODY_BYTES;
    assert_int_equal(decode_header(&h), 0);
}

static void versions_are_told_apart_from_nonsense(void **state)
{
    struct scene s;
    struct buf sealed;
    struct frame f;
    (void)state;
    scene_init(&s, 10);
    seal(&s, BYTES_LIT("ops"), &sealed);
    for (int at = 0; at < 2; at++) {
        sealed.p[at] = 2;
        assert_int_equal(frame_decode(buf_view(&sealed), &f, NULL), ERR_VERSION);
        sealed.p[at] = 0;
        assert_int_equal(frame_decode(buf_view(&sealed), &f, NULL), ERR_FORMAT);
        sealed.p[at] = 1;
    }
    buf_release(&sealed);
}

/* A member who holds the key can seal anything, so what is inside is checked too. */
static void wrong_padding_inside_is_refused(void **state)
{
    static const struct {
        uint32_t n, size; /* of the ops as stated, of the plaintext */
        uint32_t dirty;   /* this byte of the plaintext is set; UINT32_MAX: none */
        int rc;
    } cases[] = {{0, 256, UINT32_MAX, 0},
                 {252, 256, UINT32_MAX, 0},
                 {253, 256, UINT32_MAX, ERR_FORMAT},
                 {10, 256, 13, 0},
                 {10, 256, 14, ERR_FORMAT},
                 {10, 256, 255, ERR_FORMAT},
                 {253, 272, UINT32_MAX, 0},
                 {252, 272, UINT32_MAX, ERR_FORMAT},
                 {10, 272, UINT32_MAX, ERR_FORMAT},
                 {UINT32_MAX, 256, 0, ERR_FORMAT}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        struct buf header, body, got, plain;
        struct frame f;
        uint8_t nonce[AEAD_NONCE_BYTES] = {0};
        scene_init(&s, 11);
        s.header.body_bytes = AEAD_EXTRA_BYTES + cases[i].size;
        buf_init(&header, FRAME_HEADER_BYTES);
        buf_init(&body, 1000);
        buf_init(&plain, cases[i].size);
        buf_init(&got, 1000);
        frame_header_encode(&s.header, &header);
        wr_u32(&plain, cases[i].n);
        memset(buf_extend(&plain, cases[i].size - 4), 0, cases[i].size - 4);
        if (cases[i].dirty < cases[i].size)
            plain.p[cases[i].dirty] = 0xff;
        assert_int_equal(aead_seal(&(struct aead){s.epoch, LABEL_SEAL_FRAME, buf_view(&header)}, nonce,
                                   buf_view(&plain), &body),
                         0);
        f = (struct frame){s.header, buf_view(&header), buf_view(&body), BYTES_NONE};
        assert_int_equal(frame_open(&f, s.epoch, &got, NULL), cases[i].rc);
        buf_release(&header);
        buf_release(&body);
        buf_release(&plain);
        buf_release(&got);
    }
}

/* ---- the second implementation */

struct script {
    struct tmp_dir dir;
    struct buf requests, answers;
    struct bytes rest;
};

static void script_init(struct script *s)
{
    tmp_dir_make(&s->dir);
    buf_init(&s->requests, (size_t)64 << 20);
    buf_init(&s->answers, (size_t)64 << 20);
}

static void script_run(struct script *s)
{
    char in[TMP_PATH_BYTES], out[TMP_PATH_BYTES], command[3 * TMP_PATH_BYTES];
    tmp_write(tmp_path(&s->dir, "in", in), buf_view(&s->requests));
    assert_true(snprintf(command, sizeof command, PYTHON " <%s >%s", in, tmp_path(&s->dir, "out", out)) <
                (int)sizeof command);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
    tmp_read(out, &s->answers);
    s->rest = buf_view(&s->answers);
}

static struct bytes script_answer(struct script *s)
{
    size_t n = bytes_find(s->rest, BYTES_LIT("\n"));
    struct bytes line = bytes_slice(s->rest, 0, n);
    assert_true(n != SIZE_MAX);
    s->rest = bytes_slice(s->rest, n + 1, SIZE_MAX);
    return line;
}

static void script_release(struct script *s)
{
    tmp_dir_remove(&s->dir);
    buf_release(&s->requests);
    buf_release(&s->answers);
}

static void put_field(struct script *s, struct bytes field)
{
    assert_int_equal(buf_put(&s->requests, ' '), 0);
    kit_hex_put(field, &s->requests);
}

static void put_open(struct script *py, const struct scene *s, struct bytes frame)
{
    (void)buf_str(&py->requests, "open");
    put_field(py, bytes_of(s->epoch, KEY_BYTES));
    put_field(py, bytes_of(s->sign.pk, SIGN_PK_BYTES));
    put_field(py, frame);
    (void)buf_put(&py->requests, '\n');
}

static void python_opens_our_frames_and_refuses_changed_ones(void **state)
{
    static const char *const wrong[] = {"signature", "commitment"};
    struct script py;
    struct buf ops[SIZES];
    (void)state;
    script_init(&py);
    for (size_t i = 0; i < SIZES; i++) {
        struct scene s;
        struct buf sealed;
        scene_init(&s, 300 + i);
        random_ops(&s, sizes[i], &ops[i]);
        seal(&s, buf_view(&ops[i]), &sealed);
        put_open(&py, &s, buf_view(&sealed));
        sealed.p[sealed.n / 2] ^= 1;
        put_open(&py, &s, buf_view(&sealed));
        sealed.p[sealed.n / 2] ^= 1;
        s.epoch[0] ^= 1;
        put_open(&py, &s, buf_view(&sealed));
        buf_release(&sealed);
    }
    script_run(&py);
    for (size_t i = 0; i < SIZES; i++) {
        struct bytes answer = script_answer(&py);
        struct buf got;
        buf_init(&got, LIMIT_FRAME_BODY_BYTES);
        assert_true(bytes_starts(answer, BYTES_LIT("=")));
        kit_hex(bytes_slice(answer, 1, SIZE_MAX), &got);
        assert_true(bytes_eq(buf_view(&got), buf_view(&ops[i])));
        for (int k = 0; k < 2; k++)
            assert_true(bytes_eq(script_answer(&py), bytes_str(wrong[k])));
        buf_release(&got);
        buf_release(&ops[i]);
    }
    script_release(&py);
}

static void frames_made_by_python_open_and_are_what_we_make(void **state)
{
    struct script py;
    struct scene s[SIZES];
    struct buf ops[SIZES];
    uint8_t nonce[AEAD_NONCE_BYTES];
    (void)state;
    script_init(&py);
    memset(nonce, 0x77, sizeof nonce);
    for (size_t i = 0; i < SIZES; i++) {
        struct buf header;
        scene_init(&s[i], 400 + i);
        random_ops(&s[i], sizes[i], &ops[i]);
        buf_init(&header, FRAME_HEADER_BYTES);
        frame_header_encode(&s[i].header, &header);
        (void)buf_str(&py.requests, "seal");
        put_field(&py, bytes_of(s[i].epoch, KEY_BYTES));
        put_field(&py, bytes_of(s[i].sign.seed, KEY_BYTES));
        put_field(&py, buf_view(&header));
        put_field(&py, bytes_of(nonce, sizeof nonce));
        put_field(&py, buf_view(&ops[i]));
        (void)buf_put(&py.requests, '\n');
        buf_release(&header);
    }
    script_run(&py);
    for (size_t i = 0; i < SIZES; i++) {
        struct bytes answer = script_answer(&py);
        struct kit_rng fixed = {bytes_of(nonce, sizeof nonce)};
        struct buf theirs, ours, got;
        buf_init(&theirs, FRAME_BYTES_MAX);
        buf_init(&got, LIMIT_FRAME_BODY_BYTES);
        assert_true(bytes_starts(answer, BYTES_LIT("=")));
        kit_hex(bytes_slice(answer, 1, SIZE_MAX), &theirs);
        assert_int_equal(open_whole(&s[i], buf_view(&theirs), &got), 0);
        assert_true(bytes_eq(buf_view(&got), buf_view(&ops[i])));
        s[i].keys = (struct frame_keys){s[i].epoch, &s[i].sign};
        s[i].rng = kit_rng_iface(&fixed);
        seal(&s[i], buf_view(&ops[i]), &ours);
        assert_true(bytes_eq(buf_view(&ours), buf_view(&theirs)));
        buf_release(&theirs);
        buf_release(&ours);
        buf_release(&got);
        buf_release(&ops[i]);
    }
    script_release(&py);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_with_the_same_header),
        cmocka_unit_test(too_many_ops_are_not_sealed),
        cmocka_unit_test(padding_is_padme_with_a_floor),
        cmocka_unit_test(every_truncation_extension_and_flip_is_refused),
        cmocka_unit_test(flips_do_not_open_even_unverified),
        cmocka_unit_test(other_keys_neither_verify_nor_open),
        cmocka_unit_test(frame_commits_to_its_key),
        cmocka_unit_test(kept_parts_give_the_same_frame_again),
        cmocka_unit_test(header_verifies_without_the_body),
        cmocka_unit_test(impossible_headers_are_refused),
        cmocka_unit_test(versions_are_told_apart_from_nonsense),
        cmocka_unit_test(wrong_padding_inside_is_refused),
        cmocka_unit_test(python_opens_our_frames_and_refuses_changed_ones),
        cmocka_unit_test(frames_made_by_python_open_and_are_what_we_make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
