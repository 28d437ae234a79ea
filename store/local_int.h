/* Inside of the local tables: what observations.c, features.c and links.c need of each other. */
#ifndef STORE_LOCAL_INT_H
#define STORE_LOCAL_INT_H

#include "base/map.h"
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

/* Ends a write: as db_write_end(), and a failure spoils the transaction that it was part of. */
int local_write_end(struct store *s, bool own, int rc, struct err *e) MUST_CHECK;

/* Names looked up in this transaction → row, so that an import asks for each once. `kind` keeps the names of
 * sources and of each kind of feature apart. The slot's value is 0 when new; NULL without memory, which only
 * costs the look-up. */
#define CACHE_SOURCE 0x100
struct map_slot *local_cached(struct store *s, unsigned kind, struct bytes name);

/* A name's row went. */
void local_forget_names(struct store *s);

/* Runs a write whose only parameter is a row; in its own transaction when none is open. */
int local_run_row(struct store *s, const char *sql, int64_t row, struct err *e) MUST_CHECK;

/* Drops an observation's traces and marks their features dirty. */
int features_observation_gone(struct store *s, int64_t observation, struct err *e) MUST_CHECK;
/* Drops an observation's links. */
int links_observation_gone(struct store *s, int64_t observation, struct err *e) MUST_CHECK;

#endif
