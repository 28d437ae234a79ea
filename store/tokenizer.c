/* The FTS5 tokenizer "selfsame": ASCII words are folded here, because nearly all text is ASCII and this path
 * is ten times as fast; a chunk that has other bytes goes to SQLite's unicode61, whose words are then split
 * where a script has no spaces. Both paths give the same words for ASCII: every ASCII byte but letters and
 * digits separates in unicode61 too, so cutting chunks there changes nothing.
 *
 * unicode61 runs with marks (M*) as word characters: without them it tears Hindi and Thai words apart at
 * every vowel sign.
 */
#include "store/tokenizer.h"

#include "base/check.h"
#include "base/text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct tokenizer {
    fts5_tokenizer inner_calls; /* unicode61 */
    Fts5Tokenizer *inner;
};

/* One run over a text: where words go, and where in the text the present chunk starts. */
struct run {
    token_fn fn;
    void *ctx;
    size_t base;
    int stop; /* what fn stopped with */
};

static const char *inner_args[] = {"remove_diacritics", "2", "categories", "L* N* Co M*"};

static bool ascii_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

static int emit(struct run *r, struct bytes word, size_t start, size_t end)
{
    r->stop = r->fn(r->ctx, word, start, end);
    return r->stop;
}

static int emit_ascii(struct run *r, struct bytes word)
{
    uint8_t folded[TOKEN_BYTES_MAX];
    size_t n = word.n < TOKEN_BYTES_MAX ? word.n : TOKEN_BYTES_MAX;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = word.p[i];
        folded[i] = (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return emit(r, bytes_of(folded, n), r->base, r->base + word.n);
}

/* Emits a word of unicode61, split around the code points of unspaced scripts. */
static int emit_split(struct run *r, struct bytes word, size_t start, size_t end)
{
    size_t from = 0;
    for (size_t at = 0; at < word.n;) {
        size_t before = at;
        if (!cp_is_unspaced(utf8_next(word, &at)))
            continue;
        int rc = 0;
        if (before > from)
            rc = emit(r, utf8_cut(bytes_slice(word, from, before - from), TOKEN_BYTES_MAX), start, end);
        if (rc == 0)
            rc = emit(r, bytes_slice(word, before, at - before), start, end);
        if (rc != 0)
            return rc;
        from = at;
    }
    if (from == word.n)
        return 0;
    return emit(r, utf8_cut(bytes_slice(word, from, word.n - from), TOKEN_BYTES_MAX), start, end);
}

static int on_inner_token(void *ctx, int flags, const char *p, int n, int start, int end)
{
    (void)flags;
    struct run *r = ctx;
    return emit_split(r, bytes_of(p, (size_t)n), r->base + (size_t)start, r->base + (size_t)end);
}

/* The chunk from `at` up to the next ASCII separator; *plain when it is all ASCII. */
static size_t chunk_end(struct bytes text, size_t at, bool *plain)
{
    *plain = true;
    for (; at < text.n; at++) {
        if (text.p[at] >= 0x80)
            *plain = false;
        else if (!ascii_word(text.p[at]))
            break;
    }
    return at;
}

int tokenizer_run(struct tokenizer *t, struct bytes text, token_fn fn, void *ctx)
{
    CHECK(text.n <= INT_MAX);
    struct run r = {.fn = fn, .ctx = ctx};
    for (size_t at = 0; at < text.n; at++) {
        bool plain;
        size_t end = chunk_end(text, at, &plain);
        if (end == at)
            continue;
        r.base = at;
        struct bytes chunk = bytes_slice(text, at, end - at);
        int rc = plain ? emit_ascii(&r, chunk)
                       : t->inner_calls.xTokenize(t->inner, &r, FTS5_TOKENIZE_DOCUMENT, (const char *)chunk.p,
                                                  (int)chunk.n, on_inner_token);
        if (rc != 0)
            return r.stop != 0 ? r.stop : ERR_NOMEM; /* nothing else can fail in unicode61 */
        at = end;
    }
    return 0;
}

static int fts5_api_of(sqlite3 *db, fts5_api **out)
{
    sqlite3_stmt *st = NULL;
    *out = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_pointer(st, 1, out, "fts5_api_ptr", NULL);
    if (rc == SQLITE_OK)
        sqlite3_step(st);
    int rc2 = sqlite3_finalize(st);
    if (rc != SQLITE_OK || rc2 != SQLITE_OK)
        return rc != SQLITE_OK ? rc : rc2;
    return *out != NULL ? SQLITE_OK : SQLITE_ERROR;
}

static int tokenizer_make(fts5_api *api, struct tokenizer **out)
{
    struct tokenizer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return SQLITE_NOMEM;
    void *inner_ctx = NULL;
    int rc = api->xFindTokenizer(api, "unicode61", &inner_ctx, &t->inner_calls);
    if (rc == SQLITE_OK)
        rc = t->inner_calls.xCreate(inner_ctx, inner_args, (int)(sizeof inner_args / sizeof *inner_args),
                                    &t->inner);
    if (rc != SQLITE_OK) {
        free(t);
        return rc;
    }
    *out = t;
    return SQLITE_OK;
}

int tokenizer_new(sqlite3 *db, struct tokenizer **out)
{
    fts5_api *api = NULL;
    *out = NULL;
    int rc = fts5_api_of(db, &api);
    return rc == SQLITE_OK ? tokenizer_make(api, out) : rc;
}

void tokenizer_free(struct tokenizer *t)
{
    if (t == NULL)
        return;
    t->inner_calls.xDelete(t->inner);
    free(t);
}

static int fts_create(void *api, const char **args, int n_args, Fts5Tokenizer **out)
{
    (void)args;
    (void)n_args;
    struct tokenizer *t = NULL;
    int rc = tokenizer_make(api, &t);
    *out = (Fts5Tokenizer *)t;
    return rc;
}

static void fts_delete(Fts5Tokenizer *t)
{
    tokenizer_free((struct tokenizer *)t);
}

struct fts_sink {
    int (*token)(void *, int, const char *, int, int, int);
    void *ctx;
};

static int on_fts_token(void *ctx, struct bytes word, size_t start, size_t end)
{
    const struct fts_sink *s = ctx;
    return s->token(s->ctx, 0, (const char *)word.p, (int)word.n, (int)start, (int)end);
}

static int fts_tokenize(Fts5Tokenizer *t, void *ctx, int flags, const char *text, int n,
                        int (*token)(void *, int, const char *, int, int, int))
{
    (void)flags;
    struct fts_sink sink = {token, ctx};
    int rc = tokenizer_run((struct tokenizer *)t, bytes_of(text, n > 0 ? (size_t)n : 0), on_fts_token, &sink);
    return rc == ERR_NOMEM ? SQLITE_NOMEM : rc;
}

int tokenizer_register(sqlite3 *db)
{
    fts5_api *api = NULL;
    fts5_tokenizer calls = {fts_create, fts_delete, fts_tokenize};
    int rc = fts5_api_of(db, &api);
    return rc == SQLITE_OK ? api->xCreateTokenizer(api, TOKENIZER_NAME, api, &calls, NULL) : rc;
}
