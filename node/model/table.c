/* Reading a table. All offsets of the sections follow from five numbers of the header, which are bounded and
 * must add up to the size of the file; what is read from a section is bounded where it is used. */
#include "node/model/table.h"

#include "base/cursor.h"
#include "base/text.h"
#include "store/search.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC BYTES_LIT("selftab1")
#define HEADER_BYTES 48u
#define KEYED_FROM 24u /* what the key is a hash of */
#define TOKENS_MAX (1u << 20)
#define SLOTS_MAX (1u << 22)
#define STRINGS_MAX (64u << 20)
#define ABOUT_MAX 1024u
#define TOKEN_BYTES 12u
/* Slots looked at for one token; the maker spreads them so. */
#define PROBES 64
/* Longer words are cut. */
#define WORD_BYTES 64u
/* Before a piece that continues a word. */
#define CONTINUES "##"

struct table {
    uint8_t *map;
    size_t bytes;
    struct vector_model model;
    uint32_t n, slots;
    struct bytes about, strings;
    const uint8_t *slot, *token, *vectors;
};

struct token {
    struct bytes text;
    float scale;
    const int8_t *v;
};

static uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int sections(struct table *t, struct err *e)
{
    struct rd r;
    rd_init(&r, bytes_of(t->map, t->bytes));
    bool ours = bytes_eq(rd_bytes(&r, MAGIC.n), MAGIC);
    rd_copy(&r, t->model.key, sizeof t->model.key);
    uint32_t dims = rd_u32(&r);
    t->model.dims = dims;
    t->n = rd_u32(&r);
    t->slots = rd_u32(&r);
    uint32_t strings = rd_u32(&r), about = rd_u32(&r), zero = rd_u32(&r);
    if (!ours || dims == 0 || dims > TABLE_DIMS_MAX || t->n == 0 || t->n > TOKENS_MAX || zero != 0 ||
        t->slots > SLOTS_MAX || (t->slots & (t->slots - 1)) != 0 || t->slots <= t->n ||
        strings > STRINGS_MAX || about > ABOUT_MAX)
        return err_set(e, ERR_FORMAT, "not a table of vectors");
    t->about = rd_bytes(&r, about);
    t->slot = rd_bytes(&r, (size_t)t->slots * 4).p;
    t->token = rd_bytes(&r, (size_t)t->n * TOKEN_BYTES).p;
    t->strings = rd_bytes(&r, strings);
    t->vectors = rd_bytes(&r, (size_t)t->n * dims).p;
    if (rd_end(&r) != 0 || !utf8_valid(t->about))
        return err_set(e, ERR_FORMAT, "a table of vectors that is cut or damaged");
    return 0;
}

static int map_file(struct table *t, int fd, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_errno(e, errno, "reading the table of vectors");
    if (!S_ISREG(st.st_mode) || st.st_size < (off_t)HEADER_BYTES || (uint64_t)st.st_size > UINT32_MAX)
        return err_set(e, ERR_FORMAT, "not a table of vectors");
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return err_errno(e, errno, "reading the table of vectors");
    t->map = p;
    t->bytes = (size_t)st.st_size;
    return 0;
}

int table_open(struct table **out, const char *path, struct err *e)
{
    *out = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_errno(e, errno, "cannot open '%s'", path);
    struct table *t = calloc(1, sizeof *t);
    int rc = t == NULL ? err_set(e, ERR_NOMEM, "reading '%s'", path) : map_file(t, fd, e);
    (void)close(fd);
    if (rc == 0)
        rc = sections(t, e);
    if (rc != 0) {
        table_close(t);
        return err_wrap(e, rc, "'%s'", path);
    }
    *out = t;
    return 0;
}

void table_close(struct table *t)
{
    if (t == NULL)
        return;
    if (t->map != NULL)
        (void)munmap(t->map, t->bytes);
    free(t);
}

