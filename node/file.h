/* Small files of our own: read whole, replaced atomically, private to the user. */
#ifndef NODE_FILE_H
#define NODE_FILE_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/text.h"

/* "dir/name" into out. ERR_LIMIT when it does not fit. */
int path_join(const char *dir, const char *name, char out[LIMIT_PATH_BYTES], struct err *e) MUST_CHECK;
/* Writes a file atomically and durably, mode 0600: temporary file, fsync, rename, fsync of the folder. */
int file_replace(const char *path, struct bytes content, struct err *e) MUST_CHECK;
/* Reads a regular file of at most out->max bytes. */
int file_read(const char *path, struct buf *out, struct err *e) MUST_CHECK;
/* ERR_PERM with the chmod that mends it when others than the owner may get in, or the owner is someone else;
 * ERR_FORMAT when it is no folder / no regular file. */
int folder_private(const char *path, struct err *e) MUST_CHECK;
int file_private(const char *path, struct err *e) MUST_CHECK;
/* Removes every plain file in a folder (not below it); a missing folder is fine. */
void folder_empty(const char *path);

#endif
