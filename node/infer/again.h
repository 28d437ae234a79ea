/* Rows below the position of the queue (node/infer/queue.h) that wait all the same: those that came back from
 * another device, and those that may be thought about here alone and were passed when others were handed
 * over. A local value, ascending and without repetition; the oldest give way beyond AGAIN_ROWS_MAX. */
#ifndef NODE_INFER_AGAIN_H
#define NODE_INFER_AGAIN_H

#include "store/local.h"

#define AGAIN_ROWS_MAX 6000u /* what fits a local value, whatever the rows are */

/* Rows are int64_t in buffers that again_init() made. */
void again_init(struct buf *rows);
int again_load(struct store *s, struct buf *rows, struct err *e) MUST_CHECK;
/* In any order, with repetitions. In the transaction of the caller, or its own. */
int again_save(struct store *s, struct buf *rows, struct err *e) MUST_CHECK;
/* Adds what is in `rows` to what is kept. */
int again_add(struct store *s, const struct buf *rows, struct err *e) MUST_CHECK;
/* Takes out those from `row` on. */
int again_cut(struct store *s, int64_t row, struct err *e) MUST_CHECK;

#endif
