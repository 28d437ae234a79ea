/* One of the four hands that the seeds are dealt to. */
#include "tests/sim/seeds.h"

int main(void)
{
    return sim_seeds_main(1);
}