void table_model(const struct table *t, struct vector_model *out)
{
    *out = t->model;
}

struct bytes table_about(const struct table *t)
{
    return t->about;
}

/* ---- looking up -------------------------------------------------------------------------------------------
 */

static bool token_at(const struct table *t, uint32_t i, struct token *out)
{
    const uint8_t *p = t->token + (size_t)i * TOKEN_BYTES;
    uint32_t from = load_u32(p), n = load_u32(p + 4), bits = load_u32(p + 8);
    memcpy(&out->scale, &bits, sizeof bits);
    out->v = (const int8_t *)t->vectors + (size_t)i * t->model.dims;
    out->text = bytes_slice(t->strings, from, n);
    return from < t->strings.n && n > 0 && out->text.n == n && isfinite(out->scale);
}

/* The token `before` ‖ `text`. */
static bool token_find(const struct table *t, const char *before, struct bytes text, struct token *out)
{
    uint32_t hash = 2166136261u;
    size_t n = strlen(before);
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (uint8_t)before[i]) * 16777619u;
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ text.p[i]) * 16777619u;
    for (uint32_t probe = 0; probe < PROBES; probe++) {
        uint32_t at = load_u32(t->slot + 4 * (size_t)((hash + probe) & (t->slots - 1)));
        if (at == 0 || at > t->n)
            return false;
        if (token_at(t, at - 1, out) && out->text.n == n + text.n && memcmp(out->text.p, before, n) == 0 &&
            memcmp(out->text.p + n, text.p, text.n) == 0)
            return true;
    }
    return false;
}

struct sum {
    const struct table *t;
    float *out;
};

/* The longest piece that the word begins with, from a place in it; 0: none. */
static size_t piece_add(const struct sum *x, struct bytes rest, bool start)
{
    struct token k;
    for (size_t n = rest.n; n > 0; n--) {
        if (n < rest.n && (rest.p[n] & 0xc0) == 0x80)
            continue; /* inside of a character */
        struct bytes piece = bytes_of(rest.p, n);
        if (!(start && token_find(x->t, "", piece, &k)) && !token_find(x->t, CONTINUES, piece, &k))
            continue;
        for (size_t i = 0; i < x->t->model.dims; i++)
            x->out[i] += k.scale * (float)k.v[i];
        return n;
    }
    return 0;
}

static int word_add(void *ctx, struct bytes word)
{
    struct bytes rest = bytes_slice(word, 0, WORD_BYTES);
    for (bool start = true; rest.n > 0; start = false) {
        size_t n = piece_add(ctx, rest, start);
        for (n += n == 0; n < rest.n && (rest.p[n] & 0xc0) == 0x80;)
            n++;
        rest = bytes_slice(rest, n, rest.n);
    }
    return 0;
}

int table_embed(const struct table *t, struct store *s, struct bytes text, float *out)
{
    struct sum x = {t, out};
    for (size_t i = 0; i < t->model.dims; i++)
        out[i] = 0;
    return search_terms(s, text, true, word_add, &x);
}

int table_check(const struct table *t, struct err *e)
{
    struct hasher h;
    struct token k, found;
    uint8_t key[VECTOR_KEY_BYTES];
    hasher_init(&h, BYTES_NONE, sizeof key);
    hasher_update(&h, bytes_of(t->map + KEYED_FROM, t->bytes - KEYED_FROM));
    hasher_final(&h, key, sizeof key);
    if (memcmp(key, t->model.key, sizeof key) != 0)
        return err_set(e, ERR_FORMAT, "the table of vectors is damaged: its key does not fit");
    for (uint32_t i = 0; i < t->n; i++) {
        if (!token_at(t, i, &k) || !utf8_valid(k.text) || !token_find(t, "", k.text, &found) ||
            found.v != k.v)
            return err_set(e, ERR_FORMAT, "token %u of the table of vectors is not found", i);
    }
    return 0;
}
