/* The file of vectors. The slot of a proposition is the one of its row, so nothing has to be looked up and
 * nothing moves; rows of other entities are holes of the file. Written with pwrite (a full disk is an error,
 * not a signal), read through a shared mapping whose pages are let go when nothing was searched for a while
 * (store_vectors_rest): getting them again takes as long as a search, so not after each. Invariants:
 *   1. a slot in use carries the hash of the text and a check over itself; one that does not match is no
 *      vector: torn writes and damage cost a new embedding, never an answer about something else;
 *   2. a slot in use has the text of the row in prop, or will be cleared by the walk; the walk has begun anew
 *      at or before every row that changed;
 *   3. the file is never cut while somebody may have it mapped: a new one is made beside it.
 */
#include "store/vectors.h"

#include "base/check.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "store/dot.h"
#include "store/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(VECTOR_DIMS_MAX == DOT_DIMS_MAX, "what is kept can be compared");

#define MAGIC BYTES_LIT("selfvec1")
#define HEADER_BYTES 4096u
#define HEADER_USED 28u
#define META_BYTES 32u
#define BLOCK_ROWS 256
/* A row beyond this has no vector: the file would have 1 TB of holes. */
#define ROW_MAX (INT64_C(1) << 30)
/* Blocks that one call of store_vectors_due() walks. */
#define WALK_BLOCKS 4
#define QUANT_MAX 127.0f

struct vectors {
    int fd;
    bool writable;
    struct vector_model model;
    size_t padded; /* dims up to DOT_STEP */
    uint8_t *map;  /* NULL: nothing but a header */
    size_t map_bytes, blocks;
    int64_t walk;  /* the first row that is to be walked */
    uint8_t *slot; /* room for one */
};

struct meta {
    bool used;
    uint8_t content[VECTOR_KEY_BYTES];
    float scale; /* times the elements: a vector of length 1; 0: none */
    uint32_t check;
};

/* ---- where things are -------------------------------------------------------------------------------------
 */

static size_t block_bytes(const struct vectors *v)
{
    return BLOCK_ROWS * (META_BYTES + v->padded);
}

static size_t meta_at(const struct vectors *v, int64_t row)
{
    return HEADER_BYTES + (size_t)(row / BLOCK_ROWS) * block_bytes(v) +
           (size_t)(row % BLOCK_ROWS) * META_BYTES;
}

static size_t vector_at(const struct vectors *v, int64_t row)
{
    return HEADER_BYTES + (size_t)(row / BLOCK_ROWS) * block_bytes(v) + BLOCK_ROWS * META_BYTES +
           (size_t)(row % BLOCK_ROWS) * v->padded;
}

static bool row_mapped(const struct vectors *v, int64_t row)
{
    return row >= 0 && row < (int64_t)v->blocks * BLOCK_ROWS;
}

static void meta_read(const struct vectors *v, int64_t row, struct meta *m)
{
    struct rd r;
    rd_init(&r, bytes_of(v->map + meta_at(v, row), META_BYTES));
    m->used = rd_u32(&r) == 1;
    rd_copy(&r, m->content, sizeof m->content);
    uint32_t bits = rd_u32(&r);
    memcpy(&m->scale, &bits, sizeof bits);
    m->check = rd_u32(&r);
}

static void meta_write(const struct meta *m, uint8_t out[META_BYTES])
{
    struct buf b;
    uint32_t bits;
    memcpy(&bits, &m->scale, sizeof bits);
    buf_init(&b, META_BYTES);
    wr_u32(&b, m->used);
    wr_bytes(&b, bytes_of(m->content, sizeof m->content));
    wr_u32(&b, bits);
    wr_u32(&b, m->check);
    wr_u32(&b, 0);
    memset(out, 0, META_BYTES);
    if (b.err == 0)
        memcpy(out, b.p, b.n);
    buf_release(&b);
}

