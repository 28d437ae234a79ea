/* The one loop that searching vectors spends its time in. */
#ifndef STORE_DOT_H
#define STORE_DOT_H

#include <stddef.h>
#include <stdint.h>

/* Elements are padded with zeros to a multiple of this. */
#define DOT_STEP 16u
/* Of an element of the query: DOT_DIMS_MAX products of 127 and it still fit an int32_t. */
#define DOT_QUERY_MAX 4095
#define DOT_DIMS_MAX 4096u

/* Σ v[i]·q[i]; n is a multiple of DOT_STEP, at most DOT_DIMS_MAX; −127 ≤ v[i] ≤ 127, |q[i]| ≤ DOT_QUERY_MAX.
 */
int32_t dot_i8(const int8_t *v, const int16_t *q, size_t n);

#endif
