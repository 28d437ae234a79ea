#include "node/picture_list.h"

#include "base/cursor.h"

#include <stdio.h>
#include <string.h>

#define RECORD_VERSION 1
#define RECORD_BYTES_MAX (LIMIT_PATH_BYTES + 256u)

static void name_of(const uint8_t key[16], char out[sizeof(PICTURE_LIST) + 32])
{
    int at = snprintf(out, sizeof(PICTURE_LIST) + 32, PICTURE_LIST);
    for (size_t i = 0; i < 16; i++) {
        at += snprintf(out + at, sizeof(PICTURE_LIST) + 32 - (size_t)at, "%02x", key[i]);
    }
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool key_read(const char *hex, uint8_t key[16])
{
    for (size_t i = 0; i < 16; i++) {
        int high = digit(hex[2 * i]);
        int low = high >= 0 ? digit(hex[2 * i + 1]) : -1;
        if (low < 0) {
            return false;
        }
        key[i] = (uint8_t)(high << 4 | low);
    }
    return hex[32] == '\0';
}

static bool text_read(struct rd *r, char *out, size_t size)
{
    struct bytes b = rd_lenbytes(r, size - 1);
    if (b.n > 0) {
        memcpy(out, b.p, b.n);
    }
    out[b.n] = '\0';
    return strlen(out) == b.n;
}

bool picture_list_read(const char *name, struct bytes value, struct waiting *out)
{
    struct rd r;
    rd_init(&r, value);
    bool ok = key_read(name + strlen(PICTURE_LIST), out->key) && rd_u8(&r) == RECORD_VERSION &&
              text_read(&r, out->source, sizeof(out->source)) && text_read(&r, out->path, sizeof(out->path));
    out->time_ms = rd_svarint(&r);
    out->offset_min = (int16_t)rd_svarint(&r);
    out->added_ms = rd_svarint(&r);
    out->failures = (unsigned)rd_varint(&r);
    return ok && rd_end(&r) == 0;
}

int picture_list_save(struct store *s, const struct waiting *w, struct err *e)
{
    char name[sizeof(PICTURE_LIST) + 32];
    struct buf v;
    buf_init(&v, RECORD_BYTES_MAX);
    wr_u8(&v, RECORD_VERSION);
    wr_lenbytes(&v, bytes_str(w->source));
    wr_lenbytes(&v, bytes_str(w->path));
    wr_svarint(&v, w->time_ms);
    wr_svarint(&v, w->offset_min);
    wr_svarint(&v, w->added_ms);
    wr_varint(&v, w->failures);
    name_of(w->key, name);
    int rc =
        v.err != 0 ? err_set(e, v.err, "keeping a picture in mind") : local_set(s, name, buf_view(&v), e);
    buf_release(&v);
    return rc;
}

int picture_list_drop(struct store *s, const uint8_t key[16], struct err *e)
{
    char name[sizeof(PICTURE_LIST) + 32];
    name_of(key, name);
    return local_set(s, name, BYTES_NONE, e);
}

int picture_list_there(struct store *s, const uint8_t key[16], bool *out, struct err *e)
{
    char name[sizeof(PICTURE_LIST) + 32];
    struct buf v;
    buf_init(&v, RECORD_BYTES_MAX);
    name_of(key, name);
    int rc = local_get(s, name, &v, out, e);
    buf_release(&v);
    return rc;
}

int picture_list_key(struct node *n, struct bytes source, struct bytes id, uint8_t out[16], struct err *e)
{
    const struct observation o = {.source = source, .id = id, .occurrence = 1};
    int rc = event_key(secret_view(&n->home.keys.event), &o, out);
    return rc != 0 ? err_set(e, rc, "keying a picture") : 0;
}