static void content_hash(struct bytes text, uint8_t out[VECTOR_KEY_BYTES])
{
    struct hasher h;
    hasher_init(&h, BYTES_NONE, VECTOR_KEY_BYTES);
    hasher_update(&h, text);
    hasher_final(&h, out, VECTOR_KEY_BYTES);
}

/* FNV-1a over row, content, scale and elements: against damage, not against malice. */
static uint32_t slot_check(int64_t row, const struct meta *m, struct bytes elements)
{
    const struct bytes parts[] = {bytes_of(&row, sizeof row), bytes_of(m->content, sizeof m->content),
                                  bytes_of(&m->scale, sizeof m->scale), elements};
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        for (size_t k = 0; k < parts[i].n; k++)
            h = (h ^ parts[i].p[k]) * 16777619u;
    }
    return h;
}

static struct bytes elements_of(const struct vectors *v, int64_t row)
{
    return bytes_of(v->map + vector_at(v, row), v->padded);
}

/* Whether the slot holds the vector of this text. */
static bool slot_fits(const struct vectors *v, int64_t row, const uint8_t content[VECTOR_KEY_BYTES])
{
    struct meta m;
    if (!row_mapped(v, row))
        return false;
    meta_read(v, row, &m);
    return m.used && memcmp(m.content, content, sizeof m.content) == 0 &&
           m.check == slot_check(row, &m, elements_of(v, row));
}

/* Whether there is anything to clear. */
static bool slot_blank(const struct vectors *v, int64_t row)
{
    static const uint8_t none[META_BYTES];
    struct bytes x = elements_of(v, row);
    if (memcmp(v->map + meta_at(v, row), none, META_BYTES) != 0)
        return false;
    return x.p[0] == 0 && memcmp(x.p, x.p + 1, x.n - 1) == 0;
}

/* ---- the file ---------------------------------------------------------------------------------------------
 */

static int path_of(const struct store *s, struct buf *out, struct err *e)
{
    buf_init(out, LIMIT_PATH_BYTES + 16);
    int rc = buf_printf(out, "%s-vectors", sqlite3_db_filename(s->db, "main"));
    return rc == 0 && out->p[0] != '-' ? 0 : err_set(e, ERR_LIMIT, "the path of the store is too long");
}

static int write_at(const struct vectors *v, const void *p, size_t n, size_t at, struct err *e)
{
    const uint8_t *from = p;
    while (n > 0) {
        ssize_t did = pwrite(v->fd, from, n, (off_t)at);
        if (did < 0 && errno == EINTR)
            continue;
        if (did <= 0)
            return err_errno(e, did < 0 ? errno : EIO, "writing vectors");
        from += did;
        at += (size_t)did;
        n -= (size_t)did;
    }
    return 0;
}

static void vectors_unmap(struct vectors *v)
{
    if (v->map != NULL)
        (void)munmap(v->map, v->map_bytes);
    v->map = NULL;
    v->map_bytes = v->blocks = 0;
}

/* Maps the whole blocks that the file has. */
static int vectors_map(struct vectors *v, struct err *e)
{
    struct stat st;
    vectors_unmap(v);
    if (fstat(v->fd, &st) != 0)
        return err_errno(e, errno, "reading vectors");
    if (st.st_size <= (off_t)HEADER_BYTES)
        return 0;
    size_t blocks = ((size_t)st.st_size - HEADER_BYTES) / block_bytes(v);
    if (blocks == 0 || blocks > (size_t)(ROW_MAX / BLOCK_ROWS))
        return blocks == 0 ? 0 : err_set(e, ERR_CORRUPT, "the file of vectors is too large");
    size_t bytes = HEADER_BYTES + blocks * block_bytes(v);
    void *p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, v->fd, 0);
    if (p == MAP_FAILED)
        return err_errno(e, errno, "reading vectors");
    v->map = p;
    v->map_bytes = bytes;
    v->blocks = blocks;
    return 0;
}

