/* Features: what the heuristics index an observation by. A feature is (kind, name, source, shared?); its key
 * in the store is name | 0x1f | 's' (other devices can see the source's events) or 'p' (private) | source so
 * that the sources of one name lie side by side. Names are canonical: lower case where case means nothing.
 *
 * Traces carry the local day and minute. A record without a time (a plain bash history) has no day: such
 * records count in stretches of UNTIMED_STRETCH, traced under the pseudo-day −1 − row / UNTIMED_STRETCH,
 * which no rule about hours, weeks or "now" looks at. */
#ifndef NODE_INFER_FEATURES_H
#define NODE_INFER_FEATURES_H

#include "store/local.h"

#define UNTIMED_STRETCH 50
/* Topic words taken from one title, tools from one command line, statements from one note. */
#define TOPIC_WORDS_MAX 4
#define TOOLS_MAX 4
#define STATEMENTS_MAX 16

enum feature_kind { /* stored in the local index; append only */
                    FEATURE_SOURCE =
                        1,        /* name "": every timed observation of a source: the days it saw anything */
                    FEATURE_TOOL, /* "rg" */
                    FEATURE_PROJECT,   /* "redis" */
                    FEATURE_APP,       /* "libreoffice writer" */
                    FEATURE_SITE,      /* "news.ycombinator.com" */
                    FEATURE_TOPIC,     /* "websocket" */
                    FEATURE_DOCUMENT,  /* whole path */
                    FEATURE_EVENT,     /* normalised summary */
                    FEATURE_STATEMENT, /* statement name, see statement.h */
                    FEATURE_KIND_COUNT
};

struct feature_name {
    enum feature_kind kind;
    struct bytes name;
};
/* Calls fn with each feature of an observation, FEATURE_SOURCE aside, each once. `words` is scratch memory.
 * fn returns 0 to go on. */
int features_of(const struct stored_observation *o, struct buf *words,
                int (*fn)(void *ctx, const struct feature_name *f), void *ctx);

/* The parts, for tests: each calls fn with every name found. */
typedef int (*name_fn)(void *ctx, struct bytes name);
int command_tools(struct bytes command, name_fn fn, void *ctx);
/* Host in lower case without "www."; empty when there is none worth naming (local files, addresses, bare
 * names). */
struct bytes url_site(struct bytes url, struct buf *out);
/* What was asked of a search engine, decoded; empty when the URL is no search. */
struct bytes url_search(struct bytes url, struct buf *out);
/* The folder that a path's project is named by ("/home/u/src/redis/deps" → "redis"); empty when no known
 * container is in the path. */
struct bytes path_project(struct bytes path);
/* Up to TOPIC_WORDS_MAX significant words, lower case. */
int title_topics(struct bytes title, struct buf *words, name_fn fn, void *ctx);

bool source_is_shell(struct bytes source);
bool source_is_browser(struct bytes source);
bool source_is_calendar(struct bytes source);
/* What the user wrote herself: notes and messages. */
bool source_is_written(struct bytes source);
bool source_is_picture(struct bytes source); /* described by a model: nothing is counted */

/* key ↔ (name, shared, source). Splitting a key of another form gives false. */
struct feature_key {
    struct bytes name, source;
    bool shared;
};
void feature_key_join(const struct feature_key *k, struct buf *out);
bool feature_key_split(struct bytes key, struct feature_key *out);

/* Local day and minute of an observation (pseudo-day when untimed). */
void trace_when(const struct stored_observation *o, int32_t *day, uint16_t *minute);

#endif
