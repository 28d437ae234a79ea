/* The key file of a device: what is kept in it, and who may open it. */
#include "node/keys.h"

#include "crypto/hash.h"
#include "node/node.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <string.h>
#include <sys/stat.h>

static const struct keyfile_cost cheap = {1, KEYFILE_MEMORY_KIB_MIN};
#define PASSPHRASE BYTES_LIT("correct horse battery staple")

static struct tmp_dir dir;
static char path[TMP_PATH_BYTES];
static struct rng rng;

static int setup(void **state)
{
    (void)state;
    tmp_dir_make(&dir);
    (void)tmp_path(&dir, "keys", path);
    int rc = crypt_start();
    rng = rng_system();
    return rc;
}

static int teardown(void **state)
{
    (void)state;
    tmp_dir_remove(&dir);
    return 0;
}

static void keys_new(struct keys *k)
{
    struct err e = ERR_INIT;
    assert_int_equal(keys_make(k, &rng, &e), 0);
    assert_int_equal(keys_save(k, path, &rng, &e), 0);
}

static void assert_same(const struct keys *a, const struct keys *b)
{
    assert_memory_equal(a->device.sign.seed, b->device.sign.seed, KEY_BYTES);
    assert_memory_equal(a->device.noise.pk, b->device.noise.pk, KEY_BYTES);
    assert_memory_equal(a->event.p, b->event.p, KEY_BYTES);
    assert_memory_equal(a->claim.p, b->claim.p, KEY_BYTES);
    assert_int_equal(a->grouped, b->grouped);
    assert_int_equal(a->n_former, b->n_former);
    assert_memory_equal(a->former, b->former, a->n_former * KEY_BYTES);
}

static void keys_survive_saving_and_opening(void **state)
{
    (void)state;
    struct keys a, b;
    struct err e = ERR_INIT;
    struct stat st;
    uint8_t secret[KEY_BYTES] = {7};
    keys_new(&a);
    keys_take_group(&a, secret);
    assert_int_equal(keys_save(&a, path, &rng, &e), 0);
    assert_int_equal(keys_open(&b, path, NULL, &e), 0);
    assert_same(&a, &b);
    assert_true(b.grouped);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    keys_release(&a);
    keys_release(&b);
}

static void keys_former_secrets_are_bounded_newest_first(void **state)
{
    (void)state;
    struct keys k;
    keys_new(&k);
    for (uint8_t i = 1; i <= KEYS_FORMER_MAX + 3; i++) {
        uint8_t secret[KEY_BYTES];
        memset(secret, i, sizeof(secret));
        keys_take_group(&k, secret);
    }
    assert_int_equal(k.n_former, KEYS_FORMER_MAX);
    assert_int_equal(k.claim.p[0], KEYS_FORMER_MAX + 3);
    assert_int_equal(k.former[0][0], KEYS_FORMER_MAX + 2);
    assert_int_equal(k.former[KEYS_FORMER_MAX - 1][0], 3);
    keys_release(&k);
}

static void keys_passphrase_closes_the_plain_way(void **state)
{
    (void)state;
    struct keys a, b;
    struct err e = ERR_INIT;
    bool has[KEYFILE_KINDS];
    struct keyfile_unlock u = {.kind = KEYFILE_PASSPHRASE, .secret = PASSPHRASE};
    keys_new(&a);
    assert_int_equal(keys_set_passphrase(&a, PASSPHRASE, &cheap, &rng, &e), 0);
    assert_int_equal(keys_save(&a, path, &rng, &e), 0);
    assert_int_equal(keys_slots(path, has, &e), 0);
    assert_false(has[KEYFILE_PLAIN]);
    assert_int_equal(keys_open(&b, path, NULL, &e), ERR_LOCKED);
    assert_non_null(strstr(e.hint, "selfsame unlock"));
    u.secret = BYTES_LIT("wrong horse battery staple");
    assert_int_equal(keys_open(&b, path, &u, &e), ERR_LOCKED);
    u.secret = PASSPHRASE;
    assert_int_equal(keys_open(&b, path, &u, &e), 0);
    assert_same(&a, &b);
    assert_int_equal(keys_clear_passphrase(&b, &rng, &e), 0);
    assert_int_equal(keys_save(&b, path, &rng, &e), 0);
    keys_release(&b);
    assert_int_equal(keys_open(&b, path, NULL, &e), 0);
    keys_release(&a);
    keys_release(&b);
}

