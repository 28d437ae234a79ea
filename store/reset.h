/* Starting the replicated part anew, with the local one kept: for a device that joins a group and writes its
 * model again under the group's ids (node/join.h). */
#ifndef STORE_RESET_H
#define STORE_RESET_H

#include "store/store.h"

/* In the open transaction: drops every log with its ops, what was merged from them, frames and quarantine,
 * and the links from propositions to observations; observations, traces, cursors, local values and the
 * records of the membership stay. From here on store_write() appends to the new log `log`. After a rollback
 * the caller says store_use_log() again with the log before. */
int store_reset_model(struct store *s, const struct id *log, struct err *e) MUST_CHECK;
/* Drops what inference indexed so far; the observations stay, and only those added later count. */
int store_reset_traces(struct store *s, struct err *e) MUST_CHECK;
/* The same for one observation; its features are marked dirty. */
int store_observation_untrace(struct store *s, int64_t row, struct err *e) MUST_CHECK;

#endif