static void vectors_free(struct vectors *v)
{
    if (v == NULL)
        return;
    vectors_unmap(v);
    if (v->fd >= 0)
        (void)close(v->fd); /* derived data: what is lost is made again */
    free(v->slot);
    free(v);
}

static struct vectors *vectors_new(int fd, bool writable)
{
    struct vectors *v = calloc(1, sizeof *v);
    if (v == NULL) {
        (void)close(fd);
        return NULL;
    }
    v->fd = fd;
    v->writable = writable;
    return v;
}

static int model_take(struct vectors *v, const struct vector_model *m, struct err *e)
{
    v->model = *m;
    v->padded = (m->dims + DOT_STEP - 1) / DOT_STEP * DOT_STEP;
    v->slot = calloc(1, v->padded);
    return v->slot != NULL ? 0 : err_set(e, ERR_NOMEM, "opening vectors");
}

static int header_read(struct vectors *v, struct err *e)
{
    uint8_t head[HEADER_USED];
    struct vector_model m;
    struct rd r;
    if (pread(v->fd, head, sizeof head, 0) != (ssize_t)sizeof head)
        return err_set(e, ERR_CORRUPT, "the file of vectors is damaged");
    rd_init(&r, bytes_of(head, sizeof head));
    bool ours = bytes_eq(rd_bytes(&r, MAGIC.n), MAGIC);
    rd_copy(&r, m.key, sizeof m.key);
    m.dims = rd_u32(&r);
    if (!ours || m.dims == 0 || m.dims > VECTOR_DIMS_MAX)
        return err_set(e, ERR_CORRUPT, "the file of vectors is damaged");
    int rc = model_take(v, &m, e);
    return rc != 0 ? rc : vectors_map(v, e);
}

/* Opens what is there: ERR_NOTFOUND nothing, ERR_CORRUPT nothing sound. */
static int open_old(struct store *s, bool writable, struct vectors **out, struct err *e)
{
    struct buf path;
    struct stat st;
    *out = NULL;
    int rc = path_of(s, &path, e), fd = -1;
    if (rc == 0) {
        fd = open(buf_cstr(&path), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        rc = fd >= 0 ? 0 : err_errno(e, errno, "cannot open '%s'", buf_cstr(&path));
        if (fd < 0 && (errno == ELOOP || errno == EISDIR || errno == ENXIO))
            rc = err_set(e, ERR_CORRUPT, "'%s' is no file", buf_cstr(&path));
    }
    buf_release(&path);
    if (rc != 0)
        return rc;
    struct vectors *v = vectors_new(fd, writable);
    if (v == NULL)
        return err_set(e, ERR_NOMEM, "opening vectors");
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        rc = err_set(e, ERR_CORRUPT, "the file of vectors is no file");
    if (rc == 0)
        rc = header_read(v, e);
    if (rc != 0)
        vectors_free(v);
    else
        *out = v;
    return rc;
}

/* Overwrites every block that holds something and removes the name; whoever has it mapped reads zeros. */
static int wipe(const char *path, struct err *e)
{
    static const uint8_t zero[16384];
    struct stat st;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc = 0;
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        const struct vectors v = {.fd = fd};
        for (off_t at = lseek(fd, 0, SEEK_DATA); rc == 0 && at >= 0 && at < st.st_size;) {
            size_t left = (size_t)(st.st_size - at), n = left < sizeof zero ? left : sizeof zero;
            rc = write_at(&v, zero, n, (size_t)at, e);
            at = lseek(fd, at + (off_t)n, SEEK_DATA);
        }
        if (rc == 0 && fdatasync(fd) != 0)
            rc = err_errno(e, errno, "clearing vectors");
    }
    if (fd >= 0)
        (void)close(fd);
    if (rc == 0 && unlink(path) != 0)
        rc = err_errno(e, errno, "cannot remove '%s'", path);
    return rc;
}

