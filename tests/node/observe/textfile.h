/* A text source in a folder of its own, written by the test and read by an observer. */
#ifndef TESTS_NODE_OBSERVE_TEXTFILE_H
#define TESTS_NODE_OBSERVE_TEXTFILE_H

#include "tests/node/observe/import.h"

struct textfile {
    struct tmp_dir dir, tmp;
    char path[TMP_PATH_BYTES];
    const struct observer *observer;
    struct import im;
};

/* cmocka's setup and teardown; *state is then a struct textfile whose observer the test sets. */
int textfile_setup(void **state);
int textfile_teardown(void **state);
/* Writes the file anew and reads it from the beginning. */
void textfile_fresh(struct textfile *x, const char *content);
/* Appends to the file and reads on. */
void textfile_more(struct textfile *x, const char *content);
/* Reads on, or another path. */
void textfile_read(struct textfile *x);
void textfile_read_path(struct textfile *x, const char *path);
/* Ends the test unless exactly these rows came. */
void textfile_expect(struct textfile *x, const char *rows);
/* A path of the sources under test: "shell/…". */
#define SAMPLE(name) TEST_DATA "/observe/" name

/* Folders, FIFOs, devices, loops of links and missing files are refused with a clear error, without waiting.
 */
void textfile_refuses_what_is_no_file(struct textfile *x);
/* A file of `unit`, repeated up to some tens of megabytes, is read in little memory. */
void textfile_streams(struct textfile *x, const char *unit, size_t rows);

#endif
