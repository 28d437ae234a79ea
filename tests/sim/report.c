#include "tests/sim/sim.h"

static const char *const texts[SIM_FAULT_KINDS] = {
#define SIM_FAULT_TEXT(id, name, text, max) text,
    SIM_FAULTS(SIM_FAULT_TEXT)
#undef SIM_FAULT_TEXT
};

void sim_report_print(const struct sim_report *r, double seconds, FILE *to)
{
#define SHOW(what) (unsigned long long)r->what
    fprintf(to, "%llu seeds in %.1f s: %.1f a second; %llu device-days\n", SHOW(seeds), seconds,
            seconds > 0 ? (double)r->seeds / seconds : 0, SHOW(device_days));
    fprintf(to,
            "%llu ops written, %llu merged elsewhere, %llu frames at the end, %llu meetings, %llu messages, "
            "%llu KB\n",
            SHOW(ops), SHOW(merged), SHOW(frames), SHOW(meetings), SHOW(messages), SHOW(bytes) / 1024);
    fprintf(to, "%llu models worked out again by definition, %llu merged again in random order\n",
            SHOW(remodelled), SHOW(remerged));
    fprintf(to, "%llu households split over removals by devices that were removed themselves\n",
            SHOW(splits));
    fprintf(to, "longest convergence after healing: %.0f s (seed %llu)\n", (double)r->heal_ms / 1000,
            SHOW(heal_seed));
    for (size_t i = 0; i < SIM_FAULT_KINDS; i++)
        fprintf(to, "%s%s %llu", i % 4 ? ", " : i ? ",\n  " : "  ", texts[i], SHOW(faults[i]));
    fprintf(to, "\n");
#undef SHOW
}
