/* One seed, event by event: sim_replay SEED */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sim_report r = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: sim_replay SEED\n");
        return 2;
    }
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    bool ok = sim_run(strtoull(argv[1], NULL, 10), true, &r);
    sim_print(&r, 1, 0);
    return ok ? 0 : 1;
}
