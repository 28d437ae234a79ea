/* A household of devices on a virtual clock, network and disk, in one process, everything from one 64-bit
 * seed.
 *
 * Each seed makes a *plan*: how many devices, how many days, and which kinds of faults, each with its own
 * rate. A device sleeps most of the day; when it wakes it writes a little, meets who is awake, and is
 * disturbed as the plan says. What must always hold is checked all along (checks.c). At the end everything
 * heals, and within bounded virtual time all members must have byte-identical models, equal groups and
 * vectors, an empty delta, and every op of every honest device that the faults did not destroy with the disk
 * it lay on.
 *
 *   world.c      time: who is next
 *   device.c     life of a device: opening, dying, waking, writing, what node/ does around sync
 *   household.c  devices that are paired already, as images of their disks, made once
 *   network.c    connections and what happens to messages on the way
 *   disk.c       disks, power cuts, errors, memory
 *   faults.c     what happens to devices, and when
 *   hostile.c    a member that breaks the protocol
 *   journal.c    every op that was ever written, beside the stores
 *   checks.c     what must hold, always and at the end
 *   plan.c       seed → plan, plan ⇄ text
 *   report.c     figures
 *
 * What fails is printed with its plan; the same plan fails again. `sim_replay SEED` shows it event by event
 * and looks for a smaller plan that still fails.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SIM_DEVICES 6u /* at the start */

/* Kinds of faults: name in plans, what the report calls it, and its highest rate. Rates of the network are of
 * 10 000 messages (DELAY: milliseconds), the others of 1000 looks at an awake device, of which there are a
 * few a day. */
#define SIM_FAULTS(X)                                                                                        \
    X(LOSS, "loss", "messages lost", 3000)                                                                   \
    X(TWICE, "twice", "messages doubled", 300)                                                               \
    X(SWAP, "swap", "messages swapped", 300)                                                                 \
    X(ALTER, "alter", "bits flipped on the wire", 200)                                                       \
    X(TORN, "torn", "messages torn", 200)                                                                    \
    X(REPLAY, "replay", "old messages sent again", 200)                                                      \
    X(DELAY, "delay", "messages delayed", 5000)                                                              \
    X(CLOG, "clog", "links clogged", 50)                                                                     \
    X(CUT, "cut", "connections cut", 200)                                                                    \
    X(PART, "part", "partitions", 100)                                                                       \
    X(ONEWAY, "oneway", "one-way partitions", 100)                                                           \
    X(KILL, "kill", "programs killed", 150)                                                                  \
    X(POWER, "power", "power cuts", 150)                                                                     \
    X(READ, "read", "read errors", 60)                                                                       \
    X(WRITE, "write", "write errors", 60)                                                                    \
    X(FULL, "full", "disks full", 80)                                                                        \
    X(MEMORY, "memory", "allocations failed", 60)                                                            \
    X(FLIP, "flip", "bits flipped on disk", 60)                                                              \
    X(JUMP, "jump", "clock jumps", 60)                                                                       \
    X(STROBE, "strobe", "clocks strobing", 40)                                                               \
    X(PAUSE, "pause", "pauses", 100)                                                                         \
    X(CLONE, "clone", "clones", 30)                                                                          \
    X(RESTORE, "restore", "old databases restored", 60)                                                      \
    X(KEYS, "keys", "key files lost", 20)                                                                    \
    X(REMOVE, "remove", "removals", 40)                                                                      \
    X(MUTUAL, "mutual", "mutual removals", 20)                                                               \
    X(ROTATE, "rotate", "keys rotated", 60)                                                                  \
    X(JOIN, "join", "devices added", 40)                                                                     \
    X(AWAY, "away", "absences of 100 days", 15)                                                              \
    X(COMPACT, "compact", "compactions", 80)                                                                 \
    X(NEWER, "newer", "ops of a newer build", 400)                                                           \
    X(BULK, "bulk", "bulk writes", 15)                                                                       \
    X(HOSTILE, "hostile", "hostile sessions", 200)                                                           \
    X(INFER, "infer", "observations imported", 250)

#define SIM_FAULT_ENUM(id, name, text, max) FAULT_##id,
enum sim_fault { SIM_FAULTS(SIM_FAULT_ENUM) SIM_FAULT_KINDS };
#undef SIM_FAULT_ENUM

struct sim_plan {
    uint64_t seed;
    unsigned devices, days;
    unsigned rate[SIM_FAULT_KINDS]; /* 0: off */
};

/* A random subset of the faults with random rates. */
void sim_plan_make(uint64_t seed, struct sim_plan *p);
/* "seed=7 devices=3 days=12 loss=100 …"; what is not named is off. False: not a plan. */
bool sim_plan_parse(const char *text, struct sim_plan *p);
void sim_plan_print(const struct sim_plan *p, FILE *to);
const char *sim_fault_name(enum sim_fault f);

struct sim_report {
    uint64_t seeds, device_days; /* days that were lived through; an absence of all counts for nothing */
    uint64_t ops, merged, frames, messages, bytes, meetings, remerged, remodelled;
    uint64_t splits; /* worlds in which a removal was known to some for good, and to others never */
    uint64_t faults[SIM_FAULT_KINDS];
    int64_t heal_ms; /* the longest */
    uint64_t heal_seed;
    uint64_t print; /* of all models at the end: two runs of a plan give the same */
};

enum sim_voice { SIM_QUIET, SIM_ERRORS, SIM_EVENTS };
/* Runs a plan; adds to the report. False: it failed; `why` (may be NULL) gets the reason. */
#define SIM_WHY_BYTES 400
bool sim_run(const struct sim_plan *p, enum sim_voice voice, struct sim_report *r, char why[SIM_WHY_BYTES]);
/* Frees what was prepared for all runs. */
void sim_end(void);
/* Takes faults, devices and days away as long as it still fails with the same kind of reason. */
void sim_shrink(struct sim_plan *p, unsigned runs_max);
void sim_report_print(const struct sim_report *r, double seconds, FILE *to);

#endif