static void keys_short_passphrase_is_refused(void **state)
{
    (void)state;
    struct keys k;
    struct err e = ERR_INIT;
    keys_new(&k);
    assert_int_equal(keys_set_passphrase(&k, BYTES_LIT("short"), &cheap, &rng, &e), ERR_USAGE);
    assert_true(keyfile_has_slot(&k.file, KEYFILE_PLAIN));
    assert_int_equal(keys_clear_passphrase(&k, &rng, &e), ERR_USAGE);
    keys_release(&k);
}

static void keys_damage_is_noticed(void **state)
{
    (void)state;
    struct keys k;
    struct err e = ERR_INIT;
    struct buf file;
    keys_new(&k);
    keys_release(&k);
    buf_init(&file, KEYFILE_BYTES_MAX);
    tmp_read(path, &file);
    for (size_t at = 0; at < file.n; at += 7) {
        file.p[at] ^= 0x20;
        tmp_write(path, buf_view(&file));
        assert_true(keys_open(&k, path, NULL, &e) < 0);
        file.p[at] ^= 0x20;
    }
    for (size_t n = 0; n < file.n; n += 5) {
        tmp_write(path, bytes_of(file.p, n));
        assert_true(keys_open(&k, path, NULL, &e) < 0);
    }
    buf_release(&file);
}

static void keys_are_wiped_at_release(void **state)
{
    (void)state;
    static const uint8_t zeros[sizeof(struct keys)];
    struct keys k;
    keys_new(&k);
    keys_release(&k);
    assert_memory_equal(&k, zeros, sizeof(k));
    keys_release(&k);
}

/* ---- a node with them -------------------------------------------------------------------------------------
 */

static void node_opens_locked_and_unlocks(void **state)
{
    (void)state;
    char home[TMP_PATH_BYTES];
    struct node *n = NULL;
    struct err e = ERR_INIT;
    struct node_options o = {.home = tmp_path(&dir, "home", home)};
    struct keyfile_unlock u = {.kind = KEYFILE_PASSPHRASE, .secret = PASSPHRASE};
    assert_int_equal(node_init(home, BYTES_LIT("laptop"), &e), 0);
    assert_int_equal(node_open(&n, &o, &e), 0);
    assert_int_equal(keys_set_passphrase(&n->home.keys, PASSPHRASE, &cheap, &n->rng, &e), 0);
    assert_int_equal(home_save_keys(&n->home, &n->rng, &e), 0);
    node_close(n);
    assert_int_equal(node_open(&n, &o, &e), 0);
    assert_true(n->home.locked);
    assert_null(n->store);
    u.secret = BYTES_LIT("not the passphrase");
    assert_int_equal(node_unlock(n, &u, &e), ERR_LOCKED);
    assert_true(n->home.locked);
    u.secret = PASSPHRASE;
    assert_int_equal(node_unlock(n, &u, &e), 0);
    assert_false(n->home.locked);
    assert_non_null(n->store);
    node_lock(n);
    assert_true(n->home.locked);
    assert_true(secret_is_zero(&n->home.keys, sizeof(n->home.keys)));
    node_close(n);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(keys_survive_saving_and_opening),
        T(keys_former_secrets_are_bounded_newest_first),
        T(keys_passphrase_closes_the_plain_way),
        T(keys_short_passphrase_is_refused),
        T(keys_damage_is_noticed),
        T(keys_are_wiped_at_release),
        T(node_opens_locked_and_unlocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
