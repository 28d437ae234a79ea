/* Databases of other programs: every observer that reads one gets the input. */
#include "tests/fuzz/observed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct observer *const databases[] = {&observer_chromium, &observer_firefox, &observer_atuin,
                                                       &observer_activitywatch};
    for (size_t i = 0; i < sizeof databases / sizeof *databases; i++)
        observed_run(databases[i], bytes_of(data, size));
    return 0;
}
