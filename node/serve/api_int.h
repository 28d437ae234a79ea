/* Inside of the control interface: one handler a command, and what they share. */
#ifndef NODE_SERVE_API_INT_H
#define NODE_SERVE_API_INT_H

#include "node/model/retrieve.h"
#include "node/serve/api.h"

/* Fills doc (which has "schema" already). Arguments have been checked for name and type by the table in
 * api.c. */
typedef int (*api_handler)(struct node *n, const cJSON *req, cJSON *doc, struct err *e);

int api_status(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_show(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_query(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_why(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_log(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_tell(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_confirm(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_reject(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_pin(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_edit(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_forget(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_pause(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_config(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_share(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_watch(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_export(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_doctor(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_sources(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_job_start(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_job_feed(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_job_step(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_job_stop(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_pictures(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_pair_open(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_pair_join(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_pair_recover(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_pair_state(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_pair_answer(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_pair_close(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_sync(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_devices(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_devices_rename(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_devices_remove(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_devices_rotate(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_devices_words(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_devices_words_check(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_devices_words_revoke(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_think(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_conflicts(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_resolve(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_lock(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_unlock(struct node *n, const cJSON *req, cJSON *doc, struct err *e);
int api_passphrase(struct node *n, const cJSON *req, cJSON *doc, struct err *e);

/* ---- arguments: absent ones give the default */
struct bytes arg_text(const cJSON *req, const char *name); /* p == NULL when absent */
bool arg_bool(const cJSON *req, const char *name);
int64_t arg_int(const cJSON *req, const char *name, int64_t otherwise);
/* An RFC 3339 time; TIME_NONE when absent. */
int arg_time(const cJSON *req, const char *name, int64_t *out, struct err *e) MUST_CHECK;
/* "at", or now. */
int arg_at(struct node *n, const cJSON *req, int64_t *out, struct err *e) MUST_CHECK;
/* Overwrites a text argument that was a secret. */
void arg_wipe(const cJSON *req, const char *name);
/* The proposition that "id" (a prefix) names. */
int arg_prop(struct node *n, const cJSON *req, struct id *out, struct err *e) MUST_CHECK;

/* ---- answers: a NULL from cJSON is out of memory; these note it in the document's absence and return
 * ERR_NOMEM */
int put_text(cJSON *o, const char *key, struct bytes text) MUST_CHECK;
int put_str(cJSON *o, const char *key, const char *text) MUST_CHECK;
int put_num(cJSON *o, const char *key, double v) MUST_CHECK;
int put_bool(cJSON *o, const char *key, bool v) MUST_CHECK;
int put_time(cJSON *o, const char *key, int64_t ms) MUST_CHECK; /* TIME_NONE or 0: null */
int put_id(cJSON *o, const char *key, const struct id *id) MUST_CHECK;
/* A new object or array below key (key NULL: appended to array o). NULL when out of memory. */
cJSON *put_object(cJSON *o, const char *key);
cJSON *put_array(cJSON *o, const char *key);
/* Text only when there is some. */
int put_text_if(cJSON *o, const char *key, struct bytes text) MUST_CHECK;

/* P of CONTROL.md. */
int put_prop(struct node *n, cJSON *o, const struct ranked *r, struct err *e) MUST_CHECK;
/* The one proposition `id` as "proposition" of doc. */
int put_prop_by_id(struct node *n, cJSON *doc, const struct id *id, struct err *e) MUST_CHECK;
/* "counts" of a proposition: what each device's sources count. */
int put_counts(struct node *n, cJSON *o, const struct entity *x, struct err *e) MUST_CHECK;
/* "peers" of status: the other devices and what each lacks. */
int put_peers(struct node *n, cJSON *doc, struct err *e) MUST_CHECK;
/* Appends what the user should know, a sentence each. */
int put_attention(struct node *n, cJSON *list, struct err *e) MUST_CHECK;
/* "endpoint": the language model's, or null when none is set; why it is not asked goes to attention. */
int put_endpoint(struct node *n, cJSON *doc, cJSON *attention, struct err *e) MUST_CHECK;
/* "sent": the newest rows of the log of what was sent to it. */
int put_sent(struct node *n, const cJSON *req, cJSON *doc, struct err *e) MUST_CHECK;
/* "thinking": what the language model does and what waits for it. */
int put_thinking(struct node *n, cJSON *doc, struct err *e) MUST_CHECK;
/* "pictures": how many wait to be described; why they do goes to attention. */
int put_pictures(struct node *n, cJSON *doc, cJSON *attention, struct err *e) MUST_CHECK;
/* "group": its id, or null. */
int put_group(struct node *n, cJSON *doc) MUST_CHECK;
/* A device's name for people: its name when known, else the head of its id. */
void device_name(const struct node *n, const struct id *device, char out[LIMIT_NAME_BYTES + 1]);
/* The name of the device that writes a log. */
void log_device_name(struct node *n, const struct id *log, char out[LIMIT_NAME_BYTES + 1]);
/* source, app, title … of an observation. */
int put_observation(cJSON *o, const struct stored_observation *s) MUST_CHECK;

/* Runs `body` in a transaction of its own. */
int api_transaction(struct node *n, int (*body)(struct node *n, void *ctx, struct err *e), void *ctx,
                    struct err *e) MUST_CHECK;

#endif
