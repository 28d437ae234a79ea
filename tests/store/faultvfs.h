/* A SQLite VFS over the default one that breaks at a chosen call, for tests of crashes and of full and
 * failing disks.
 *
 * Calls are counted by class: writes, truncations, removals and syncs are one, reads another, locks (those of
 * the file and of the shared memory) a third. The counts start at faultvfs_arm(). From call `fail_at` on (0:
 * never) either FAULT_CRASH   the machine stops: this write and all later ones fail. faultvfs_crash() then
 * makes of each file what a power cut may leave; FAULT_FULL    this one call and the `fail_count` - 1 next
 * ones give SQLITE_FULL (writes only); FAULT_IO      the same with an input/output error; FAULT_READ    reads
 * fail with an input/output error; FAULT_LOCK    locks are refused with SQLITE_BUSY.
 *
 * What a power cut leaves: what was synced, and of each write since then, by seed, all, nothing, the first
 * part, or a mix by sector of 512 bytes, each of them new, old, or garbage. -shm files vanish; making,
 * removing and cutting files is taken as durable at once.
 */
#ifndef TESTS_STORE_FAULTVFS_H
#define TESTS_STORE_FAULTVFS_H

#include <stdbool.h>
#include <stdint.h>

enum fault { FAULT_NONE, FAULT_CRASH, FAULT_FULL, FAULT_IO, FAULT_READ, FAULT_LOCK };

#define FAULTVFS_NAME "fault"

/* Registers the VFS once, or clears all that it remembers. */
void faultvfs_reset(void);
void faultvfs_arm(enum fault fault, uint64_t fail_at, uint64_t fail_count);
/* Calls so far of the class that the fault is about. */
uint64_t faultvfs_calls(void);
/* Whether the fault has struck. */
bool faultvfs_struck(void);
/* After the store was closed: leaves on the disk what the power cut left, and works normally again. */
void faultvfs_crash(uint64_t seed);

#endif
