/* Compiled with -O3 (CMakeLists.txt): gcc and clang make SIMD of it on every processor that has some: sixteen
 * elements widened to 16 bits, multiplied and added in pairs. */
#include "store/dot.h"

int32_t dot_i8(const int8_t *v, const int16_t *q, size_t n)
{
    int32_t sum = 0;
    for (size_t i = 0; i < (n & ~(size_t)(DOT_STEP - 1)); i++)
        sum += (int32_t)((int16_t)v[i] * q[i]);
    return sum;
}
