#include "tests/node/observe/source.h"

#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define WHO " Ann Other <ann@example.org> "

/* The rows come from <folder>/project/.git/logs/HEAD. */
struct repo {
    struct source *x;
    char root[TMP_PATH_BYTES], log[TMP_PATH_BYTES];
};

static const char *in(struct source *x, const char *name, char out[TMP_PATH_BYTES])
{
    return tmp_path(&x->dir, name, out);
}

static void folders(struct source *x, const char *const *names)
{
    char path[TMP_PATH_BYTES];
    for (; *names; names++)
        assert_int_equal(mkdir(in(x, *names, path), 0700), 0);
}

static struct repo repo_make(void **state, const char *reflog)
{
    struct repo r = {.x = *state};
    const char *const names[] = {"project", "project/.git", "project/.git/logs", NULL};
    char path[TMP_PATH_BYTES];
    folders(r.x, names);
    (void)in(r.x, "project", r.root);
    (void)in(r.x, "project/.git/logs/HEAD", r.log);
    tmp_write(in(r.x, "project/.git/HEAD", path), BYTES_LIT("ref: refs/heads/main\n"));
    if (reflog)
        tmp_write(r.log, bytes_str(reflog));
    return r;
}

static void commits_are_observations(void **state)
{
    struct repo r = repo_make(state, A " " B WHO "1700000000 +0130\tcommit (initial): start\n" B " " A WHO
                                       "1700000060 -0800\tcommit: more: of it\n" A " " B WHO
                                       "1700000120 +0000\tcommit (amend): better\n" B " " A WHO
                                       "1700000180 +0000\tmerge topic: Merge made by the 'ort' strategy.\n");
    source_run_path(r.x, r.root);
    source_expect(
        r.x, "o 2023-11-14T22:13:20Z offset=90 shared source=git app=project title=start id=" B "\n"
             "o 2023-11-14T22:14:20Z offset=-480 shared source=git app=project title=more: of it id=" A "\n"
             "o 2023-11-14T22:15:20Z offset=0 shared source=git app=project title=better id=" B "\n"
             "o 2023-11-14T22:16:20Z offset=0 shared source=git app=project title=merge topic id=" A "\n");
}

static void moves_of_head_are_skipped(void **state)
{
    struct repo r =
        repo_make(state, A " " B WHO "1700000000 +0000\tclone: from x\n" A " " B WHO
                           "1700000000 +0000\tcheckout: moving from a to b\n" A " " B WHO
                           "1700000000 +0000\treset: moving to HEAD~1\n" A " " B WHO
                           "1700000000 +0000\trebase (pick): commit: fake\n" A " " B WHO
                           "1700000000 +0000\tpull: Fast-forward\n" A " " B WHO "1700000000 +0000\n");
    source_run_path(r.x, r.root);
    assert_int_equal(r.x->im.skipped, 6);
    source_expect(r.x, "");
}

static void bad_lines_are_named_and_the_rest_is_kept(void **state)
{
    struct repo r = repo_make(state, "garbage\n" A " " B WHO "253402300800 +0000\tcommit: far\n" A " " B WHO
                                     "1700000000 +00\tcommit: zone\n" A " " B WHO "\tcommit: none\n" A
                                     " " B WHO "1700000000 +0000\tcommit: good\n");
    source_run_path(r.x, r.root);
    source_expect(r.x, "b 1 : not a reflog line\n"
                       "b 2 time: '253402300800' is outside the years 1970 to 9999\n"
                       "b 3 zone: not an offset like +0100\n"
                       "b 4 time: missing\n"
                       "o 2023-11-14T22:13:20Z offset=0 shared source=git app=project title=good id=" B "\n");
}

