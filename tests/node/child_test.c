/* A command that is run for what it prints. */
#include "node/child.h"

#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define MAX 100

static int epoll_fd;
static struct child c;
static struct buf out;
static struct err e;

static int setup(void **state)
{
    (void)state;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    assert_true(epoll_fd >= 0);
    child_init(&c, epoll_fd);
    buf_init(&out, MAX + 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    child_end(&c);
    buf_release(&out);
    return close(epoll_fd);
}

static int64_t mono_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Steps it whenever its descriptor says so. */
static enum child_state run(const char *command)
{
    enum child_state s = CHILD_RUNS;
    buf_clear(&out);
    int rc = child_start(&c, command, mono_ms() + PATIENCE_MS, &e);
    if (rc != 0)
        fail_msg("%s", e.text);
    while (s == CHILD_RUNS) {
        struct pollfd fd = {.fd = epoll_fd, .events = POLLIN};
        int64_t wait = child_due(&c, mono_ms()) - mono_ms();
        (void)poll(&fd, 1, wait > 0 ? (int)wait : 0);
        s = child_step(&c, mono_ms(), &out, MAX);
    }
    assert_false(child_runs(&c));
    return s;
}

static void all_that_it_prints_is_had(void **state)
{
    (void)state;
    assert_int_equal(run("/bin/echo\nhello\nthere  you"), CHILD_DONE);
    assert_string_equal(buf_cstr(&out), "hello there  you\n");
    assert_int_equal(run("/bin/sh\n-c\nprintf a; sleep 0.1; printf b"), CHILD_DONE);
    assert_string_equal(buf_cstr(&out), "ab");
}

static void no_shell_reads_its_arguments(void **state)
{
    (void)state;
    assert_int_equal(run("/bin/echo\n$HOME `id` 'x' >/dev/null"), CHILD_DONE);
    assert_string_equal(buf_cstr(&out), "$HOME `id` 'x' >/dev/null\n");
}

static void nothing_of_ours_is_open_to_it(void **state)
{
    (void)state;
    int fd = dup(epoll_fd);
    assert_true(fd > 2);
    /* without a pipe or a listing, which open some of their own; cat: no input */
    assert_int_equal(
        run("/bin/sh\n-c\ni=0; while [ $i -lt 256 ]; do [ -e /proc/self/fd/$i ] && printf \"$i \"; "
            "i=$((i + 1)); done; cat"),
        CHILD_DONE);
    assert_string_equal(buf_cstr(&out), "0 1 2 ");
    assert_int_equal(close(fd), 0);
}

static void it_may_print_so_much_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(run("/usr/bin/head\n-c\n100\n/dev/zero"), CHILD_DONE);
    assert_int_equal(out.n, MAX);
    assert_int_equal(run("/usr/bin/head\n-c\n101\n/dev/zero"), CHILD_MUCH);
    assert_int_equal(run("/bin/cat\n/dev/zero"), CHILD_MUCH);
}

static void a_bad_end_is_told_from_a_good_one(void **state)
{
    (void)state;
    assert_int_equal(run("/bin/false"), CHILD_FAILED);
    assert_int_equal(run("/bin/sh\n-c\necho x; exit 7"), CHILD_FAILED);
    assert_int_equal(run("/bin/sh\n-c\nkill -TERM $$"), CHILD_FAILED);
}

static void what_cannot_be_run_is_named(void **state)
{
    (void)state;
    char many[256] = "/bin/echo";
    for (unsigned i = 0; i < CHILD_ARGS_MAX; i++)
        memcpy(many + strlen(many), "\nx", 3);
    assert_int_equal(child_start(&c, "/no/such/program", mono_ms() + 1000, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.text, "/no/such/program"));
    assert_int_equal(child_start(&c, "/etc/passwd", mono_ms() + 1000, &e), ERR_PERM);
    assert_int_equal(child_start(&c, many, mono_ms() + 1000, &e), ERR_PERM);
    assert_int_not_equal(child_start(&c, "", mono_ms() + 1000, &e), 0);
    assert_false(child_runs(&c));
}

/* Gone, or a zombie that its new parent has not noticed. */
static bool is_gone(long pid)
{
    char path[64];
    char line[256] = "";
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *f = fopen(path, "r");
    bool there = f != NULL && fgets(line, sizeof line, f) != NULL;
    if (f != NULL)
        (void)fclose(f);
    return !there || strstr(line, ") Z ") != NULL;
}

static void one_that_is_late_is_killed_with_its_group(void **state)
{
    (void)state;
    int64_t until = mono_ms() + PATIENCE_MS;
    assert_int_equal(child_start(&c, "/bin/sh\n-c\nsleep 1000 & echo $!; wait", until, &e), 0);
    while (memchr(out.p != NULL ? (const char *)out.p : "", '\n', out.n) == NULL) {
        assert_int_equal(child_step(&c, mono_ms(), &out, MAX), CHILD_RUNS);
        assert_true(mono_ms() < until);
    }
    long pid = strtol(buf_cstr(&out), NULL, 10);
    assert_true(pid > 1 && !is_gone(pid));
    assert_int_equal(child_due(&c, mono_ms()), until);
    assert_int_equal(child_step(&c, until, &out, MAX), CHILD_LATE);
    for (until = mono_ms() + PATIENCE_MS; !is_gone(pid);)
        assert_true(mono_ms() < until);
}

static void one_that_closes_its_output_and_goes_on_is_late_too(void **state)
{
    (void)state;
    int64_t until = mono_ms() + PATIENCE_MS;
    assert_int_equal(child_start(&c, "/bin/sh\n-c\nexec >&-; sleep 1000", until, &e), 0);
    while (!c.printed) {
        assert_int_equal(child_step(&c, mono_ms(), &out, MAX), CHILD_RUNS);
        assert_true(mono_ms() < until);
    }
    assert_int_equal(child_step(&c, until - 1, &out, MAX), CHILD_RUNS);
    assert_int_equal(child_step(&c, until, &out, MAX), CHILD_LATE);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(all_that_it_prints_is_had),
        CASE(no_shell_reads_its_arguments),
        CASE(nothing_of_ours_is_open_to_it),
        CASE(it_may_print_so_much_and_no_more),
        CASE(a_bad_end_is_told_from_a_good_one),
        CASE(what_cannot_be_run_is_named),
        CASE(one_that_is_late_is_killed_with_its_group),
        CASE(one_that_closes_its_output_and_goes_on_is_late_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
