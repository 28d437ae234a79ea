/* Many seeds in one test; the seeds are dealt out to several tests, so that they run side by side. */
#ifndef TESTS_SIM_SEEDS_H
#define TESTS_SIM_SEEDS_H

/* Tests of every fourth seed from `first` on; what main() returns. SIM_FIRST and SIM_SEEDS choose others. */
int sim_seeds_main(unsigned first);

#endif
