#include "tests/node/observe/database.h"
#include "tests/node/observe/source.h"
#include "tests/support/unit.h"

#include <string.h>

/* What atuin's migrations of 2021 to 2026 leave behind. */
#define SCHEMA_2021                                                                                          \
    "CREATE TABLE history (id text primary key, timestamp text not null, duration integer not null,"         \
    "exit integer not null, command text not null, cwd text not null, session text not null,"                \
    "hostname text not null, unique(timestamp, cwd, command));"
#define SCHEMA                                                                                               \
    SCHEMA_2021                                                                                              \
    "ALTER TABLE history ADD COLUMN deleted_at integer; ALTER TABLE history ADD COLUMN author text;"         \
    "ALTER TABLE history ADD COLUMN intent text; ALTER TABLE history ADD COLUMN shell text;"                 \
    "ALTER TABLE history ADD COLUMN author_kind integer;"

static void a_command_keeps_folder_duration_and_exit(void **state)
{
    struct source *x = *state;
    database_run(x->path, SCHEMA
                 "INSERT INTO history VALUES ('0190a', 1700000000123456789, 2500000000, 1, 'make test',"
                 "'/home/u/src', 's1', 'laptop:u', NULL, 'u', NULL, 'zsh', 1);");
    source_run(x);
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_true(import_has(&x->im,
                           "o 2023-11-14T22:13:20.123Z end=2023-11-14T22:13:22.623Z source=atuin "
                           "command=make test cwd=/home/u/src id=0190a "
                           "data={\"duration_ms\":2500,\"exit\":1,\"host\":\"laptop:u\",\"session\":\"s1\","
                           "\"shell\":\"zsh\"}\n"));
}

static void the_first_schema_is_read_too(void **state)
{
    struct source *x = *state;
    database_run(x->path, SCHEMA_2021
                 "INSERT INTO history VALUES ('a', '1700000000000000000', -1, -1, 'sleep 99', '/',"
                 "'s', 'laptop');");
    source_run(x);
    assert_int_equal(x->im.observations, 1);
    assert_true(import_has(&x->im, "o 2023-11-14T22:13:20Z source=atuin command=sleep 99 cwd=/ id=a "
                                   "data={\"host\":\"laptop\",\"session\":\"s\"}\n"));
}

static void deleted_commands_and_those_of_agents_are_skipped(void **state)
{
    struct source *x = *state;
    database_run(
        x->path, SCHEMA
        "INSERT INTO history VALUES"
        "('a', 1700000000000000000, 0, 0, 'c1', '/', 's', 'h', 1700000000000000001, 'u', NULL, NULL, 1),"
        "('b', 1700000001000000000, 0, 0, 'c2', '/', 's', 'h', NULL, 'u', NULL, NULL, 2),"
        "('c', 1700000002000000000, 0, 0, 'c3', '/', 's', 'h', NULL, 'codex', NULL, NULL, NULL),"
        "('d', 1700000003000000000, 0, 0, 'c4', '/', 's', 'h', NULL, 'codex', NULL, NULL, 1),"
        "('e', 1700000004000000000, 0, 0, 'c5', '/', 's', 'h', NULL, NULL, NULL, NULL, NULL);");
    source_run(x);
    assert_int_equal(x->im.observations, 2);
    assert_int_equal(x->im.skipped, 3);
    assert_true(import_has(&x->im, "command=c4"));
    assert_true(import_has(&x->im, "command=c5"));
}

static void commands_of_two_hosts_are_shared_events(void **state)
{
    struct source *x = *state;
    database_run(x->path, SCHEMA_2021 "INSERT INTO history VALUES"
                                      "('a', 1700000000000000000, 0, 0, 'c1', '/', 's', 'laptop'),"
                                      "('b', 1700000001000000000, 0, 0, 'c2', '/', 's', 'desktop');");
    source_run(x);
    assert_true(import_has(&x->im, "o 2023-11-14T22:13:20Z shared source=atuin"));
}

static void impossible_rows_are_named(void **state)
{
    struct source *x = *state;
    database_run(x->path,
                 SCHEMA_2021 "INSERT INTO history VALUES"
                             "('a', 'never', 0, 0, 'c1', '/', 's', 'h'),"
                             "('b', -1700000000000000000, 0, 0, 'c2', '/', 's', 'h'),"
                             "('c', 1700000000000000000, 0, 0, '', '/', 's', 'h'),"
                             "('d', 1700000000000000000, 9223372036854775807, 0, 'c4', '/', 's', 'h');");
    source_run(x);
    assert_int_equal(x->im.observations, 1);
    assert_int_equal(x->im.bad, 3);
    assert_true(import_has(&x->im, "b 1 timestamp: no time\n"));
    assert_true(import_has(&x->im, "b 2 timestamp: year 1916 is out of range\n"));
    assert_true(import_has(&x->im, "b 3 command: empty\n"));
}

static void only_new_commands_are_read_and_renumbering_starts_over(void **state)
{
    struct source *x = *state;
    database_run(x->path, SCHEMA_2021 "INSERT INTO history VALUES"
                                      "('a', 1700000000000000000, 0, 0, 'c1', '/', 's', 'h'),"
                                      "('b', 1700000001000000000, 0, 0, 'c2', '/', 's', 'h');");
    source_run(x);
    database_run(x->path, "INSERT INTO history VALUES ('c', 1700000002000000000, 0, 0, 'c3', '/', 's', 'h')");
    source_run(x);
    assert_int_equal(x->im.observations, 1);
    database_run(x->path, "DELETE FROM history WHERE id = 'a'; UPDATE history SET rowid = rowid - 1;");
    source_run(x);
    assert_int_equal(x->im.observations, 2);
}

static void another_database_is_named(void **state)
{
    struct source *x = *state;
    database_run(x->path, "CREATE TABLE other(a)");
    source_run(x);
    assert_int_equal(x->im.opened, ERR_FORMAT);
    assert_non_null(strstr(x->im.err.text, "not an atuin history"));
}

#define TEST(f) SOURCE_TEST(f, observer_atuin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_command_keeps_folder_duration_and_exit),
        TEST(the_first_schema_is_read_too),
        TEST(deleted_commands_and_those_of_agents_are_skipped),
        TEST(commands_of_two_hosts_are_shared_events),
        TEST(impossible_rows_are_named),
        TEST(only_new_commands_are_read_and_renumbering_starts_over),
        TEST(another_database_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
