/* What other tests lean on must themselves be able to say no. */
#include "tests/support/clock.h"
#include "tests/support/rng.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void the_same_seed_gives_the_same_bytes(void **state)
{
    struct test_rng a, b, c;
    uint8_t x[13], y[13], z[13];
    struct rng iface;
    (void)state;
    test_rng_init(&a, 1);
    test_rng_init(&b, 1);
    test_rng_init(&c, 2);
    iface = test_rng_iface(&a);
    rng_fill(&iface, x, sizeof x);
    test_rng_fill(&b, y, sizeof y);
    test_rng_fill(&c, z, sizeof z);
    assert_memory_equal(x, y, sizeof x);
    assert_memory_not_equal(x, z, sizeof x);
}

static void a_shuffle_keeps_every_item(void **state)
{
    struct test_rng t;
    uint32_t items[100];
    uint32_t sum = 0, moved = 0;
    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        items[i] = i;
    test_rng_init(&t, 3);
    test_rng_shuffle(&t, items, 100, sizeof items[0]);
    for (uint32_t i = 0; i < 100; i++) {
        sum += items[i];
        moved += items[i] != i;
    }
    assert_int_equal(sum, 4950);
    assert_in_range(moved, 80, 100);
}

static void the_clock_moves_only_when_told(void **state)
{
    struct test_clock t;
    struct clock c;
    (void)state;
    test_clock_init(&t, 1000);
    c = test_clock_iface(&t);
    assert_int_equal(clock_wall_ms(&c), 1000);
    test_clock_advance(&t, 5);
    assert_int_equal(clock_wall_ms(&c), 1005);
    assert_int_equal(clock_mono_ms(&c), 5);
    test_clock_jump(&t, 10);
    assert_int_equal(clock_wall_ms(&c), 10);
    assert_int_equal(clock_mono_ms(&c), 5);
}

static void a_needle_is_found_in_files_of_subfolders(void **state)
{
    struct tmp_dir d;
    char path[TMP_PATH_BYTES];
    (void)state;
    tmp_dir_make(&d);
    assert_int_equal(mkdir(tmp_path(&d, "sub", path), 0700), 0);
    tmp_write(tmp_path(&d, "sub/a", path), BYTES_LIT("xx\0needle"));
    tmp_write(tmp_path(&d, "b", path), BYTES_LIT("need"));
    assert_int_equal(tmp_count_files_with(d.path, BYTES_LIT("needle")), 1);
    assert_int_equal(tmp_count_files_with(d.path, BYTES_LIT("need")), 2);
    assert_int_equal(tmp_count_files_with(d.path, BYTES_LIT("needles")), 0);
    tmp_append(path, BYTES_LIT("le"));
    assert_int_equal(tmp_count_files_with(d.path, BYTES_LIT("needle")), 2);
    tmp_dir_remove(&d);
}

static void files_are_written_read_and_copied_whole(void **state)
{
    struct tmp_dir d;
    char a[TMP_PATH_BYTES], b[TMP_PATH_BYTES];
    struct buf content;
    (void)state;
    tmp_dir_make(&d);
    buf_init(&content, 100);
    tmp_write(tmp_path(&d, "a", a), BYTES_LIT("long content"));
    tmp_write(a, BYTES_LIT("a\0b"));
    tmp_copy(a, tmp_path(&d, "b", b));
    tmp_read(b, &content);
    assert_true(bytes_eq(buf_view(&content), BYTES_LIT("a\0b")));
    buf_release(&content);
    tmp_dir_remove(&d);
}

static void removing_a_folder_leaves_what_links_point_to(void **state)
{
    struct tmp_dir d, other;
    char kept[TMP_PATH_BYTES], link[TMP_PATH_BYTES], gone[TMP_PATH_BYTES];
    (void)state;
    tmp_dir_make(&d);
    tmp_dir_make(&other);
    tmp_write(tmp_path(&other, "kept", kept), BYTES_LIT("x"));
    assert_int_equal(symlink(other.path, tmp_path(&d, "link", link)), 0);
    (void)strcpy(gone, d.path);
    tmp_dir_remove(&d);
    assert_false(tmp_exists(gone));
    assert_true(tmp_exists(kept));
    tmp_dir_remove(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(a_shuffle_keeps_every_item),
        cmocka_unit_test(the_clock_moves_only_when_told),
        cmocka_unit_test(a_needle_is_found_in_files_of_subfolders),
        cmocka_unit_test(files_are_written_read_and_copied_whole),
        cmocka_unit_test(removing_a_folder_leaves_what_links_point_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
