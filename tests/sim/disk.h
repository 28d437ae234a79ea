/* The disks of all devices, in memory, behind a SQLite VFS, and memory that runs out when it is told to.
 *
 * A disk is named by the path of its database; "-wal", "-journal" and "-scrub" files lie on it, too. Each
 * remembers what was written since the last sync, so that a power cut leaves of every such write, by chance,
 * all, nothing, a first part or garbage. Making, removing and cutting files is durable at once. Files that a
 * program opens without VFS (the store looks at the header and removes its scrub copy) are none of these: a
 * scrub copy that is opened to be made starts empty.
 */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include "base/bytes.h"
#include "tests/support/rng.h"

#define DISK_VFS "sim"
#define DISK_PATH_BYTES 128

enum disk_fault {
    DISK_FINE,
    DISK_POWER, /* from this call on every call fails: the machine has stopped */
    DISK_FULL,  /* writes that make a file longer fail */
    DISK_WRITE, /* writes and syncs fail */
    DISK_READ,
    DISK_MEMORY, /* SQLite's allocations, on whichever disk */
};

/* Registers the VFS once in the life of the process and empties all disks. `track`: remember unsynced writes
 * (for power cuts; costs time). */
void disk_start(bool track);

/* The whole database; the other files go. */
void disk_put(const char *path, struct bytes image);
/* The database file alone, of a disk that nobody has open; valid until it is opened or put again. */
struct bytes disk_image(const char *path);
/* Copies database and write-ahead log; what the target had goes. */
void disk_copy(const char *from, const char *to);
void disk_remove(const char *path);
uint64_t disk_bytes(const char *path);

/* From `after` calls of the kind on, `count` of them fail. One fault at a time in the world. */
void disk_arm(const char *path, enum disk_fault fault, uint64_t after, uint64_t count);
bool disk_struck(void);
bool disk_armed(void);
/* The machine with this disk has stopped. */
bool disk_lost_power(const char *path);
/* No fault strikes while it is held: for checks that look at stores. */
void disk_hold(bool held);
/* How many bytes SQLite has allocated. */
uint64_t disk_memory(void);
/* After the store was closed: what a power cut leaves. */
void disk_crash(const char *path, struct test_rng *rng);
/* Turns one bit of the database over; false: there is nothing. */
bool disk_flip(const char *path, struct test_rng *rng);

#endif