static void every_path_to_a_repository_works(void **state)
{
    struct repo r = repo_make(state, A " " B WHO "1700000000 +0000\tcommit: one\n");
    char slash[TMP_PATH_BYTES + 1], git[TMP_PATH_BYTES];
    snprintf(slash, sizeof slash, "%s/", r.root);
    const char *paths[] = {r.root, slash, in(r.x, "project/.git", git), r.log};
    for (size_t i = 0; i < 4; i++) {
        buf_clear(&r.x->im.cursor);
        source_run_path(r.x, paths[i]);
        assert_int_equal(r.x->im.observations, 1);
        assert_true(import_has(&r.x->im, " app=project "));
    }
}

static void a_worktree_has_its_own_reflog_and_its_projects_name(void **state)
{
    struct repo r = repo_make(state, A " " B WHO "1700000000 +0000\tcommit: main\n");
    const char *const names[] = {"side", "project/.git/worktrees", "project/.git/worktrees/side",
                                 "project/.git/worktrees/side/logs", NULL};
    char path[TMP_PATH_BYTES];
    folders(r.x, names);
    tmp_write(in(r.x, "side/.git", path), BYTES_LIT("gitdir: ../project/.git/worktrees/side\n"));
    tmp_write(in(r.x, "project/.git/worktrees/side/commondir", path), BYTES_LIT("../..\n"));
    tmp_write(in(r.x, "project/.git/worktrees/side/logs/HEAD", path),
              BYTES_LIT(A " " B WHO "1700000000 +0000\tcommit: beside\n"));
    source_run_path(r.x, in(r.x, "side", path));
    source_expect(r.x,
                  "o 2023-11-14T22:13:20Z offset=0 shared source=git app=project title=beside id=" B "\n");
}

static void a_submodule_is_called_like_its_folder(void **state)
{
    struct repo r = repo_make(state, NULL);
    const char *const names[] = {"project/lib", "project/.git/modules", "project/.git/modules/m",
                                 "project/.git/modules/m/logs", NULL};
    char path[TMP_PATH_BYTES];
    folders(r.x, names);
    tmp_write(in(r.x, "project/lib/.git", path), BYTES_LIT("gitdir: ../.git/modules/m"));
    tmp_write(in(r.x, "project/.git/modules/m/logs/HEAD", path),
              BYTES_LIT(A " " B WHO "1700000000 +0000\tcommit: inside\n"));
    source_run_path(r.x, in(r.x, "project/lib", path));
    assert_true(import_has(&r.x->im, " app=lib title=inside "));
}

static void a_second_import_goes_on(void **state)
{
    struct repo r = repo_make(state, A " " B WHO "1700000000 +0000\tcommit: one\n");
    source_run_path(r.x, r.root);
    assert_int_equal(r.x->im.observations, 1);
    tmp_append(r.log, BYTES_LIT(B " " A WHO "1700000060 +0000\tcommit: two\n"));
    source_run_path(r.x, r.root);
    assert_int_equal(r.x->im.observations, 1);
    assert_true(import_has(&r.x->im, " title=two "));
}

static void what_is_no_repository_is_refused(void **state)
{
    struct repo r = repo_make(state, NULL);
    char path[TMP_PATH_BYTES];
    source_refuses_what_is_no_file(r.x);
    source_run_path(r.x, r.x->dir.path);
    assert_int_equal(r.x->im.opened, ERR_FORMAT);
    source_run_path(r.x, r.root);
    assert_int_equal(r.x->im.opened, ERR_NOTFOUND);
    assert_non_null(strstr(r.x->im.err.text, "has no reflog"));
    tmp_write(in(r.x, "project/.git/commondir", path), BYTES_LIT("\0\0\0"));
    tmp_write(r.log, BYTES_NONE);
    source_run_path(r.x, r.root);
    assert_int_equal(r.x->im.opened, 0);
}

#define TEST(f) SOURCE_TEST(f, observer_git)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commits_are_observations),
        TEST(moves_of_head_are_skipped),
        TEST(bad_lines_are_named_and_the_rest_is_kept),
        TEST(every_path_to_a_repository_works),
        TEST(a_worktree_has_its_own_reflog_and_its_projects_name),
        TEST(a_submodule_is_called_like_its_folder),
        TEST(a_second_import_goes_on),
        TEST(what_is_no_repository_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
