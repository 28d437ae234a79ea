#include "tests/fuzz/observed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    observed_run(&observer_fish, bytes_of(data, size));
    return 0;
}