static int make_new(struct store *s, const struct vector_model *m, struct vectors **out, struct err *e)
{
    struct buf path, head;
    *out = NULL;
    int rc = path_of(s, &path, e), fd = -1;
    if (rc == 0)
        rc = wipe(buf_cstr(&path), e);
    if (rc == 0) {
        fd = open(buf_cstr(&path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        rc = fd >= 0 ? 0 : err_errno(e, errno, "cannot write '%s'", buf_cstr(&path));
    }
    buf_release(&path);
    if (rc != 0)
        return rc;
    struct vectors *v = vectors_new(fd, true);
    if (v == NULL)
        return err_set(e, ERR_NOMEM, "opening vectors");
    buf_init(&head, HEADER_USED);
    wr_bytes(&head, MAGIC);
    wr_bytes(&head, bytes_of(m->key, sizeof m->key));
    wr_u32(&head, (uint32_t)m->dims);
    rc = head.err != 0 ? err_set(e, head.err, "making vectors") : model_take(v, m, e);
    if (rc == 0)
        rc = write_at(v, head.p, head.n, 0, e);
    buf_release(&head);
    if (rc != 0)
        vectors_free(v);
    else
        *out = v;
    return rc;
}

int store_vectors_open(struct store *s, const struct vector_model *m, struct err *e)
{
    CHECK(m->dims >= 1 && m->dims <= VECTOR_DIMS_MAX);
    struct vectors *v = NULL;
    struct err why = ERR_INIT;
    store_vectors_close(s);
    int rc = open_old(s, !s->read_only, &v, &why);
    if (rc == 0 && (v->model.dims != m->dims || memcmp(v->model.key, m->key, sizeof m->key) != 0)) {
        vectors_free(v);
        v = NULL;
        rc = err_set(&why, ERR_NOTFOUND, "the vectors are of another model");
    }
    if (rc != 0 && s->read_only)
        return err_set(e, ERR_NOTFOUND, "%s", why.text);
    if (rc != 0)
        rc = make_new(s, m, &v, e);
    s->vectors = v;
    return rc;
}

void store_vectors_close(struct store *s)
{
    vectors_free(s->vectors);
    s->vectors = NULL;
}

int store_vectors_remove(struct store *s, struct err *e)
{
    struct buf path;
    store_vectors_close(s);
    int rc = path_of(s, &path, e);
    if (rc == 0)
        rc = wipe(buf_cstr(&path), e);
    buf_release(&path);
    return rc;
}

/* ---- writing ----------------------------------------------------------------------------------------------
 */

/* Elements of 8 bits; the scale makes their length 1. */
static int quantise(const struct vectors *v, const float *from, int8_t *out, float *scale)
{
    float top = 0;
    double square = 0;
    for (size_t i = 0; i < v->model.dims; i++) {
        if (!isfinite(from[i]))
            return ERR_FORMAT;
        top = fabsf(from[i]) > top ? fabsf(from[i]) : top;
    }
    memset(out, 0, v->padded);
    for (size_t i = 0; top > 0 && i < v->model.dims; i++) {
        out[i] = (int8_t)lrintf(from[i] / top * QUANT_MAX);
        square += (double)out[i] * out[i];
    }
    *scale = square > 0 ? (float)(1 / sqrt(square)) : 0;
    return 0;
}

static int grow_to(struct vectors *v, int64_t row, struct err *e)
{
    if (row_mapped(v, row))
        return 0;
    size_t blocks = (size_t)(row / BLOCK_ROWS) + 1;
    if (ftruncate(v->fd, (off_t)(HEADER_BYTES + blocks * block_bytes(v))) != 0)
        return err_errno(e, errno, "making room for vectors");
    return vectors_map(v, e);
}

static int slot_write(struct vectors *v, int64_t row, const struct meta *m, struct err *e)
{
    uint8_t meta[META_BYTES];
    meta_write(m, meta);
    int rc = write_at(v, meta, sizeof meta, meta_at(v, row), e);
    return rc != 0 ? rc : write_at(v, v->slot, v->padded, vector_at(v, row), e);
}

static int slot_clear(struct vectors *v, int64_t row, struct err *e)
{
    static const struct meta none;
    memset(v->slot, 0, v->padded);
    return slot_write(v, row, &none, e);
}

static int text_of(struct store *s, int64_t row, uint8_t content[VECTOR_KEY_BYTES], bool *found,
                   struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT text FROM prop WHERE row=?1", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, row);
        rc = db_step(q, e);
    }
    *found = rc > 0;
    if (rc > 0)
        content_hash(db_bytes(q, 0), content);
    db_done(q);
    return rc < 0 ? rc : 0;
}

int store_vectors_put(struct store *s, int64_t row, const uint8_t content[VECTOR_KEY_BYTES],
                      const float *from, struct err *e)
{
    struct vectors *v = s->vectors;
    struct meta m = {.used = true};
    bool found;
    if (v == NULL || !v->writable || row <= 0 || row >= ROW_MAX)
        return 0;
    int rc = text_of(s, row, m.content, &found, e);
    if (rc != 0 || !found || memcmp(m.content, content, sizeof m.content) != 0)
        return rc;
    if (quantise(v, from, (int8_t *)v->slot, &m.scale) != 0)
        return err_set(e, ERR_FORMAT, "a vector has a number that is not finite");
    m.check = slot_check(row, &m, bytes_of(v->slot, v->padded));
    rc = grow_to(v, row, e);
    return rc != 0 ? rc : slot_write(v, row, &m, e);
}

/* ---- walking ----------------------------------------------------------------------------------------------
 */

struct walk {
    struct store *s;
    struct vectors *v;
    size_t max, n; /* max 0: only clears */
    int (*fn)(void *ctx, const struct vector_due *d);
    void *ctx;
    struct err *e;
};

/* Rows [from, until) hold no proposition. */
static int walk_gap(const struct walk *w, int64_t from, int64_t until)
{
    int rc = 0;
    for (; rc == 0 && from < until && row_mapped(w->v, from); from++) {
        if (!slot_blank(w->v, from))
            rc = slot_clear(w->v, from, w->e);
    }
    return rc;
}

static int walk_row(struct walk *w, int64_t row, struct bytes text)
{
    struct vector_due d = {.row = row, .text = text};
    content_hash(text, d.content);
    if (slot_fits(w->v, row, d.content))
        return 0;
    if (row_mapped(w->v, row) && !slot_blank(w->v, row)) {
        int rc = slot_clear(w->v, row, w->e);
        if (rc != 0)
            return rc;
    }
    if (w->max == 0 || row >= ROW_MAX)
        return 0;
    w->n++;
    return w->fn(w->ctx, &d);
}

/* From row *at to the end of its block, or until max are found; *at is where to go on. */
static int walk_block(struct walk *w, int64_t *at)
{
    struct stmt *q = NULL;
    int64_t end = (*at / BLOCK_ROWS + 1) * BLOCK_ROWS;
    int rc = db_prepare(w->s, "SELECT row,text FROM prop WHERE row>=?1 AND row<?2 ORDER BY row", &q, w->e);
    if (rc == 0) {
        db_bind_int(q, 1, *at);
        db_bind_int(q, 2, end);
        rc = 1;
    }
    while (rc == 1 && (w->max == 0 || w->n < w->max) && (rc = db_step(q, w->e)) == 1) {
        int64_t row = db_int(q, 0);
        rc = walk_gap(w, *at, row);
        if (rc == 0)
            rc = walk_row(w, row, db_bytes(q, 1));
        *at = row + 1;
        rc = rc == 0 ? 1 : rc;
    }
    db_done(q);
    if (rc != 0) /* stopped at max, or failed */
        return rc < 0 ? rc : 0;
    rc = walk_gap(w, *at, end);
    *at = end;
    return rc;
}

static int rows_end(struct store *s, const struct vectors *v, int64_t *out, struct err *e)
{
    int rc = db_query_int(s, "SELECT ifnull(max(row),0) FROM prop", out, e);
    int64_t mapped = (int64_t)v->blocks * BLOCK_ROWS;
    *out = *out + 1 > mapped ? *out + 1 : mapped;
    return rc;
}

int store_vectors_due(struct store *s, size_t max, int (*fn)(void *ctx, const struct vector_due *d),
                      void *ctx, bool *end, struct err *e)
{
    struct vectors *v = s->vectors;
    struct walk w = {s, v, max, 0, fn, ctx, e};
    int64_t last;
    *end = true;
    if (v == NULL || !v->writable || max == 0)
        return 0;
    int rc = rows_end(s, v, &last, e);
    for (int i = 0; rc == 0 && i < WALK_BLOCKS && w.n < max && v->walk < last; i++) {
        int64_t at = v->walk;
        rc = walk_block(&w, &at);
        v->walk = rc == 0 ? at : v->walk;
    }
    *end = rc == 0 && v->walk >= last;
    return rc;
}

void store_vectors_again(struct store *s, int64_t row)
{
    if (s->vectors != NULL && row < s->vectors->walk)
        s->vectors->walk = row < 0 ? 0 : row;
}

void vectors_prop_changed(struct store *s, int64_t row)
{
    struct vectors *v = s->vectors;
    if (v == NULL || !v->writable)
        return;
    /* Failing here is made good by the walk and by store_scrub(); searching checks the text. */
    if (row_mapped(v, row) && !slot_blank(v, row))
        (void)slot_clear(v, row, NULL);
    store_vectors_again(s, row);
}

static int scrub_open(struct store *s, struct vectors *v, struct err *e)
{
    struct walk w = {.s = s, .v = v, .e = e};
    int64_t at = 0;
    int rc = 0;
    while (rc == 0 && at < (int64_t)v->blocks * BLOCK_ROWS)
        rc = walk_block(&w, &at);
    if (rc == 0 && fdatasync(v->fd) != 0)
        rc = err_errno(e, errno, "clearing vectors");
    return rc;
}

int vectors_scrub(struct store *s, struct err *e)
{
    struct vectors *v = s->vectors;
    struct err why = ERR_INIT;
    if (v != NULL && v->writable)
        return scrub_open(s, v, e);
    int rc = open_old(s, true, &v, &why);
    if (rc == ERR_NOTFOUND)
        return 0;
    if (rc == ERR_CORRUPT)
        return store_vectors_remove(s, e);
    if (rc == 0)
        rc = scrub_open(s, v, &why);
    vectors_free(v);
    return rc != 0 ? err_set(e, rc, "%s", why.text) : 0;
}

/* ---- searching --------------------------------------------------------------------------------------------
 */

struct scan {
    const struct vectors *v;
    int16_t query[VECTOR_DIMS_MAX];
    float scale;             /* of the query */
    struct vector_hit *heap; /* the worst on top */
    size_t n, max;
    uint64_t looked;
    double sum, square;
};

static bool worse(const struct vector_hit *a, const struct vector_hit *b)
{
    return a->cosine < b->cosine || (a->cosine <= b->cosine && a->row < b->row);
}

static void sift_down(struct vector_hit *h, size_t n, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && worse(&h[child + 1], &h[child]))
            child++;
        if (!worse(&h[child], &h[at]))
            return;
        struct vector_hit t = h[at];
        h[at] = h[child];
        h[child] = t;
    }
}

