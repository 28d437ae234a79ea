/* Inside of the local tables: what observations.c, features.c and links.c need of each other. */
#ifndef STORE_LOCAL_INT_H
#define STORE_LOCAL_INT_H

#include "store/local.h"
#include "store/store_int.h"

/* Columns that observation_read() expects, of the table or an alias of it; OBSERVATION_COLUMN_N of them. */
#define OBSERVATION_COLUMNS(t)                                                                               \
    t ".row," t ".key," t ".time_ms," t ".end_ms," t ".added_ms," t ".offset_min," t ".shared_event," t      \
      ".untimed,(SELECT name FROM source s WHERE s.source=" t ".source)," t ".app," t ".title," t ".text," t \
      ".url," t ".command," t ".cwd," t ".files," t ".ext_id," t ".data"
#define OBSERVATION_COLUMN_N 18

/* Reads the current row; views are valid until the statement moves. */
int observation_read(struct stmt *q, struct stored_observation *out, struct err *e) MUST_CHECK;

/* Runs a write whose only parameter is a row; in its own transaction when none is open. */
int local_run_row(struct store *s, const char *sql, int64_t row, struct err *e) MUST_CHECK;

/* Drops an observation's traces and marks their features dirty. */
int features_observation_gone(struct store *s, int64_t observation, struct err *e) MUST_CHECK;
/* Drops an observation's links. */
int links_observation_gone(struct store *s, int64_t observation, struct err *e) MUST_CHECK;

#endif
