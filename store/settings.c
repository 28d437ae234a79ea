/* Replicated settings: an entity each, its id derived from the name, its value a register. */
#include "store/store_int.h"

#include "base/limits.h"

#include <string.h>

void settings_id(struct bytes name, struct id *out)
{
    struct hasher h;
    hasher_init(&h, BYTES_NONE, ID_BYTES);
    hasher_update(&h, BYTES_LIT("selfsame setting 1"));
    hasher_update(&h, name);
    hasher_final(&h, out->b, ID_BYTES);
}

static int setting_load(struct store *s, const char *name, struct id *id, struct entity **out, struct err *e)
{
    settings_id(bytes_str(name), id);
    *out = entity_new();
    if (*out == NULL) {
        return err_set(e, ERR_NOMEM, "reading setting '%s'", name);
    }
    int64_t row;
    int rc = entity_row(s, SPACE_SETTING, id, false, &row, e);
    if (rc == 0 && row != 0) {
        rc = entity_load(s, row, *out, e);
    }
    return rc < 0 ? rc : 0;
}

int store_setting(struct store *s, const char *name, struct buf *value, bool *found, struct err *e)
{
    struct id id;
    struct entity *x;
    struct bytes v;
    *found = false;
    int rc = setting_load(s, name, &id, &x, e);
    if (rc == 0 && entity_reg(x, REG_VALUE, &v, NULL)) {
        *found = true;
        rc = buf_bytes(value, v);
        rc = rc != 0 ? err_set(e, rc, "reading setting '%s'", name) : 0;
    }
    entity_free(x);
    return rc;
}

static int setting_write(struct store *s, const struct id *id, const struct entity *x,
                         const struct bytes parts[2], struct err *e)
{
    uint8_t replaced[LIMIT_PRIOR_STAMPS][16];
    struct draft d;
    struct bytes name;
    draft_init(&d);
    draft_reset(&d, SPACE_SETTING, CLASS_EDIT, id);
    if (!entity_reg(x, REG_NAME, &name, NULL)) {
        draft_reg(&d, REG_NAME, parts[0], NULL, 0);
    }
    size_t n = entity_stamps(x, REG_VALUE, replaced, LIMIT_PRIOR_STAMPS);
    draft_reg(&d, REG_VALUE, parts[1], replaced, n);
    int rc = store_write(s, &d, e);
    draft_release(&d);
    return rc;
}

int store_setting_set(struct store *s, const char *name, struct bytes value, struct err *e)
{
    struct bytes parts[2] = {bytes_str(name), value};
    if (value.n > LIMIT_SETTING_BYTES || parts[0].n > LIMIT_NAME_BYTES) {
        return err_set(e, ERR_LIMIT, "setting '%.64s' is too long", name);
    }
    struct id id;
    struct entity *x;
    int rc = setting_load(s, name, &id, &x, e);
    if (rc == 0) {
        rc = setting_write(s, &id, x, parts, e);
    }
    entity_free(x);
    return rc;
}