static void sift_up(struct vector_hit *h, size_t at)
{
    while (at > 0 && worse(&h[at], &h[(at - 1) / 2])) {
        struct vector_hit t = h[at];
        h[at] = h[(at - 1) / 2];
        h[(at - 1) / 2] = t;
        at = (at - 1) / 2;
    }
}

static void scan_take(struct scan *x, const struct vector_hit *hit)
{
    x->looked++;
    x->sum += (double)hit->cosine;
    x->square += (double)hit->cosine * (double)hit->cosine;
    if (x->n < x->max) {
        x->heap[x->n] = *hit;
        sift_up(x->heap, x->n++);
    } else if (worse(&x->heap[0], hit)) {
        x->heap[0] = *hit;
        sift_down(x->heap, x->n, 0);
    }
}

static uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void scan_block(struct scan *x, size_t block)
{
    const struct vectors *v = x->v;
    int64_t first = (int64_t)block * BLOCK_ROWS;
    const uint8_t *meta = v->map + meta_at(v, first);
    const int8_t *elements = (const int8_t *)v->map + vector_at(v, first);
    for (int i = 0; i < BLOCK_ROWS; i++, meta += META_BYTES, elements += v->padded) {
        float scale;
        uint32_t used = load_u32(meta), bits = load_u32(meta + 4 + VECTOR_KEY_BYTES);
        memcpy(&scale, &bits, sizeof scale);
        if (used != 1 || !(scale > 0 && scale <= 1))
            continue;
        float cosine = (float)dot_i8(elements, x->query, v->padded) * scale * x->scale;
        const struct vector_hit hit = {first + i, cosine};
        scan_take(x, &hit);
    }
}

