/* Private temporary folders and whole files. These functions end the test program with a message when the
 * system refuses them: a test that cannot set itself up has nothing to say. */
#ifndef TESTS_SUPPORT_TMP_H
#define TESTS_SUPPORT_TMP_H

#include "base/bytes.h"

#define TMP_PATH_BYTES 512

struct tmp_dir {
    char path[TMP_PATH_BYTES]; /* absolute, without a slash at the end */
};

/* Makes a folder (0700) under $TMPDIR or /tmp. */
void tmp_dir_make(struct tmp_dir *d);
/* Removes it and all that is in it; does not follow symbolic links. */
void tmp_dir_remove(struct tmp_dir *d);
/* Writes "<folder>/<name>" into out and returns out. */
const char *tmp_path(const struct tmp_dir *d, const char *name, char out[TMP_PATH_BYTES]);

/* Makes or replaces a file (0600). */
void tmp_write(const char *path, struct bytes content);
void tmp_append(const char *path, struct bytes content);
/* Appends the whole file to out. */
void tmp_read(const char *path, struct buf *out);
bool tmp_exists(const char *path);
void tmp_copy(const char *from, const char *to);
/* How many files of the folder, subfolders included, hold the needle (not empty) as bytes. */
size_t tmp_count_files_with(const char *folder, struct bytes needle);

#endif
