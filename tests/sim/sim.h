/* A household of devices on a virtual network, clock and disk, in one process, everything from one 64-bit
 * seed.
 *
 * Devices write at random, meet at random, and are disturbed at random: messages lost, doubled, swapped, cut
 * and altered on the way (which ends a session, as it must), connections cut, pairs kept apart, programs
 * killed, power cut at any write, disks full, yesterday's database restored, devices added and removed. Which
 * of these a seed has, and how often, the seed decides as well. At the end everything heals, and within
 * bounded virtual time all members must have byte-identical models and equal groups and vectors, and every op
 * whose write had returned must be there.
 *
 * What fails is printed with its seed; the same seed fails again.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_report {
    uint64_t ops, merged, frames, messages, bytes, meetings;
    uint64_t lost, doubled, swapped, altered, cuts, partitions, kills, power_cuts, full, restores, removals,
        joins;
    int64_t virtual_ms, heal_ms; /* heal: the longest */
};

/* Runs one seed; adds to the report. False: it failed, and said why on stderr. `verbose`: every event is
 * shown. */
bool sim_run(uint64_t seed, bool verbose, struct sim_report *r);
void sim_print(const struct sim_report *r, uint64_t seeds, double seconds);

#endif