static void scan_all(struct scan *x)
{
    for (size_t b = 0; b < x->v->blocks; b++)
        scan_block(x, b);
}

/* The best first; only those whose text is the one that was embedded. */
static int scan_sort(struct store *s, struct scan *x, struct vector_found *out, struct err *e)
{
    size_t n = x->n, kept = 0;
    int rc = 0;
    for (size_t left = n; left > 1; left--) {
        struct vector_hit t = x->heap[0];
        x->heap[0] = x->heap[left - 1];
        x->heap[left - 1] = t;
        sift_down(x->heap, left - 1, 0);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        uint8_t content[VECTOR_KEY_BYTES];
        bool found;
        rc = text_of(s, x->heap[i].row, content, &found, e);
        if (rc == 0 && found && slot_fits(x->v, x->heap[i].row, content))
            x->heap[kept++] = x->heap[i];
    }
    double mean = x->looked > 0 ? x->sum / (double)x->looked : 0;
    double variance = x->looked > 0 ? x->square / (double)x->looked - mean * mean : 0;
    *out = (struct vector_found){kept, x->looked, (float)mean, (float)sqrt(variance > 0 ? variance : 0)};
    return rc;
}

static bool query_take(struct scan *x, const float *query)
{
    float top = 0;
    double square = 0;
    for (size_t i = 0; i < x->v->model.dims; i++) {
        if (!isfinite(query[i]))
            return false;
        top = fabsf(query[i]) > top ? fabsf(query[i]) : top;
    }
    for (size_t i = 0; top > 0 && i < x->v->model.dims; i++) {
        x->query[i] = (int16_t)lrintf(query[i] / top * (float)DOT_QUERY_MAX);
        square += (double)x->query[i] * x->query[i];
    }
    x->scale = square > 0 ? (float)(1 / sqrt(square)) : 0;
    return square > 0;
}

int store_vectors_search(struct store *s, const float *query, struct vector_hit *hits, size_t max,
                         struct vector_found *out, struct err *e)
{
    struct scan x = {.v = s->vectors, .heap = hits, .max = max < VECTOR_HITS_MAX ? max : VECTOR_HITS_MAX};
    *out = (struct vector_found){0};
    if (s->vectors == NULL || s->vectors->map == NULL || x.max == 0 || !query_take(&x, query))
        return 0;
    scan_all(&x);
    return scan_sort(s, &x, out, e);
}

void store_vectors_rest(struct store *s)
{
    const struct vectors *v = s->vectors;
    if (v != NULL && v->map != NULL)
        (void)madvise(v->map, v->map_bytes, MADV_DONTNEED); /* only a hint */
}

uint64_t store_vectors_count(struct store *s)
{
    const struct vectors *v = s->vectors;
    uint64_t n = 0;
    for (int64_t row = 0; v != NULL && row_mapped(v, row); row++)
        n += load_u32(v->map + meta_at(v, row)) == 1;
    return n;
}
