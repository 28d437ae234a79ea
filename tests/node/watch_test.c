/* The watcher on real files: what is written, replaced, linked, moved and taken off the list. */
#include "node/watch.h"

#include "node/watchlist.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* It rests twenty times as long as a reading took, which on a busy machine is seconds. */
#define PICK_UP_MS 30000
#define COME_TO_REST_MS 10000 /* far less than the watcher's time between retries */

static struct tmp_dir dir;
static struct node *node;
static struct watch *watch;

static int setup(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    char home[TMP_PATH_BYTES];
    tmp_dir_make(&dir);
    (void)tmp_path(&dir, "home", home);
    struct node_options o = {.home = home};
    if (node_init(home, BYTES_LIT("laptop"), &e) != 0 || node_open(&node, &o, &e) != 0) {
        return -1;
    }
    return watch_open(&watch, node, &e);
}

static int teardown(void **state)
{
    (void)state;
    watch_close(watch);
    node_close(node);
    tmp_dir_remove(&dir);
    return 0;
}

static int find(void *ctx, const struct stored_observation *o)
{
    const char **command = ctx;
    *command = bytes_eq(o->command, bytes_str(*command)) ? NULL : *command;
    return 0;
}

static bool seen(const char *command)
{
    struct err e = ERR_INIT;
    struct observation_filter all = {.from_ms = TIME_NONE, .until_ms = TIME_NONE, .max = 1000};
    const char *missing = command;
    assert_int_equal(local_observations(node->store, &all, find, &missing, &e), 0);
    return missing == NULL;
}

/* Runs the loop until there is nothing more to do, or nothing within `ms`. */
static void run(int64_t ms)
{
    int64_t until = clock_mono_ms(&node->clock) + ms;
    for (;;) {
        int64_t next = watch_step(watch);
        int64_t now = clock_mono_ms(&node->clock);
        int64_t wait = next == TIME_NONE || next > until ? until - now : next - now;
        if (now >= until) {
            return;
        }
        struct pollfd fd = {.fd = watch_fd(watch), .events = POLLIN};
        if (poll(&fd, 1, wait < 0 ? 0 : (int)wait) > 0) {
            watch_events(watch);
        }
    }
}

static bool picked_up(const char *command)
{
    int64_t until = clock_mono_ms(&node->clock) + PICK_UP_MS;
    while (!seen(command) && clock_mono_ms(&node->clock) < until) {
        run(20);
    }
    return seen(command);
}

/* Waits until the watcher has nothing left to do but to wait for an event. It rests after a reading in
 * proportion to what the reading took, so on a busy machine this is not at once; trying again by the clock
 * would never get here. */
static bool comes_to_rest(void)
{
    int64_t until = clock_mono_ms(&node->clock) + COME_TO_REST_MS;
    while (watch_step(watch) != TIME_NONE && clock_mono_ms(&node->clock) < until) {
        run(50);
    }
    return watch_step(watch) == TIME_NONE;
}

static void history(const char *name, const char *command)
{
    char path[TMP_PATH_BYTES];
    char text[128];
    snprintf(text, sizeof(text), "#1770000000\n%s\n", command);
    tmp_write(tmp_path(&dir, name, path), bytes_str(text));
}

static void folder(const char *name)
{
    char path[TMP_PATH_BYTES];
    assert_int_equal(mkdir(tmp_path(&dir, name, path), 0700), 0);
}

static void moved(const char *from, const char *to)
{
    char a[TMP_PATH_BYTES];
    char b[TMP_PATH_BYTES];
    assert_int_equal(rename(tmp_path(&dir, from, a), tmp_path(&dir, to, b)), 0);
}

static void watched(const char *name)
{
    struct err e = ERR_INIT;
    char path[TMP_PATH_BYTES];
    assert_int_equal(watchlist_add(node, "bash", tmp_path(&dir, name, path), &e), 0);
}

static void unwatched(const char *name)
{
    struct err e = ERR_INIT;
    char path[TMP_PATH_BYTES];
    assert_int_equal(watchlist_remove(node, "bash", tmp_path(&dir, name, path), &e), 0);
}

static void watch_picks_up_what_is_written_and_replaced(void **state)
{
    (void)state;
    history("h", "make first");
    watched("h");
    assert_true(picked_up("make first"));
    history("h", "make second");
    assert_true(picked_up("make second"));
    history("h.new", "make third");
    moved("h.new", "h");
    assert_true(picked_up("make third"));
}

static void watch_follows_a_link_to_where_it_leads(void **state)
{
    (void)state;
    char to[TMP_PATH_BYTES];
    char link[TMP_PATH_BYTES];
    folder("dotfiles");
    history("dotfiles/h", "make first");
    assert_int_equal(symlink(tmp_path(&dir, "dotfiles/h", to), tmp_path(&dir, "h", link)), 0);
    watched("h");
    assert_true(picked_up("make first"));
    history("dotfiles/h", "make second");
    assert_true(picked_up("make second"));
    /* Another link in its place is followed too. */
    history("dotfiles/other", "make third");
    assert_int_equal(symlink(tmp_path(&dir, "dotfiles/other", to), tmp_path(&dir, "h.new", link)), 0);
    moved("h.new", "h");
    assert_true(picked_up("make third"));
    history("dotfiles/other", "make fourth");
    assert_true(picked_up("make fourth"));
}

static void watch_finds_a_file_that_was_gone_when_it_looked(void **state)
{
    (void)state;
    char path[TMP_PATH_BYTES];
    history("h", "make first");
    watched("h");
    assert_true(picked_up("make first"));
    assert_int_equal(unlink(tmp_path(&dir, "h", path)), 0);
    history("h.tmp", "make nothing"); /* an event while it is away */
    run(1000);
    history("h", "make second");
    assert_true(picked_up("make second"));
}

static void watch_finds_a_folder_that_was_moved_or_removed_and_made_anew(void **state)
{
    (void)state;
    char path[TMP_PATH_BYTES];
    folder("d");
    history("d/h", "make first");
    watched("d/h");
    assert_true(picked_up("make first"));
    run(500);
    moved("d", "away");
    folder("d");
    history("d/h", "make second");
    assert_true(picked_up("make second"));
    assert_int_equal(unlink(tmp_path(&dir, "d/h", path)), 0);
    assert_int_equal(rmdir(tmp_path(&dir, "d", path)), 0);
    assert_true(comes_to_rest()); /* waited for without polling */
    folder("d");
    history("d/h", "make third");
    assert_true(picked_up("make third"));
}

static void watches_removed_at_once_leave_the_others(void **state)
{
    (void)state;
    static const char *const names[] = {"h1", "h2", "h3", "h4"};
    for (size_t i = 0; i < 4; i++) {
        history(names[i], names[i]);
        watched(names[i]);
    }
    assert_true(picked_up("h4"));
    for (size_t i = 0; i < 3; i++) {
        unwatched(names[i]);
    }
    run(500);
    history("h1", "make nothing");
    history("h4", "make something");
    assert_true(picked_up("make something"));
    assert_false(seen("make nothing"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(watch_picks_up_what_is_written_and_replaced),
        T(watch_follows_a_link_to_where_it_leads),
        T(watch_finds_a_file_that_was_gone_when_it_looked),
        T(watch_finds_a_folder_that_was_moved_or_removed_and_made_anew),
        T(watches_removed_at_once_leave_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
