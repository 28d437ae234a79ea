/* Things that run out or break at a chosen call: memory (ours, SQLite's, cJSON's), the files of a store (the
 * VFS of tests/store/faultvfs.h) and the system calls of our own small files.
 *
 * faults_install() comes first in main(), before SQLite and cJSON are used. faults_arm() lets call number
 * `at` (from 1) of the kind fail, or with `for_good` that one and all later ones; faults_disarm() ends it.
 * The test's own code runs disarmed.
 *
 * Allocations are counted together in the order in which they come. malloc, calloc, realloc and strdup of our
 * code are caught by the linker (--wrap, see tests/CMakeLists.txt), those of SQLite and cJSON by their hooks.
 */
#ifndef TESTS_FAULTS_FAULTS_H
#define TESTS_FAULTS_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

enum faults_kind {
    FAULTS_NONE,
    FAULTS_ALLOC,  /* an allocation gives NULL */
    FAULTS_READ,   /* reading a file of the store fails */
    FAULTS_WRITE,  /* writing, syncing, cutting or removing one fails */
    FAULTS_FULL,   /* the disk of the store is full */
    FAULTS_LOCK,   /* a lock on it is refused: somebody has it */
    FAULTS_SYSTEM, /* open, read, write, fsync, rename of our own code: input/output error */
    FAULTS_KINDS
};

struct faults_plan {
    enum faults_kind kind;
    uint64_t at; /* 0: never, calls are only counted */
    bool for_good;
};

void faults_install(void);
void faults_arm(const struct faults_plan *p);
/* Ends it; returns how many calls of the kind there were, *struck says whether one failed. */
uint64_t faults_disarm(bool *struck);

#endif
