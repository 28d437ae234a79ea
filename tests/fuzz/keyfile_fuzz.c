/* Key files from outside, with their checksum mended so that the rest is looked at; and recovery words. What
 * opens is written and opens again. */
#include "crypto/keyfile.h"

#include "base/check.h"
#include "crypto/hash.h"
#include "crypto/words.h"
#include "tests/support/rng.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(struct keyfile *k, const struct keyfile_unlock *u)
{
    struct test_rng random;
    struct rng rng;
    struct keyfile other;
    struct buf out;
    test_rng_init(&random, 3);
    rng = test_rng_iface(&random);
    buf_init(&out, KEYFILE_BYTES_MAX);
    CHECK(keyfile_encode(k, &rng, &out) == 0);
    CHECK(keyfile_open(&other, buf_view(&out), u, NULL) == 0);
    CHECK(bytes_eq(buf_view(&other.payload), buf_view(&k->payload)));
    keyfile_release(&other);
    buf_release(&out);
}

/* A passphrase is tried only where the file asks for little: Argon2id is not what is tested. */
static bool is_cheap(struct bytes file)
{
    const uint8_t costs[8] = {0, 0, 0, 1, 0, 0, 0, 8};
    return bytes_find(file, bytes_of(costs, sizeof costs)) != SIZE_MAX;
}

static void try_file(struct bytes file)
{
    static const uint8_t words[KEY_BYTES] = {1};
    const struct keyfile_unlock all[KEYFILE_KINDS] = {{KEYFILE_PLAIN, BYTES_NONE},
                                                      {KEYFILE_PASSPHRASE, BYTES_LIT("pass")},
                                                      {KEYFILE_RECOVERY, bytes_of(words, sizeof words)}};
    bool has[KEYFILE_KINDS];
    int rc = keyfile_kinds(file, has, NULL);
    for (int i = 0; i < KEYFILE_KINDS; i++) {
        struct keyfile k;
        if (i == KEYFILE_PASSPHRASE && !is_cheap(file))
            continue;
        if (keyfile_open(&k, file, &all[i], NULL) == 0) {
            CHECK(rc == 0 && has[i]);
            check_again(&k, &all[i]);
            keyfile_release(&k);
        }
        CHECK(secret_is_zero(&k, sizeof k));
    }
}

static void try_words(struct bytes text)
{
    uint8_t secret[RECOVERY_BYTES], again[RECOVERY_BYTES];
    struct buf out;
    if (recovery_parse(text, secret, NULL) != 0)
        return;
    CHECK(secret_buf_init(&out, RECOVERY_TEXT_MAX) == 0 && recovery_put(secret, &out) == 0);
    CHECK(recovery_parse(buf_view(&out), again, NULL) == 0 && secret_eq(secret, again, sizeof again));
    secret_buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf file;
    struct bytes all;
    struct hash sum;
    try_words(bytes_of(data, size));
    try_file(bytes_of(data, size));
    if (size < HASH_BYTES || size > KEYFILE_BYTES_MAX)
        return 0;
    buf_init(&file, size);
    CHECK(buf_append(&file, data, size) == 0);
    all = bytes_of(file.p, size - HASH_BYTES);
    hash_parts(&sum, &all, 1);
    memcpy(file.p + all.n, sum.b, HASH_BYTES);
    try_file(buf_view(&file));
    buf_release(&file);
    return 0;
}
