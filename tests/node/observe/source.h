/* A source (a text file, a database) in a folder of its own, written by the test and read by an observer. */
#ifndef TESTS_NODE_OBSERVE_SOURCE_H
#define TESTS_NODE_OBSERVE_SOURCE_H

#include "tests/node/observe/import.h"

struct source {
    struct tmp_dir dir, tmp;
    char path[TMP_PATH_BYTES]; /* in dir; nothing is there yet */
    const struct observer *observer;
    struct import im;
};

/* A test with a source of its own: its *state is a struct source that this observer reads. */
#define SOURCE_TEST(f, ob)                                                                                   \
    cmocka_unit_test_prestate_setup_teardown(f, source_setup, source_teardown, (void *)&(ob))
int source_setup(void **state);
int source_teardown(void **state);

/* Whatever comes of it, which stands in x->im: reads on, reads another path from x->im.cursor on, or writes
 * the file anew and reads it from the beginning. */
void source_run(struct source *x);
void source_run_path(struct source *x, const char *path);
void source_run_text(struct source *x, const char *content);
/* The same to the end of the source, or the test ends: reads on, anew, or what is appended. */
void source_read(struct source *x);
void source_fresh(struct source *x, const char *content);
void source_more(struct source *x, const char *content);
/* Ends the test unless exactly these rows came. */
void source_expect(struct source *x, const char *rows);
/* A path of the sources under test: "shell/…". */
#define SAMPLE(name) TEST_DATA "/observe/" name

/* Folders, FIFOs, devices, loops of links and missing files are refused with a clear error, without waiting.
 */
void source_refuses_what_is_no_file(struct source *x);
/* A file of `unit`, repeated up to some tens of megabytes, is read in little memory. */
void source_streams(struct source *x, const char *unit, size_t rows);

#endif
