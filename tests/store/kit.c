#include "tests/store/kit.h"

#include "base/check.h"
#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void kit_ok(int rc, const struct err *e)
{
    if (rc != 0) {
        fprintf(stderr, "error %d: %s\n", rc, e->text);
    }
    CHECK(rc == 0);
}

int kit_open(struct kit *k, struct err *e)
{
    struct store_config cfg = {.path = k->path, .vfs = k->vfs, .clock = &k->clock, .rng = &k->rng};
    int rc = store_open(&k->s, &cfg, e);
    if (rc == 0) {
        struct id log = kit_id(1), device = kit_id(1);
        store_use_log(k->s, &log, &device);
    }
    return rc;
}

void kit_close(struct kit *k)
{
    store_close(k->s);
    k->s = NULL;
}

void kit_reopen(struct kit *k)
{
    struct err e = ERR_INIT;
    kit_close(k);
    kit_ok(kit_open(k, &e), &e);
}

void kit_start(struct kit *k)
{
    memset(k, 0, sizeof *k);
    tmp_dir_make(&k->dir);
    tmp_path(&k->dir, "store.db", k->path);
    test_clock_init(&k->test_clock, KIT_MS);
    test_rng_init(&k->test_rng, 1);
    k->clock = test_clock_iface(&k->test_clock);
    k->rng = test_rng_iface(&k->test_rng);
}

void kit_init(struct kit *k)
{
    struct err e = ERR_INIT;
    kit_start(k);
    kit_ok(kit_open(k, &e), &e);
}

void kit_release(struct kit *k)
{
    kit_close(k);
    tmp_dir_remove(&k->dir);
}

int kit_setup(void **state)
{
    struct kit *k = malloc(sizeof *k);
    CHECK(k);
    kit_init(k);
    *state = k;
    return 0;
}

int kit_teardown(void **state)
{
    kit_release(*state);
    free(*state);
    return 0;
}

struct id kit_id(unsigned n)
{
    struct id id;
    memset(id.b, (int)(n & 0xff), sizeof id.b);
    id.b[ID_BYTES - 2] = (uint8_t)(n >> 8);
    return id;
}

int kit_tell(struct kit *k, const struct id *id, const char *text, struct err *e)
{
    struct draft d;
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, CLASS_EDIT, id);
    draft_reg(&d, REG_TEXT, bytes_str(text), NULL, 0);
    draft_reg_u8(&d, REG_DECAY, 7, NULL, 0);
    draft_reg(&d, REG_ORIGIN, BYTES_LIT("tell"), NULL, 0);
    int rc = store_write(k->s, &d, e);
    draft_release(&d);
    return rc;
}

void kit_told(struct kit *k, unsigned n, const char *text)
{
    struct id id = kit_id(n);
    struct err e = ERR_INIT;
    kit_ok(kit_tell(k, &id, text, &e), &e);
}

void kit_edge(struct kit *k, enum op_tag kind, unsigned from, unsigned to)
{
    struct id a = kit_id(from), b = kit_id(to);
    struct err e = ERR_INIT;
    struct draft d;
    draft_init(&d);
    draft_reset(&d, SPACE_EDGE, CLASS_MODEL, &a);
    draft_set_add(&d, kind, bytes_of(b.b, ID_BYTES));
    kit_ok(store_write(k->s, &d, &e), &e);
    draft_release(&d);
}

static int append_piece(void *ctx, struct bytes piece)
{
    return buf_bytes(ctx, piece);
}

void kit_dump(struct store *s, struct buf *out)
{
    struct err e = ERR_INIT;
    kit_ok(store_dump(s, append_piece, out, &e), &e);
}
